/**
 * What should run in the cluster: this node's copy of the shared table, and the only way to change it.
 * Read by the supervisor and the manager; underneath `Table` (a hash and a sorted set, compared by version).
 */
import { isLabels } from '../config/shape.js';
import type { Membership } from '../cluster/membership.js';
import { Gate, unattended } from '../foreign/gate.js';
import type { Engine } from '../tools/engine.js';
import { parseJson } from '../tools/json.js';
import { TableReplica } from '../tools/table.replica.js';
import type { TableRow } from '../tools/table.js';
import { isSlotOf, processOf, slotNames } from './slots.js';
import type { ProcessSpec } from './spec.js';

/**
 * `wanted` should run; `backing-off` waits for its restart; `once` is a temporary process that was started and must not
 * be again; the others stay down until they are started or restarted by a call.
 */
export type ProcessStatus = 'wanted' | 'backing-off' | 'once' | 'completed' | 'stopped' | 'failed' | 'escalated';

/** A row: the spec and where it stands. */
export interface ProcessEntry extends ProcessSpec {
  /** In the row of a replica or a partition: the process it belongs to. */
  of?: string;
  status: ProcessStatus;
  /** Instances with this epoch or a lower one must not run any more; a restart raises it. */
  after: number;
  /** False until a process that was started by a call has come up once. */
  confirmed: boolean;
  /** A node to avoid, because it crashed there again and again. */
  avoid?: string;
  /** A node it was moved to. */
  prefer?: string;
  /** The last failure, as text. */
  error?: string;
  /** How often it has crashed since it was started or restarted by a call; absent = never. */
  crashes?: number;
  /** The node of the instance whose end this is; `after` is its epoch. Absent in rows of older versions. */
  ranOn?: string;
  /** With `backing-off`: milliseconds since 1970 by the Redis clock. */
  retryAt?: number;
}

/** An entry and its version in the table. */
export type VersionedEntry = ProcessEntry & { readonly version: number };

/** Returns the next entry, or `undefined` to leave it as it is. */
export type Change = (current: VersionedEntry | undefined) => ProcessEntry | undefined;

const GONE: ReadonlySet<ProcessStatus> = new Set(['completed', 'stopped', 'failed']);
/** How long the entry of a process that was started by a call is kept after its end, for `list()`. */
const KEEP_ENDED_MS = 10 * 60_000;
/** A row is not removed sooner after its end, so whoever was in touch that lately knows of the end. */
const LEAST_KEPT_MS = 60_000;
/** In so many beats, with their jitter, every node that was in touch has put back what Redis lost. */
const BEATS_FOR_OTHERS = 1.5;

/** A replica or partition, and the row of its own that it was made of, if it had one. */
interface MadeSlot {
  row: VersionedEntry | undefined;
  slot: VersionedEntry;
}

/** See the file header. */
export class ProcessTable {
  readonly #rows: TableReplica<VersionedEntry>;
  /** By entry and name, with the row it was made of: thousands are looked at with each beat, and few change. */
  readonly #slots = new WeakMap<VersionedEntry, Map<string, MadeSlot>>();
  readonly #listeners = new Set<() => void>();
  readonly #gate = new Gate();

  constructor(
    engine: Engine,
    private readonly membership: Membership,
  ) {
    this.#rows = new TableReplica(engine.table, {
      what: 'process table',
      read: parseEntry,
      write: ({ version: _version, ...entry }) => JSON.stringify(entry),
      settled: () => this.#changed(),
      staleAfterMs: LEAST_KEPT_MS,
      patienceMs: () => membership.beatEvery * BEATS_FOR_OTHERS,
    });
    engine.onHint((hint) => {
      if (hint.t === 'table') unattended('comparing the process table', this.syncSoon());
    });
    membership.listen({
      beat: ({ tableVersion }) => {
        if (engine.kind === 'redis') unattended('comparing the process table', this.#rows.heard(tableVersion));
      },
      dataLoss: () => unattended('comparing the process table', this.#rows.lost()),
    });
  }

  /** The processes. */
  processes(): VersionedEntry[] {
    return [...this.#rows.values()].filter(({ of }) => of === undefined);
  }

  /** What is owned one by one: each singleton, replica and partition; of those that run everywhere, this node's own. */
  slots(): VersionedEntry[] {
    const { name: node } = this.membership.self;
    return this.processes().flatMap((entry) => slotNames(entry, node).map((slot) => this.#slot(slot, entry)));
  }

  /** A process, a replica or a partition by its name. */
  get(name: string): VersionedEntry | undefined {
    const row = this.#rows.get(name);
    if (row !== undefined && row.of === undefined) return row;
    const entry = this.#rows.get(processOf(name));
    return entry !== undefined && isSlotOf(entry, name) ? this.#slot(name, entry) : undefined;
  }

  /** The highest epoch that something of this process is told to be above of. */
  floor(name: string): number {
    const rows = [...this.#rows.values()].filter((row) => row.name === name || row.of === name);
    return Math.max(0, ...rows.map(({ after }) => after));
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

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Changes one entry, or nothing: `change` is called again with the newer entry when somebody else wrote in between.
   *
   * @returns the entry as it is now.
   */
  async change(name: string, change: Change): Promise<VersionedEntry | undefined> {
    await this.#rows.change(name, () => {
      const next = change(this.get(name));
      if (next === undefined) return undefined;
      const row: ProcessEntry & { version?: number } = { ...next };
      delete row.version;
      return JSON.stringify(row);
    });
    return this.get(name);
  }

  /** Fetches what is newer than this copy. */
  sync(): Promise<void> {
    return this.#rows.sync();
  }

  /** The same for callers that do not wait; one that comes while a fetch is under way causes one more. */
  syncSoon(): Promise<void> {
    return this.#rows.syncSoon();
  }

  /** Removes entries of ended processes that nobody declares and that ended long ago. */
  async prune(): Promise<void> {
    const limit = (this.membership.clusterNow() - KEEP_ENDED_MS) * 1000;
    for (const entry of this.processes()) {
      if (entry.declared || !GONE.has(entry.status) || entry.version > limit) continue;
      const rows = [...this.#rows.values()].filter(({ name, of }) => name === entry.name || of === entry.name);
      await this.#rows.remove(rows.map(({ name, version }) => ({ key: name, version })));
    }
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) this.#gate.tell('a listener to the process table', listener);
  }
}

/** True when a process in this status stays down until a call. */
export function isEnded(status: ProcessStatus): boolean {
  return GONE.has(status) || status === 'escalated';
}

const STATUSES: readonly string[] = ['wanted', 'backing-off', 'once', 'completed', 'stopped', 'failed', 'escalated'];

/** Reads a row field by field; `undefined` for one that this version cannot use. */
export function parseEntry({ key, value, version }: TableRow): VersionedEntry | undefined {
  let parsed: unknown;
  try {
    parsed = parseJson(value);
  } catch {
    return undefined;
  }
  if (!isRecord(parsed)) return undefined;
  const { name, type, kind, count, declared, handoff, rebalance, status, after, confirmed } = parsed;
  const { of, args, avoid, prefer, error, crashes, ranOn, retryAt } = parsed;
  const options = readOptions(parsed['options']);
  const placement = readPlacement(parsed['placement']);
  const usable =
    name === key &&
    typeof type === 'string' &&
    (kind === 'singleton' || kind === 'replicated' || kind === 'partitioned') &&
    Number.isSafeInteger(count) &&
    [declared, handoff, confirmed].every((flag) => typeof flag === 'boolean') &&
    (rebalance === 'off' || rebalance === 'on-join') &&
    typeof status === 'string' &&
    STATUSES.includes(status) &&
    Number.isSafeInteger(after) &&
    Array.isArray(args) &&
    [of, avoid, prefer, error, ranOn].every((text) => text === undefined || typeof text === 'string') &&
    (crashes === undefined || Number.isSafeInteger(crashes)) &&
    (retryAt === undefined || Number.isFinite(retryAt));
  if (!usable || options === undefined || placement === undefined) return undefined;
  const fields = { name, type, kind, count, declared, handoff, rebalance, status, after, confirmed, args };
  const optional = Object.entries({ of, avoid, prefer, error, crashes, ranOn, retryAt }).filter(
    ([, field]) => field !== undefined,
  );
  return { ...fields, ...Object.fromEntries(optional), options, placement, version } as VersionedEntry;
}

function readOptions(value: unknown): ProcessEntry['options'] | undefined {
  if (!isRecord(value) || !isRecord(value['backoff'])) return undefined;
  const { restart, maxRestarts, maxSeconds, timeout, stopTimeout, backoff } = value;
  const { base, cap } = backoff;
  const isKnown = restart === 'permanent' || restart === 'transient' || restart === 'temporary';
  const numbers = [maxRestarts, maxSeconds, stopTimeout, base, cap, timeout === 'infinity' ? 0 : timeout];
  if (!isKnown || !numbers.every(Number.isFinite)) return undefined;
  return { restart, maxRestarts, maxSeconds, timeout, stopTimeout, backoff: { base, cap } } as ProcessEntry['options'];
}

function readPlacement(value: unknown): ProcessEntry['placement'] | undefined {
  if (!isRecord(value)) return undefined;
  const { strategy, labels } = value;
  return (strategy === 'spread' || strategy === 'hash') && isLabels(labels) ? { strategy, labels } : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
