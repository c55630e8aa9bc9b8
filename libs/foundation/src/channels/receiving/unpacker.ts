/**
 * Unpacks the envelopes that arrive on a channel: drops and counts unreadable messages and duplicates, reports gaps,
 * and delivers the rest in order.
 */
import { unattended } from '../../foreign/gate.js';
import { isLongTurn, nextTurn } from '../../time/turn.budget.js';
import type { Bundle } from '../../wire/bundle.js';
import { HeldText, hold } from '../../wire/held.text.js';
import { parseJson } from '../../wire/json.js';
import type { Gap } from '../channel.js';
import { inflate } from '../compression.js';
import { type Envelope, open, type Opened, type UnreadableReason } from '../envelope.js';
import { KeyedSequence } from '../keyed.sequence.js';
import type { MessageDrops } from '../message.drops.js';
import type { NodeAnswer } from '../node.answer.js';
import { Fifo } from './fifo.js';
import type { GapDetector } from './gap.detector.js';

/** Where messages, gaps and acknowledgements go. */
export interface Sink {
  /** The same value while this node listens to the channel, `undefined` when it does not. */
  listening(channel: string): unknown;
  deliver(envelope: Envelope, now: number): unknown;
  gap(gap: Gap): void;
  acknowledge(sender: string, ack: number, failure?: string): void;
  /** The same for a sender that asks what the handlers return. */
  answer(sender: string, ack: number, answer: NodeAnswer): void;
}

/** The backlog behind an envelope that is being inflated, in envelopes and in characters. */
const MAX_INFLATING = 10_000;
const MAX_INFLATING_SIZE = 64 * 1024 * 1024;
/** Lower priorities are read in turns of this many milliseconds, so that urgent envelopes get in between. */
const READ_MS = 2;
/**
 * Beyond this backlog in characters, envelopes are read at once, which holds up the connection that brings more. It is
 * large, because what is read waits for its handler as objects, which cost far more than a text that is held.
 */
const MAX_UNREAD = 32 * 1024 * 1024;

const HIGH = '"lane":"high"';

/** Why a message is dropped instead of being delivered. */
type Unusable = UnreadableReason | 'too-large-inflated';

/** An envelope, or what to do once all envelopes before it are read. */
type Unread = { channel: string; held: Bundle | HeldText; listening: unknown } | { then: () => void };

/** A bundle that is being read. */
interface Reading {
  readonly channel: string;
  readonly opened: Opened;
  /** How many messages of it are still to be read. */
  left: number;
  /** What is inflated in turn. */
  readonly turn: string;
}

/** What the unpacker needs. */
export interface UnpackerParts {
  /** What the heads of this node begin with, and its boot id. */
  readonly own: { readonly prefix: string; readonly bootId: string };
  readonly sequences: GapDetector;
  readonly drops: MessageDrops;
  readonly maxMessageBytes: number;
  readonly sink: Sink;
  readonly isLong?: () => boolean;
}

/** See the file header. */
export class Unpacker {
  readonly #ownTexts: string;
  readonly #turns = new KeyedSequence();
  readonly #unread = new Fifo<Unread>();
  #unreadSize = 0;
  #inflatingSize = 0;
  #waits = false;
  readonly #isLong: () => boolean;

  constructor(private readonly parts: UnpackerParts) {
    const { own, isLong = () => isLongTurn(READ_MS) } = parts;
    this.#isLong = isLong;
    this.#ownTexts = `[${own.prefix}`;
  }

  receive(channel: string, bundle: Bundle): void {
    if (typeof bundle === 'string') this.#receiveText(channel, bundle);
    else this.#receivePacked(channel, bundle);
  }

  // Our own messages were delivered when they were sent.
  #receiveText(channel: string, text: string): void {
    if (text.startsWith(this.#ownTexts)) return;
    if (this.#isFree() || isHigh(text)) this.#read(channel, open(channel, text));
    else this.#keep(channel, text);
  }

  /** Its head is read at once, which costs little. */
  #receivePacked(channel: string, bytes: Buffer): void {
    const opened = open(channel, bytes);
    if (typeof opened !== 'string' && opened.head.bootId === this.parts.own.bootId) return;
    if (typeof opened === 'string' || this.#isFree() || opened.head.lane === 'high') this.#read(channel, opened);
    else this.#keep(channel, bytes);
  }

  #isFree(): boolean {
    return this.#unread.size === 0 && !this.#isLong();
  }

  #keep(channel: string, bundle: Bundle): void {
    this.#unreadSize += bundle.length;
    this.#unread.push({ channel, held: hold(bundle), listening: this.parts.sink.listening(channel) });
    while (this.#unreadSize > MAX_UNREAD) this.#readNext();
    this.#readSoon();
  }

  /** Calls back once all earlier envelopes are read. */
  after(then: () => void): void {
    if (this.#unread.size === 0) then();
    else this.#unread.push({ then });
  }

  #readSoon(): void {
    if (this.#waits || this.#unread.size === 0) return;
    this.#waits = true;
    unattended(
      'reading the next messages',
      nextTurn().then(() => {
        this.#waits = false;
        do this.#readNext();
        while (this.#unread.size > 0 && !this.#isLong());
        this.#readSoon();
      }),
    );
  }

  #readNext(): void {
    const next = this.#unread.shift();
    if (next === undefined) return;
    if ('then' in next) return next.then();
    const { channel, held, listening } = next;
    this.#unreadSize -= held.length;
    // The last subscription may have ended since it arrived.
    if (listening !== undefined && listening === this.parts.sink.listening(channel))
      this.#read(channel, open(channel, held instanceof HeldText ? held.text : held));
  }

  #read(channel: string, opened: ReturnType<typeof open>): void {
    if (typeof opened === 'string') return this.parts.drops.add(channel, opened);
    const { head, count } = opened;
    if (count <= 0) return;
    const { from, bootId, lane, seq } = head;
    const { duplicates, gap } = this.parts.sequences.arrived({ bootId, channel, lane }, seq, count);
    if (gap !== undefined) this.parts.sink.gap({ channel, from, bootId, priority: lane, missing: gap });
    if (duplicates > 0) this.parts.drops.add(channel, 'duplicate', duplicates);
    for (let index = 0; index < duplicates; index++) opened.next();
    this.#deliver({ channel, opened, left: count - duplicates, turn: `${lane} ${channel}` });
  }

  /** One after the other: what was read before is handled before more is read, and little of it is there at a time. */
  #deliver(reading: Reading): void {
    const { channel, opened, turn } = reading;
    if (this.#turns.busy(turn)) return this.#inflateFirst(reading);
    const now = Date.now();
    let malformed = 0;
    while (reading.left > 0) {
      const entry = opened.next();
      reading.left -= 1;
      if (entry === 'malformed-message') malformed += 1;
      else if (isZipped(entry)) {
        this.#inflateFirst(reading, entry);
        break;
      } else this.#give(channel, entry, now);
    }
    if (malformed > 0) this.parts.drops.add(channel, 'malformed-message', malformed);
  }

  /** In turn, so that later messages stay behind a deflated one. */
  #inflateFirst({ channel, opened, left, turn }: Reading, first?: Envelope): void {
    const { size } = opened;
    const isTooLarge = this.#inflatingSize > 0 && this.#inflatingSize + size > MAX_INFLATING_SIZE;
    if (isTooLarge || this.#turns.waiting >= MAX_INFLATING) {
      const count = first === undefined ? left : left + 1;
      return this.parts.drops.add(channel, 'inflate-backlog-full', count);
    }
    this.#inflatingSize += size;
    unattended(
      'inflating messages',
      this.#turns.take(turn, async () => {
        // INVARIANT (I12): of one bundle no more than one inflated message is held here. It is delivered before the
        // next one is inflated, and the queue of a handler counts it with the size that it has by then.
        if (first !== undefined) this.#give(channel, await this.#inflate(first), Date.now());
        for (let index = 0; index < left; index++) {
          const entry = opened.next();
          this.#give(channel, isZipped(entry) ? await this.#inflate(entry) : entry, Date.now());
        }
        this.#inflatingSize -= size;
      }),
    );
  }

  async #inflate(envelope: Envelope): Promise<Envelope | Unusable> {
    try {
      const text = await inflate(envelope.zip!, this.parts.maxMessageBytes);
      envelope.message = parseJson(text);
      envelope.size = text.length;
      delete envelope.zip;
      return envelope;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return code === 'ERR_BUFFER_TOO_LARGE' ? 'too-large-inflated' : 'not-inflatable';
    }
  }

  #give(channel: string, entry: Envelope | Unusable, now: number): void {
    if (typeof entry === 'string') return this.parts.drops.add(channel, entry);
    const { ack, asks, meta } = entry;
    const { sink } = this.parts;
    if (ack !== undefined && asks === true) entry.answer = (answer) => sink.answer(meta.bootId, ack, answer);
    else if (ack !== undefined) entry.settle = (failure) => sink.acknowledge(meta.bootId, ack, failure);
    sink.deliver(entry, now);
  }
}

/**
 * By the end of the head as `headsOf` writes it. Heads that look otherwise are read in turn, so order holds either way.
 */
function isHigh(text: string): boolean {
  return text.startsWith(HIGH, text.indexOf('}') - HIGH.length);
}

function isZipped(entry: Envelope | Unusable): entry is Envelope {
  return typeof entry !== 'string' && entry.zip !== undefined;
}
