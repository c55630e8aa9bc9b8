/**
 * The words of the channels: names, options, and what a handler is told of a message.
 */

/** A channel's name: one of the four standard ones, or one declared in `channels.names`. */
export type ChannelName = 'control' | 'events' | 'telemetry' | 'data' | (string & {});

/** What travels with a message. */
export interface MessageMeta {
  channel: string;
  /** The kind of message, if the sender named one. */
  type?: string;
  /** Name of the sending node. */
  from: string;
  /** Boot id of the sending node, which tells a restarted sender from the one before. */
  bootId: string;
  /** Counts up by one for each message of that sender on this channel. */
  seq: number;
  /** Milliseconds since 1970 by the sender's clock. */
  sentAt: number;
}

/** Called for each message; the next one of this subscription waits until it has settled. */
export type MessageHandler = (message: unknown, meta: MessageMeta) => void | Promise<void>;

/** Options of `broadcast`. */
export interface BroadcastOptions {
  /** The kind of message, for handlers that want only some; up to 200 characters. */
  type?: string;
}

/** Options of `subscribe` and `@Channel`. */
export interface SubscribeOptions {
  /** Only messages of this type. Default: all. */
  type?: string;
}

/** A running subscription. */
export interface Subscription {
  readonly channel: string;
  /** Messages handled so far. */
  readonly received: number;
  /** Messages dropped because the handler was too slow; the oldest go first. */
  readonly dropped: number;
  unsubscribe(): Promise<void>;
}
