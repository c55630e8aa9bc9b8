/**
 * The vocabulary of the channels: names, options, and what a handler learns of a message.
 */
import type { GatherOptions } from '../calls/gathering.js';
import type { ContextValues } from '../context/context.hook.js';
import type { Handled } from '../enhancers/enhancers.js';
import type { Schema } from '../schemas/payload.js';
import type { MessageDropReason } from '../telemetry/events.js';
import type { Duration } from '../time/duration.js';
import type { Lane } from '../wire/lane.js';

/** A channel's name: one of the four standard ones, or one declared in `channels.names`. */
export type ChannelName = 'control' | 'events' | 'telemetry' | 'data' | (string & {});

/** The longest name of a channel that one node reads from another, in characters. */
export const MAX_CHANNEL = 200;

/** Which messages go first where they have to wait for one another; where there is no room, `low` is dropped first. */
export type Priority = Lane;

/** What travels with a message. */
export interface MessageMeta {
  channel: string;
  /** The type that the sender gave it, if any. */
  type?: string;
  /** Name of the sending node. */
  from: string;
  /** Boot id of the sending node, which tells a restarted sender from the one before. */
  bootId: string;
  /** Counts up by one for each message of that sender on this channel with this priority. */
  seq: number;
  /** Milliseconds since 1970 by the sender's clock. */
  sentAt: number;
  priority: Priority;
  /** What the application of the sender had travel with it; see the option `context`. */
  context?: ContextValues;
  /** On a durable channel: the id of the message in its stream, the same whenever it comes. */
  id?: string;
  /** On a durable channel: how often the message was delivered to this group, this time included. */
  deliveries?: number;
}

/** A message for a `@Channel` method, as guards, interceptors, filters and parameter decorators see it. */
export interface MessageHost extends Handled {
  kind: 'message';
  message: unknown;
  meta: MessageMeta;
}

/**
 * Called for each message; the next one of this subscription waits until it has settled. What it returns is the answer
 * to a `gather`, and nothing to a `broadcast`. An Observable is subscribed, and its last value is what counts. The
 * message is `unknown`, because anybody may have sent it: check it, or let `payload` do that. All handlers of a node
 * get the same object, so copy it before you change it.
 */
export type MessageHandler<T = unknown> = (message: T, meta: MessageMeta) => unknown;

/** Sequence numbers, both ends included. */
export interface Range {
  first: number;
  last: number;
  /** These at most: how many of them were sent before this node listened is not known. */
  atMost?: true;
}

/**
 * Messages of one sender that were lost on their way to this node. Without `missing` it is not known how many, if any:
 * the sender left the cluster before it could say what it had sent while this node was cut off, or has not said it for
 * ten seconds.
 */
export interface Gap {
  channel: string;
  /** Name of the sending node. */
  from: string;
  bootId: string;
  /** Absent together with `missing`: it concerns messages of every priority. */
  priority?: Priority;
  /**
   * The sequence numbers of the first and the last one that is missing; with `atMost` some of these were perhaps sent
   * before this node listened.
   */
  missing?: Range;
}

/** Options of `broadcast`. */
export interface BroadcastOptions {
  /** The kind of message, for handlers that want only some; up to 200 characters. */
  type?: string;
  /**
   * Which goes first in a backlog, here and at the receivers. Default `high` on `control`, `normal` on
   * all other channels. What has another priority is another sequence: order holds within each.
   */
  priority?: Priority;
  /** Deflates a message of 4 KiB or more, if that makes it smaller. Saves network and costs time: default false. */
  compression?: boolean;
  /**
   * Waits at most this long, `500` (milliseconds) or `'30s'`, until each listening node has handled the message.
   * Default: does not wait.
   */
  timeout?: Duration;
}

/** Options of `channels.gather`. */
export interface GatherMessageOptions
  extends GatherOptions, Pick<BroadcastOptions, 'type' | 'priority' | 'compression'> {}

/** What happens when the backlog is full. */
export type QueuePolicy =
  /** The oldest message of the backlog is dropped. */
  | 'drop-oldest'
  /** The new message is dropped. */
  | 'drop-newest'
  /**
   * `broadcast` on this very node does not resolve before there is room, up to as many messages as `size` again. A
   * message of another node cannot be made to wait, because what comes after it on the connection would, too: it is
   * dropped.
   */
  | 'block';

/** Options of `subscribe` and `@Channel`. */
export interface SubscribeOptions {
  /** Only messages of this type. Default: all. */
  type?: string;
  /**
   * Each message goes to one member of this group in the whole cluster, in turn; which one, the sender decides by what
   * it knows of the cluster. It is lost when that member dies first, or when the group began only just
   * now.
   *
   * On a durable channel it is needed. There another member gets what one could not handle; in Redis the group of a
   * subscription with a type is called `<group>:<type>`.
   */
  group?: string;
  /**
   * On a durable channel: where a group begins that does not exist yet. `'$'` (default) with what comes from now on,
   * `'0'` with all that is kept, an id after that, a time with what was sent since.
   */
  from?: string | Date;
  /**
   * The handler gets an instance of this class, checked by the decorators of class-validator on it; or what this schema
   * of zod, valibot, arktype or another library with Standard Schema makes of the message. What does not pass is not
   * given to the handler: it is counted, and an event `message.invalid` tells what is wrong. Nested objects become
   * instances of what their property is declared as; elements of arrays do so only where class-transformer is
   * installed.
   */
  payload?: Schema;
  /** The bound of the backlog, and what happens beyond it. Lower priorities are dropped first. */
  queue?: {
    /** In messages, default 10 000. On a durable channel: how many are read at a time, 16 by default. */
    size?: number;
    /** Default `drop-oldest`. */
    policy?: QueuePolicy;
  };
  /** Messages handled at a time. Default 1; with more, they start in order and end in any. */
  concurrency?: number;
  /**
   * Called when messages were lost on their way to this node, of whatever type they were. At once: messages that came
   * before the gap may still be waiting.
   */
  onGap?: (gap: Gap) => unknown;
}

/** Options of `replay`. */
export interface ReplayOptions {
  /** `'0'` for everything stored, an id, or a time; inclusive. */
  from: string | Date;
  /** An id or a time; inclusive. Default: up to now. */
  to?: string | Date;
  /** Only messages of this type. Default: all. */
  type?: string;
  /** As in {@link SubscribeOptions}. */
  payload?: Schema;
}

/** What became of the messages of a subscription since it began. */
export interface SubscriptionCounters {
  /** Passed to the handler. */
  received: number;
  /** The handler threw or rejected. */
  failed: number;
  /** Not passed to the handler, because they are not what `payload` says. */
  invalid: number;
  /**
   * Lost on their way to this node, of whatever type they were; on a durable channel: trimmed before they were handled.
   */
  missed: number;
  /** How often a sender left before it could say what it had sent while this node was cut off; see {@link Gap}. */
  unknown: number;
  /** Dropped before the handler, by reason. */
  dropped: Readonly<Partial<Record<MessageDropReason, number>>>;
  /** The backlog at the moment. */
  waiting: number;
  /** How long ago the oldest one that waits or is being handled was sent, in milliseconds; 0 when there is none. */
  lag: number;
}

/** A running subscription. */
export interface Subscription {
  readonly channel: string;
  /** Messages passed to the handler so far. */
  readonly received: number;
  /** Messages dropped before the handler. */
  readonly dropped: number;
  /** All counters. */
  readonly counters: SubscriptionCounters;
  /**
   * Ends it; what waits is dropped, what is being handled is not waited for. A member of a group goes on handling for
   * 250 ms before that, until the other nodes know that it leaves: what they send meanwhile is for it alone. On a
   * durable channel what waits goes to another member, and what is being handled is waited for.
   */
  unsubscribe(): Promise<void>;
}
