/**
 * Takes the texts that arrive on a channel apart: what cannot be read or came twice is dropped and counted, what is
 * missing is reported, the rest is delivered in order. Called by the facade.
 */
import type { Gap } from './channel.js';
import { parseJson } from '../tools/json.js';
import { inflate } from './compression.js';
import type { Drops } from './drops.js';
import { decode, type Envelope } from './envelope.js';
import type { Sequences } from './sequences.js';
import { Turns } from './turns.js';

/** Where messages, gaps and acknowledgements go. */
export interface Sink {
  deliver(envelope: Envelope, now: number): unknown;
  gap(gap: Gap): void;
  tell(sender: string, ack: number, failure?: string): void;
}

/** So many texts may wait on one channel for one that is being inflated. */
const MAX_INFLATING = 1000;

/** See the file header. */
export class Incoming {
  readonly #ownTexts: string;
  readonly #turns = new Turns();

  constructor(
    ownPrefix: string,
    private readonly sequences: Sequences,
    private readonly drops: Drops,
    private readonly maxMessageBytes: number,
    private readonly sink: Sink,
  ) {
    this.#ownTexts = `[${ownPrefix}`;
  }

  receive(channel: string, text: string): void {
    // Our own messages were delivered when they were sent.
    if (text.startsWith(this.#ownTexts)) return;
    const decoded = decode(channel, text);
    if (typeof decoded === 'string') return this.drops.add(channel, decoded);
    const { head, entries } = decoded;
    if (entries.length === 0) return;
    const { from, bootId, lane, seq } = head;
    const { duplicates, gap } = this.sequences.arrived({ bootId, channel, lane }, seq, entries.length);
    if (gap !== undefined) this.sink.gap({ channel, from, bootId, priority: lane, missing: gap });
    if (duplicates > 0) this.drops.add(channel, 'duplicate', duplicates);
    const turn = `${lane} ${channel}`;
    if (entries.some(isZipped) || this.#turns.busy(turn)) this.#inflateFirst(turn, channel, entries, duplicates);
    else this.#deliver(channel, entries, duplicates);
  }

  /** In turn, so that what comes after a deflated message stays after it. */
  #inflateFirst(turn: string, channel: string, entries: (Envelope | string)[], from: number): void {
    if (this.#turns.waiting >= MAX_INFLATING) return this.drops.add(channel, 'too much to inflate', entries.length);
    void this.#turns.take(turn, async () => {
      for (let index = from; index < entries.length; index++) {
        const entry = entries[index]!;
        if (isZipped(entry)) entries[index] = await this.#inflate(entry);
      }
      this.#deliver(channel, entries, from);
    });
  }

  async #inflate(envelope: Envelope): Promise<Envelope | string> {
    try {
      envelope.message = parseJson(await inflate(envelope.zip!, this.maxMessageBytes));
      return envelope;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return code === 'ERR_BUFFER_TOO_LARGE' ? 'too large when inflated' : 'cannot be inflated';
    }
  }

  #deliver(channel: string, entries: readonly (Envelope | string)[], from: number): void {
    const now = Date.now();
    let malformed: Map<string, number> | undefined;
    for (let index = from; index < entries.length; index++) {
      const entry = entries[index]!;
      if (typeof entry === 'string') {
        malformed ??= new Map();
        malformed.set(entry, (malformed.get(entry) ?? 0) + 1);
        continue;
      }
      const { ack, meta } = entry;
      if (ack !== undefined) entry.settle = (failure) => this.sink.tell(meta.bootId, ack, failure);
      this.sink.deliver(entry, now);
    }
    for (const [reason, count] of malformed ?? []) this.drops.add(channel, reason, count);
  }
}

function isZipped(entry: Envelope | string): entry is Envelope {
  return typeof entry !== 'string' && entry.zip !== undefined;
}
