import type { Gathered } from '../calls/gathering.js';
import type { GatherMessageOptions, MessageHandler, SubscribeOptions, Subscription } from './channel.js';

/** A channel of Foundation itself, which no application declares; see `ChannelRuntime.reserve`. */
export interface ReservedChannel {
  subscribe(handler: MessageHandler, options: SubscribeOptions): Promise<Subscription>;
  gather(message: unknown, options: GatherMessageOptions): Promise<Gathered>;
}
