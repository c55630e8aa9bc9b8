/**
 * What should run in the cluster: this node's copy of the shared table, and the only way to change it.
 * Read by the supervisor and the manager; underneath `Table` (a hash and a sorted set, compared by version).
 */
import type { Backend } from '../../backend/backend.js';
import { TableReplica } from '../../backend/tables/table.replica.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import { isSlotOf, processOf, runsEverywhere, slotNames } from '../../cluster/slot.names.js';
import { unattended } from '../../foreign/gate.js';
import { Listeners } from '../../foreign/listeners.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { parseEntry, type ProcessEntry, type ProcessStatus, type VersionedEntry, writeEntry } from './process.entry.js';
import { ProcessIndex } from './process.index.js';
import { RESTORED_BEATS } from './restoring.js';

export { isEnded, parseEntry, type ProcessEntry, type ProcessStatus, type VersionedEntry } from './process.entry.js';

/** Returns the next entry, or `undefined` to leave it as it is. */
export type Change = (current: VersionedEntry | undefined) => ProcessEntry | undefined;

/** How long the entry of a process that was started by a call is kept after its end, for `list()`. */
const KEEP_ENDED_MS = 10 * 60_000;
/** And how many of them in the cluster; beyond that the oldest go sooner. */
const MAX_ENDED = 1000;
/**
 * INVARIANT (I9): a row is not removed sooner after its end, however many there are. A node that was in touch that
 * lately knows of the end, so what it puts back after a loss of data is ended as well; see `table.replica.ts`.
 */
export const LEAST_KEPT_MS = 60_000;
/** Removed in one go; the rest follows with the next sweep. */
const PRUNED_AT_ONCE = 2000;

/** A replica or partition, and the row of its own that it was made of, if it had one. */
interface MadeSlot {
  row: VersionedEntry | undefined;
  slot: VersionedEntry;
}

/** See the file header. */
export class ProcessTable {
  readonly #rows: TableReplica<VersionedEntry>;
  /** By entry and name, with the row it was made of: thousands are checked with each heartbeat, and few change. */
  readonly #slots = new WeakMap<VersionedEntry, Map<string, MadeSlot>>();
  readonly #index = new ProcessIndex();
  readonly #listeners = new Listeners<[changed: ReadonlySet<string>]>('a listener to the process table');
  #isOurs: (type: string) => boolean = () => true;

  constructor(
    private readonly backend: Backend,
    private readonly membership: ClusterView,
    telemetry?: Pick<Telemetry, 'emit'>,
  ) {
    this.#rows = new TableReplica(backend.table, {
      what: 'process table',
      read: parseEntry,
      write: writeEntry,
      // By members only: an observer writes what an operator requests, and nothing else.
      writeBack: (_name, row, reason) =>
        reason === 'bad-signature' && membership.state === 'up' ? writeEntry(row) : undefined,
      changed: (name, now, before) => this.#index.note(name, now, before),
      settled: () => this.#settled(),
      refused: (reason, entry, count) =>
        telemetry?.emit('cluster.row_refused', { table: 'processes', entry, reason, count }),
      staleAfterMs: LEAST_KEPT_MS,
      patienceMs: () => membership.beatEvery * RESTORED_BEATS,
    });
    backend.onHint((hint) => {
      if (hint.t === 'table')
        this.#rows.hinted(
          hint.version,
          hint.of?.some((type) => this.#isOurs(type)),
        );
    });
    membership.listen({
      beat: ({ tableVersion }) => {
        if (backend.kind === 'redis') unattended('comparing the process table', this.#rows.heard(tableVersion));
      },
      dataLoss: () => unattended('comparing the process table', this.#rows.lost()),
    });
  }

  /** Of which classes this node hears of changes at once; of the others some milliseconds later, of many at a time. */
  concerns(isOurs: (type: string) => boolean): void {
    this.#isOurs = isOurs;
  }

  /** How many rows there are, those of single replicas and partitions and of what has ended included. */
  get size(): number {
    return this.#rows.size;
  }

  /** The processes, ended ones included. Costs a step for each; what needs attention is in {@link active}. */
  processes(): VersionedEntry[] {
    return [...this.#index.processes.values()];
  }

  /** What of it is owned one by one: each replica and partition, or itself; of those on every node, this one’s own. */
  slotsOf(entry: VersionedEntry): VersionedEntry[] {
    return slotNames(entry, this.membership.self.name).map((slot) => this.#slot(slot, entry));
  }

  /** The processes that should run. */
  wanted(): VersionedEntry[] {
    return [...this.#index.active.values()].filter(({ status }) => status === 'wanted');
  }

  /** The names of the processes that have not ended. */
  active(): IterableIterator<string> {
    return this.#index.active.keys();
  }

  /** What waits for its restart. */
  backingOff(): VersionedEntry[] {
    return this.#still('backing-off', this.#index.backingOff);
  }

  /** What ended too often and stays down: processes, and single replicas and partitions of what has not. */
  escalated(): VersionedEntry[] {
    return this.#still('escalated', this.#index.escalated);
  }

  /** Those of the names whose rows have this status and count: that of a part may say nothing any longer. */
  #still(status: ProcessStatus, names: Iterable<string>): VersionedEntry[] {
    return [...names].flatMap((name) => this.get(name) ?? []).filter((entry) => entry.status === status);
  }

  /** Temporary processes that were started longer ago than a start takes: one without an owner is lost. */
  startedOnce(): VersionedEntry[] {
    const limit = (this.membership.clusterNow() - LEAST_KEPT_MS) * 1000;
    return [...this.#index.once.values()].filter(({ version }) => version <= limit);
  }

  /** True when this copy has no entry at all. */
  get isEmpty(): boolean {
    return this.#index.processes.size === 0;
  }

  /** True from a loss of data until this replica has been restored: what it lacks may only be lost. */
  get isMending(): boolean {
    return this.#rows.isMending;
  }

  /** A process, a replica or a partition by its name. */
  get(name: string): VersionedEntry | undefined {
    const row = this.#index.processes.get(name);
    if (row !== undefined) return row;
    const entry = this.#index.processes.get(processOf(name));
    return entry !== undefined && isSlotOf(entry, name) ? this.#slot(name, entry) : undefined;
  }

  /** Lower bound for the next epoch of any slot of this process. */
  floor(name: string): number {
    let floor = this.#rows.get(name)?.after ?? 0;
    for (const { after } of this.#index.rowsOf(name)) floor = Math.max(floor, after);
    return floor;
  }

  /**
   * A replica or partition has a row of its own only once something happened to it; that row counts until the whole
   * process is stopped, or restarted with a higher floor.
   */
  #slot(name: string, entry: VersionedEntry): VersionedEntry {
    if (entry.kind === 'singleton') return entry;
    const row = this.#rows.get(name);
    const slots = this.#slots.get(entry) ?? new Map<string, MadeSlot>();
    this.#slots.set(entry, slots);
    const made = slots.get(name);
    if (made !== undefined && made.row === row) return made.slot;
    const version = row?.version ?? 0;
    const own = row !== undefined && entry.status === 'wanted' && row.after > entry.after ? row : undefined;
    const { status, after, avoid, prefer, error, crashes, ranOn, retryAt } = own ?? entry;
    const state = { status, after, avoid, prefer, error, crashes, ranOn, retryAt };
    const slot = { ...entry, name, of: entry.name, version, ...state };
    slots.set(name, { row, slot });
    return slot;
  }

  /** Called with the names of the processes of which something changed. */
  onChange(listener: (changed: ReadonlySet<string>) => void): () => void {
    return this.#listeners.add(listener);
  }

  /**
   * Changes one entry, or nothing: `change` is called again with the newer entry when another node wrote in between.
   *
   * @returns the entry as it is now.
   */
  async change(name: string, change: Change): Promise<VersionedEntry | undefined> {
    await this.changeAll([name], (_name, current) => change(current));
    return this.get(name);
  }

  /** The same for many entries, in a few round trips. */
  async changeAll(
    names: readonly string[],
    change: (name: string, current: VersionedEntry | undefined) => ProcessEntry | undefined,
  ): Promise<void> {
    await this.#rows.changeAll(names, (name) => {
      const current = this.get(name);
      const next = change(name, current);
      if (next === undefined) return undefined;
      return { value: writeEntry(next), about: isOfOwnerOnly(next, current) ? '' : next.type };
    });
  }

  /** Fetches what is newer than this copy. */
  sync(): Promise<void> {
    return this.#rows.sync();
  }

  /** The same for callers that do not wait; one that comes while a fetch is under way causes one more. */
  syncSoon(): Promise<void> {
    return this.#rows.syncSoon();
  }

  /**
   * Removes entries of ended processes that no node declares: those that ended long ago, and the oldest where there are
   * too many; with them those of `lost`, and rows of parts whose process or node is gone. What was started again since
   * it was looked at has another version, and stays.
   */
  async prune(lost: readonly VersionedEntry[] = []): Promise<void> {
    // What is being restored may look ended or alone until everything is there.
    if (this.#rows.isMending) return;
    const now = this.membership.clusterNow() * 1000;
    const [old, least] = [now - KEEP_ENDED_MS * 1000, now - LEAST_KEPT_MS * 1000];
    let excess = this.#index.ended.size - MAX_ENDED;
    const rows: VersionedEntry[] = [...lost.flatMap((entry) => [...this.#index.rowsOf(entry.name)].reverse())];
    for (const entry of this.#index.ended.values()) {
      if (rows.length >= PRUNED_AT_ONCE) break;
      // A version of the future is one from before the clock of Redis was set back.
      const mayGo = entry.version <= least || entry.version > now + LEAST_KEPT_MS * 1000;
      // An escalated one waits for an operator, as long as there is room.
      const isDue = (entry.version <= old && entry.status !== 'escalated') || excess > 0;
      // They are in about the order of their ends, so those behind the first that may stay have ended later: without
      // this each sweep went through all of them. One that is out of order goes with a later sweep.
      if (entry.version > (excess > 0 ? least : old) && entry.version <= now) break;
      if (!mayGo || !isDue) continue;
      excess -= 1;
      // The parts first: without them the process is still there to be pruned, the other way round they would be alone.
      rows.push(...[...this.#index.rowsOf(entry.name)].reverse());
    }
    rows.push(...this.#lonelyParts(old));
    // Also with none: marks are dropped.
    await this.#remove(rows);
  }

  /** Removes a process and its parts, unless it changed since. True when it is gone. */
  async forget({ name, version }: VersionedEntry): Promise<boolean> {
    if (this.#index.processes.get(name)?.version !== version) return false;
    // The parts first: without them the process is still there to be forgotten.
    return (await this.#remove([...this.#index.rowsOf(name)].reverse())).has(name);
  }

  async #remove(rows: readonly VersionedEntry[]): Promise<Set<string>> {
    const removed = new Set(await this.#rows.remove(rows.map(({ name, version }) => ({ key: name, version }))));
    await this.#forgetEpochs(rows.filter(({ name }) => removed.has(name)));
    return removed;
  }

  /**
   * INVARIANT (I18): the epochs of names go with their rows, never before: by them a late word of an instance that
   * ended is distinguished from that of one that came after it. Where this fails they expire.
   */
  async #forgetEpochs(rows: readonly VersionedEntry[]): Promise<void> {
    const owned = rows.filter((row) => !runsEverywhere(row));
    const names = owned.flatMap((row) => (row.of === undefined ? slotNames(row, '') : [row.name]));
    if (names.length > 0) await this.backend.leases.forget([...new Set(names)]).catch(() => undefined);
  }

  /** Rows of parts whose process is gone, and, where every node has one, of nodes that are gone. */
  #lonelyParts(old: number): VersionedEntry[] {
    let nodes: Set<string> | undefined;
    const lonely: VersionedEntry[] = [];
    for (const [name, parts] of this.#index.parts) {
      const entry = this.#index.processes.get(name);
      if (entry !== undefined && !runsEverywhere(entry)) continue;
      nodes ??= new Set(this.membership.members().map((member) => member.name));
      for (const part of parts.values()) {
        const node = part.name.slice(name.length + 1);
        if (part.version <= old && (entry === undefined || !nodes.has(node))) lonely.push(part);
      }
    }
    return lonely;
  }

  #settled(): void {
    const changed = this.#index.take();
    if (changed.size === 0) return;
    this.#listeners.tell(changed);
  }
}

/** That the owner has begun, or has come up: no other node does anything about it. */
function isOfOwnerOnly({ status, confirmed }: ProcessEntry, before: VersionedEntry | undefined): boolean {
  return status === 'once' || (status === before?.status && confirmed && !before.confirmed);
}
