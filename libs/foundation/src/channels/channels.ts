/**
 * The facade over channels: messages to all subscribers, at most once, in order for each sender and channel.
 * Underneath `channel.runtime.ts`: PUBLISH and SUBSCRIBE, or memory alone with the local backend.
 */
import { Injectable } from '@nestjs/common';
import type { Gathered } from '../calls/gathering.js';
import type {
  BroadcastOptions,
  ChannelName,
  GatherMessageOptions,
  MessageHandler,
  ReplayOptions,
  SubscribeOptions,
  Subscription,
} from './channel.js';
import type { Route, RouteOptions } from './channel.routing.js';
import type { ChannelRuntime } from './channel.runtime.js';

/** What the lifecycle and sister rooms need of the channels, and no application. */
export let runtimeOf: (channels: Channels) => ChannelRuntime;

/** Injectable. Sends messages to every node of the cluster and receives them. */
@Injectable()
export class Channels {
  readonly #runtime: ChannelRuntime;

  static {
    runtimeOf = (channels) => channels.#runtime;
  }

  /** @internal Made by Foundation. */
  constructor(runtime: ChannelRuntime) {
    this.#runtime = runtime;
  }

  /**
   * Sends a message to all subscribers of the channel, those of this node included.
   *
   * Underneath: `PUBLISH …:channel:<name>`, one for all messages of this turn of the event loop, and of further
   * turns while Redis has not confirmed the last one, for a millisecond at most, or while each brings some, for 0.2
   * ms after the last one left; with links, a write to each node that listens. `high` does not wait for others.
   * Handlers of this node are served without Redis. Resolves once Redis has taken the message, which says nothing
   * about receivers. With `timeout` it resolves once every listening node has handled it: those that this node knows
   * of at the time of the call. A node that shuts down meanwhile is not waited for, one that disappears counts as
   * missing.
   *
   * On a durable channel: `XADD …:stream:<name>`, and it resolves once Redis has stored the message; with `acknowledge`
   * of the channel once it is on disk (`WAITAOF`) or in replicas (`WAIT`).
   *
   * @param message any value that JSON can write, up to `channels.maxMessageBytes`.
   * @throws UnknownChannelError, `MessageError`, `ArgumentError`; `RedisUnavailableError` when only this node was
   *   served, `OverloadedError` when the backlog of this node is full, `AcknowledgementError` with the missing nodes,
   *   `MessageNotSafeError` when a durable message is kept, and not as safe as its channel asks for.
   */
  broadcast(channel: ChannelName, message: unknown, options?: BroadcastOptions): Promise<void> {
    return this.#runtime.broadcast(channel, message, options);
  }

  /**
   * Sends a message to all subscribers of the channel, and collects what their handlers return: one answer for each
   * handler that returns something, each after JSON, those of this node included. Never rejects because a node fails,
   * is late or leaves: `missing` names it with the reason, and `complete` is then false.
   *
   * ```ts
   * const { answers, missing, complete } = await channels.gather('control', 'how many?', { timeout: '2s' });
   * ```
   *
   * Underneath: {@link broadcast}, and one `PUBLISH …:mail:<boot id>` of each node with what its handlers returned.
   *
   * The nodes that are expected to answer are those of which this node knows, at the time of the call, that they
   * listen; of a `group` the one member that handles the message. A node whose handlers all return nothing answers
   * `undefined`; a node none of whose handlers takes this `type` is not expected. Of a node with several handlers one
   * of which fails, there are the answers of the others, and it counts as missing.
   *
   * Guards, pipes, interceptors, filters and `payload` apply as to every message: what they reject is `failed` or
   * `invalid-payload`. A node that dies is `left` as soon as this node knows, a node of a version that cannot answer is
   * `unsupported`. A handler that gathers on its own channel with `concurrency: 1` waits for itself until the timeout.
   *
   * @param message any value that JSON can write, up to `channels.maxMessageBytes`; what one node answers, too.
   * @throws UnknownChannelError, `MessageError`, `ArgumentError`, also for a durable channel; `NotReadyError` without a
   *   cluster, `RedisUnavailableError` when only this node was asked, `OverloadedError`, `LimitError` for more than
   *   1,000 at a time; the reason of the signal.
   */
  gather<T = unknown>(channel: ChannelName, message: unknown, options?: GatherMessageOptions): Promise<Gathered<T>> {
    return this.#runtime.gather(channel, message, options) as Promise<Gathered<T>>;
  }

  /**
   * Sends a message to the channel that suits it. The first rule that holds decides: the `channel` of the options ·
   * `priority: 'high'` → control · more than 10 KiB of JSON → data · `['telemetry', …]`, or a `type` of `metric` or
   * `measurement` → telemetry · else events.
   *
   * Underneath: {@link broadcast}, with its errors.
   */
  routeMessage(message: unknown, options?: RouteOptions): Promise<void> {
    return this.#runtime.routeMessage(message, options);
  }

  /**
   * Says which channel `routeMessage` would take, and why. Sends nothing.
   *
   * @throws UnknownChannelError, `MessageError`, `ArgumentError`.
   */
  explainRoute(message: unknown, options?: RouteOptions): Route {
    return this.#runtime.explainRoute(message, options);
  }

  /**
   * Calls `handler` with each message of the channel from now on. Resolves once the subscription is in place; while
   * Redis is unreachable the subscription is remembered, and made as soon as the connection is back.
   *
   * Underneath: `SUBSCRIBE …:channel:<name>`, once for all handlers of this node. The other nodes learn about 50 ms
   * later, from this node's record, that it listens; until then no message of a `group` comes here, and no `timeout`
   * waits for it.
   *
   * On a durable channel: `XREADGROUP`, and `XACK` once the handler has succeeded, on a connection of its own. A failed
   * or orphaned message is redelivered after `retryAfter`, and becomes a dead letter after `maxDeliveries` deliveries.
   * So a message may be delivered more than once, and after a failure out of order.
   *
   * The backlog of a handler is bounded; see `queue`. A handler that awaits a broadcast to its own full channel waits
   * for itself when its policy is `block`.
   *
   * @throws UnknownChannelError, `ArgumentError`, `LimitError` when this node has too many subscriptions.
   */
  subscribe(channel: ChannelName, handler: MessageHandler, options?: SubscribeOptions): Promise<Subscription> {
    return this.#runtime.subscribe(channel, handler, options);
  }

  /**
   * Calls `handler` with what a durable channel has stored, in order and one after the other, whatever its groups have
   * handled. Resolves with the number of these messages; rejects with what the handler throws.
   *
   * Underneath: `XRANGE …:stream:<name>`, a hundred at a time.
   *
   * @throws UnknownChannelError, `ArgumentError`, also for a channel that is not durable; `RedisUnavailableError`.
   */
  replay(channel: ChannelName, handler: MessageHandler, options: ReplayOptions): Promise<number> {
    return this.#runtime.replay(channel, handler, options);
  }
}
