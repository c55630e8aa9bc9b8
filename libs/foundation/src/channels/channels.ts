/**
 * The facade over channels: text to everyone who subscribes, at most once, in order per sender and channel.
 * Called by the application; underneath PUBLISH and SUBSCRIBE, or nothing but memory with the local engine.
 */
import { Injectable } from '@nestjs/common';
import type { LocalNode } from '../cluster/node.js';
import type { FoundationConfig } from '../config/options.js';
import { show } from '../config/shape.js';
import { ArgumentError, MessageError, RedisUnavailableError, UnknownChannelError } from '../errors.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { Engine } from '../tools/engine.js';
import { parseJson } from '../tools/json.js';
import { keysOf } from '../tools/keys.js';
import { Outbox } from '../tools/outbox.js';
import type {
  BroadcastOptions,
  ChannelName,
  MessageHandler,
  MessageMeta,
  SubscribeOptions,
  Subscription,
} from './channel.js';
import { Dispatcher } from './dispatcher.js';
import { decode, encode } from './envelope.js';

/** Injectable. Sends messages to every node of the cluster and receives them. */
@Injectable()
export class Channels {
  readonly #dispatcher: Dispatcher;
  readonly #outbox: Outbox;
  readonly #topic: (channel: string) => string;
  readonly #sequences = new Map<string, number>();
  readonly #listening = new Map<string, Promise<() => Promise<void>>>();

  constructor(
    private readonly config: FoundationConfig,
    private readonly node: LocalNode,
    private readonly engine: Engine,
    private readonly telemetry: Telemetry,
  ) {
    this.#dispatcher = new Dispatcher(telemetry);
    this.#outbox = new Outbox(engine.transport);
    const keys = keysOf(config.appName);
    this.#topic = (channel) => keys.channel(channel);
  }

  /**
   * Sends a message to everyone who subscribes to the channel, this node included.
   *
   * Underneath: `PUBLISH …:channel:<name>`, one for all messages of this turn of the event loop; handlers of this node
   * are served without Redis. Resolves once Redis has taken the message, which says nothing about receivers.
   *
   * @param message any value that JSON can write, up to `channels.maxMessageBytes`.
   * @throws UnknownChannelError, `MessageError`, `ArgumentError`; `RedisUnavailableError` when only this node was served.
   */
  async broadcast(channel: ChannelName, message: unknown, options: BroadcastOptions = {}): Promise<void> {
    this.#check('broadcast', channel, options.type);
    const body = this.#write(channel, message);
    const meta = this.#metaFor(channel, options.type);
    // What local handlers get went through JSON too, so that they see what the others see and share no object.
    this.#dispatcher.deliver({ meta, message: parseJson(body) }, meta.sentAt);
    this.telemetry.emit('message.sent', { channel, size: Buffer.byteLength(body) });
    try {
      await this.#outbox.add(this.#topic(channel), encode(meta, body));
    } catch (error) {
      throw new RedisUnavailableError(this.engine.endpoint, `publishing on "${channel}"; this node was served`, error);
    }
  }

  /**
   * Calls `handler` with each message of the channel from now on. Resolves once the subscription is in place; while
   * Redis is unreachable it is remembered, and made as soon as the connection is back.
   *
   * Underneath: `SUBSCRIBE …:channel:<name>`, once for all handlers of this node. A handler that is slower than its
   * messages loses the oldest beyond 10 000, counted in `dropped`.
   *
   * @throws UnknownChannelError, `ArgumentError`.
   */
  async subscribe(
    channel: ChannelName,
    handler: MessageHandler,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    this.#check('subscribe', channel, options.type);
    if (typeof handler !== 'function') throw new ArgumentError('subscribe', 'handler', show(handler), 'a function');
    const queue = this.#dispatcher.add(channel, options, handler);
    const unsubscribe = async (): Promise<void> => {
      if (this.#dispatcher.remove(channel, queue) > 0) return;
      const listening = this.#listening.get(channel);
      this.#listening.delete(channel);
      await (
        await listening
      )?.();
    };
    try {
      await this.#listen(channel);
    } catch (error) {
      await unsubscribe().catch(() => undefined);
      throw new RedisUnavailableError(this.engine.endpoint, `subscribing to "${channel}"`, error);
    }
    return {
      channel,
      get received() {
        return queue.received;
      },
      get dropped() {
        return queue.dropped;
      },
      unsubscribe,
    };
  }

  /**
   * Checks that a channel is declared.
   *
   * @throws UnknownChannelError that lists the declared ones.
   */
  requireDeclared(channel: string): void {
    const { names } = this.config.channels;
    if (!names.includes(channel)) throw new UnknownChannelError(channel, names);
  }

  /** Sends what still waits. Called by the lifecycle. */
  async flush(): Promise<void> {
    await this.#outbox.flush();
  }

  /** Listens to a channel once, however many handlers it has, so that each message is read once. */
  #listen(channel: string): Promise<() => Promise<void>> {
    const listening =
      this.#listening.get(channel) ??
      this.engine.transport.subscribe(this.#topic(channel), (text) => this.#receive(channel, text));
    this.#listening.set(channel, listening);
    return listening;
  }

  #receive(channel: string, text: string): void {
    const { envelopes, dropped } = decode(channel, text);
    for (const reason of dropped) this.telemetry.emit('message.dropped', { channel, reason });
    const now = Date.now();
    for (const envelope of envelopes) {
      // Our own messages were delivered when they were sent.
      if (envelope.meta.bootId !== this.node.bootId) this.#dispatcher.deliver(envelope, now);
    }
  }

  #metaFor(channel: string, type: string | undefined): MessageMeta {
    const seq = (this.#sequences.get(channel) ?? 0) + 1;
    this.#sequences.set(channel, seq);
    const meta: MessageMeta = { channel, from: this.node.name, bootId: this.node.bootId, seq, sentAt: Date.now() };
    return type === undefined ? meta : { ...meta, type };
  }

  #write(channel: string, message: unknown): string {
    let body: string | undefined;
    try {
      body = JSON.stringify(message);
    } catch (error) {
      throw new MessageError(
        channel,
        'JSON cannot write it',
        'Send plain values.',
        'FOUNDATION_MESSAGE_INVALID',
        error,
      );
    }
    if (body === undefined) {
      throw new MessageError(channel, `JSON has no text for ${show(message)}`, 'Send null, or plain values.');
    }
    const size = Buffer.byteLength(body);
    const { maxMessageBytes } = this.config.channels;
    if (size <= maxMessageBytes) return body;
    throw new MessageError(
      channel,
      `it has ${size} bytes and channels.maxMessageBytes is ${maxMessageBytes}`,
      'Send less, or a reference to the data.',
      'FOUNDATION_MESSAGE_TOO_LARGE',
    );
  }

  #check(call: string, channel: string, type: unknown): void {
    this.requireDeclared(channel);
    const valid = type === undefined || (typeof type === 'string' && type.length > 0 && type.length <= 200);
    if (!valid) throw new ArgumentError(call, 'type', show(type), '1 to 200 characters');
  }
}
