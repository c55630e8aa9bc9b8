/**
 * What is said of a member of the cluster, and of this node as one.
 */
import type { BeatAnswer, NodeRecord, ReplicaReport } from '../backend/directory/directory.js';
import { type MemberState, stateOf } from './failure.detector.js';

/** A node of the cluster as this node sees it. */
export interface Member {
  name: string;
  bootId: string;
  host: string;
  pid: number;
  /** Of Foundation. */
  version: string;
  /** Of the application, where one is known. */
  release?: string;
  state: MemberState;
  /** How many processes it owns. */
  load: number;
  /** How many it is willing to own; absent = no limit. */
  capacity?: number;
  /** How late its event loop was lately, in milliseconds; halves with each beat. */
  lag: number;
  labels: Readonly<Record<string, string>>;
  /** @internal The processes that run on every node, as they are on this one. */
  replicas: Readonly<Record<string, ReplicaReport>>;
  /**
   * Channel → how it listens to it: `''` for itself, else the name of a group, and after a space a type of message.
   *
   * @internal
   */
  listens: Readonly<Record<string, readonly string[]>>;
  /** Decorated process classes that it can run. */
  classes: readonly string[];
  /** Milliseconds since 1970 by the Redis clock. */
  joinedAt: number;
  /** `host:port` where other nodes link with it; absent with the Redis transport. */
  address?: string;
  /** True for this node. */
  self: boolean;
}

/**
 * What this node is at the moment: `joining` until Redis accepts it, `isolated` while it cannot reach Redis (its
 * singletons have stopped by then, unless a quorum of lease servers keeps them), `draining` and `left` on the way out.
 * `observing` is the command line, which looks on and is no member.
 */
export type NodeState = 'joining' | 'observing' | 'up' | 'isolated' | 'draining' | 'left';

/** What other rooms want to know of the membership. */
export interface MembershipListener {
  /** The view or this node's own state changed. */
  changed?(): void;
  /** Redis answered a beat. */
  beat?(answer: BeatAnswer): void;
  /** Redis lost its data: restore what you are the source of. */
  dataLoss?(): void;
  /** Another process took this node's name: stop everything that is owned. */
  replaced?(): void;
}

/** A record of the directory as a member. */
export function memberOf(record: NodeRecord, of: { isLate: boolean; self: boolean }): Member {
  const { leaseServers: _servers, leaseNames: _names, beatEvery: _every, ttl: _ttl, ...rest } = record;
  const { leaseTtl: _leaseTtl, protocol: _protocol, packs: _packs, declares: _declares, ...more } = rest;
  const { expects: _expects, ...member } = more;
  return Object.freeze({ ...member, state: stateOf(record.state, of.isLate), self: of.self });
}
