/**
 * Contract: one set of tools, either over Redis or inside this process.
 * Implemented by `redis.backend.ts` and `local.backend.ts`; `create.backend.ts` chooses.
 */
import type { Clock } from '../time/clock.js';
import type { HintListener } from '../wire/hint.js';
import type { NodeDirectory, NodeRecord } from './directory/directory.js';
import type { Leases } from './leases/leases.js';
import type { Ticks } from './leases/ticks.js';
import type { ConnectionTrouble } from './redis/connection.trouble.js';
import type { Restarts } from './restarts/restarts.js';
import type { JournalStore } from './streams/journal.store.js';
import type { Streams } from './streams/streams.js';
import type { Table } from './tables/table.js';
import type { Transport } from './transport/transport.js';

/** The raw tools by role, for layer 3; all `undefined` with the local backend. */
export interface RawTools {
  leases?: unknown;
  control?: unknown;
  subscriber?: unknown;
  publisher?: unknown;
  redlock?: unknown;
  queue?: unknown;
  worker?: unknown;
}

/** The state of the tools below, for health. */
export interface BackendFacts {
  /** What Redis does when its memory is full; `undefined` where it has no limit. */
  evictionPolicy?: string;
  /** By how much the regular sweep is late, in milliseconds. */
  sweepLateMs?: number;
}

/** Everything the upper rooms need from below. */
export interface Backend {
  readonly kind: 'local' | 'redis';
  /** For logs and errors; holds no secret. */
  readonly endpoint: string;
  /** The database of Redis; absent for the first, and without Redis. */
  readonly database?: number;
  /** `redis://host:port/db` of a single server, without user and password: for announcements. */
  readonly url?: string | undefined;
  readonly leases: Leases;
  /** What jobs that run by the clock remember. */
  readonly ticks: Ticks;
  readonly directory: NodeDirectory;
  /** What should run. */
  readonly table: Table;
  /** Who offers what. */
  readonly services: Table;
  /** What the cluster-wide configuration is set to. */
  readonly settings: Table;
  readonly transport: Transport;
  readonly streams: Streams;
  /** What happened in the cluster. */
  readonly journal: JournalStore;
  readonly restarts: Restarts;
  /** By which it keeps time; absent for that of the machine. */
  readonly clock?: Clock;
  readonly raw: RawTools;
  /**
   * Waits until the connections work. Rejects with `RedisRefusedError` when waiting is useless, and with
   * `RedisUnavailableError` when it may be called again.
   */
  open(): Promise<void>;
  /** Where other nodes link with this one, once it is open; `undefined` unless the transport is direct. */
  readonly address?: string | undefined;
  /** With a quorum, where the leases are besides the first server, as every node with the same list says it. */
  readonly leaseNames?: string | undefined;
  /** Notifies the transport of the members; called with each new view. */
  meet?(members: readonly NodeRecord[]): void;
  /**
   * Resolves when the members send to this node, or have had the time to; with what tells listeners that messages of
   * those that were late may be missing. Absent where all hear all.
   */
  greet?(): Promise<() => void>;
  onHint(listener: HintListener): () => void;
  /** Checks the tools. Rejects when they do not answer. */
  inspect(): Promise<BackendFacts>;
  /** The connections that do not work at the moment; no network. Absent where there are none. */
  troubles?(): readonly ConnectionTrouble[];
  /** Closes what Foundation opened; what was adopted stays open. */
  close(): Promise<void>;
}
