/**
 * Takes the texts that arrive on a channel apart: what cannot be read or came twice is dropped and counted, what is
 * missing is reported, the rest is delivered in order. Called by the facade.
 */
import type { Gap } from './channel.js';
import type { Drops } from './drops.js';
import { decode, type Envelope } from './envelope.js';
import type { Sequences } from './sequences.js';

/** Where messages and gaps go. */
export interface Sink {
  deliver(envelope: Envelope, now: number): void;
  gap(gap: Gap): void;
}

/** See the file header. */
export class Incoming {
  readonly #ownTexts: string;

  constructor(
    ownPrefix: string,
    private readonly sequences: Sequences,
    private readonly drops: Drops,
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
    this.#deliver(channel, entries, duplicates);
  }

  #deliver(channel: string, entries: readonly (Envelope | string)[], from: number): void {
    const now = Date.now();
    const malformed = new Map<string, number>();
    for (let index = from; index < entries.length; index++) {
      const entry = entries[index]!;
      if (typeof entry === 'string') malformed.set(entry, (malformed.get(entry) ?? 0) + 1);
      else this.sink.deliver(entry, now);
    }
    for (const [reason, count] of malformed) this.drops.add(channel, reason, count);
  }
}
