/**
 * What this node listens to, and with whom: a topic is announced to the peers with its first listener, and again when
 * its last one has gone. Used by the direct transport.
 */
import { Listeners } from '../../../foreign/listeners.js';
import type { Bundle } from '../../../wire/bundle.js';
import { EndingTopics } from '../ending.topics.js';
import type { PlainTopics } from './plain.topics.js';
import { encodeTopics, type TopicChange } from './topic.messages.js';

type Listening = { listeners: Listeners<[bundle: Bundle]>; plain: Promise<() => Promise<void>> };

/** See the file header. */
export class TopicSubscriptions {
  readonly #topics = new Map<string, Listening>();
  readonly #ending = new EndingTopics();

  constructor(
    private readonly plain: PlainTopics,
    /** Notifies all peers; resolves when they know, or have had the time to. */
    private readonly announce: (change: TopicChange) => Promise<void>,
  ) {}

  /** All of them, for a peer that knows none. */
  encode(): Buffer {
    return encodeTopics({ all: [...this.#topics.keys()] });
  }

  /** Reads it only where there is a listener. */
  deliver(topic: string, read: () => Bundle): void {
    const [listening, ending] = [this.#topics.get(topic), this.#ending.get(topic)];
    if (listening === undefined && ending === undefined) return;
    const bundle = read();
    listening?.listeners.tell(bundle);
    ending?.tell(bundle);
  }

  async add(topic: string, listener: (bundle: Bundle) => void): Promise<() => Promise<void>> {
    let listening = this.#topics.get(topic);
    const isNew = listening === undefined;
    listening ??= {
      listeners: new Listeners(`a listener to ${topic}`),
      plain: this.plain.subscribe(topic, (bundle) => this.deliver(topic, () => bundle)),
    };
    listening.listeners.add(listener);
    this.#topics.set(topic, listening);
    const { listeners, plain } = listening;
    const announced = isNew ? this.announce({ add: [topic] }) : undefined;
    try {
      await plain;
    } catch (error) {
      await this.#remove(topic, listening, listener).catch(() => undefined);
      throw error;
    }
    await announced;
    return () => this.#remove(topic, { listeners, plain }, listener);
  }

  clear(): void {
    this.#topics.clear();
  }

  async #remove(topic: string, { listeners, plain }: Listening, listener: (bundle: Bundle) => void): Promise<void> {
    const isLast = listeners.size === 1 && listeners.has(listener) && this.#topics.get(topic)?.listeners === listeners;
    if (isLast) {
      this.#topics.delete(topic);
      const confirmed = Promise.all([this.announce({ remove: [topic] }), plain.then((end) => end())]);
      await this.#ending.until(confirmed, topic, listeners);
    }
    listeners.delete(listener);
  }
}
