/**
 * Sends messages to the other nodes and to the handlers of this one: numbered, in order, deflated and acknowledged on
 * request. Underneath PUBLISH.
 */
import type { LocalNode } from '../../cluster/local.node.js';
import { show } from '../../errors/describe.js';
import { OverloadedError } from '../../errors/limit.errors.js';
import { MessageError } from '../../errors/message.errors.js';
import { redisError } from '../../errors/refusal.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { millisecondsOf } from '../../time/duration.js';
import { parseJson } from '../../wire/json.js';
import type { Lane } from '../../wire/lane.js';
import type { BroadcastOptions, MessageMeta } from '../channel.js';
import { COMPRESS_FROM, deflate } from '../compression.js';
import type { Carried, Envelope, Extras, Written } from '../envelope.js';
import { KeyedSequence } from '../keyed.sequence.js';
import type { MessageDrops } from '../message.drops.js';
import type { Acknowledgements, Receipt } from './acknowledgements.js';
import type { Audience } from './audience.js';
import type { Line, Sequencer } from './sequencer.js';

/** The handlers of this node. */
export interface LocalDelivery {
  has(channel: string): boolean;
  /** Returns a promise where the sender has to wait until there is room. */
  deliver(envelope: Envelope, now: number, isLocal: true): Promise<unknown> | undefined;
}

/** What a sender works with. */
export interface SenderTools {
  node: LocalNode;
  telemetry: Telemetry;
  dispatcher: LocalDelivery;
  outgoing: Sequencer;
  audience: Audience;
  acknowledgements: Acknowledgements;
  drops: MessageDrops;
  /** For errors. */
  endpoint: string;
  maxMessageBytes: number;
}

const NOTHING: BroadcastOptions = {};
/** The backlog of deflation; messages that wait behind a deflated one count, too. */
export const MAX_DEFLATING = { characters: 32 * 1024 * 1024, messages: 10_000 };

/** Control messages must not wait for payload. */
function laneOf(channel: string, { priority }: BroadcastOptions): Lane {
  return priority ?? (channel === 'control' ? 'high' : 'normal');
}

/** See the file header. */
export class Sender {
  readonly #turns = new KeyedSequence();
  /** Characters that wait for their turn. */
  #deflating = 0;

  constructor(private readonly tools: SenderTools) {}

  /** @throws MessageError for what JSON cannot write, or what is too large. */
  write(channel: string, message: unknown): Written {
    let body: string | undefined;
    try {
      body = JSON.stringify(message);
    } catch (error) {
      throw new MessageError(channel, 'JSON cannot write it', 'Send plain values.', undefined, error);
    }
    if (body === undefined) {
      throw new MessageError(channel, `JSON has no text for ${show(message)}`, 'Send null, or plain values.');
    }
    const size = Buffer.byteLength(body);
    const { maxMessageBytes } = this.tools;
    if (size <= maxMessageBytes) return { body, size };
    throw new MessageError(
      channel,
      `it has ${size} bytes and channels.maxMessageBytes is ${maxMessageBytes}`,
      'Send less, or a reference to the data.',
      'FOUNDATION_MESSAGE_TOO_LARGE',
    );
  }

  /** Deflates on request; a message stays behind those that are being deflated. */
  send(
    channel: string,
    { body, size }: Written,
    options: BroadcastOptions = NOTHING,
    carried?: Carried,
  ): Promise<void> {
    const deflating = options.compression === true && size >= COMPRESS_FROM;
    this.tools.telemetry.emit('message.sent', { channel, size });
    const turn = `${laneOf(channel, options)} ${channel}`;
    return deflating || this.#turns.busy(turn)
      ? this.#sendInTurn(turn, channel, body, options, deflating, carried)
      : this.#post(channel, body, options, undefined, carried);
  }

  async #sendInTurn(
    turn: string,
    channel: string,
    body: string,
    options: BroadcastOptions,
    deflating: boolean,
    carried: Carried | undefined,
  ): Promise<void> {
    const isTooMuch = this.#deflating > 0 && this.#deflating + body.length > MAX_DEFLATING.characters;
    if (isTooMuch || this.#turns.waiting >= MAX_DEFLATING.messages) {
      const waiting = `${this.#turns.waiting} messages of ${this.#deflating} characters wait to be deflated`;
      throw this.#asUnsent(channel, new OverloadedError(channel, waiting));
    }
    let sent!: Promise<void>;
    this.#deflating += body.length;
    await this.#turns.take(turn, async () => {
      this.#deflating -= body.length;
      const small = deflating ? await deflate(body) : undefined;
      // Posted within the turn and awaited outside: the next message need not wait for Redis.
      sent = this.#post(channel, body, options, small, carried);
      sent.catch(() => undefined);
    });
    return sent;
  }

  async #post(
    channel: string,
    body: string,
    options: BroadcastOptions,
    small: string | undefined,
    carried: Carried | undefined,
  ): Promise<void> {
    const { type, timeout } = options;
    const { outgoing, audience, dispatcher } = this.tools;
    const line = outgoing.line(channel, laneOf(channel, options));
    const groups = audience.pick(channel, type);
    const receipt = timeout === undefined ? undefined : this.#expect(channel, millisecondsOf(timeout));
    const isMarked = receipt !== undefined || small !== undefined || carried !== undefined;
    const isPlain = type === undefined && groups === undefined && !isMarked;
    const extras: Extras | undefined = isPlain
      ? undefined
      : { type, groups, ack: receipt?.id, zip: small !== undefined, ...carried };
    const sent = outgoing.add(line, small ?? body, extras);
    const room = dispatcher.has(channel) ? this.#deliver(line, body, type, groups, receipt, carried) : undefined;
    try {
      await sent;
    } catch (error) {
      receipt?.cancel();
      throw this.#asUnsent(channel, error);
    }
    if (room !== undefined) await room;
    if (receipt !== undefined) await receipt.acknowledged;
  }

  #expect(channel: string, timeout: number): Receipt {
    const { audience, dispatcher, acknowledgements, node } = this.tools;
    const nodes = [...audience.others(channel)];
    if (dispatcher.has(channel)) nodes.push({ name: node.name, bootId: node.bootId });
    return acknowledgements.expect(channel, nodes, timeout);
  }

  /** Delivers to the handlers of this node. */
  #deliver(
    { channel, seq, at, lane }: Line,
    body: string,
    type: string | undefined,
    groups: Record<string, string> | undefined,
    receipt: Receipt | undefined,
    carried: Carried | undefined,
  ): Promise<unknown> | undefined {
    const { name: from, bootId } = this.tools.node;
    const meta: MessageMeta = { channel, from, bootId, seq, sentAt: at, priority: lane };
    if (type !== undefined) meta.type = type;
    if (carried?.context !== undefined) meta.context = carried.context;
    // Local handlers get a copy made by JSON, too: they see what other nodes see and share no object.
    const envelope: Envelope = { meta, message: parseJson(body), size: body.length };
    if (groups !== undefined) envelope.groups = groups;
    if (carried?.trace !== undefined) envelope.trace = carried.trace;
    if (receipt !== undefined) envelope.settle = (failure) => receipt.settle(failure);
    return this.tools.dispatcher.deliver(envelope, at, true);
  }

  #asUnsent(channel: string, error: unknown): Error {
    if (!(error instanceof OverloadedError)) {
      return redisError(this.tools.endpoint, `publishing on "${channel}"; this node was served`, error);
    }
    this.tools.drops.add(channel, 'outbox-full');
    return error;
  }
}
