/**
 * Contract: who is in the cluster. Time is the Redis clock, never a node's.
 * Implemented by `redis.directory.ts` and `local.directory.ts`; used by the membership.
 */
import type { LeaveReason } from '../../telemetry/events.js';

/** How the instance of a replicated process is doing on one node. */
export interface ReplicaReport {
  state: 'starting' | 'running' | 'failed' | 'escalated';
  epoch: number;
  /** Milliseconds since 1970 by the node's clock. */
  since: number;
  error?: string;
}

/** What a node says of itself. */
export interface NodeRecord {
  name: string;
  /** Random for each start of the process. */
  bootId: string;
  host: string;
  pid: number;
  /** Version of Foundation. */
  version: string;
  /** Version of the application. */
  release?: string;
  state: 'up' | 'draining';
  /** Names of the decorated process classes this node can run. */
  classes: string[];
  /** How many processes it owns. */
  load: number;
  /** How many it is willing to own. */
  capacity?: number;
  /** How late its event loop was lately, in milliseconds. */
  lag: number;
  labels: Record<string, string>;
  /** The processes that run on every node, as they are here. */
  replicas: Record<string, ReplicaReport>;
  /** Channel → how it listens to it: `''` for itself, else the name of a group, and after a space a type of message. */
  listens: Record<string, string[]>;
  /** On how many Redis servers it puts its leases; all nodes must agree. */
  leaseServers: number;
  /** Of a quorum: the names of its servers besides the first, without secrets. Absent = it does not say. */
  leaseNames?: string;
  /** How often it beats, in milliseconds. */
  beatEvery?: number;
  /** After how long without a beat it is down, in milliseconds. */
  ttl?: number;
  /** How long its leases last, in milliseconds. */
  leaseTtl?: number;
  /** The words that it understands; see `cluster/compatibility.ts`. Absent = the first ones. */
  protocol?: { newest: number; oldest: number };
  /** The form of packed bundles that it reads from Redis, see `wire/packed.format.ts`. Absent = none, only JSON. */
  packs?: number;
  /** What its decorators say should run: name → `<kind> <count> <hash of all of it>`. Absent = it does not say. */
  declares?: Record<string, string>;
  /** Milliseconds since 1970 by the Redis clock. */
  joinedAt: number;
  /** `host:port` where others link with it; absent with the Redis transport. */
  address?: string;
  /** How many nodes there should be, as it was told or finds out. Absent = it goes by what there were. */
  expects?: number;
}

/** The members as Redis has them. */
export interface NodeView {
  version: number;
  members: NodeRecord[];
  /** How many nodes there were at most, without those that left in order since. */
  expected?: number;
  /** The nodes whose records were read anew, or are gone; absent = all of them were read. */
  changed?: ReadonlySet<string>;
}

/** The answer to a join. */
export type JoinAnswer =
  | { joined: true; now: number }
  | { joined: false; otherBootId: string; beatAt: number; refused?: undefined }
  /** The nodes that live have another cookie. */
  | { joined: false; refused: 'cookie' };

/** The answer to a beat. */
export interface BeatAnswer {
  /** `gone`: Redis has no record of this node. `replaced`: another boot id has its name. */
  status: 'ok' | 'gone' | 'replaced';
  viewVersion: number;
  /** Version of the table of processes. */
  tableVersion: number;
  /** Identifies this life of Redis; a new one means that data may be lost. */
  incarnation: string;
  /** Milliseconds since 1970 by the Redis clock. */
  now: number;
  /** Members that missed beats but are not down yet. */
  late: string[];
  /** Only when `replaced`. */
  otherBootId?: string;
}

/** What an observer reads of the directory without being in it. */
export interface DirectorySnapshot {
  viewVersion: number;
  /** Version of the table of processes. */
  tableVersion: number;
  /** Identifies this life of Redis; empty before the first node. */
  incarnation: string;
  /** Milliseconds since 1970 by the Redis clock. */
  now: number;
  /** Node name → time of its last beat; of nodes with another cookie, too, which are in no view. */
  beats: ReadonlyMap<string, number>;
  /** Whether the nodes have the same cookie as this process, or none like it; absent before the first node. */
  isCookieShared?: boolean;
}

/** The directory of nodes. */
export interface NodeDirectory {
  join(record: NodeRecord): Promise<JoinAnswer>;
  /**
   * Sends a heartbeat, evicts nodes whose ttl has run out, and reports. With a record, replaces this node's; `changed`
   * raises the view's version.
   */
  beat(name: string, bootId: string, update?: { record: NodeRecord; changed: boolean }): Promise<BeatAnswer>;
  /** Removes the record, if it is of this boot id; `terminated` for another node, which is known to have ended. */
  leave(name: string, bootId: string, reason?: 'shutdown' | 'terminated'): Promise<void>;
  /** All members. With the version that the caller has it may read no more than what has changed since. */
  view(known?: number): Promise<NodeView>;
  /** Reads and changes nothing, not even what has run out. */
  look(): Promise<DirectorySnapshot>;
  /** Why nodes that are no longer in the view have left; `timeout` for those that did not say. */
  reasons(bootIds: readonly string[]): Promise<LeaveReason[]>;
}
