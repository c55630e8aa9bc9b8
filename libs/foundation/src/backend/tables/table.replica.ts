/**
 * This node's replica of a table: it catches up, is read from scratch when it may have missed something, and helps to
 * mend a loss. Underneath: {@link Table}.
 */
import { ConflictError } from '../../errors/cluster.errors.js';
import { describe, show } from '../../errors/describe.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import { monotonicNow } from '../../time/monotonic.clock.js';
import { type FullRead, readAll } from './full.read.js';
import { type Loss, ReplicaLoss } from './replica.loss.js';
import type { Draft, ReplicaOptions, Replicated } from './replica.options.js';
import { ReplicaRows } from './replica.rows.js';
import { ReplicaSchedule } from './replica.schedule.js';
import {
  KEEP_MARKS_MS,
  PUT_BACK,
  type RowSeen,
  type Table,
  type TablePage,
  type TableWrite,
  type TableWritten,
} from './table.js';

/** How often a write is tried again because others wrote the same row in between. */
const MAX_CONFLICTS = 20;
/**
 * A replica that was out of touch for this long is read from scratch whatever the watermark says: nodes of the version
 * before drop marks without raising it.
 */
const TOO_LONG_MS = KEEP_MARKS_MS / 2;

/**
 * See the file header.
 *
 * INVARIANTS (I9, I11)
 * - What was removed never comes back (M4): a replica below the watermark, or below rows that were restored, is read
 *   from scratch, and what the full answer does not hold is dropped.
 * - After a loss every replica that was in touch restores what the table lacks, each row with the version it had, so
 *   that of one key the highest version wins. Nothing is dropped meanwhile. Rows that were removed just before may come
 *   back; a caller must only remove what has been ended for longer than `staleAfterMs`, so what comes back is ended.
 * - What is not signed with our cookie, or cannot be read, changes nothing (H3): see {@link ReplicaRows}.
 * - A replica that was out of touch for longer waits until the others had their turn, and restores only what is newer
 *   than the watermark that they left; the rest it drops.
 */
export class TableReplica<T extends Replicated> {
  readonly #rows: ReplicaRows<T>;
  readonly #logger = new ThrottledLog();
  readonly #now: () => number;
  readonly #loss: ReplicaLoss;
  #version = 0;
  /** Something was missed; stays until a full read has worked. */
  #mustReadAnew = false;
  readonly #schedule: ReplicaSchedule;

  constructor(
    private readonly table: Table,
    private readonly options: ReplicaOptions<T>,
  ) {
    this.#now = options.now ?? monotonicNow;
    this.#rows = new ReplicaRows(options);
    this.#loss = new ReplicaLoss(options, this.#now);
    this.#schedule = new ReplicaSchedule({
      what: options.what,
      now: this.#now,
      read: () => this.#read(),
      follow: (version) => (version > this.#version ? this.syncSoon() : undefined),
    });
  }

  get(key: string): T | undefined {
    return this.#rows.get(key);
  }

  values(): IterableIterator<T> {
    return this.#rows.values();
  }

  get size(): number {
    return this.#rows.size;
  }

  /** The version to expect when the row is written; 0 = there is none. */
  versionOf(key: string): number {
    return this.#rows.versionOf(key);
  }

  /** True from a loss of data until this replica has been restored; what it lacks may only be lost. */
  get isMending(): boolean {
    return this.#loss.current !== undefined;
  }

  /** How long ago this replica noticed a loss of data, in milliseconds; `Infinity` when it has not. */
  sinceLoss(): number {
    return this.#now() - this.#loss.noticedAt;
  }

  // -- writing ------------------------------------------------------------------------------------------------------

  /**
   * Writes what `next` makes of the row as it is now; `undefined` leaves it. It is called again with what another node
   * wrote in between. Returns the row as it is then.
   */
  async change(key: string, next: (current: T | undefined) => Draft | undefined): Promise<T | undefined> {
    await this.changeAll([key], (_key, current) => next(current));
    return this.get(key);
  }

  /** The same for many rows, in a few round trips. */
  async changeAll(
    keys: readonly string[],
    next: (key: string, current: T | undefined) => Draft | undefined,
  ): Promise<void> {
    let left = [...keys];
    for (let conflict = 0; conflict < MAX_CONFLICTS; conflict++) {
      const writes = this.#rows.draft(left, next);
      if (writes.length === 0) return;
      const askedAt = this.#now();
      const written = await this.table.put(writes);
      const { versions, life } = written;
      this.#loss.noteLife(life);
      if (this.#loss.life === '') this.#loss.life = life;
      left = this.#rows.acceptWritten(writes, versions);
      this.#advance(written, askedAt);
      if (left.length < writes.length) this.options.settled?.();
      if (left.length === 0) return;
      const before = left.map((key) => this.versionOf(key));
      await this.sync();
      // INVARIANT (I9): the table has an older row than this replica, which nobody has written since: it went back.
      if (left.some((key, index) => this.versionOf(key) === before[index])) await this.lost();
    }
    const { what } = this.options;
    throw new ConflictError(`entry ${show(left[0])} of the ${what}`, MAX_CONFLICTS);
  }

  /**
   * INVARIANT (I9): what this replica has just written it need not read, as long as it had everything up to the version
   * before and nothing came in between. Not while it is read: that read began where the replica was.
   */
  #advance({ versions, life, follows }: TableWritten, askedAt: number): void {
    const isBehind = follows !== this.#version || this.#version === 0 || life !== this.#loss.life;
    if (isBehind || this.isMending || this.#mustReadAnew || this.#schedule.isReading) return;
    for (const version of versions) this.#version = Math.max(this.#version, version ?? 0);
    this.#loss.heardAt = askedAt;
  }

  /**
   * Removes rows that still are as they were seen, in the table and then here. Returns the keys of those that were
   * removed.
   */
  async remove(rows: readonly RowSeen[]): Promise<string[]> {
    const versions = new Map(rows.map(({ key, version }) => [key, version]));
    const removed = await this.table.remove(rows);
    this.#rows.dropRemoved(removed, versions);
    return removed;
  }

  // -- catching up --------------------------------------------------------------------------------------------------

  /** See {@link ReplicaSchedule.sync}. */
  sync(): Promise<void> {
    return this.#schedule.sync();
  }

  /** The same for callers that do not wait; never rejects. */
  syncSoon(): Promise<void> {
    return this.sync().catch((error: unknown) => {
      this.#logger.debug(`The ${this.options.what} was not read`, { error: describe(error) });
    });
  }

  /** See {@link ReplicaSchedule.hinted}. */
  hinted(version = Infinity, isUrgent = true): void {
    if (version > this.#version) this.#schedule.hinted(version, isUrgent);
  }

  /** Called with each beat: the newest version of the table, as Redis says. */
  heard(tableVersion: number): Promise<void> {
    if (tableVersion !== this.#version || this.isMending || this.#mustReadAnew) return this.syncSoon();
    if (this.#replacements().length > 0) return this.syncSoon();
    this.#loss.heardAt = this.#now();
    return Promise.resolve();
  }

  /** Called when Redis came back without its newest data. */
  lost(): Promise<void> {
    this.#loss.mark();
    return this.syncSoon();
  }

  async #read(): Promise<void> {
    const askedAt = this.#now();
    if (askedAt - this.#loss.heardAt > TOO_LONG_MS && this.#rows.size > 0) this.#mustReadAnew = true;
    const page = await this.table.since(this.#version);
    const isLost = this.#tellsOfLoss(page) || this.isMending;
    const last = isLost ? page : await this.#catchUp(page);
    const loss = this.#loss.current;
    if (loss !== undefined && !(await this.#mend(last, loss))) return;
    this.#loss.heardAt = askedAt;
    await this.#rows.writeBack(this.table, this.#replacements(), this.#now());
  }

  #tellsOfLoss(page: TablePage): boolean {
    return this.#loss.notePage(page, this.#version, this.#mustReadAnew);
  }

  /**
   * The usual way: page by page from where this replica is, unless there is a gap; returns the last page.
   *
   * INVARIANT (I9): between two pages data can be lost as well, and what this replica has is to be restored then.
   */
  async #catchUp(first: TablePage): Promise<TablePage> {
    let page = first;
    if (this.#version === 0) return this.#readAnew(first);
    for (;;) {
      const isGap = page.floor > this.#version || page.rows.some(({ key }) => key === PUT_BACK);
      if (isGap) this.#mustReadAnew = true;
      if (this.#mustReadAnew) return this.#readAnew();
      this.#rows.apply(page.rows);
      this.#version = page.more ? page.rows.at(-1)!.version : page.version;
      if (!page.more) return page;
      page = await this.table.since(this.#version);
      if (this.#tellsOfLoss(page)) return page;
    }
  }

  async #readAnew(first?: TablePage): Promise<TablePage> {
    const read = await this.#readAll(first);
    this.#rows.dropUnseen(read.seen, ({ version }) => version <= read.anchor);
    this.#adopt(read);
    return read.last;
  }

  #adopt({ seen, last: { version, life } }: FullRead): void {
    this.#rows.unusable.retain(seen);
    this.#version = version;
    this.#loss.life = life;
    this.#mustReadAnew = false;
  }

  /**
   * Every row there is; this replica takes what is newer than what it has, and loses what was removed while it is read.
   */
  async #readAll(first?: TablePage): Promise<FullRead> {
    const check = (page: TablePage): void => {
      if (this.isMending) this.#loss.noteLife(page.life);
      else if (this.#tellsOfLoss(page)) throw new Error(`The ${this.options.what} lost data while it was read anew.`);
    };
    return readAll(this.table, this.options.what, { first, check, apply: (rows) => this.#rows.apply(rows) });
  }

  // -- after a loss of data -----------------------------------------------------------------------------------------

  /** Returns false while it is not this replica's turn yet. See the invariants above. */
  async #mend(page: TablePage, loss: Loss): Promise<boolean> {
    const { write, patienceMs } = this.options;
    const known = this.#version;
    const isOtherLife = this.#loss.isOtherLife(page) || page.life === '';
    // In the same life the watermark and the marks are there, so first it catches up like any other.
    if (loss.stale && !isOtherLife && page.version >= known) {
      await this.#catchUp(page);
      if (this.#loss.current !== loss) return false;
    } else if (loss.stale && this.#now() - loss.since < (patienceMs?.() ?? 0)) {
      return false;
    }
    let read = await this.#readAll();
    const { floor } = read.last;
    const isDead = ({ version }: Replicated): boolean => version <= (loss.stale ? floor : 0);
    if (write === undefined) this.#rows.dropUnseen(read.seen, ({ version }) => version <= Math.max(known, read.anchor));
    else {
      this.#rows.dropUnseen(read.seen, isDead);
      const rows = this.#rows
        .newerThan(read.seen)
        .map(([key, value]) => ({ key, value: write(value), version: value.version }));
      // In the same life it is not known how much of `known` is from before the loss.
      if (rows.length > 0 || known > 0) {
        const life = await this.table.restore(rows, isOtherLife ? known : 0);
        // INVARIANT (I9): a replica that restored rows knows their life, so that the loss of that one is noticed as
        // well.
        if (life !== '') {
          this.#loss.noteLife(life);
          read = { ...read, last: { ...read.last, life } };
        }
      }
    }
    this.#adopt(read);
    this.#loss.mended(loss);
    return true;
  }

  /** INVARIANT (I9): not while a loss is mended: what other nodes know may be newer. */
  #replacements(): TableWrite[] {
    return this.isMending ? [] : this.#rows.unusable.replacements(this.#now());
  }
}
