/**
 * Topics whose subscription is ending: what comes until that is confirmed is still delivered, because who sent it
 * counts it as taken. Used by the transports over Redis and from node to node.
 */
import type { Listeners } from '../../foreign/listeners.js';
import type { Bundle } from '../../wire/bundle.js';

/** See the file header. A topic that ends again meanwhile, after new listeners came and went, takes the place. */
export class EndingTopics {
  readonly #listeners = new Map<string, Listeners<[bundle: Bundle]>>();

  get(topic: string): Listeners<[bundle: Bundle]> | undefined {
    return this.#listeners.get(topic);
  }

  /** Keeps the listeners until the end is confirmed. */
  async until(confirmed: Promise<unknown>, topic: string, listeners: Listeners<[bundle: Bundle]>): Promise<void> {
    this.#listeners.set(topic, listeners);
    await confirmed;
    if (this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
  }
}
