/**
 * Pure: detects missing and duplicate messages of a sender. Keeps one number for each of its channels and lanes.
 */
import type { Lane } from '../../wire/lane.js';
import type { Range } from '../channel.js';

/**
 * What is known of a sender that was not heard yet on a channel. `here`: this node has listened since before the sender
 * began, so every number counts. `before`: the sender was there first, and nothing was lost since this node listens, so
 * it goes on from whichever number comes first. `unknown`: the sender was there first, and the connection was cut
 * since.
 */
export type Beginning = 'here' | 'before' | 'unknown';

/** One sender's messages on one channel with one priority: within it everything is in order. */
export interface Sequence {
  bootId: string;
  channel: string;
  lane: Lane;
}

/** What to do with messages that arrived. */
export interface Verdict {
  /** How many at the beginning have arrived before. */
  duplicates: number;
  gap: Range | undefined;
}

interface State {
  last: number;
  /** Gaps up to here were reported, though the messages may still arrive. */
  reported: number;
  /** What the last gap left out. */
  gap?: Range;
}

/** More senders than any cluster has: only forged boot ids reach this. */
const MAX_SENDERS = 10_000;

/** See the file header. */
export class GapDetector {
  readonly #senders = new Map<string, Map<string, State>>();

  constructor(private readonly beginningOf: (bootId: string, channel: string) => Beginning) {}

  /** `count` messages from number `first` on have arrived. */
  arrived(sequence: Sequence, first: number, count: number): Verdict {
    const [state, isUnknown] = this.#find(sequence, first - 1);
    const expected = state.last + 1;
    const { gap } = state;
    if (gap !== undefined && first >= gap.first && first <= gap.last) return this.#resumed(state, gap, first, count);
    state.last = Math.max(state.last, first + count - 1);
    if (first === expected) return { duplicates: 0, gap: undefined };
    if (first < expected) return { duplicates: Math.min(count, expected - first), gap: undefined };
    state.gap = { first: expected, last: first - 1 };
    return { duplicates: 0, gap: this.#report(state, expected, first - 1, isUnknown) };
  }

  /**
   * Missing messages arrive after all, so they are no duplicates: the sender never was so far ahead, the number was
   * forged. Its own numbers count again, or it would no longer be heard.
   */
  #resumed(state: State, gap: Range, first: number, count: number): Verdict {
    delete state.gap;
    state.last = first + count - 1;
    state.reported = Math.min(state.reported, gap.first - 1);
    return { duplicates: 0, gap: this.#report(state, gap.first, first - 1) };
  }

  /** The sender reports `last` as its last number, and everything up to it has had time to arrive. */
  announced(sequence: Sequence, last: number): Range | undefined {
    const [state, isUnknown] = this.#find(sequence, last);
    // A reported message may still arrive by another path, so `last` stays where it is.
    return this.#report(state, state.last + 1, last, isUnknown);
  }

  /** Forgets senders that are gone. */
  forgetSenders(isGone: (bootId: string) => boolean): void {
    for (const bootId of this.#senders.keys()) if (isGone(bootId)) this.#senders.delete(bootId);
  }

  /** Forgets a channel that this node stops listening to: messages sent meanwhile are not missing. */
  forgetChannel(channel: string): void {
    for (const states of this.#senders.values()) {
      for (const lane of ['high', 'normal', 'low'] as const) states.delete(keyOf({ channel, lane }));
    }
  }

  /** How many senders are known. */
  get size(): number {
    return this.#senders.size;
  }

  #state(sequence: Sequence): State | undefined {
    return this.#senders.get(sequence.bootId)?.get(keyOf(sequence));
  }

  /** `goesOnFrom`: the last number that a sender which was there before need not have sent to this node. */
  #find(sequence: Sequence, goesOnFrom: number): [state: State, isUnknown: boolean] {
    const known = this.#state(sequence);
    if (known !== undefined) return [known, false];
    const beginning = this.beginningOf(sequence.bootId, sequence.channel);
    return [this.#create(sequence, beginning === 'before' ? goesOnFrom : 0), beginning === 'unknown'];
  }

  #create(sequence: Sequence, last: number): State {
    const states = this.#senders.get(sequence.bootId) ?? new Map<string, State>();
    const state: State = { last, reported: 0 };
    this.#senders.set(sequence.bootId, states.set(keyOf(sequence), state));
    if (this.#senders.size > MAX_SENDERS) this.#senders.delete(this.#senders.keys().next().value!);
    return state;
  }

  #report(state: State, from: number, last: number, isUnknown = false): Range | undefined {
    const first = Math.max(from, state.reported + 1);
    if (first > last) return undefined;
    state.reported = last;
    return isUnknown ? { first, last, atMost: true } : { first, last };
  }
}

function keyOf({ channel, lane }: Pick<Sequence, 'channel' | 'lane'>): string {
  return `${lane} ${channel}`;
}
