/**
 * The facade over channels: text to everyone who subscribes, at most once, in order per sender and channel.
 * Called by the application; underneath PUBLISH and SUBSCRIBE, or nothing but memory with the local backend.
 */
import { Injectable } from '@nestjs/common';
import type { Backend } from '../backend/backend.js';
import { Outbox } from '../backend/transport/outbox.js';
import type { LocalNode } from '../cluster/local.node.js';
import type { Membership } from '../cluster/membership.js';
import type { FoundationConfig } from '../config/options.js';
import { ArgumentError } from '../errors/config.errors.js';
import { asError, show } from '../errors/describe.js';
import { UnknownChannelError } from '../errors/message.errors.js';
import { redisError } from '../errors/refusal.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { carried, spanned, type TraceCarrier } from '../telemetry/tracing.js';
import { keysOf } from '../wire/keys.js';
import { checkBroadcast, checkReplay, checkRoute, checkSubscribe } from './channel.arguments.js';
import type {
  BroadcastOptions,
  ChannelName,
  MessageHandler,
  ReplayOptions,
  SubscribeOptions,
  Subscription,
  SubscriptionCounters,
} from './channel.js';
import { explainRoute, type Route, type RouteOptions } from './channel.routing.js';
import { type ChannelStatistics, RemoteStatistics, sumOf } from './channel.statistics.js';
import { publishing } from './channel.tracing.js';
import { Durable } from './durable/durable.channels.js';
import { headsOf } from './envelope.js';
import { MessageDrops } from './message.drops.js';
import { NodeMessages } from './node.messages.js';
import { Dispatcher } from './receiving/dispatcher.js';
import { Receiver } from './receiving/receiver.js';
import { Requests } from './requests.js';
import { Acknowledgements } from './sending/acknowledgements.js';
import { Audience } from './sending/audience.js';
import { Sender, type Written } from './sending/sender.js';
import { Sequencer } from './sending/sequencer.js';

/** Injectable. Sends messages to every node of the cluster and receives them. */
@Injectable()
export class Channels {
  /** For `nestjs-foundation/microservices`. */
  readonly requests: Requests;
  readonly #outbox: Outbox;
  readonly #outgoing: Sequencer;
  readonly #letters: NodeMessages;
  readonly #audience: Audience;
  readonly #acknowledgements: Acknowledgements;
  readonly #dispatcher: Dispatcher;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  readonly #durable: Durable;
  readonly #figures: RemoteStatistics;

  constructor(
    private readonly config: FoundationConfig,
    node: LocalNode,
    private readonly backend: Backend,
    membership: Membership,
    private readonly telemetry: Telemetry,
  ) {
    const { transport, endpoint } = backend;
    const { maxMessageBytes } = config.channels;
    const keys = keysOf(config.appName);
    const topic = (channel: string): string => keys.channel(channel);
    const heads = headsOf(node.name, node.bootId);
    const drops = new MessageDrops(telemetry);
    this.#outbox = new Outbox(transport);
    this.#letters = new NodeMessages(
      node,
      transport,
      (bootId) => keys.mail(bootId),
      (reason) => telemetry.emit('message.dropped', { channel: 'mail', reason, count: 1 }),
    );
    this.#audience = new Audience(membership);
    this.#figures = new RemoteStatistics(this.#letters, () => this.figures());
    this.requests = new Requests(this.#audience, this.#letters, membership, transport);
    this.#dispatcher = new Dispatcher(node.bootId, { telemetry, drops });
    const outgoing = (this.#outgoing = new Sequencer(this.#outbox, heads, topic));
    const acknowledgements = (this.#acknowledgements = new Acknowledgements(membership, this.#letters, telemetry));
    const { prefix: ownPrefix } = heads;
    const flush = (): Promise<void> => this.flush();
    const shared = { dispatcher: this.#dispatcher, outgoing, acknowledgements, drops, maxMessageBytes };
    this.#sender = new Sender({ ...shared, node, telemetry, audience: this.#audience, endpoint });
    const { streams } = backend;
    this.#durable = new Durable(config.channels.durable, {
      streams,
      heads,
      telemetry,
      drops,
      endpoint,
      maxMessageBytes,
    });
    this.#receiver = new Receiver({
      ...shared,
      telemetry,
      membership,
      transport,
      letters: this.#letters,
      ownPrefix,
      topic,
      flush,
    });
  }

  /**
   * Sends a message to everyone who subscribes to the channel, this node included.
   *
   * Underneath: `PUBLISH …:channel:<name>`, one for all messages of this turn of the event loop, and of further turns
   * while Redis has not confirmed the last one, for a millisecond at most; handlers of this node are served without
   * Redis. Resolves once Redis has taken the message, which says nothing about receivers; with `timeout`, once every
   * node that listens has handled it. Those are the nodes that this one knows to listen at the time of the call. One
   * that is shut down meanwhile is not waited for, one that is gone without a word is missing.
   *
   * On a durable channel: `XADD …:stream:<name>`, and it resolves once Redis has kept the message.
   *
   * @param message any value that JSON can write, up to `channels.maxMessageBytes`.
   * @throws UnknownChannelError, `MessageError`, `ArgumentError`; `RedisUnavailableError` when only this node was
   *   served, `OverloadedError` when more waits than this node keeps, `AcknowledgementError` with the nodes that are
   *   missing.
   */
  broadcast(channel: ChannelName, message: unknown, options?: BroadcastOptions): Promise<void> {
    // Not async: each promise of its own would be a tenth of what a small message costs.
    try {
      this.requireDeclared(channel);
      if (options !== undefined) checkBroadcast('broadcast', options);
      const written = this.#sender.write(channel, message);
      const { telemetry } = this;
      if (telemetry.tracing === undefined) return this.#send(channel, written, options);
      return spanned(telemetry, publishing(channel), () => this.#send(channel, written, options, carried(telemetry)));
    } catch (error) {
      return Promise.reject(asError(error));
    }
  }

  #send(channel: string, written: Written, options?: BroadcastOptions, trace?: TraceCarrier): Promise<void> {
    return this.#durable.has(channel)
      ? this.#durable.send(channel, written, options, trace)
      : this.#sender.send(channel, written, options, trace);
  }

  /**
   * Sends a message to the channel that suits it; the first rule that holds decides: the `channel` of the options ·
   * `priority: 'high'` → control · more than 10 KiB of JSON → data · `['telemetry', …]`, or a `type` of `metric` or
   * `measurement` → telemetry · else events.
   *
   * Underneath: {@link broadcast}, with its errors.
   */
  async routeMessage(message: unknown, options: RouteOptions = {}): Promise<void> {
    checkRoute('routeMessage', options);
    const { channel: named, ...others } = options;
    if (named !== undefined) this.requireDeclared(named);
    const { size } = this.#sender.write(named ?? 'events', message);
    return this.broadcast(explainRoute(message, size, options).channel, message, others);
  }

  /**
   * Says which channel `routeMessage` would take, and why. Sends nothing.
   *
   * @throws UnknownChannelError, `MessageError`, `ArgumentError`.
   */
  explainRoute(message: unknown, options: RouteOptions = {}): Route {
    checkRoute('explainRoute', options);
    if (options.channel !== undefined) this.requireDeclared(options.channel);
    return explainRoute(message, this.#sender.write(options.channel ?? 'events', message).size, options);
  }

  /**
   * Calls `handler` with each message of the channel from now on. Resolves once the subscription is in place; while
   * Redis is unreachable it is remembered, and made as soon as the connection is back.
   *
   * Underneath: `SUBSCRIBE …:channel:<name>`, once for all handlers of this node. The other nodes hear about 50 ms
   * later, with this node's record, that it listens; until then no message of a `group` comes here, and no `timeout`
   * waits for it.
   *
   * On a durable channel: `XREADGROUP`, and `XACK` once the handler has succeeded, on a connection of its own. A
   * message whose handler failed or whose node died comes again after `retryAfter`, after `maxDeliveries` times it is a
   * dead letter. So a message may come more than once, and after a failure out of order.
   *
   * What waits for a handler is bounded; see `queue`. A handler that awaits a broadcast to its own full channel waits
   * for itself when its policy is `block`.
   *
   * @throws UnknownChannelError, `ArgumentError`, `LimitError` when this node has too many subscriptions.
   */
  async subscribe(
    channel: ChannelName,
    handler: MessageHandler,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    this.requireDeclared(channel);
    checkSubscribe('subscribe', options);
    if (typeof handler !== 'function') throw new ArgumentError('subscribe', 'handler', show(handler), 'a function');
    if (this.#durable.has(channel)) return this.#durable.subscribe(channel, handler, options);
    if (options.from !== undefined) {
      throw new ArgumentError(
        'subscribe',
        'from',
        show(options.from),
        'none: only a durable channel keeps its messages',
      );
    }
    this.#dispatcher.requireRoom(channel);
    const hide = this.#audience.add(channel, options.group, options.type);
    const queue = this.#dispatcher.add(channel, options, handler);
    const unsubscribe = async (): Promise<void> => {
      hide();
      if (this.#dispatcher.remove(queue)) await this.#receiver.unlisten(channel);
    };
    try {
      await this.#receiver.listen(channel);
    } catch (error) {
      await unsubscribe().catch(() => undefined);
      throw redisError(this.backend.endpoint, `subscribing to "${channel}"`, error);
    }
    return {
      channel,
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

  /**
   * Calls `handler` with what a durable channel has kept, in order and one after the other, whatever its groups have
   * handled. Resolves with how many messages that were; rejects with what the handler throws.
   *
   * Underneath: `XRANGE …:stream:<name>`, a hundred at a time.
   *
   * @throws UnknownChannelError, `ArgumentError`, also for a channel that is not durable; `RedisUnavailableError`.
   */
  async replay(channel: ChannelName, handler: MessageHandler, options: ReplayOptions): Promise<number> {
    this.requireDeclared(channel);
    checkReplay(options);
    if (typeof handler !== 'function') throw new ArgumentError('replay', 'handler', show(handler), 'a function');
    if (this.#durable.has(channel)) return this.#durable.replay(channel, handler, options);
    throw new ArgumentError('replay', 'channel', show(channel), 'a durable channel: declare it in channels.durable');
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

  /**
   * Checks that a message can be sent.
   *
   * @throws MessageError for what JSON cannot write, or what is too large.
   */
  requireSendable(channel: string, message: unknown): void {
    this.#sender.write(channel, message);
  }

  /** How many messages wait for handlers of this node, by channel; for metrics. */
  waiting(): Record<string, number> {
    const figures = Object.entries(sumOf([], this.#counters()));
    return Object.fromEntries(figures.map(([channel, { waiting }]) => [channel, waiting]));
  }

  /** How the channels that this node sends on and subscribes to are doing. */
  figures(): ChannelStatistics {
    return sumOf([...this.#outgoing.sent, ...this.#durable.sent], this.#counters());
  }

  #counters(): [channel: string, SubscriptionCounters][] {
    return [...this.#dispatcher.counters(), ...this.#durable.counters()];
  }

  /**
   * The same of another node.
   *
   * Underneath: a letter to it, PUBLISH to `…:mail:<bootId>`, and one back; `undefined` when none comes in `timeoutMs`.
   */
  figuresOf(bootId: string, timeoutMs: number): Promise<ChannelStatistics | undefined> {
    return this.#figures.ask(bootId, timeoutMs);
  }

  /** Listens for letters. Called by the lifecycle. */
  async open(): Promise<void> {
    await this.#letters.open();
  }

  /** Reads no more of durable channels, and waits for what is being handled. Called by the lifecycle. */
  async close(): Promise<void> {
    this.#receiver.close();
    await this.#durable.close();
  }

  /** Handles and answers no more, and waits for what is being handled and answered. Called by the lifecycle. */
  async end(): Promise<void> {
    this.#acknowledgements.leave();
    await Promise.all([this.#dispatcher.end(), this.requests.end()]);
  }

  /** Sends what still waits. Called by the lifecycle. */
  async flush(): Promise<void> {
    await Promise.all([this.#outbox.flush(), this.#letters.flush()]);
  }
}
