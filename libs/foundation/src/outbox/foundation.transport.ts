/**
 * A transport of `@nestjs/outbox` onto a durable channel. It has the method of their `OutboxTransport`, and imports
 * nothing of that package.
 */
import { Inject, Injectable, type Type } from '@nestjs/common';
import { Channels, runtimeOf } from '../channels/channels.js';
import { ArgumentError } from '../errors/config.errors.js';
import { read, show } from '../errors/describe.js';
import { checkAwaited, checkOptions, checkSignal, givenOptions, givenTime } from '../foreign/given.options.js';
import type { Duration } from '../time/duration.js';
import { isName } from '../wire/names.js';

/** A message of `@nestjs/outbox`; what of it a transport reads. */
export interface OutboxMessage {
  readonly id: string;
  readonly topic: string;
  readonly payload: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: string | null;
  readonly createdAt?: number;
}

/** What handlers of the channel get; that of `ClientProxyTransport` of `@nestjs/outbox`. */
export interface OutboxEnvelope {
  /** Deduplicate by it: a message may come more than once. */
  id: string;
  topic: string;
  key: string | null;
  headers: Readonly<Record<string, string>>;
  createdAt: number;
  payload: unknown;
}

/** What `transports` of `OutboxModule` takes. */
export interface FoundationOutboxTransport {
  publish(message: OutboxMessage, options?: { signal?: AbortSignal }): Promise<void>;
}

/** Options of {@link FoundationTransport}. */
export interface FoundationTransportOptions {
  /** How long an id is remembered, so that a retry keeps no second message. Default 10 minutes. */
  deduplicateFor?: Duration;
}

const DEFAULT_MS = 600_000;
const MAX_MS = 86_400_000;

/**
 * A class for `transports` of `OutboxModule`, which Nest instantiates: a message of the outbox goes onto the durable
 * channel, with its topic as the type. It is published once Redis has stored it.
 *
 * ```ts
 * OutboxModule.forRoot({ transports: { orders: FoundationTransport('orders') } });
 * ```
 *
 * Underneath: one script with `XADD …:stream:<channel>` and `SET …:once:<channel>:<id>`. A retry whose first attempt
 * was stored after all, such as one that timed out, keeps no second message for `deduplicateFor`. Later ones, and a
 * message that is delivered again, are for the consumer's inbox: the `id` of the envelope is the same.
 *
 * `publish` throws `ArgumentError` for a channel that is not durable, a message without an id or topic of 1 to 200
 * characters; `UnknownChannelError`, `MessageError`, `RedisUnavailableError`, `OverloadedError`, and the reason of a
 * signal that is aborted before. A signal that aborts later does not take back what was sent. `MessageNotSafeError`
 * where the channel asks for more than the memory of Redis; a retry keeps no second message, and waits for the first.
 *
 * @throws ArgumentError
 */
export function FoundationTransport(
  channel: string,
  options: FoundationTransportOptions = {},
): Type<FoundationOutboxTransport> {
  const call = 'FoundationTransport';
  if (!isName(channel)) throw new ArgumentError(call, 'channel', show(channel), 'the name of a durable channel');
  const { deduplicateFor } = givenOptions<FoundationTransportOptions>(call, options, ['deduplicateFor']);
  const within = givenTime(call, 'deduplicateFor', deduplicateFor ?? DEFAULT_MS, { least: 1, most: MAX_MS });

  @Injectable()
  class ChannelTransport implements FoundationOutboxTransport {
    constructor(@Inject(Channels) private readonly channels: Channels) {}

    async publish(message: OutboxMessage, options: { signal?: AbortSignal } = {}): Promise<void> {
      // Of what the package passes beside a signal nothing is asked.
      checkOptions('publish', options, 'options', ['signal']);
      const { signal } = options;
      checkSignal('publish', signal);
      signal?.throwIfAborted();
      const envelope = envelopeOf(message);
      const { id, topic: type } = envelope;
      await runtimeOf(this.channels).keepOnce(channel, envelope, { type, once: { id, within } });
    }
  }
  Object.defineProperty(ChannelTransport, 'name', { value: `FoundationTransport(${channel})` });
  return ChannelTransport;
}

function envelopeOf(message: OutboxMessage): OutboxEnvelope {
  for (const field of ['id', 'topic']) {
    const value = read(message, field);
    if (!isName(value)) throw new ArgumentError('publish', field, show(value), '1 to 200 characters in one line');
  }
  checkAwaited('publish', 'payload', read(message, 'payload'));
  const { id, topic, payload, key = null, headers = {}, createdAt = 0 } = message;
  return { id, topic, key, headers, createdAt, payload };
}
