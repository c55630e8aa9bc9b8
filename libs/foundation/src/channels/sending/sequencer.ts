/**
 * Numbers the messages of this node, one sequence for each channel and priority, and passes them to the outbox.
 * Receivers detect losses by the numbers.
 */
import type { Packing } from '../../backend/transport/outbox.bundle.js';
import type { Outbox } from '../../backend/transport/outbox.js';
import type { Lane } from '../../wire/lane.js';
import { encode, entryOf, type Extras, type Heads, type Lasts } from '../envelope.js';

/** One sequence. */
export interface Line {
  readonly channel: string;
  readonly lane: Lane;
  readonly topic: string;
  /** Both of its names, for those that keep something for each. */
  readonly key: string;
  readonly head: () => string;
  /** How its messages are packed. */
  readonly packing: Packing;
  /** Number of the last message. */
  seq: number;
  /** When its envelope was started, so that the clock is read once for all messages of a turn. */
  at: number;
  /** Of the bundle of the last message, see `Sender`. */
  passing: Passing | undefined;
}

/** What became of a bundle: one promise for all of its messages. */
export interface Passing {
  readonly sent: Promise<unknown>;
  readonly done: Promise<void>;
  messages: number;
}

/** What messages are checked by while they are packed. */
export type Limits = (channel: string) => Pick<Packing, 'most' | 'tooLarge'>;

/** See the file header. */
export class Sequencer {
  readonly #lines: Record<Lane, Map<string, Line>> = { high: new Map(), normal: new Map(), low: new Map() };

  constructor(
    private readonly outbox: Outbox,
    private readonly heads: Heads,
    private readonly topic: (channel: string) => string,
    private readonly limits: Limits = () => ({}),
  ) {}

  /** See {@link Outbox.packs}. */
  get packs(): boolean {
    return this.outbox.packs;
  }

  /** See {@link Outbox.packedSize}. */
  get packedSize(): number {
    return this.outbox.packedSize;
  }

  /** The sequence of a channel and priority. */
  line(channel: string, lane: Lane): Line {
    return this.#lines[lane].get(channel) ?? this.#create(channel, lane);
  }

  /** Gives the message the line's next number. Resolves as {@link Outbox.add} does. */
  add(line: Line, body: string, extras?: Extras): Promise<number | undefined> {
    const sent = this.outbox.add(line.topic, encode(body, extras), line.lane, line.head);
    line.seq += 1;
    return sent;
  }

  /** The same for a value; see {@link Outbox.pack}. */
  pack(line: Line, message: unknown, extras?: Extras, read?: (copy: unknown) => void): Promise<number | undefined> {
    const sent = this.outbox.pack(line.topic, entryOf(message, extras), line.packing, read);
    // Not before: it may have sent one itself, and has no number when it could not be packed.
    line.seq += 1;
    return sent;
  }

  /** How many messages this node has sent, for each channel and priority. */
  get sent(): (readonly [channel: string, number])[] {
    return Object.values(this.#lines).flatMap((lines) =>
      [...lines.values()].map(({ channel, seq }) => [channel, seq] as const),
    );
  }

  /** The numbers of the last messages on these channels. */
  lasts(channels: readonly string[]): Lasts {
    return Object.fromEntries(
      channels.map((channel) => [
        channel,
        Object.fromEntries(
          Object.entries(this.#lines).flatMap(([lane, lines]) => {
            const seq = lines.get(channel)?.seq ?? 0;
            return seq === 0 ? [] : [[lane, seq]];
          }),
        ),
      ]),
    );
  }

  #create(channel: string, lane: Lane): Line {
    const now = (): number => (line.at = Date.now());
    const line: Line = {
      channel,
      lane,
      key: `${lane} ${channel}`,
      topic: this.topic(channel),
      seq: 0,
      at: 0,
      passing: undefined,
      head: () => this.heads.head(lane, line.seq + 1, now()),
      packing: { ...this.limits(channel), lane, head: () => this.heads.value(lane, line.seq + 1, now()) },
    };
    this.#lines[lane].set(channel, line);
    return line;
  }
}
