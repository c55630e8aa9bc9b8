/**
 * Nest's microservices over Foundation, the server: `@EventPattern` hears a channel, `@MessagePattern` answers
 * requests. Underneath `Channels`.
 */
import {
  type BaseRpcContext,
  type CustomTransportStrategy,
  type Deserializer,
  type IncomingRequest,
  type ReadPacket,
  type Serializer,
  Server,
  type WritePacket,
} from '@nestjs/microservices';
import { finalize, isObservable, lastValueFrom, type Observable, throwError } from 'rxjs';
import type { MessageMeta, SubscribeOptions, Subscription } from '../channels/channel.js';
import { type Channels, runtimeOf } from '../channels/channels.js';
import { requireChannels } from '../channels/require.channels.js';
import { asError, describe } from '../errors/describe.js';
import { givenOptions } from '../foreign/given.options.js';
import { FoundationContext, type FoundationSource } from './foundation.context.js';

/** As many events of a pattern are handled at a time where nothing else is said; the most that a subscription can. */
const AT_A_TIME = 10_000;

/** The answer to a caller for an error that may hold secrets. */
const INTERNAL = 'Internal server error';

/** What a client of Nest 12 may have attached. */
interface Marked {
  metadata?: Record<string, string>;
}
type Request = IncomingRequest & Marked;

/** Options of {@link FoundationStrategy}. */
export interface FoundationStrategyOptions {
  /** The channel of the events. Default `events`; a durable one needs a `group`. */
  channel?: string;
  /** Each event goes to one member of this group. Default: every node hears every event, as with `Transport.REDIS`. */
  group?: string;
  /**
   * Events of one pattern that are handled at a time. Default 10,000, because the transports of Nest do not wait for a
   * handler either; on a durable channel 1. With more than one they begin in order and end in any.
   */
  concurrency?: number;
  /** What waits beyond that, for each pattern; see {@link SubscribeOptions}. Default: 10,000 events, `drop-oldest`. */
  queue?: SubscribeOptions['queue'];
  /** Writes answers, before Foundation makes JSON of them. Default: as they are. */
  serializer?: Serializer;
  /** Reads requests and events. Default: as the serializer of Nest writes them. */
  deserializer?: Deserializer;
}

const OPTIONS = ['channel', 'group', 'concurrency', 'queue', 'serializer', 'deserializer'] as const;

/**
 * A transport for `connectMicroservice` and `createMicroservice`.
 *
 * Underneath: for each `@EventPattern` a subscription to the channel with the pattern as its type. For each
 * `@MessagePattern` an entry in this node's record; a request goes to one of the nodes that have it, as a node message.
 *
 * ```ts
 * NestFactory.createMicroservice<AsyncMicroserviceOptions>(AppModule, {
 *   inject: [Channels],
 *   useFactory: (channels: Channels) => ({ strategy: new FoundationStrategy(channels) }),
 * });
 * ```
 *
 * `AppModule` imports `FoundationModule`. A pattern may have 200 characters; an object counts as sorted JSON.
 */
export class FoundationStrategy extends Server implements CustomTransportStrategy {
  override readonly transportId = Symbol.for('foundation:transport');
  /** A handler that fails is counted and logged by its subscription, and on a durable channel it is called again. */
  override readonly propagatesEventHandlerErrors = true;
  readonly #channels: Channels;
  readonly #options: FoundationStrategyOptions;
  readonly #subscriptions: Subscription[] = [];
  readonly #ends: (() => void)[] = [];

  constructor(channels: Channels, options: FoundationStrategyOptions = {}) {
    super();
    this.#channels = requireChannels('new FoundationStrategy', channels);
    this.#options = givenOptions('new FoundationStrategy', options, OPTIONS);
    this.initializeSerializer(options);
    this.initializeDeserializer(options);
  }

  /** Called by Nest. The callback gets the error when a subscription is rejected. */
  listen(callback: (error?: unknown) => void): void {
    this.#listen().then(
      () => callback(),
      (error: unknown) => callback(error),
    );
  }

  async #listen(): Promise<void> {
    const { channel = 'events', group, queue } = this.#options;
    const { concurrency = runtimeOf(this.#channels).isDurable(channel) ? 1 : AT_A_TIME } = this.#options;
    for (const [pattern, handler] of this.messageHandlers) {
      if (handler.isEventHandler === true) {
        const hear = (message: unknown, meta: MessageMeta): Promise<void> => this.#hear(pattern, message, meta);
        Object.defineProperty(hear, 'name', { value: pattern });
        this.#subscriptions.push(
          await this.#channels.subscribe(channel, hear, { type: pattern, group, concurrency, queue }),
        );
      } else {
        const end = runtimeOf(this.#channels).requests.answer(pattern, (packet, reply, { name, bootId }) =>
          this.#answer(pattern, packet, reply, { from: name, bootId }),
        );
        this.#ends.push(end);
      }
    }
    this._status$.next('connected');
  }

  /** Called by Nest: stops accepting events and requests. */
  async close(): Promise<void> {
    for (const end of this.#ends.splice(0)) end();
    await Promise.all(this.#subscriptions.splice(0).map((subscription) => subscription.unsubscribe()));
    this._status$.next('disconnected');
  }

  /** There are no events of a connection here; see `Telemetry`. */
  on(): void {
    throw new Error('FoundationStrategy has no events of its own. Attach to Telemetry instead.');
  }

  /** The `Channels` underneath. */
  unwrap<T>(): T {
    return this.#channels as T;
  }

  /** Unlike the one of Nest it rejects when a handler fails, so that the subscription knows. */
  override handleEvent(pattern: string, packet: ReadPacket, context: BaseRpcContext): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#betweenHooks(context, async (ended) => {
        try {
          const result: unknown = await this.getHandlerByPattern(pattern)?.(packet.data, context);
          if (isObservable(result)) await lastValueFrom(result.pipe(finalize(ended)), { defaultValue: undefined });
          resolve();
        } catch (error) {
          reject(asError(error));
        } finally {
          ended();
        }
      });
    });
  }

  /** As `runWithProcessingHooks` of Nest 12, which Nest 11 does not have: the end hook runs exactly once. */
  #betweenHooks(context: BaseRpcContext, work: (ended: () => void) => Promise<void>): void {
    this.onProcessingStartHook(this.transportId, context, async () => {
      let isOver = false;
      const ended = (): void => {
        if (!isOver) this.onProcessingEndHook?.(this.transportId, context);
        isOver = true;
      };
      try {
        await work(ended);
      } catch (error) {
        ended();
        throw error;
      }
    });
  }

  async #hear(pattern: string, message: unknown, meta: MessageMeta): Promise<void> {
    const packet = (await this.deserializer.deserialize(message, { channel: pattern })) as ReadPacket & Marked;
    await this.handleEvent(pattern, packet, new FoundationContext([pattern, meta, packet.metadata]));
  }

  async #answer(
    pattern: string,
    message: unknown,
    reply: (answer: unknown) => Promise<void>,
    source: FoundationSource,
  ): Promise<void> {
    try {
      const packet = (await this.deserializer.deserialize(message, { channel: pattern })) as Request;
      const context = new FoundationContext([pattern, source, packet.metadata]);
      // Caught here: what Nest calls it in returns nothing, so a filter that throws would end the process as an
      // unhandled rejection.
      const produce = async (): Promise<Observable<unknown>> => {
        try {
          return this.transformToObservable(await this.getHandlerByPattern(pattern)?.(packet.data, context));
        } catch (error) {
          this.handleError(describe(error));
          return throwError(() => INTERNAL);
        }
      };
      let refused = false;
      let end!: () => void;
      const ended = new Promise<void>((resolve) => (end = resolve));
      const respond = async (response: WritePacket): Promise<void> => {
        try {
          if (refused) return;
          const answer: unknown = await this.serializer.serialize({ ...response, id: packet.id });
          const refusal = this.#refusalOf(pattern, answer);
          refused = refusal !== undefined;
          await reply(refusal ?? answer);
        } finally {
          if (refused || response.isDisposed === true) end();
        }
      };
      this.#betweenHooks(context, async (ended) => {
        this.send((await produce()).pipe(finalize(ended)), respond);
      });
      await ended;
    } catch (error) {
      this.handleError(describe(error));
      await reply({ err: INTERNAL, isDisposed: true }).catch(() => undefined);
    }
  }

  /**
   * An answer has the limit of a request: what is larger, or what JSON cannot write, is answered with an error, the
   * last answer.
   */
  #refusalOf(pattern: string, answer: unknown): unknown {
    try {
      runtimeOf(this.#channels).requireSendable(pattern, answer);
      return undefined;
    } catch (error) {
      this.handleError(describe(error));
      return { err: { status: 'error', message: describe(error) }, isDisposed: true };
    }
  }
}
