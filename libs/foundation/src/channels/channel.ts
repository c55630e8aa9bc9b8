/**
 * The words of the channels: names, options, and what a handler is told of a message.
 */
import type { Lane } from '../tools/transport.js';
import type { Range } from './sequences.js';

/** A channel's name: one of the four standard ones, or one declared in `channels.names`. */
export type ChannelName = 'control' | 'events' | 'telemetry' | 'data' | (string & {});

/** Which messages go first where they have to wait for one another; where there is no room, `low` is dropped first. */
export type Priority = Lane;

/** What travels with a message. */
export interface MessageMeta {
  channel: string;
  /** The kind of message, if the sender named one. */
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
}

/** Called for each message; the next one of this subscription waits until it has settled. */
export type MessageHandler = (message: unknown, meta: MessageMeta) => void | Promise<void>;

/** Messages of one sender that were lost on their way to this node. */
export interface Gap {
  channel: string;
  /** Name of the sending node. */
  from: string;
  bootId: string;
  priority: Priority;
  /** The sequence numbers of the first and the last one that is missing. */
  missing: Range;
}

/** Options of `broadcast`. */
export interface BroadcastOptions {
  /** The kind of message, for handlers that want only some; up to 200 characters. */
  type?: string;
}

/** Options of `subscribe` and `@Channel`. */
export interface SubscribeOptions {
  /** Only messages of this type. Default: all. */
  type?: string;
  /**
   * Called when messages were lost on their way to this node, of whatever type they were. At once: messages that came
   * before the gap may still be waiting.
   */
  onGap?: (gap: Gap) => void;
}

/** A running subscription. */
export interface Subscription {
  readonly channel: string;
  /** Messages handled so far. */
  readonly received: number;
  /** Messages dropped because the handler was too slow; the oldest go first. */
  readonly dropped: number;
  /** Messages that were lost on their way to this node, of whatever type they were. */
  readonly missed: number;
  unsubscribe(): Promise<void>;
}
