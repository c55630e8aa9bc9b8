/**
 * Marks a method as the handler of a channel. Sets metadata and nothing else; the explorer reads it.
 */
import { markMethod } from '../decorated.js';
import type { ChannelName, SubscribeOptions } from './channel.js';

/** Metadata key; `Symbol.for`, so that two copies of the package see each other's marks. */
export const CHANNEL_METADATA = Symbol.for('foundation:channel');

/** What the decorator leaves on the method. */
export interface ChannelMetadata {
  channel: ChannelName;
  options: SubscribeOptions;
}

/**
 * Calls the method with each message of the channel: `(message, meta)`.
 *
 * Underneath: SUBSCRIBE on `…:channel:<name>`, once for all handlers of a node.
 *
 * On a provider it listens as long as the application runs; on a `@Singleton` it listens on the node that owns it, from
 * the end of `onProcessStart` to the stop. An unknown channel, or an option that is not valid, is an error at start.
 *
 * ```ts
 * @Channel('events', { type: 'order.placed', payload: OrderPlaced, group: 'mailers' })
 * onPlaced(order: OrderPlaced, meta: MessageMeta) { … }
 * ```
 *
 * Its message is handled when what the method returns is over: a promise, or an Observable, which is subscribed.
 *
 * A method hears one channel: for two, write a method for each.
 *
 * @throws DeclarationError on a static method, on what is no method, and on a method that has one already.
 */
export function Channel(channel: ChannelName, options: SubscribeOptions = {}): MethodDecorator {
  const metadata: ChannelMetadata = { channel, options };
  return markMethod(CHANNEL_METADATA, '@Channel', () => metadata);
}
