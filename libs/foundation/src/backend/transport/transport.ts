/**
 * Contract: bundles to everyone who listens to a topic, at most once, in order per sender, topic and lane.
 * Implemented by `redis.transport.ts`, `direct/direct.transport.ts` and `local.transport.ts`; used by channels, calls
 * and hints. `transportContract` of the testing entry holds all of them to it.
 */
import type { Bundle } from '../../wire/bundle.js';
import type { Lane } from '../../wire/lane.js';

/** How many nodes a bundle went to, where that is known. */
export type Passed = number | undefined;

/**
 * Publishes and subscribes. A text is JSON: at least it does not begin with a line break.
 *
 * Whether a publisher hears itself is up to the transport (through Redis it does), so a subscriber ignores its own.
 */
export interface Transport {
  /** True where a bundle may also be packed. A node that does not know that form gets it as a text. */
  readonly packs?: boolean;
  /** Resolves once the bundle is passed on; with the number of nodes that it went to, where that is known. */
  publish(topic: string, bundle: Bundle, lane?: Lane): Promise<Passed>;
  /**
   * The same, without a promise where the bundle was passed on at once: what it then costs is most of a small one.
   *
   * @throws what `publish` rejects with.
   */
  pass?(topic: string, bundle: Bundle, lane?: Lane): Passed | Promise<Passed>;
  /**
   * Resolves once the subscription is in place. The returned function ends it, and resolves when nothing comes any
   * more: what comes until then is still delivered, because who sent it counts it as taken.
   */
  subscribe(topic: string, listener: (bundle: Bundle) => void): Promise<() => Promise<void>>;
  /**
   * Calls the listener when texts may have been lost: the connection that brings them was cut, or a sender had to drop
   * some. With the boot id of the sender where only its texts are concerned, and the topic where only those on it are.
   */
  onInterrupted(listener: (bootId?: string, topic?: string) => void): () => void;
  /** Resolves once what was published has arrived where it can; absent where `publish` waits for that already. */
  flush?(): Promise<void>;
}
