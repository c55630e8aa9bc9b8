/* eslint-disable max-lines -- all events, and the slugs of their reasons, of which docs/reference/events.md is made */
/**
 * Every event Foundation emits, and what it carries: this map is the documentation.
 * For listeners of `Telemetry`; times are milliseconds, sizes are bytes.
 */

/** Why a node is no longer a member. */
export type LeaveReason =
  /** It announced it. */
  | 'shutdown'
  /** It sent no heartbeat for as long as `membership.ttl`. */
  | 'timeout'
  /** A topology strategy reports it as terminated. */
  | 'terminated';

/** Why a lease ended before it was released. */
export type LeaseLossReason =
  /** The deadline passed without an acknowledged renewal: Redis, the network or this event loop was too slow. */
  | 'deadline'
  /** Redis answered that the key is gone or belongs to another node. */
  | 'taken'
  /** The instance did not stop in its time; the lease is no longer renewed. */
  | 'abandoned'
  /** This node's name was taken over by another process. */
  | 'replaced';

/** Why an instance stops. */
export type StopReason =
  /** Somebody called `stop`, or the process was removed. */
  | 'stop'
  /** `restart` was called; the next instance may run anywhere. */
  | 'restart'
  /** It goes on on another node. */
  | 'move'
  /** Its node leaves. */
  | 'shutdown'
  /** It failed. */
  | 'crash'
  /** It called `ctx.complete()`. */
  | 'complete'
  /** Its lease is lost; another node may own the name already. */
  | 'lease-lost';

/** Why the state that an instance leaves for the next one on a planned move is lost. */
export type HandoffLossReason =
  /** The next instance could not read it. */
  | 'unreadable'
  /** `onHandoff` threw, or returned what JSON cannot write. */
  | 'hook-failed'
  /** `onHandoff` took longer than `stopTimeout`. */
  | 'hook-timeout'
  /** The state is too large. */
  | 'too-large'
  /** The instance did not stop in its time. */
  | 'not-stopped'
  /** The instance that had taken the state ended while it started. */
  | 'ended-in-start'
  /** The lease was lost before Redis had the state. */
  | 'lease-lost';

/** Why a message was not delivered here. */
export type MessageDropReason =
  /** The queue of a handler is full; `priority` says for which messages. */
  | 'queue-full'
  /** The subscription has ended. */
  | 'unsubscribed'
  /** No member of its group takes it: the sender chose none. */
  | 'no-group-member'
  /** It has arrived before. */
  | 'duplicate'
  /** It is not what the `payload` class of the subscription says; see `message.invalid`. */
  | 'invalid-payload'
  /** More waits to be sent than this node keeps. */
  | 'outbox-full'
  /** More waits to be inflated than this node keeps. */
  | 'inflate-backlog-full'
  /** It is larger than `channels.maxMessageBytes` once it is inflated. */
  | 'too-large-inflated'
  /** It cannot be inflated. */
  | 'not-inflatable'
  /** What arrived is not JSON, or is nested too deeply. */
  | 'not-json'
  /** What arrived is packed, and not as this node packs. */
  | 'not-packed'
  /** What arrived has more messages than any node sends in one text. */
  | 'too-many-messages'
  /** What arrived has no head that can be read. */
  | 'malformed-envelope'
  /** It is not a message that can be read. */
  | 'malformed-message'
  /** Another version of Foundation wrote it, in a format that this one does not read. */
  | 'unknown-version'
  /** What arrived in the inbox is neither a call nor an answer. */
  | 'not-a-call'
  /** What arrived is larger than any node sends. */
  | 'too-large'
  /** It is not signed with the cookie of this node. */
  | 'bad-signature'
  /** It is signed, and came a second time or late: an attacker may have copied it. */
  | 'replayed'
  /** It is signed, and too old, or a clock is wrong. */
  | 'too-old'
  /** It is signed, and does not say which message of its sender it is. */
  | 'no-stamp'
  /** Durable channels: it is not of the time of its entry: a copy, or a clock is wrong. */
  | 'wrong-entry'
  /** Durable channels: the stream was trimmed before it was handled. */
  | 'trimmed'
  /** Durable channels: it became a dead letter; see `message.dead_letter`. */
  | 'dead-letter';

/** Why a message of a durable channel became a dead letter. */
export type DeadLetterReason =
  /** Its handler failed `maxDeliveries` times. */
  | 'handler-failed'
  /** It was delivered `maxDeliveries` times, and never acknowledged. */
  | 'unacknowledged'
  /** It is not what the `payload` class of the subscription says. */
  | 'invalid-payload'
  /** It is not JSON. */
  | 'not-json'
  /** It has no head that can be read. */
  | 'malformed-envelope'
  /** It is not a message that can be read. */
  | 'malformed-message'
  /** Another version of Foundation wrote it, and no member of the group could read it. */
  | 'unknown-version'
  /** It cannot be inflated. */
  | 'not-inflatable'
  /** It is not of the time of its entry: a copy, or a clock is wrong. */
  | 'wrong-entry';

/** Why a connection or a letter of the direct transport was rejected. */
export type RejectionReason =
  /** The other side does not know the cookie of this node. */
  | 'wrong-cookie'
  /** It does not speak this protocol. */
  | 'no-handshake'
  /** It speaks another version of the protocol. */
  | 'unknown-version'
  /** It belongs to another application. */
  | 'other-application'
  /** It was meant for another node. */
  | 'other-node'
  /** It is this node's turn to dial that node, not the other way round. */
  | 'not-its-turn'
  /** What came cannot be read. */
  | 'malformed'
  /** It sent too many bytes before it had proven to know the cookie. */
  | 'too-many-bytes'
  /** It has proven nothing in its time. */
  | 'no-proof'
  /** Too many connections of its address have proven nothing. */
  | 'too-many-of-address'
  /** Too many connections have proven nothing. */
  | 'too-many-connections'
  /** TLS was refused: `error` says why. */
  | 'tls'
  /** The connection could not be accepted: `error` says why. */
  | 'socket'
  /** It spoke through Redis in the name of a node that is linked to. */
  | 'linked-sender';

/** Why a link is down, or an attempt to link has failed: one of these, or a `RejectionReason`. */
export type LinkEndReason =
  | RejectionReason
  /** The other side closed the connection. */
  | 'closed'
  /** The other side closed the connection before both had proven to know the cookie. */
  | 'closed-in-handshake'
  /** The connection failed: `error` says why. */
  | 'broken'
  /** The other side was silent for too long. */
  | 'silent'
  /** A newer link to the same node took its place. */
  | 'replaced'
  /** This node leaves. */
  | 'leaving'
  /** The other node left the cluster. */
  | 'left'
  /** The other node never was a member of the cluster. */
  | 'not-a-member'
  /** No address that can be used is in the record of the node. */
  | 'no-address'
  /** There was no link in time. */
  | 'timeout'
  /** The address cannot be reached: `error` says why. */
  | 'unreachable'
  /** This node could not handle what came: `error` says why. */
  | 'failed';

/** Why a cron job runs. */
export type CronCause =
  /** Its time has come. */
  | 'tick'
  /** For the last of the times that were missed. */
  | 'catch-up'
  /** It waited for the run before, or for another owner. */
  | 'queued'
  /** Somebody asked for it. */
  | 'manual';

/** What a command does. */
export type CommandKind =
  /** Starts a process that a call has asked for, and that did not run. */
  | 'start'
  /** Stops a process in the whole cluster. */
  | 'stop'
  /** Stops a process and starts it again. */
  | 'restart'
  /** Moves a process to a node. */
  | 'move'
  /** Removes a process that no node declares any longer. */
  | 'forget'
  /** Moves everything that a node owns to others. */
  | 'drain'
  /** Lets a node take work again. */
  | 'undrain'
  /** Runs a cron job now. */
  | 'run'
  /** Sets a value of the cluster-wide configuration. */
  | 'configure';

/** Where a command was given. */
export type CommandSource =
  /** A call in the application. */
  | 'code'
  /** The page of `FoundationDashboardModule`. */
  | 'dashboard'
  /** `npx foundation`. */
  | 'command-line';

/** Event name → payload. */
export interface FoundationEvents {
  /** A node became a member of this node's view; also emitted once for this node itself. */
  'cluster.node_joined': { node: string; bootId: string };
  /**
   * A node is no longer in the view; `joinedAt` in milliseconds since 1970 by the Redis clock, `release` the version of
   * its application.
   */
  'cluster.node_left': { node: string; bootId: string; joinedAt?: number; release?: string; reason: LeaveReason };
  /** A member missed heartbeats, or sent one again. */
  'cluster.node_suspect': { node: string; bootId: string; suspect: boolean };
  /** This node's view of the membership changed. */
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
    table: 'processes' | 'services' | 'settings';
    entry: string;
    reason: 'bad-signature' | 'unreadable';
    count: number;
  };

  /** This node owns a process name from now on. */
  'lease.acquired': { name: string; node: string; epoch: number };
  /** The owner took its lease back after Redis lost its data; the same instance goes on with a new epoch. */
  'lease.reclaimed': { name: string; node: string; epoch: number; previousEpoch: number };
  /** This node no longer owns the name; emitted at the moment of the fence. */
  'lease.lost': { name: string; node: string; epoch: number; reason: LeaseLossReason };
  /** The owner gave the name back after its instance had stopped. */
  'lease.released': { name: string; node: string; epoch: number };

  /** An instance is being created; nothing of the user's ran before this. */
  'process.starting': { name: string; node: string; epoch: number };
  /** `onProcessStart` returned. `before` is the other node that had the name last, where that is known. */
  'process.started': { name: string; node: string; epoch: number; startMs: number; before?: string };
  /** The instance has stopped; `clean` is false when it did not stop in its time. */
  'process.stopped': { name: string; node: string; epoch: number; reason: StopReason; clean: boolean };
  /** The instance failed. */
  'process.crashed': { name: string; node: string; epoch: number; error: string };
  /** A restart was put on the BullMQ queue (or on a timer, with the local backend). */
  'process.restart_scheduled': { name: string; node: string; epoch: number; delayMs: number; crashes: number };
  /**
   * More ends than `maxRestarts` in `maxSeconds`, `crashes` of them, those of a permanent process that completed
   * included: the process stays down until `restart(name)`.
   */
  'process.escalated': { name: string; node: string; epoch: number; crashes: number };
  /**
   * An instance crashed or completed, and its lease was lost before Redis took that down. This node writes it when
   * Redis is back, unless the process was owned since; until then another node may run it again.
   */
  'process.end_unrecorded': { name: string; node: string; epoch: number; reason: 'crash' | 'complete' };
  /** What an instance left for the next one on a planned move did not reach it, or may not have. */
  'process.handoff_lost': { name: string; node: string; epoch: number; reason: HandoffLossReason; error: string };

  /**
   * A cluster-wide cron job runs here: for the time `scheduled`, `lateMs` after it. Times are milliseconds since 1970.
   */
  'cron.started': { job: string; node: string; epoch: number; scheduled: number; cause: CronCause; lateMs: number };
  /** The run has ended; `error` is what it threw. */
  'cron.ended': {
    job: string;
    node: string;
    epoch: number;
    scheduled: number;
    cause: CronCause;
    outcome: 'done' | 'failed';
    durationMs: number;
    error?: string;
  };
  /**
   * `count` times of a job passed while no node could run it, those from `first` to `last`; at most 100 are
   * counted. With `caughtUp` the last of them is run now.
   */
  'cron.missed': { job: string; node: string; count: number; first: number; last: number; caughtUp: boolean };
  /** A time of a job came while the run before went on, and no other one may wait. */
  'cron.skipped': { job: string; node: string; scheduled: number };
  /**
   * A run began on the node `ranOn`, with that epoch, and its owner ended before it could say how; it is not repeated.
   */
  'cron.interrupted': { job: string; node: string; scheduled: number; ranOn: string; epoch: number };

  /**
   * A command was accepted on this node, and what follows of it may still go on: `actor` and `why` in their own
   * words, on `process`, with `target` for the node that is drained or moved to, or the path that is configured.
   */
  'command.issued': {
    command: CommandKind;
    node: string;
    via: CommandSource;
    actor?: string;
    why?: string;
    process?: string;
    target?: string;
  };

  /** This node gives up what it owns: at the beginning, and again each time that one of the `total` has ended. */
  'drain.progress': { node: string; left: number; total: number };

  /** A service can be found from now on; every node emits this when it learns of it. */
  'service.registered': { name: string; node: string; instanceId: string };
  /** A service can no longer be found: it was withdrawn, or its node is no longer a member. */
  'service.deregistered': { name: string; node: string; instanceId: string };
  /** A service's checks changed what it counts as. */
  'service.health_changed': { name: string; node: string; instanceId: string; status: 'healthy' | 'unhealthy' };

  /**
   * This node goes by a change of the cluster-wide configuration that `node` has made. `revision` rises with each; `id`
   * is that of the change.
   */
  'config.changed': { name: string; path: string; revision: number; node: string; id: string };
  /** What is set in the cluster-wide configuration does not suit the schema of this node; its last good values stay. */
  'config.refused': { name: string; revision: number; errors: string[] };

  /** A message left this node; `size` in bytes of JSON, or as it was packed for other nodes. */
  'message.sent': { channel: string; size: number };
  /** A message reached this node's subscriptions. */
  'message.received': { channel: string; from: string; latency: number };
  /**
   * `count` messages were not delivered here. `channel` is the name of a channel; of what travels between two nodes it
   * is `inbox` (calls), `mail` (acknowledgements and requests) or `letters` (direct transport).
   */
  'message.dropped': {
    channel: string;
    reason: MessageDropReason;
    count: number;
    /** With `queue-full`: of these messages. */
    priority?: 'high' | 'normal' | 'low';
  };
  /** A message of a durable channel could not be handled and was put aside: see `…:dead:<channel>`. */
  'message.dead_letter': {
    channel: string;
    group: string;
    id: string;
    deliveries: number;
    reason: DeadLetterReason;
    /** What the handler threw, or what is wrong with the message. */
    error?: string;
  };
  /**
   * A message of a durable channel was not acknowledged as safe by what its channel asks for, and `broadcast` rejected.
   * It is delivered all the same if it is `kept`, and lost if not.
   */
  'message.not_safe': { channel: string; id: string; kept: boolean; error: string };
  /**
   * A message was not what its subscription's `payload` says: the names of the properties, and the rules they break.
   */
  'message.invalid': { channel: string; from: string; type: string | undefined; errors: string[] };
  /**
   * Messages of a node were lost on their way to this one: those with these numbers, both ends included. Without
   * numbers: one of the two left before that one could say what it had sent while this one was cut off, or it has not
   * said so for ten seconds.
   */
  'message.gap': {
    channel: string;
    from: string;
    bootId: string;
    priority?: 'high' | 'normal' | 'low';
    missing?: { first: number; last: number; atMost?: true };
  };
  /**
   * A `gather` of this node is over: `answers` came, `missing` nodes have not answered, or not with all they have.
   */
  'message.gathered': { channel: string; answers: number; missing: number; complete: boolean; waitedMs: number };
  /** A handler threw; the other handlers were called. */
  'message.handler_failed': { channel: string; error: string };

  /**
   * A function of yours threw, rejected or took too long, and Foundation went on without it: which one, and what it
   * said.
   */
  'callback.failed': { callback: string; error: string };

  /** Direct transport: this node and another one are linked; texts between them take the link from now on. */
  'transport.link_up': { node: string; bootId: string };
  /** Direct transport: the link is down; texts go through Redis until there is another one. */
  'transport.link_down': { node: string; bootId: string; reason: LinkEndReason; error?: string };
  /** Direct transport: an attempt to link with a member has failed; another one follows. */
  'transport.link_failed': {
    node: string;
    bootId: string;
    address: string;
    reason: LinkEndReason;
    /** What the system or TLS said. */
    error?: string;
  };
  /**
   * Direct transport: a connection, or a letter through Redis (address `redis`), was rejected; nothing of it was read.
   */
  'transport.refused': { address: string; reason: RejectionReason; error?: string };
  /** Direct transport: too much waits for a node, so a text to it was dropped; the lowest lane goes first. */
  'transport.dropped': { node: string; lane: 'high' | 'normal' | 'low'; bytes: number };
  /**
   * Direct transport: texts of that node were lost on the way to this one: dropped there, too large, or of a former
   * link.
   */
  'transport.interrupted': { node: string; bootId: string };
  /** Direct transport: a node sent a frame that this version does not know; it was passed over. */
  'transport.frame_unknown': { node: string; bootId: string; type: number };
  /** The application executed an event of the `Telemetry` of `nestjs-foundation/v1`. */
  'telemetry.executed': {
    /** The parts of its name. */
    event: readonly string[];
    /** Cut above 10 KB of JSON, as the metadata. */
    measurements: Readonly<Record<string, unknown>>;
    metadata: Readonly<Record<string, unknown>>;
  };
}

/** The name of an event. */
export type FoundationEventName = keyof FoundationEvents;
