/**
 * Topics over Redis pub/sub: one connection listens, another one publishes.
 * Underneath PUBLISH and SUBSCRIBE: of what is packed where all nodes read that, else of JSON.
 */
import type { Redis } from 'ioredis';
import { describe } from '../../errors/describe.js';
import { isAnswer } from '../../errors/refusal.js';
import { refusalIn } from '../../errors/refusal.js';
import { unattended } from '../../foreign/gate.js';
import { Listeners } from '../../foreign/listeners.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import { MAX_STAMP, type Refusal, type ReplayGuard } from '../../security/replay.guard.js';
import type { Signer } from '../../security/signer.js';
import { within } from '../../time/timeout.js';
import { type WakeUp, wakeUps } from '../../time/wake.ups.js';
import { asText, type Bundle } from '../../wire/bundle.js';
import { PACKED_VERSION } from '../../wire/packed.format.js';
import { EndingTopics } from './ending.topics.js';
import type { Transport } from './transport.js';

type Listener = (bundle: Bundle) => void;

/** What a bundle must be like to be read. */
export interface TransportGuard {
  /** In bytes: one that is longer, which no node sends, is dropped before anybody reads it. */
  longest?: number;
  /** With a cookie: all are signed, and those that are not are dropped. */
  signing?: { seal: Signer; stamps: ReplayGuard };
  /** Topics on which Redis itself speaks, which signs nothing. */
  isOpen?: (topic: string) => boolean;
  /** A bundle was dropped. */
  refused?: (topic: string, reason: 'too-large' | 'bad-signature' | Refusal) => void;
}

/** Who only listens is deaf on a half-open connection for as long as this and the next, in milliseconds. */
const PING_EVERY_MS = 2000;
/** With another wake-up of this node that comes so much sooner. */
const EARLY_MS = 250;
const PING_TIMEOUT_MS = 2000;
/** How long a subscription or its end is waited for, in milliseconds: a round trip when all is well. */
const SUBSCRIBE_MS = 2000;
/** When subscriptions that Redis did not take are tried again, in milliseconds. */
const RETRY_MS = 1000;

const TAB = 9;

/** What the transport is made of. */
export interface RedisTransportParts {
  readonly subscriber: Redis;
  readonly publisher: Redis;
  /** False in a Redis Cluster, where the reply counts only the subscribers of the node that was queried. */
  readonly countsReceivers: boolean;
  readonly guard?: TransportGuard;
}

/** See {@link Transport}. While Redis is unreachable a subscription is remembered and made on reconnection. */
export class RedisTransport implements Transport {
  readonly packs = true;
  readonly #topics = new Map<string, Listeners<[bundle: Bundle]>>();
  readonly #ending = new EndingTopics();
  readonly #interrupted = new Listeners<[]>('a listener to interruptions');
  readonly #log = new ThrottledLog();
  readonly #watchdog: Pick<WakeUp, 'cancel'>;
  /** True from a cut until the subscriptions are back. */
  #isCut = false;
  /** Every node of the view reads what is packed. */
  #allPack = false;
  #retryTimer: NodeJS.Timeout | undefined;
  readonly #guard: TransportGuard;

  constructor(private readonly parts: RedisTransportParts) {
    const { subscriber, guard = {} } = parts;
    this.#guard = guard;
    subscriber.on('messageBuffer', (topic: Buffer, bytes: Buffer) => this.#deliver(topic.toString(), bytes));
    subscriber.on('close', () => {
      this.#isCut = true;
      this.#interrupted.tell();
    });
    subscriber.on('ready', () => unattended('subscribing again', this.#resubscribe()));
    // A half-open connection brings nothing and reports nothing; only a question without an answer shows it.
    this.#watchdog = wakeUps.every(PING_EVERY_MS - EARLY_MS, PING_EVERY_MS, () =>
      unattended('pinging the subscriber', this.#ping()),
    );
  }

  /** Who is in the cluster. A node that has just joined, and does not read what is packed, misses that until then. */
  meet(members: readonly { readonly packs?: number }[]): void {
    this.#allPack = members.length > 0 && members.every(({ packs }) => packs === PACKED_VERSION);
  }

  async publish(topic: string, bundle: Bundle): Promise<number | undefined> {
    const sent = this.#sign(topic, this.#allPack ? bundle : asText(bundle));
    const receivers = await this.parts.publisher.publish(topic, sent);
    return this.parts.countsReceivers ? receivers : undefined;
  }

  #sign(topic: string, bundle: Bundle): Bundle {
    const { signing } = this.#guard;
    // A copy, because ioredis may keep it for later, and what the outbox packs in is used again at once.
    if (signing === undefined) return typeof bundle === 'string' ? bundle : Buffer.from(bundle);
    const { seal, stamps } = signing;
    // With a stamp, because a signature alone would be as good a second time.
    const stamp = stamps.next(Date.now());
    return typeof bundle === 'string' ? seal.sign(topic, stamp + bundle) : seal.signBytes(topic, stamp, bundle);
  }

  async subscribe(topic: string, listener: Listener): Promise<() => Promise<void>> {
    const listeners = this.#topics.get(topic) ?? new Listeners(`a listener to ${topic}`);
    const isNew = listeners.size === 0;
    listeners.add(listener);
    this.#topics.set(topic, listeners);
    if (isNew && this.parts.subscriber.status === 'ready') await this.#subscribeNow(topic);
    // What is published until the subscription is made is lost, and reported then.
    else if (isNew) this.#isCut = true;
    return async () => {
      if (listeners.size === 1 && this.#topics.get(topic) === listeners && listeners.has(listener))
        await this.#unsubscribe(topic, listeners);
      listeners.delete(listener);
    };
  }

  async #unsubscribe(topic: string, listeners: Listeners<[bundle: Bundle]>): Promise<void> {
    this.#topics.delete(topic);
    if (this.parts.subscriber.status !== 'ready') return;
    // A topic that Redis did not unsubscribe is delivered to no listener after that, and not subscribed again with the
    // next connection.
    const confirmed = within(SUBSCRIBE_MS, this.parts.subscriber.unsubscribe(topic), 'late').catch(() => undefined);
    await this.#ending.until(confirmed, topic, listeners);
  }

  onInterrupted(listener: () => void): () => void {
    return this.#interrupted.add(listener);
  }

  close(): void {
    this.#watchdog.cancel();
    clearTimeout(this.#retryTimer);
    this.#topics.clear();
  }

  #deliver(topic: string, bytes: Buffer): void {
    const read = this.#open(topic, bytes);
    if (read === undefined) return;
    // A throw here would end up in ioredis' parser and break the connection for everyone; the gate catches it.
    const bundle = isPacked(read) ? read : read.toString();
    this.#topics.get(topic)?.tell(bundle);
    this.#ending.get(topic)?.tell(bundle);
  }

  /** What anybody may have published, if it is to be read. */
  #open(topic: string, bytes: Buffer): Buffer | undefined {
    const { longest = Infinity, signing, isOpen, refused } = this.#guard;
    if (bytes.length > longest) return void refused?.(topic, 'too-large');
    if (signing === undefined || isOpen?.(topic) === true) return bytes;
    const stamped = signing.seal.openBytes(topic, bytes);
    if (stamped === undefined) return void refused?.(topic, 'bad-signature');
    const taken = signing.stamps.take(topic, stamped.toString('latin1', 0, MAX_STAMP), Date.now());
    return typeof taken === 'number' ? stamped.subarray(taken) : void refused?.(topic, taken);
  }

  /**
   * A connection that breaks meanwhile or does not answer is not an error, nor is a busy Redis: the topic is
   * remembered, and subscribed with all others when the connection is back.
   */
  async #subscribeNow(topic: string): Promise<void> {
    const subscribing = this.parts.subscriber.subscribe(topic);
    try {
      await within(SUBSCRIBE_MS, subscribing, `not confirmed in ${SUBSCRIBE_MS} ms`);
    } catch (error) {
      const isReply = isAnswer(error);
      if (isReply && refusalIn(describe(error)) !== undefined) {
        this.#topics.delete(topic);
        throw error;
      }
      this.#log.warn('Redis did not confirm a subscription; retrying', { topic, error: describe(error) });
      this.#isCut = true;
      if (isReply) this.#resubscribeLater();
      // It may still be confirmed; on a new connection it is made with all others.
      else
        unattended(
          'subscribing late',
          subscribing.then(() => this.#isBack()).catch(() => undefined),
        );
    }
  }

  async #resubscribe(): Promise<void> {
    if (this.#topics.size === 0) return;
    try {
      await this.parts.subscriber.subscribe(...this.#topics.keys());
    } catch (error) {
      this.#log.warn('Failed to restore subscriptions; retrying', { error: describe(error) });
      // After anything else the connection has gone, and the next one brings us here again.
      if (isAnswer(error)) this.#resubscribeLater();
      return;
    }
    this.#isBack();
  }

  #isBack(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    // Once more, since what was published up to now was lost as well; a query for it is answered from now on.
    this.#interrupted.tell();
  }

  /** Not at once: what Redis refuses now it would refuse again. */
  #resubscribeLater(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => {
      if (this.parts.subscriber.status === 'ready') unattended('subscribing again', this.#resubscribe());
    }, RETRY_MS).unref();
  }

  async #ping(): Promise<void> {
    if (this.parts.subscriber.status !== 'ready') return;
    const timer = setTimeout(() => this.parts.subscriber.disconnect(true), PING_TIMEOUT_MS);
    await this.parts.subscriber.ping().catch(() => undefined);
    clearTimeout(timer);
  }
}

/** By its first byte, the version of the format; JSON begins with none below the tabulator. */
function isPacked(bytes: Buffer): boolean {
  return bytes.length > 0 && bytes[0]! < TAB;
}
