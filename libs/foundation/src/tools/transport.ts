/**
 * Contract: text to everyone who listens to a topic, at most once, in order per sender.
 * Implemented by `redis.transport.ts` and `local.transport.ts`; used by channels, and for hints.
 */

/** Publishes and subscribes. */
export interface Transport {
  publish(topic: string, text: string): Promise<void>;
  /** Resolves once the subscription is in place; the returned function ends it. */
  subscribe(topic: string, listener: (text: string) => void): Promise<() => Promise<void>>;
}
