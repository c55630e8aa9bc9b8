/**
 * Nest's microservices over Foundation, the client: `emit` sends to a channel, `send` asks one node that answers.
 * Underneath `Channels`.
 */
import {
  ClientProxy,
  type Deserializer,
  type ReadPacket,
  type Serializer,
  type WritePacket,
} from '@nestjs/microservices';
import { type Channels, runtimeOf } from '../channels/channels.js';
import { requireChannels } from '../channels/require.channels.js';
import { describe, read } from '../errors/describe.js';
import { RequestError } from '../errors/message.errors.js';
import { unattended } from '../foreign/gate.js';
import { givenOptions, givenTime } from '../foreign/given.options.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import type { Duration } from '../time/duration.js';

/** Nest leaves the values of a `WritePacket` open. */
interface Answer {
  err?: unknown;
  response?: unknown;
  isDisposed?: boolean;
}

/** Options of {@link FoundationClient}. */
export interface FoundationClientOptions {
  channels: Channels;
  /** The channel of the events; that of the strategy. Default `events`. */
  channel?: string;
  /** How long a request waits for a node that answers its pattern to appear: milliseconds, or '5s' (the default). */
  wait?: Duration;
  /** Writes packets, before Foundation makes JSON of them. Default: as they are. */
  serializer?: Serializer;
  /** Reads answers. Default: as the serializer of Nest writes them. */
  deserializer?: Deserializer;
}

/**
 * A `ClientProxy` that reaches every `FoundationStrategy` of the cluster.
 *
 * Underneath: `emit` is `channels.broadcast` with the pattern as its type; `send` is a node message to one node that
 * answers the pattern, in turn, and its answers are node messages, too. How long an answer may take is up to you:
 * `timeout()` of RxJS.
 *
 * ```ts
 * { provide: 'ORDERS', inject: [Channels], useFactory: (channels: Channels) => new FoundationClient({ channels }) }
 * // or, with Nest's own module
 * ClientsModule.registerAsync({
 *   clients: [
 *     {
 *       name: 'ORDERS',
 *       inject: [Channels],
 *       useFactory: (channels: Channels) => ({ customClass: FoundationClient, options: { channels } }),
 *     },
 *   ],
 * });
 * ```
 *
 * `@Client()` cannot give it the `Channels`, which are injected: then it throws `ArgumentError`.
 *
 * An event that could not be sent is logged as well, because an `emit` that nobody subscribes to says nothing.
 *
 * An observable of `send` fails with what the handler threw, with `RequestError` when no node answers, when the node
 * leaves or the connection is cut before the last answer, and with `MessageError` for what is too large.
 */
export class FoundationClient extends ClientProxy {
  readonly #options: FoundationClientOptions;
  readonly #waitMs: number;
  readonly #log = new ThrottledLog();
  /** What ends a request, and what tells its caller that the client was closed. */
  readonly #pending = new Map<() => void, () => void>();

  constructor(options: FoundationClientOptions) {
    super();
    const call = 'new FoundationClient';
    requireChannels(call, read(options, 'channels'));
    this.#options = givenOptions(call, options, ['channels', 'channel', 'wait', 'serializer', 'deserializer']);
    const { wait = 5000 } = options;
    this.#waitMs = givenTime(call, 'wait', wait, { least: 0 });
    this.initializeSerializer(options);
    this.initializeDeserializer(options);
  }

  /** Nothing to do: the connection is that of Foundation. */
  connect(): Promise<void> {
    this._status$.next('connected');
    return Promise.resolve();
  }

  /** Pending requests fail, because nothing would settle them. */
  close(): void {
    for (const fail of [...this.#pending.values()]) fail();
  }

  /** The `Channels` underneath. */
  unwrap<T>(): T {
    return this.#options.channels as T;
  }

  protected override publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const { channels } = this.#options;
    const settle = (answer: WritePacket): void => {
      if (answer.isDisposed === true || answer.err !== undefined) end();
      callback(answer);
    };
    let giveUp = (): void => undefined;
    const end = (): void => {
      this.#pending.delete(end);
      giveUp();
    };
    const closed = (): void => {
      const advice = 'Close a client when what it asked for has come.';
      settle({ err: new RequestError(String(packet.pattern), 'its client was closed', true, advice) });
    };
    const ask = async (): Promise<void> => {
      const pattern = this.normalizePattern(packet.pattern as string);
      const request = (await this.serializer.serialize(this.assignPacketId(packet))) as unknown;
      const runtime = runtimeOf(channels);
      runtime.requireSendable(pattern, request);
      if (!this.#pending.has(end)) return;
      const answer = (body: unknown): void =>
        unattended(
          'reading an answer',
          this.#answered(body).then(settle, (err: unknown) => settle({ err })),
        );
      giveUp = runtime.requests.request(pattern, request, { answer, fail: (err) => settle({ err }) }, this.#waitMs);
    };
    this.#pending.set(end, closed);
    ask().catch((err: unknown) => settle({ err }));
    return end;
  }

  async #answered(body: unknown): Promise<Answer> {
    const { err, response, isDisposed } = (await this.deserializer.deserialize(body)) as Answer;
    return { err, response, isDisposed: isDisposed === true || (err !== undefined && err !== null) };
  }

  protected override async dispatchEvent<T>(packet: ReadPacket): Promise<T> {
    const { channels, channel = 'events' } = this.#options;
    const type = this.normalizePattern(packet.pattern as string);
    try {
      const message = (await this.serializer.serialize(packet)) as unknown;
      await channels.broadcast(channel, message, { type });
    } catch (error) {
      // Nest sends it at once, and tells of this only those who subscribe to what `emit` has returned.
      this.#log.warn('An event was not sent', { pattern: type, channel, error: describe(error) }, type);
      throw error;
    }
    return undefined as T;
  }
}
