/**
 * Numbers the messages of this node, one sequence for each channel and priority, and passes them to the outbox.
 * Receivers detect losses by the numbers.
 */
import type { Outbox } from '../../backend/transport/outbox.js';
import type { Lane } from '../../wire/lane.js';
import { encode, type Extras, type headsOf, type Lasts } from '../envelope.js';

/** One sequence. */
export interface Line {
  readonly channel: string;
  readonly lane: Lane;
  readonly topic: string;
  readonly head: () => string;
  /** Number of the last message. */
  seq: number;
  /** When its envelope was started, so that the clock is read once for all messages of a turn. */
  at: number;
}

/** See the file header. */
export class Sequencer {
  readonly #lines: Record<Lane, Map<string, Line>> = { high: new Map(), normal: new Map(), low: new Map() };

  constructor(
    private readonly outbox: Outbox,
    private readonly heads: ReturnType<typeof headsOf>,
    private readonly topic: (channel: string) => string,
  ) {}

  /** The sequence of a channel and priority. */
  line(channel: string, lane: Lane): Line {
    return this.#lines[lane].get(channel) ?? this.#create(channel, lane);
  }

  /** Gives the message the line's next number. Resolves as {@link Outbox.add} does. */
  add(line: Line, body: string, extras?: Extras): Promise<number | undefined> {
    line.seq += 1;
    return this.outbox.add(line.topic, encode(body, extras), line.lane, line.head);
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
    const line: Line = {
      channel,
      lane,
      topic: this.topic(channel),
      seq: 0,
      at: 0,
      head: () => {
        line.at = Date.now();
        return this.heads.head(lane, line.seq, line.at);
      },
    };
    this.#lines[lane].set(channel, line);
    return line;
  }
}
