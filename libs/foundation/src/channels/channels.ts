/**
 * The facade over channels: text to everyone who subscribes, at most once, in order per sender and channel.
 * Called by the application; underneath PUBLISH and SUBSCRIBE, or nothing but memory with the local engine.
 */
import { Injectable } from '@nestjs/common';
import type { Membership } from '../cluster/membership.js';
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
import { CatchUp } from './catch.up.js';
import { Dispatcher } from './dispatcher.js';
import { Drops } from './drops.js';
import { headsOf } from './envelope.js';
import { Incoming } from './incoming.js';
import { Letters } from './letters.js';
import { Outgoing, type Line } from './outgoing.js';
import { Senders } from './senders.js';
import { Sequences } from './sequences.js';

/** Injectable. Sends messages to every node of the cluster and receives them. */
@Injectable()
export class Channels {
  readonly #dispatcher: Dispatcher;
  readonly #outbox: Outbox;
  readonly #outgoing: Outgoing;
  readonly #incoming: Incoming;
  readonly #sequences: Sequences;
  readonly #letters: Letters;
  readonly #catchUp: CatchUp;
  readonly #senders: Senders;
  readonly #topic: (channel: string) => string;
  readonly #listening = new Map<string, Promise<() => Promise<void>>>();

  constructor(
    private readonly config: FoundationConfig,
    private readonly node: LocalNode,
    private readonly engine: Engine,
    membership: Membership,
    private readonly telemetry: Telemetry,
  ) {
    const keys = keysOf(config.appName);
    const heads = headsOf(node.name, node.bootId);
    const drops = new Drops(telemetry);
    this.#topic = (channel) => keys.channel(channel);
    this.#dispatcher = new Dispatcher(telemetry, drops);
    this.#outbox = new Outbox(engine.transport);
    this.#outgoing = new Outgoing(this.#outbox, heads, this.#topic);
    this.#senders = new Senders(membership);
    this.#sequences = new Sequences((bootId, channel) => this.#senders.startsHere(bootId, channel));
    this.#senders.onGone((isGone) => this.#sequences.forgetSenders(isGone));
    this.#incoming = new Incoming(heads.prefix, this.#sequences, drops, this.#dispatcher);
    this.#letters = new Letters(node, engine.transport, (bootId) => keys.letters(bootId));
    this.#catchUp = new CatchUp(
      membership,
      this.#letters,
      this.#outgoing,
      () => this.flush(),
      () => [...this.#listening.keys()],
      (channel, lane, last, { name: from, bootId }) => {
        const missing = this.#sequences.announced({ bootId, channel, lane }, last);
        if (missing !== undefined) this.#dispatcher.gap({ channel, from, bootId, priority: lane, missing });
      },
      engine.transport,
    );
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
    const { type } = options;
    const body = this.#write(channel, message);
    const line = this.#outgoing.line(channel, 'normal');
    const sent = this.#outgoing.add(line, body, type === undefined ? undefined : { type });
    if (this.#dispatcher.has(channel)) {
      // What local handlers get went through JSON too, so that they see what the others see and share no object.
      this.#dispatcher.deliver({ meta: this.#metaOf(line, type), message: parseJson(body) }, line.at);
    }
    try {
      await sent;
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
      this.#sequences.forgetChannel(channel);
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
      get missed() {
        return queue.missed;
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

  /** Listens for letters. Called by the lifecycle. */
  async open(): Promise<void> {
    await this.#letters.open();
  }

  /** Asks no more questions. Called by the lifecycle. */
  close(): void {
    this.#catchUp.close();
  }

  /** Sends what still waits. Called by the lifecycle. */
  async flush(): Promise<void> {
    await Promise.all([this.#outbox.flush(), this.#letters.flush()]);
  }

  /** Listens to a channel once, however many handlers it has, so that each message is read once. */
  #listen(channel: string): Promise<() => Promise<void>> {
    const already = this.#listening.get(channel);
    if (already !== undefined) return already;
    this.#senders.listens(channel);
    const listening = this.engine.transport.subscribe(this.#topic(channel), (text) =>
      this.#incoming.receive(channel, text),
    );
    this.#listening.set(channel, listening);
    return listening;
  }

  #metaOf({ channel, seq, at, lane }: Line, type: string | undefined): MessageMeta {
    const { name: from, bootId } = this.node;
    const meta: MessageMeta = { channel, from, bootId, seq, sentAt: at, priority: lane };
    if (type !== undefined) meta.type = type;
    return meta;
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
    if (size <= maxMessageBytes) {
      this.telemetry.emit('message.sent', { channel, size });
      return body;
    }
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
