import type { Subscription } from '../channel.js';
import type { HandlerQueue } from './handler.queue.js';

/** What the subscriber of a channel holds; `unsubscribe` ends it. */
export function subscriptionOf(queue: HandlerQueue, unsubscribe: () => Promise<void>): Subscription {
  return {
    channel: queue.channel,
    get received() {
      return queue.received;
    },
    get dropped() {
      return queue.dropped;
    },
    get counters() {
      return queue.counters;
    },
    unsubscribe,
  };
}
