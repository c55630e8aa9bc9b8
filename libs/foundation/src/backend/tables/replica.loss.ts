/**
 * How a replica notices that its table has lost data, and what it knows of the loss until that is mended.
 * Used by `table.replica.ts`, which mends it.
 */
import type { ReplicaOptions } from './replica.options.js';
import { PUT_BACK, type TablePage } from './table.js';

/** A loss of data that has not been mended yet. */
export interface Loss {
  readonly since: number;
  /** True when this replica had been out of touch for long when it came. */
  readonly stale: boolean;
}

/** See the file header. */
export class ReplicaLoss {
  /** When the replica was last known to be complete. */
  heardAt: number;
  /** The life of the table that the replica has; '' before it has read anything. */
  life = '';
  /** The life that the table named last, in whatever it answered. */
  #named = '';
  #current: Loss | undefined;
  /** When a loss was noticed last. */
  noticedAt = -Infinity;

  constructor(
    private readonly options: Pick<ReplicaOptions<never>, 'staleAfterMs'>,
    private readonly now: () => number,
  ) {
    this.heardAt = now();
  }

  /** The loss that is to be mended. */
  get current(): Loss | undefined {
    return this.#current;
  }

  /** Another one each time: what is lost while an earlier loss is mended is not mended by that. */
  mark(): void {
    const now = this.now();
    const { staleAfterMs = Infinity } = this.options;
    this.noticedAt = now;
    const stale = this.#current?.stale ?? now - this.heardAt > staleAfterMs;
    this.#current = { since: this.#current?.since ?? now, stale };
  }

  /** This one is mended; one that came meanwhile is not. */
  mended(loss: Loss): void {
    if (this.#current === loss) this.#current = undefined;
  }

  isOtherLife({ life }: TablePage): boolean {
    return this.life !== '' && life !== this.life;
  }

  /**
   * INVARIANT (I9): the table answers in the order in which it was asked. Another life than in its last answer is
   * another loss, also in the middle of mending one, when what was read is of a life that is over.
   */
  noteLife(life: string): void {
    if (this.#named !== '' && life !== this.#named) this.mark();
    this.#named = life;
  }

  /**
   * True when a page tells of a loss. `version`: that of the replica; `mayMiss`: it may have missed what was removed.
   *
   * INVARIANT (I9): what a newer life holds is not taken into the replica before it is known what is to be restored;
   * nor is anything dropped when others have restored what was lost, and this replica hears of the loss by that.
   */
  notePage(page: TablePage, version: number, mayMiss: boolean): boolean {
    const before = this.#current;
    const isInTouch = before === undefined && version > 0 && page.floor <= version && !mayMiss;
    const isRestored = isInTouch && page.rows.some(({ key }) => key === PUT_BACK);
    if (isRestored || this.isOtherLife(page) || page.version < version) this.mark();
    this.noteLife(page.life);
    return this.#current !== before;
  }
}
