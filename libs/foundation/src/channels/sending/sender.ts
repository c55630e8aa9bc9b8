/**
 * Sends messages to the other nodes and to the handlers of this one: numbered, in order, deflated and acknowledged on
 * request. Underneath PUBLISH.
 */
import type { Gathering } from '../../calls/gathering.js';
import type { LocalNode } from '../../cluster/local.node.js';
import { isA, show } from '../../errors/describe.js';
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
import type { NodeAddress } from '../node.messages.js';
import type { Acknowledgements, Receipt } from './acknowledgements.js';
import type { Audience } from './audience.js';
import { isPackable, requireAwaited, tooLarge, unwritable } from './message.checks.js';
import type { Line, Passing, Sequencer } from './sequencer.js';

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

/** As the caller has them, and what waits for what the handlers return. */
export interface SendOptions extends BroadcastOptions {
  /** Called in the turn in which the message is sent, with the nodes that get it. */
  gathers?: (nodes: readonly NodeAddress[]) => Gathering;
}

const NOTHING: SendOptions = {};

/** A message as it is, which the outbox packs; or as JSON, and the base64 of that deflated. */
interface Content {
  readonly message?: unknown;
  readonly written?: Written;
  readonly small?: string | undefined;
}

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

  /** @throws MessageError for what JSON cannot write, for a promise, or what is too large. */
  write(channel: string, message: unknown): Written {
    requireAwaited(channel, message);
    let body: string | undefined;
    try {
      body = JSON.stringify(message);
    } catch (error) {
      throw unwritable(channel, error);
    }
    if (body === undefined) {
      throw new MessageError(channel, `JSON has no text for ${show(message)}`, 'Send null, or plain values.');
    }
    const size = Buffer.byteLength(body);
    const { maxMessageBytes } = this.tools;
    if (size > maxMessageBytes) throw tooLarge(channel, size, maxMessageBytes);
    return { body, size };
  }

  /**
   * Deflates on request; a message stays behind those that are being deflated.
   *
   * @throws MessageError, as {@link write}.
   */
  send(channel: string, message: unknown, options: SendOptions = NOTHING, carried?: Carried): Promise<void> {
    const line = this.tools.outgoing.line(channel, laneOf(channel, options));
    const isPlain = options.compression !== true && !this.#turns.busy(line.key);
    if (isPlain && this.tools.outgoing.packs && isPackable(message)) {
      return this.#post(line, { message }, options, carried);
    }
    const written = this.write(channel, message);
    const deflating = options.compression === true && written.size >= COMPRESS_FROM;
    return deflating || this.#turns.busy(line.key)
      ? this.#sendInTurn(line, written, options, deflating, carried)
      : this.#post(line, { written }, options, carried);
  }

  async #sendInTurn(
    line: Line,
    written: Written,
    options: SendOptions,
    deflating: boolean,
    carried: Carried | undefined,
  ): Promise<void> {
    const { channel } = line;
    const { body } = written;
    const isTooMuch = this.#deflating > 0 && this.#deflating + body.length > MAX_DEFLATING.characters;
    if (isTooMuch || this.#turns.waiting >= MAX_DEFLATING.messages) {
      const waiting = `${this.#turns.waiting} messages of ${this.#deflating} characters wait to be deflated`;
      throw this.#asUnsent(channel, new OverloadedError(channel, waiting));
    }
    let sent!: Promise<void>;
    this.#deflating += body.length;
    await this.#turns.take(line.key, async () => {
      this.#deflating -= body.length;
      const small = deflating ? await deflate(body) : undefined;
      // Posted within the turn and awaited outside: the next message need not wait for Redis.
      sent = this.#post(line, { written, small }, options, carried);
      sent.catch(() => undefined);
    });
    return sent;
  }

  /** Not async: most messages have the promise of their bundle, and none of their own. */
  #post(line: Line, content: Content, options: SendOptions, carried: Carried | undefined): Promise<void> {
    const { channel } = line;
    const { type, timeout, gathers } = options;
    const { audience, dispatcher } = this.tools;
    const groups = audience.pick(channel, type);
    const isLocal = dispatcher.has(channel);
    const zip = content.small !== undefined;
    const isHeard = timeout !== undefined || gathers !== undefined;
    const isUnmarked = type === undefined && groups === undefined && !isHeard;
    const isPlain = isUnmarked && carried === undefined && !zip;
    if (isPlain && !isLocal) return this.#passing(line, this.#add(line, content, undefined));
    const receipt = isHeard ? this.#expect(channel, groups, options) : undefined;
    const extras: Extras | undefined = isPlain ? undefined : { type, groups, ack: receipt?.id, zip, ...carried };
    if (gathers !== undefined) extras!.asks = true;
    let copy: unknown;
    const read = isLocal ? (entry: unknown): unknown => (copy = (entry as { b: unknown }).b) : undefined;
    let passing: Promise<void>;
    try {
      passing = this.#passing(line, this.#add(line, content, extras, read));
    } catch (error) {
      receipt?.cancel();
      throw error;
    }
    let room: Promise<unknown> | undefined;
    if (isLocal) {
      // Local handlers get a copy, too: they see what other nodes see and share no object.
      const { written } = content;
      const own =
        written === undefined
          ? { message: copy, size: 2 * this.tools.outgoing.packedSize }
          : { message: parseJson(written.body), size: written.body.length };
      room = this.#deliver(line, own, type, groups, receipt, carried);
    }
    return receipt === undefined && room === undefined ? passing : this.#settled(passing, room, receipt);
  }

  async #settled(passing: Promise<void>, room: Promise<unknown> | undefined, receipt?: Receipt): Promise<void> {
    try {
      await passing;
    } catch (error) {
      receipt?.cancel();
      throw error;
    }
    if (room !== undefined) await room;
    // Whoever gathers waits for that: longer than for the room, or not as long.
    if (receipt?.answer === undefined) await receipt?.acknowledged;
  }

  /** @throws MessageError */
  #add(
    line: Line,
    content: Content,
    extras: Extras | undefined,
    read?: (entry: unknown) => void,
  ): Promise<number | undefined> {
    const { outgoing, telemetry } = this.tools;
    const { message, written, small } = content;
    let sent: Promise<number | undefined>;
    if (outgoing.packs) {
      sent = this.#pack(line, written === undefined ? message : (small ?? parseJson(written.body)), extras, read);
    } else {
      sent = outgoing.add(line, small ?? written!.body, extras);
    }
    if (telemetry.wants('message.sent')) {
      telemetry.emit('message.sent', { channel: line.channel, size: written?.size ?? outgoing.packedSize });
    }
    return sent;
  }

  #pack(
    line: Line,
    message: unknown,
    extras: Extras | undefined,
    read: ((entry: unknown) => void) | undefined,
  ): Promise<number | undefined> {
    try {
      return this.tools.outgoing.pack(line, message, extras, read);
    } catch (error) {
      throw isA(error, MessageError) ? error : unwritable(line.channel, error);
    }
  }

  /** The one promise of all messages of a bundle. */
  #passing(line: Line, sent: Promise<unknown>): Promise<void> {
    const known = line.passing;
    if (known?.sent === sent) {
      known.messages += 1;
      return known.done;
    }
    const passing: Passing = {
      sent,
      done: sent.then(
        () => undefined,
        (error: unknown) => {
          throw this.#asUnsent(line.channel, error, passing.messages);
        },
      ),
      messages: 1,
    };
    line.passing = passing;
    return passing.done;
  }

  #expect(
    channel: string,
    groups: Record<string, string> | undefined,
    { timeout, gathers }: Pick<SendOptions, 'timeout' | 'gathers'>,
  ): Receipt {
    const { audience, dispatcher, acknowledgements, node } = this.tools;
    const nodes = gathers === undefined ? [...audience.others(channel)] : audience.takers(channel, groups);
    if (dispatcher.has(channel)) nodes.push({ name: node.name, bootId: node.bootId });
    if (gathers !== undefined) return acknowledgements.gather(gathers(nodes));
    return acknowledgements.expect(channel, nodes, millisecondsOf(timeout!));
  }

  /** Delivers to the handlers of this node. */
  #deliver(
    { channel, seq, at, lane }: Line,
    { message, size }: Pick<Envelope, 'message' | 'size'>,
    type: string | undefined,
    groups: Record<string, string> | undefined,
    receipt: Receipt | undefined,
    carried: Carried | undefined,
  ): Promise<unknown> | undefined {
    const { name: from, bootId } = this.tools.node;
    const meta: MessageMeta = { channel, from, bootId, seq, sentAt: at, priority: lane };
    if (type !== undefined) meta.type = type;
    if (carried?.context !== undefined) meta.context = carried.context;
    const envelope: Envelope = { meta, message, size };
    if (groups !== undefined) envelope.groups = groups;
    if (carried?.trace !== undefined) envelope.trace = carried.trace;
    if (receipt?.answer !== undefined) envelope.answer = receipt.answer;
    else if (receipt !== undefined) envelope.settle = (failure) => receipt.settle(failure);
    return this.tools.dispatcher.deliver(envelope, at, true);
  }

  #asUnsent(channel: string, error: unknown, messages = 1): Error {
    if (!(error instanceof OverloadedError)) {
      return redisError(this.tools.endpoint, `publishing on "${channel}"; this node was served`, error);
    }
    this.tools.drops.add(channel, 'outbox-full', messages);
    return error;
  }
}
