/**
 * Marks a method as the handler of a channel. Sets metadata and nothing else; the explorer reads it.
 */
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
 */
export function Channel(channel: ChannelName, options: SubscribeOptions = {}): MethodDecorator {
  const metadata: ChannelMetadata = { channel, options };
  return (_target, _key, descriptor) => {
    Reflect.defineMetadata(CHANNEL_METADATA, metadata, descriptor.value as object);
  };
}
