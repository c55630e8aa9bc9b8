/**
 * Contract: text to everyone who listens to a topic, at most once, in order per sender.
 * Implemented by `redis.transport.ts` and `local.transport.ts`; used by channels, and for hints.
 */

/** Which goes first where texts have to wait for one another. */
export type Lane = 'high' | 'normal' | 'low';

/** Publishes and subscribes. */
export interface Transport {
  /** Resolves once the text is handed over; with how many nodes it went to, where that is known. */
  publish(topic: string, text: string, lane?: Lane): Promise<number | undefined>;
  /** Resolves once the subscription is in place; the returned function ends it. */
  subscribe(topic: string, listener: (text: string) => void): Promise<() => Promise<void>>;
  /** Calls the listener when texts may have been lost: the connection that brings them was cut. */
  onInterrupted(listener: () => void): () => void;
}
