/**
 * The channels of one node put together: behind the facade for applications, and the whole of it for the lifecycle, the
 * dashboard, the metrics and Nest's microservices. Not part of the public API.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Backend } from '../backend/backend.js';
import { Outbox } from '../backend/transport/outbox.js';
import type { Gathered } from '../calls/gathering.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { LocalNode } from '../cluster/local.node.js';
import type { FoundationConfig } from '../config/config.js';
import { ContextHook } from '../context/context.hook.js';
import { ArgumentError } from '../errors/config.errors.js';
import { asError, show } from '../errors/describe.js';
import { UnknownChannelError } from '../errors/message.errors.js';
import { redisError } from '../errors/refusal.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { carried, spanned } from '../telemetry/tracing.js';
import { keysOf } from '../wire/keys.js';
import { checkBroadcast, checkReplay, checkRoute, checkSubscribe } from './channel.arguments.js';
import type {
  BroadcastOptions,
  ChannelName,
  GatherMessageOptions,
  MessageHandler,
  ReplayOptions,
  SubscribeOptions,
  Subscription,
} from './channel.js';
import { explainRoute, type Route, type RouteOptions } from './channel.routing.js';
import { type ChannelStatistics, RemoteStatistics, sumOf } from './channel.statistics.js';
import { publishing } from './channel.tracing.js';
import { Durable, type DurableOptions } from './durable/durable.channels.js';
import { type Carried, headsOf } from './envelope.js';
import { Gatherer } from './gatherer.js';
import { MessageDrops } from './message.drops.js';
import { NodeMessages } from './node.messages.js';
import { Dispatcher } from './receiving/dispatcher.js';
import { Receiver } from './receiving/receiver.js';
import { subscriptionOf } from './receiving/subscription.js';
import { Requests } from './requests.js';
import { type ReservedChannel, reservedChannel, type ReservingTools } from './reserved.channel.js';
import { Acknowledgements } from './sending/acknowledgements.js';
import { Audience } from './sending/audience.js';
import { limitsOf } from './sending/message.checks.js';
import { Sender } from './sending/sender.js';
import { Sequencer } from './sending/sequencer.js';

/**
 * So long a member that leaves its group goes on handling, in milliseconds: a record is sent 50 ms after its change,
 * and read a round trip later.
 */
const KNOWN_MS = 250;

/** See the file header. What `Channels` has too is documented there. */
export class ChannelRuntime {
  /** For `nestjs-foundation/microservices`. */
  readonly requests: Requests;
  readonly gatherer: Gatherer;
  readonly #reserving: ReservingTools;
  readonly #outbox: Outbox;
  readonly #sequencer: Sequencer;
  readonly #nodeMessages: NodeMessages;
  readonly #audience: Audience;
  readonly #acknowledgements: Acknowledgements;
  readonly #dispatcher: Dispatcher;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  readonly #durable: Durable;
  readonly #remote: RemoteStatistics;
  readonly #context: ContextHook;

  constructor(
    private readonly config: FoundationConfig,
    node: LocalNode,
    private readonly backend: Backend,
    private readonly membership: ClusterView,
    private readonly telemetry: Telemetry,
  ) {
    const { transport, endpoint } = backend;
    const { maxMessageBytes } = config.channels;
    const keys = keysOf(config.appName, backend.database);
    const topic = (channel: string): string => keys.channel(channel);
    const heads = headsOf(node.name, node.bootId);
    const context = (this.#context = new ContextHook(config.context));
    const drops = new MessageDrops(telemetry);
    this.#outbox = new Outbox(transport);
    this.#nodeMessages = new NodeMessages(
      node,
      transport,
      (bootId) => keys.mail(bootId),
      (reason) => telemetry.emit('message.dropped', { channel: 'mail', reason, count: 1 }),
    );
    const nodeMessages = this.#nodeMessages;
    const audience = (this.#audience = new Audience(membership));
    this.#remote = new RemoteStatistics(this.#nodeMessages, () => this.statistics());
    this.requests = new Requests(audience, nodeMessages, membership, transport, context);
    this.#dispatcher = new Dispatcher(node.bootId, { telemetry, drops, context }, maxMessageBytes);
    const limits = (channel: string): ReturnType<typeof limitsOf> => limitsOf(channel, maxMessageBytes);
    const outgoing = (this.#sequencer = new Sequencer(this.#outbox, heads, topic, limits));
    const acknowledgements = (this.#acknowledgements = new Acknowledgements(membership, nodeMessages, telemetry));
    const flush = (): Promise<void> => this.flush();
    const shared = { dispatcher: this.#dispatcher, drops, maxMessageBytes };
    const sending = { outgoing, acknowledgements, audience };
    this.#sender = new Sender({ ...shared, ...sending, node, telemetry, endpoint });
    this.#durable = new Durable(config.channels.durable, {
      streams: backend.streams,
      heads,
      telemetry,
      drops,
      context,
      endpoint,
      maxMessageBytes,
    });
    const asking = { membership, telemetry, context, timeout: config.calls.timeout };
    this.gatherer = new Gatherer({ sender: this.#sender, isDurable: this.isDurable, ...asking });
    this.#reserving = { gatherer: this.gatherer, sender: this.#sender, membership, nodeMessages, audience, transport };
    this.#receiver = new Receiver({
      ...shared,
      lasts: (channels) => outgoing.lasts(channels),
      acknowledge: (sender, ack, failure) => acknowledgements.acknowledge(sender, ack, failure),
      answer: (sender, ack, answer) => acknowledgements.answer(sender, ack, answer),
      telemetry,
      membership,
      transport,
      nodeMessages,
      ownPrefix: heads.prefix,
      topic,
      flush,
    });
  }

  /** True for a channel whose messages are kept until they are handled. */
  readonly isDurable = (channel: string): boolean => this.#durable.has(channel);

  broadcast(channel: ChannelName, message: unknown, options?: BroadcastOptions): Promise<void> {
    // Not async: each promise of its own would be a tenth of what a small message costs.
    try {
      this.membership.requireInitialised();
      this.requireDeclared(channel);
      if (options !== undefined) checkBroadcast('broadcast', options);
      const { telemetry } = this;
      const context = this.#context.capture('broadcast');
      if (telemetry.tracing === undefined) return this.#send(channel, message, options, context && { context });
      return spanned(telemetry, publishing(channel), () => {
        const trace = carried(telemetry);
        return this.#send(channel, message, options, (trace ?? context) && { trace, context });
      });
    } catch (error) {
      return Promise.reject(asError(error));
    }
  }

  #send(channel: string, message: unknown, options?: BroadcastOptions, extras?: Carried): Promise<void> {
    return this.#durable.has(channel)
      ? this.#durable.send(channel, this.#sender.write(channel, message), options, extras)
      : this.#sender.send(channel, message, options, extras);
  }

  /** For the transport of an outbox: the message is not kept when one with the same id was. */
  async keepOnce(channel: ChannelName, message: unknown, options: DurableOptions): Promise<void> {
    this.#requireDurable('publish', channel);
    return this.#durable.send(channel, this.#sender.write(channel, message), options);
  }

  async gather(channel: ChannelName, message: unknown, options: GatherMessageOptions = {}): Promise<Gathered> {
    this.requireDeclared(channel);
    return this.gatherer.gather(channel, message, options);
  }

  async routeMessage(message: unknown, options: RouteOptions = {}): Promise<void> {
    checkRoute('routeMessage', options);
    const { channel: named, ...others } = options;
    if (named !== undefined) this.requireDeclared(named);
    const { size } = this.#sender.write(named ?? 'events', message);
    return this.broadcast(explainRoute(message, size, options).channel, message, others);
  }

  explainRoute(message: unknown, options: RouteOptions = {}): Route {
    checkRoute('explainRoute', options);
    if (options.channel !== undefined) this.requireDeclared(options.channel);
    return explainRoute(message, this.#sender.write(options.channel ?? 'events', message).size, options);
  }

  /** A channel of our own, which no figure counts. A lasting one is heard in a drain, too, until it is unsubscribed. */
  reserve(channel: string, { isLasting = false } = {}): ReservedChannel {
    this.telemetry.figures.leftOut.add(channel);
    if (isLasting) this.#dispatcher.outlast(channel);
    const subscribe: ReservedChannel['subscribe'] = (...args) => this.#subscribe(channel, ...args);
    return reservedChannel(channel, subscribe, this.#reserving);
  }

  async subscribe(
    channel: ChannelName,
    handler: MessageHandler,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    this.requireDeclared(channel);
    checkSubscribe('subscribe', options);
    if (typeof handler !== 'function') throw new ArgumentError('subscribe', 'handler', show(handler), 'a function');
    this.membership.requireNotLeft();
    if (this.#durable.has(channel)) return this.#durable.subscribe(channel, handler, options);
    if (options.from !== undefined) {
      const expected = 'none: only a durable channel keeps its messages';
      throw new ArgumentError('subscribe', 'from', show(options.from), expected);
    }
    return this.#subscribe(channel, handler, options);
  }

  async #subscribe(channel: string, handler: MessageHandler, options: SubscribeOptions): Promise<Subscription> {
    this.#dispatcher.requireRoom(channel);
    const hide = this.#audience.add(channel, options.group, options.type);
    const queue = this.#dispatcher.add(channel, options, handler);
    const unsubscribe = async (): Promise<void> => {
      // The other nodes go on choosing this one until they know, and what they send is for this node alone.
      const hasOthers = this.membership.state === 'up' && this.membership.members().length > 1;
      if (hide() && options.group !== undefined && hasOthers) await pause(KNOWN_MS);
      if (this.#dispatcher.remove(queue)) await this.#receiver.unlisten(channel);
    };
    try {
      await this.#receiver.listen(channel);
    } catch (error) {
      await unsubscribe().catch(() => undefined);
      throw redisError(this.backend.endpoint, `subscribing to "${channel}"`, error);
    }
    return subscriptionOf(queue, unsubscribe);
  }

  async replay(channel: ChannelName, handler: MessageHandler, options: ReplayOptions): Promise<number> {
    this.#requireDurable('replay', channel);
    checkReplay(options);
    if (typeof handler !== 'function') throw new ArgumentError('replay', 'handler', show(handler), 'a function');
    return this.#durable.replay(channel, handler, options);
  }

  #requireDurable(call: string, channel: string): void {
    this.requireDeclared(channel);
    if (this.#durable.has(channel)) return;
    throw new ArgumentError(call, 'channel', show(channel), 'a durable channel: names: { orders: { durable: true } }');
  }

  /** @throws UnknownChannelError that lists the declared ones. */
  requireDeclared(channel: string): void {
    const { names } = this.config.channels;
    if (!names.includes(channel)) throw new UnknownChannelError(channel, names);
  }

  /** @throws MessageError for what JSON cannot write, or what is too large. */
  requireSendable(channel: string, message: unknown): void {
    this.#sender.write(channel, message);
  }

  /** The backlog of the handlers of this node, by channel; for metrics. */
  waiting(): Record<string, number> {
    const figures = Object.entries(this.#figures([]));
    return Object.fromEntries(figures.map(([channel, { waiting }]) => [channel, waiting]));
  }

  /** The statistics of the channels that this node sends on and subscribes to. */
  statistics(): ChannelStatistics {
    return this.#figures([...this.#sequencer.sent, ...this.#durable.sent]);
  }

  #figures(sent: (readonly [channel: string, count: number])[]): ChannelStatistics {
    return sumOf(sent, [...this.#dispatcher.counters(), ...this.#durable.counters()], this.telemetry.figures.leftOut);
  }

  /**
   * The statistics of another node; `undefined` when it does not answer in `timeoutMs`.
   *
   * Underneath: a node message to it, PUBLISH to `…:mail:<bootId>`, and one back.
   */
  statisticsOf(bootId: string, timeoutMs: number): Promise<ChannelStatistics | undefined> {
    return this.#remote.query(bootId, timeoutMs);
  }

  /** Subscribes to the node messages of this node. */
  async open(): Promise<void> {
    await this.#nodeMessages.open();
  }

  /** Stops reading durable channels; resolves when the handlers in progress are done. */
  async stopReading(): Promise<void> {
    this.#receiver.close();
    await this.#durable.close();
  }

  /** Stops accepting messages and requests; resolves when those in progress are done. */
  async drainHandlers(): Promise<void> {
    this.#acknowledgements.leave();
    await Promise.all([this.#dispatcher.end(), this.requests.end()]);
  }

  /** Sends the backlog. */
  async flush(): Promise<void> {
    await Promise.all([this.#outbox.flush(), this.#nodeMessages.flush()]);
  }
}
