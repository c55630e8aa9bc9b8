/**
 * A channel of Foundation itself, which no application declares. Made by the runtime of the channels, for other rooms.
 */
import type { Transport } from '../backend/transport/transport.js';
import type { Gathered } from '../calls/gathering.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { GatherMessageOptions, MessageHandler, SubscribeOptions, Subscription } from './channel.js';
import type { Gatherer } from './gatherer.js';
import type { NodeAddress, NodeMessageListener, NodeMessages } from './node.messages.js';
import type { Audience } from './sending/audience.js';
import type { Sender } from './sending/sender.js';

/** See `ChannelRuntime.reserve`. */
export interface ReservedChannel {
  /** Name and boot id of this node. */
  readonly self: NodeAddress;
  subscribe(handler: MessageHandler, options: SubscribeOptions): Promise<Subscription>;
  gather(message: unknown, options: GatherMessageOptions): Promise<Gathered>;
  /** To all that subscribe; resolves and rejects as `Channels.broadcast` does. */
  send(message: unknown): Promise<void>;
  /** The other nodes that subscribe, as far as this node knows. */
  others(): readonly NodeAddress[];
  /** Calls the listener when messages of any node may have been lost; those that were are a gap, too. */
  onInterrupted(listener: () => void): () => void;
  /** To one node, as a node message, which has no order with the messages of the channel. */
  tell(bootId: string, body: unknown): Promise<unknown>;
  /** One listener for each channel. */
  onTold(listener: NodeMessageListener): void;
}

/** What all of them work with. */
export interface ReservingTools {
  gatherer: Gatherer;
  sender: Pick<Sender, 'send'>;
  membership: Pick<ClusterView, 'self' | 'requireConnected'>;
  nodeMessages: NodeMessages;
  audience: Audience;
  transport: Transport;
}

/** See {@link ReservedChannel}. */
export function reservedChannel(
  channel: string,
  subscribe: ReservedChannel['subscribe'],
  { gatherer, sender, membership, nodeMessages, audience, transport }: ReservingTools,
): ReservedChannel {
  return {
    self: membership.self,
    subscribe,
    gather: (message, options) => gatherer.gather(channel, message, options),
    send: async (message) => {
      membership.requireConnected();
      return sender.send(channel, message);
    },
    others: () => audience.others(channel),
    onInterrupted: (listener) => transport.onInterrupted((bootId) => bootId === undefined && listener()),
    tell: (bootId, body) => nodeMessages.send(bootId, channel, body),
    onTold: (listener) => nodeMessages.on(channel, listener),
  };
}
