/**
 * Every event Foundation emits, and what it carries: this map is the documentation.
 * Read by whoever attaches to `Telemetry`; times are milliseconds, sizes are bytes.
 */

/** Why a node is no longer a member. */
export type LeaveReason =
  /** It said so. */
  | 'shutdown'
  /** It did not beat for as long as `membership.ttl`. */
  | 'timeout'
  /** A topology strategy says that it has ended. */
  | 'terminated';

/** Why a lease ended before it was released. */
export type LeaseLossReason =
  /** The deadline passed without an acknowledged renewal: Redis, the network or this event loop was too slow. */
  | 'deadline'
  /** Redis answered that the key is gone or belongs to another node. */
  | 'taken'
  /** The instance did not stop in its time; the lease is not renewed any more. */
  | 'abandoned'
  /** This node's name was taken over by another process. */
  | 'replaced';

/** Event name → payload. */
export interface FoundationEvents {
  /** A node became a member of this node's view; also emitted once for this node itself. */
  'cluster.node_joined': { node: string; bootId: string };
  /** A node is no longer in the view. */
  'cluster.node_left': { node: string; bootId: string; reason: LeaveReason };
  /** A member missed beats, or beat again. */
  'cluster.node_suspect': { node: string; bootId: string; suspect: boolean };
  /** This node's copy of the membership changed. */
  'cluster.view_changed': { node: string; version: number; members: number };
  /** This node cannot reach Redis; its singletons stop before their leases can expire. */
  'cluster.isolated': { node: string; silentMs: number };
  /** This node reaches Redis again and is a member again. */
  'cluster.rejoined': { node: string; isolatedMs: number };
  /** Redis lost its data (restart, FLUSHALL, failover): new owners wait one lease, incumbents may reclaim. */
  'cluster.data_loss': { node: string; incarnation: string };
  /** Another process uses this node's name. */
  'cluster.name_taken': { node: string; bootId: string; otherBootId: string };
  /**
   * What lies in the place of rows in Redis is not signed with the cookie of this node, or cannot be read: `count` of
   * them, one of which is `entry`. It changes nothing here: what was known of them goes on to count.
   */
  'cluster.row_refused': {
    table: 'processes' | 'services';
    entry: string;
    reason: 'bad-signature' | 'unreadable';
    count: number;
  };

  /** This node owns a process name from now on. */
  'lease.acquired': { name: string; node: string; epoch: number };
  /** The owner took its lease back after Redis lost its data; the same instance goes on with a new epoch. */
  'lease.reclaimed': { name: string; node: string; epoch: number; previousEpoch: number };
  /** This node does not own the name any more; emitted at the moment of the fence. */
  'lease.lost': { name: string; node: string; epoch: number; reason: LeaseLossReason };
  /** The owner gave the name back after its instance had stopped. */
  'lease.released': { name: string; node: string; epoch: number };

  /** An instance is being created; nothing of the user's ran before this. */
  'process.starting': { name: string; node: string; epoch: number };
  /** `onProcessStart` returned. */
  'process.started': { name: string; node: string; epoch: number; startMs: number };
  /** The instance has stopped; `clean` is false when it did not stop in its time. */
  'process.stopped': { name: string; node: string; epoch: number; reason: string; clean: boolean };
  /** The instance failed. */
  'process.crashed': { name: string; node: string; epoch: number; error: string };
  /** A restart was put on the BullMQ queue (or on a timer, with the local backend). */
  'process.restart_scheduled': { name: string; node: string; epoch: number; delayMs: number; crashes: number };
  /**
   * More crashes than `maxRestarts` in `maxSeconds`, `crashes` of them: the process stays down until `restart(name)`.
   */
  'process.escalated': { name: string; node: string; epoch: number; crashes: number };
  /**
   * An instance crashed or completed, and its lease was lost before Redis took that down. This node writes it when
   * Redis is back, unless the process was owned since; until then another node may run it again.
   */
  'process.end_unrecorded': { name: string; node: string; epoch: number; reason: string };
  /**
   * What an instance left for the next one on a planned move did not reach it, or may not have; `reason` says where it
   * was lost.
   */
  'process.handoff_lost': { name: string; node: string; epoch: number; reason: string };

  /** This node gives up what it owns: at the beginning, and again each time that one of the `total` has ended. */
  'drain.progress': { node: string; left: number; total: number };

  /** A service can be found from now on; every node says so when it learns of it. */
  'service.registered': { name: string; node: string; instanceId: string };
  /** A service can be found no more: it was taken back, or its node is no member any more. */
  'service.deregistered': { name: string; node: string; instanceId: string };
  /** A service's checks changed what it counts as. */
  'service.health_changed': { name: string; node: string; instanceId: string; status: 'healthy' | 'unhealthy' };

  /** A message left this node. */
  'message.sent': { channel: string; size: number };
  /** A message reached this node's subscriptions. */
  'message.received': { channel: string; from: string; latency: number };
  /** So many messages were not delivered here. */
  'message.dropped': { channel: string; reason: string; count: number };
  /** A message of a durable channel could not be handled and was put aside: see `…:dead:<channel>`. */
  'message.dead_letter': { channel: string; group: string; id: string; deliveries: number; reason: string };
  /**
   * A message was not what its subscription's `payload` says: the names of the properties, and the rules they break.
   */
  'message.invalid': { channel: string; from: string; type: string | undefined; errors: string[] };
  /**
   * Messages of a node were lost on their way to this one: those with these numbers, both ends included. Without
   * numbers: the node left before it could say what it had sent while this one was cut off.
   */
  'message.gap': {
    channel: string;
    from: string;
    bootId: string;
    priority?: 'high' | 'normal' | 'low';
    missing?: { first: number; last: number; atMost?: true };
  };
  /** A handler threw; the other handlers were served. */
  'message.handler_failed': { channel: string; error: string };

  /**
   * A function of yours threw, rejected or took too long, and Foundation went on without it: which one, and what it
   * said.
   */
  'callback.failed': { callback: string; error: string };

  /** Direct transport: this node and another one are linked; texts between them take the link from now on. */
  'transport.link_up': { node: string; bootId: string };
  /** Direct transport: the link is down; texts go through Redis until there is another one. */
  'transport.link_down': { node: string; bootId: string; reason: string };
  /** Direct transport: an attempt to link with a member has failed; another one follows. */
  'transport.link_failed': { node: string; bootId: string; address: string; reason: string };
  /**
   * Direct transport: a connection, or a letter through Redis (address `redis`), was not let in; nothing of it was
   * read.
   */
  'transport.refused': { address: string; reason: string };
  /** Direct transport: too much waits for a node, so a text to it was dropped; the lowest lane goes first. */
  'transport.dropped': { node: string; lane: 'high' | 'normal' | 'low'; bytes: number };
  /**
   * Direct transport: texts of that node were lost on the way to this one: dropped there, too large, or of a former
   * link.
   */
  'transport.interrupted': { node: string; bootId: string };
  /** Direct transport: a node sent a frame that this version does not know; it was passed over. */
  'transport.frame_unknown': { node: string; bootId: string; type: number };
}

/** The name of an event. */
export type FoundationEventName = keyof FoundationEvents;
