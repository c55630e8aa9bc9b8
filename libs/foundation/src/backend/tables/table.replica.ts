/**
 * This node's copy of a table: it catches up, is read anew when it may have missed something, and helps to mend a loss.
 * Used by the process table and the service registry; underneath {@link Table}.
 */
import { ConflictError } from '../../errors/cluster.errors.js';
import { describe, show } from '../../errors/describe.js';
import { unattended } from '../../foreign/gate.js';
import { Log } from '../../logging/log.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import { monotonicNow } from '../../time/monotonic.clock.js';
import {
  isMark,
  KEEP_MARKS_MS,
  PUT_BACK,
  type RowSeen,
  type Table,
  type TablePage,
  type TableRow,
  type TableWrite,
  type TableWritten,
} from './table.js';

/** How often a write is tried again because others wrote the same row in between. */
const MAX_CONFLICTS = 20;
/** How often a full read begins again because marks were dropped during it, before it counts as failed. */
const MAX_RESTARTS = 5;
/**
 * A copy that heard nothing for this long is read anew whatever the watermark says: nodes of the version before drop
 * marks without raising it.
 */
const TOO_LONG_MS = KEEP_MARKS_MS / 2;
/**
 * After a hint of what this node has nothing to do with it looks so long after its last look: many changes are one
 * question.
 */
const PACE_MS = 100;

/**
 * What a stranger wrote in the place of a row is replaced so often at most, in milliseconds: two clusters that do not
 * believe each other must not spend their time on that.
 */
const WRITE_BACK_EVERY_MS = 10_000;

/** Why what lies in the place of a row counts for nothing: another cookie, or not what this version can read. */
export type Refused = 'bad-signature' | 'unreadable';

/** What a row becomes in a copy. */
export interface Replicated {
  readonly version: number;
}

/** A row as it is to be written; a text is one about which nothing more is said. */
export type Draft = string | Pick<TableWrite, 'value' | 'about'>;

/** What a copy needs to know of its rows. */
export interface ReplicaOptions<T extends Replicated> {
  /** For logs and errors: `process table`. */
  what: string;
  /** Reads a row; `undefined` for one that this version cannot use. It changes nothing, and may be written over. */
  read(row: TableRow): T | undefined;
  /** Called after each batch with such rows, and those that are not signed: one of them, and how many there were. */
  refused?(reason: Refused, key: string, count: number): void;
  /**
   * What this copy writes where such a row lies in the place of one that it has; `undefined` leaves it as it is.
   * Without it: `write`, in the place of what is not signed. What cannot be read may be of a newer version.
   */
  writeBack?: (key: string, value: T, reason: Refused) => string | undefined;
  /** After each row that came, changed (both are given) or went. */
  changed?(key: string, now: T | undefined, before: T | undefined): void;
  /** Once after each batch of changes. */
  settled?(): void;
  /**
   * How a row is put back after a loss of data. Without it nothing is put back: then a loss is what nobody writes
   * again, and this copy loses it as well.
   */
  write?: (value: T) => string;
  /**
   * A copy that heard nothing for longer than this does not put back before those that did, because rows may have ended
   * and been removed meanwhile. Default: at once.
   */
  staleAfterMs?: number;
  /** How long such a copy waits for the others. */
  patienceMs?: () => number;
  now?: () => number;
}

/** What lies in the place of a row and counts for nothing. */
interface Unusable {
  version: number;
  reason: Refused;
}

/** A loss of data that has not been mended yet. */
interface Loss {
  since: number;
  /** True when this copy had heard nothing for long when it came. */
  stale: boolean;
}

/** A complete read. */
interface FullRead {
  /** The version of each row that the table has. */
  seen: ReadonlyMap<string, number>;
  /** The newest version when it began. */
  anchor: number;
  last: TablePage;
}

/**
 * See the file header.
 *
 * INVARIANTS (I9, I11)
 * - What was removed never comes back (M4): a copy below the watermark, or below rows that were put back, is read anew,
 *   and what the full answer does not hold is dropped.
 * - After a loss every copy that was in touch puts back what the table lacks, each row with the version it had, so that
 *   of one key the highest version wins. Nothing is dropped meanwhile. Rows that somebody removed just before may come
 *   back; who removes must only remove what has been ended for longer than `staleAfterMs`, so what comes back is ended.
 * - What is not signed with our cookie, or cannot be read, changes nothing (H3): a row in whose place it lies counts as
 *   it was, until it is written again by one of us, or removed. It is written back, see `WRITE_BACK_EVERY_MS`. A
 *   stranger that removes a row cannot be told from one of us who does.
 * - A copy that was out of touch for longer waits until the others had their turn, and puts back only what is newer
 *   than the watermark that they left; the rest it drops.
 */
export class TableReplica<T extends Replicated> {
  readonly #rows = new Map<string, T>();
  /**
   * What cannot be used and is newer than the row that is known, if one is. Its version must be known to write over it.
   */
  readonly #unusable = new Map<string, Unusable>();
  /** Those of them that lie in the place of a row that is known. */
  readonly #disputed = new Set<string>();
  /** When such rows were written back last; what was longer ago is forgotten. */
  readonly #writtenBack = new Map<string, number>();
  /** Refused since that was told. */
  readonly #refused = new Map<Refused, { key: string; count: number }>();
  readonly #logger = new Log();
  readonly #repeated = new ThrottledLog();
  readonly #now: () => number;
  #version = 0;
  #life = '';
  /** When this copy was last known to be complete. */
  #heardAt: number;
  #loss: Loss | undefined;
  /** Something was missed; stays until a full read has worked. */
  #mustReadAnew = false;
  /** When the last look began. */
  #lookedAt = -Infinity;
  /** The newest version that hints told of since they were followed. */
  #hinted = 0;
  #hintTimer: NodeJS.Timeout | undefined;
  #followsSoon = false;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(
    private readonly table: Table,
    private readonly options: ReplicaOptions<T>,
  ) {
    this.#now = options.now ?? monotonicNow;
    this.#heardAt = this.#now();
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
    return this.#unusable.get(key)?.version ?? this.#rows.get(key)?.version ?? 0;
  }

  /** True from a loss of data until this copy has been put back; what it lacks may only be lost. */
  get isMending(): boolean {
    return this.#loss !== undefined;
  }

  // -- writing
  // ----------------------------------------------------------------------------------------------------------

  /**
   * Writes what `next` makes of the row as it is now; `undefined` leaves it. It is called again with what somebody else
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
      const writes = left.flatMap((key) => {
        const draft = next(key, this.get(key));
        const row = typeof draft === 'string' ? { value: draft } : draft;
        return row === undefined ? [] : [{ ...row, key, expected: this.versionOf(key) }];
      });
      if (writes.length === 0) return;
      const askedAt = this.#now();
      const written = await this.table.put(writes);
      const { versions, life } = written;
      if (this.#life === '') this.#life = life;
      left = [];
      for (const [index, { key, value }] of writes.entries()) {
        const version = versions[index];
        if (version === undefined) left.push(key);
        else this.#accept({ key, value, version });
      }
      this.#advance(written, askedAt);
      if (left.length < writes.length) this.options.settled?.();
      if (left.length === 0) return;
      await this.sync();
    }
    const { what } = this.options;
    throw new ConflictError(`entry ${show(left[0])} of the ${what}`, MAX_CONFLICTS);
  }

  /**
   * INVARIANT (I9): what this copy has just written it need not read, as long as it had everything up to the version
   * before and nothing came in between. Not while it is read: that read has asked from where the copy was.
   */
  #advance({ versions, life, follows }: TableWritten, askedAt: number): void {
    const isBehind = follows !== this.#version || this.#version === 0 || life !== this.#life;
    if (isBehind || this.#loss !== undefined || this.#mustReadAnew || this.#running !== undefined) return;
    for (const version of versions) this.#version = Math.max(this.#version, version ?? 0);
    this.#heardAt = askedAt;
  }

  /**
   * Removes rows that still are as they were seen, in the table and then here. Returns the keys of those that were
   * removed.
   */
  async remove(rows: readonly RowSeen[]): Promise<string[]> {
    const versions = new Map(rows.map(({ key, version }) => [key, version]));
    const removed = await this.table.remove(rows);
    let dropped = false;
    for (const key of removed) {
      // INVARIANT (I9): only what was removed goes here; what was written again meanwhile is newer, and stays.
      if (this.versionOf(key) !== versions.get(key)) continue;
      this.#drop(key);
      dropped = true;
    }
    if (dropped) this.options.settled?.();
    return removed;
  }

  // -- catching up
  // ------------------------------------------------------------------------------------------------------

  /** Fetches what is newer. Resolves once a look is over that began after this call, and rejects when that failed. */
  sync(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return (this.#running = this.#run());
    const begin = (): Promise<void> => {
      this.#next = undefined;
      return (this.#running = this.#run());
    };
    return (this.#next = this.#running.then(begin, begin));
  }

  /** The same for callers that do not wait; never rejects. */
  syncSoon(): Promise<void> {
    return this.sync().catch((error: unknown) => {
      this.#logger.debug(`The ${this.options.what} was not read`, { error: describe(error) });
    });
  }

  /**
   * Somebody said that the table has this version by now; `undefined` = a newer one. What this node has nothing to do
   * with need not be read at once.
   */
  hinted(version = Infinity, isUrgent = true): void {
    if (version <= this.#version) return;
    this.#hinted = Math.max(this.#hinted, version);
    const wait = isUrgent ? 0 : this.#lookedAt + PACE_MS - this.#now();
    if (wait > 0) this.#hintTimer ??= setTimeout(() => this.#follow(), Math.min(wait, PACE_MS)).unref();
    else if (!this.#followsSoon) {
      this.#followsSoon = true;
      // The answer to a write of this node may be here as well, and then there is nothing to read.
      setImmediate(() => this.#follow());
    }
  }

  #follow(): void {
    clearTimeout(this.#hintTimer);
    this.#hintTimer = undefined;
    this.#followsSoon = false;
    const newest = this.#hinted;
    this.#hinted = 0;
    if (newest > this.#version) unattended(`comparing the ${this.options.what}`, this.syncSoon());
  }

  /** Called with each beat: the newest version of the table, as Redis says. */
  heard(tableVersion: number): Promise<void> {
    if (tableVersion !== this.#version || this.#loss !== undefined || this.#mustReadAnew) return this.syncSoon();
    if (this.#isToWriteBack()) return this.syncSoon();
    this.#heardAt = this.#now();
    return Promise.resolve();
  }

  /** Called when Redis came back without its newest data. */
  lost(): Promise<void> {
    this.#noteLoss(true);
    return this.syncSoon();
  }

  async #run(): Promise<void> {
    try {
      await this.#look();
    } finally {
      this.#running = undefined;
    }
  }

  async #look(): Promise<void> {
    const askedAt = this.#now();
    this.#lookedAt = askedAt;
    if (askedAt - this.#heardAt > TOO_LONG_MS && this.#rows.size > 0) this.#mustReadAnew = true;
    const page = await this.table.since(this.#version);
    // INVARIANT (I9): what a newer life holds is not taken into this copy before it is known what is to be put back.
    if (this.#isOtherLife(page) || page.version < this.#version) this.#noteLoss(false);
    const loss = this.#loss;
    if (loss === undefined) await this.#catchUp(page);
    else if (!(await this.#mend(page, loss))) return;
    this.#heardAt = askedAt;
    if (this.#isToWriteBack()) await this.#writeBack();
  }

  #isOtherLife({ life }: TablePage): boolean {
    return this.#life !== '' && life !== this.#life;
  }

  #noteLoss(again: boolean): void {
    const now = this.#now();
    const { staleAfterMs = Infinity } = this.options;
    const stale = this.#loss?.stale ?? now - this.#heardAt > staleAfterMs;
    if (this.#loss === undefined || again) this.#loss = { since: this.#loss?.since ?? now, stale };
  }

  /** The usual way: page by page from where this copy is, unless there is a gap. */
  async #catchUp(first: TablePage): Promise<void> {
    let page = first;
    if (this.#version === 0) return this.#readAnew(first);
    for (;;) {
      const isGap = page.floor > this.#version || page.rows.some(({ key }) => key === PUT_BACK);
      if (isGap) this.#mustReadAnew = true;
      if (this.#mustReadAnew) return this.#readAnew();
      this.#life = page.life;
      this.#apply(page.rows);
      this.#version = page.more ? page.rows.at(-1)!.version : page.version;
      if (!page.more) return;
      page = await this.table.since(this.#version);
      this.#requireNoLoss(page);
    }
  }

  /** INVARIANT (I9): between two pages data can be lost as well, and what this copy has is to be put back then. */
  #requireNoLoss(page: TablePage): void {
    if (!this.#isOtherLife(page) && page.version >= this.#version) return;
    this.#noteLoss(false);
    throw new Error(`The ${this.options.what} lost data while it was read; it is read again.`);
  }

  async #readAnew(first?: TablePage): Promise<void> {
    const read = await this.#readAll(first);
    this.#dropUnseen(read, ({ version }) => version <= read.anchor);
    this.#adopt(read);
  }

  #adopt({ seen, last: { version, life } }: FullRead): void {
    // What is not there any more is in nobody's place.
    for (const [key, unusable] of this.#unusable) if (seen.get(key) !== unusable.version) this.#clearPlace(key);
    this.#version = version;
    this.#life = life;
    this.#mustReadAnew = false;
  }

  /**
   * Every row there is; this copy takes what is newer than what it has, and loses what was removed while it is read.
   */
  async #readAll(first?: TablePage): Promise<FullRead> {
    for (let restart = 0; restart < MAX_RESTARTS; restart++) {
      const page = restart === 0 && first !== undefined ? first : await this.table.since(0);
      if (this.#loss === undefined) this.#requireNoLoss(page);
      const read = await this.#readPages(page);
      if (read !== undefined) return read;
    }
    throw new Error(
      `The ${this.options.what} could not be read completely, because too much was removed from it meanwhile.`,
    );
  }

  async #readPages(first: TablePage): Promise<FullRead | undefined> {
    const seen = new Map<string, number>();
    const { version: anchor, life } = first;
    let page = first;
    let from = 0;
    for (;;) {
      // What was removed after `anchor` leaves a mark; one that is gone, and that was not read yet, was missed.
      if (page.life !== life || page.floor > Math.max(from, anchor)) return undefined;
      for (const row of page.rows) {
        if (isMark(row)) seen.delete(row.key);
        else seen.set(row.key, row.version);
      }
      this.#apply(page.rows);
      if (!page.more) return { seen, anchor, last: page };
      from = page.rows.at(-1)!.version;
      page = await this.table.since(from);
    }
  }

  // -- after a loss of data
  // ---------------------------------------------------------------------------------------------

  /** Returns false while it is not this copy's turn yet. See the invariants above. */
  async #mend(page: TablePage, loss: Loss): Promise<boolean> {
    const { write, patienceMs } = this.options;
    const known = this.#version;
    const isOtherLife = this.#isOtherLife(page) || page.life === '';
    // In the same life the watermark and the marks are there, so first it catches up like any other.
    if (loss.stale && !isOtherLife && page.version >= known) {
      await this.#catchUp(page);
    } else if (loss.stale && this.#now() - loss.since < (patienceMs?.() ?? 0)) {
      return false;
    }
    let read = await this.#readAll();
    const { floor } = read.last;
    const isDead = ({ version }: Replicated): boolean => version <= (loss.stale ? floor : 0);
    if (write === undefined) this.#dropUnseen(read, ({ version }) => version <= Math.max(known, read.anchor));
    else {
      this.#dropUnseen(read, isDead);
      const missing = [...this.#rows].filter(([key, { version }]) => version > (read.seen.get(key) ?? 0));
      missing.sort(([, a], [, b]) => a.version - b.version);
      const rows = missing.map(([key, value]) => ({ key, value: write(value), version: value.version }));
      // In the same life it is not known how much of `known` is from before the loss.
      if (rows.length > 0 || known > 0) {
        const life = await this.table.restore(rows, isOtherLife ? known : 0);
        // INVARIANT (I9): a copy that put rows back knows their life, so that the loss of that one is noticed as well.
        if (life !== '') read = { ...read, last: { ...read.last, life } };
      }
    }
    this.#adopt(read);
    if (this.#loss === loss) this.#loss = undefined;
    return true;
  }

  // -- rows
  // -------------------------------------------------------------------------------------------------------------

  #apply(rows: readonly TableRow[]): void {
    for (const row of rows) {
      if (!isMark(row)) this.#accept(row);
      else if (this.versionOf(row.key) < row.version) this.#drop(row.key);
    }
    this.#tellRefused();
    if (rows.length > 0) this.options.settled?.();
  }

  #accept(row: TableRow): void {
    const { key, version } = row;
    if (this.versionOf(key) >= version) return;
    const value = row.isForeign === true ? undefined : this.options.read(row);
    if (value === undefined) return this.#refuse(row);
    const before = this.#rows.get(key);
    this.#clearPlace(key);
    this.#rows.set(key, value);
    this.options.changed?.(key, value, before);
  }

  /** INVARIANT (I11): the row stays as it is known. */
  #refuse({ key, version, isForeign }: TableRow): void {
    const reason = isForeign === true ? 'bad-signature' : 'unreadable';
    this.#unusable.set(key, { version, reason });
    if (this.#rows.has(key)) this.#disputed.add(key);
    this.#refused.set(reason, { key, count: (this.#refused.get(reason)?.count ?? 0) + 1 });
  }

  #tellRefused(): void {
    for (const [reason, { key, count }] of this.#refused) {
      this.#repeated.warn(REFUSALS[reason](this.options.what), { entry: show(key), reason }, reason, count);
      this.options.refused?.(reason, key, count);
    }
    this.#refused.clear();
  }

  #clearPlace(key: string): void {
    this.#unusable.delete(key);
    this.#disputed.delete(key);
  }

  #drop(key: string): void {
    const before = this.#rows.get(key);
    this.#rows.delete(key);
    this.#clearPlace(key);
    if (before !== undefined) this.options.changed?.(key, undefined, before);
  }

  #dropUnseen({ seen }: FullRead, mayDrop: (row: Replicated) => boolean): void {
    let dropped = false;
    for (const [key, row] of [...this.#rows, ...this.#unusable]) {
      if (seen.has(key) || !mayDrop(row)) continue;
      this.#drop(key);
      dropped = true;
    }
    if (dropped) this.options.settled?.();
  }

  // -- what strangers write
  // ---------------------------------------------------------------------------------------------

  /** INVARIANT (I9): not while a loss is mended: what the others know may be newer. */
  #isToWriteBack(): boolean {
    return this.#loss === undefined && this.#instead().length > 0;
  }

  /** What is to be written in the place of what is not believed, of all that has had its turn. */
  #instead(): TableWrite[] {
    const since = this.#now() - WRITE_BACK_EVERY_MS;
    for (const [key, at] of this.#writtenBack) if (at <= since) this.#writtenBack.delete(key);
    const writes: TableWrite[] = [];
    for (const key of this.#disputed) {
      const [row, there] = [this.#rows.get(key), this.#unusable.get(key)];
      if (row === undefined || there === undefined || this.#writtenBack.has(key)) continue;
      const value = this.#own(key, row, there.reason);
      if (value !== undefined) writes.push({ key, value, expected: there.version });
    }
    return writes;
  }

  #own(key: string, row: T, reason: Refused): string | undefined {
    const { write, writeBack } = this.options;
    if (writeBack !== undefined) return writeBack(key, row, reason);
    return reason === 'bad-signature' ? write?.(row) : undefined;
  }

  /**
   * All who have the row do this at the same time, and the first of them wins. What one of us wrote just before the
   * stranger may be known to few, and is lost when another one is first; a stranger can roll rows back anyway.
   */
  async #writeBack(): Promise<void> {
    const writes = this.#instead();
    for (const { key } of writes) this.#writtenBack.set(key, this.#now());
    try {
      const { versions } = await this.table.put(writes);
      for (const [index, { key, value }] of writes.entries()) {
        const version = versions[index];
        if (version !== undefined) this.#accept({ key, value, version });
      }
      this.options.settled?.();
    } catch (error) {
      // The next look tries again.
      for (const { key } of writes) this.#writtenBack.delete(key);
      this.#logger.debug(`Entries of the ${this.options.what} were not written back`, { error: describe(error) });
    }
  }
}

const REFUSALS: Record<Refused, (what: string) => string> = {
  'bad-signature': (what) =>
    `An entry of the ${what} is not signed with the cookie of this node; it changes nothing, and what it replaced is written back`,
  unreadable: (what) => `An entry of the ${what} is not readable; it changes nothing`,
};
