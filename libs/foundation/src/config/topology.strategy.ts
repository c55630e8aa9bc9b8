/**
 * Contract: what finds the nodes of a cluster and its Redis. Here, because the user may hand over objects of this kind.
 * Implemented by one file per strategy in `cluster/topologies/`; run by `Topologies` there.
 */

/**
 * How a peer is, as the strategy's source says it: `ready` takes work; `not-ready` should exist and does not take work
 * (yet); `leaving` was asked to end and may still run; `terminated` has ended for certain, and will not run again under
 * this id.
 *
 * Say `terminated` only when the source knows: a pod of phase Succeeded or Failed, or one whose object is gone after
 * its containers had ended. A peer that merely vanished from a list is left out, which says nothing about it.
 */
export type PeerState = 'ready' | 'not-ready' | 'leaving' | 'terminated';

/** A node that a strategy says should exist. */
export interface Peer {
  /** Tells it from the other peers of the strategy: the uid of a pod, the id of a service, `host:port`. */
  readonly id: string;
  readonly state: PeerState;
  /** The name of the node in the cluster, where the source has it. */
  readonly node?: string;
  /** What `os.hostname()` says there, where the source has it; nodes of one host share what is said of it. */
  readonly host?: string;
  /** Where it is on the network: `host` or `host:port`. */
  readonly address?: string;
}

/** What a strategy knows at the moment. What is left out is as it was before. */
export interface TopologyFindings {
  /** All peers, this node included where it is listed; replaces what was reported before. */
  readonly peers?: readonly Peer[];
  /**
   * The URL of Redis (`redis://…`, `rediss://…`, `redis-sentinel://…`, `redis-cluster://…`). It must be the same for
   * every node of the cluster, or there are two clusters: with several candidates report none.
   */
  readonly redis?: string;
}

/** Where a strategy puts what it finds. Calls after its `stop()` do nothing. */
export interface TopologyReport {
  found(findings: TopologyFindings): void;
  /**
   * It cannot go on. What was found stays; `stop()` is called, and after a while `start()`, indefinitely. So a strategy
   * needs no retries of its own.
   */
  failed(error: unknown): void;
}

/** What a strategy may tell the world about this node. */
export interface TopologySelf {
  readonly appName: string;
  readonly node: string;
  readonly bootId: string;
  readonly host: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `host:port` where other nodes link with it; absent with the Redis transport, and until it listens. */
  readonly address?: string;
  /** `redis://host:port/db` without user and password; absent until Redis is known, and for several servers. */
  readonly redis?: string;
  /** True for the command line, which is no node: look, and neither register nor announce it. */
  readonly observes?: boolean;
}

/**
 * Finds peers and Redis. One of your own goes into `topologies`.
 *
 * ```ts
 * const fixed: TopologyStrategy = {
 *   name: 'fixed',
 *   start: async (report) => report.found({ peers: [{ id: 'a', state: 'ready' }], redis: 'redis://10.0.0.5' }),
 *   stop: async () => undefined,
 * };
 * ```
 */
export interface TopologyStrategy {
  /** For logs, errors and health. */
  readonly name: string;
  /**
   * Begins. Resolves after the first look, whether or not there was anything; rejects when it could not look, which
   * counts as `report.failed`. Called again after `stop()`.
   */
  start(report: TopologyReport, self: TopologySelf): Promise<void>;
  /**
   * What it counts since it was made, for `Topologies.status()` and the doctor. What begins with `dropped.` was
   * refused, which the doctor warns of.
   */
  readonly counters?: Readonly<Record<string, number>>;
  /** What is known of this node has changed: it listens now, or Redis was found. */
  announce?(self: TopologySelf): void;
  /**
   * Ends everything: timers and sockets. Also called after a `start()` that rejected.
   *
   * @param leaving true when this node leaves for good, so that what was registered is withdrawn; false before another
   * start.
   */
  stop(leaving: boolean): Promise<void>;
}

/** True for an object that can be a strategy. */
export function isTopologyStrategy(value: unknown): value is TopologyStrategy {
  if (typeof value !== 'object' || value === null) return false;
  const { name, start, stop } = value as Partial<TopologyStrategy>;
  return typeof name === 'string' && typeof start === 'function' && typeof stop === 'function';
}
