/**
 * Pure: which messages of a sender are missing, and which came twice.
 * Called by the facade for each text that arrives; what is kept of a sender is one number for each of its channels and
 * lanes.
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

/** What is to be done with messages that arrived. */
export interface Verdict {
  /** So many at the beginning were here before. */
  duplicates: number;
  gap: Range | undefined;
}

interface State {
  last: number;
  /** Up to here what is missing was reported, though it may still come. */
  reported: number;
  /** What the last gap left out. */
  gap?: Range;
}

/** More senders than any cluster has: only somebody who makes boot ids up gets here. */
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
   * What was missing comes after all, so it was no duplicate: the sender never went as far ahead, somebody else wrote
   * that in its name. Its own numbers count again, or it would not be heard any more.
   */
  #resumed(state: State, gap: Range, first: number, count: number): Verdict {
    delete state.gap;
    state.last = first + count - 1;
    state.reported = Math.min(state.reported, gap.first - 1);
    return { duplicates: 0, gap: this.#report(state, gap.first, first - 1) };
  }

  /** The sender says that its last message was number `last`, and everything up to it had its time to arrive. */
  announced(sequence: Sequence, last: number): Range | undefined {
    const [state, isUnknown] = this.#find(sequence, last);
    // What is reported may come all the same, over another way; so `last` stays where it is.
    return this.#report(state, state.last + 1, last, isUnknown);
  }

  /** Forgets senders that are gone. */
  forgetSenders(isGone: (bootId: string) => boolean): void {
    for (const bootId of this.#senders.keys()) if (isGone(bootId)) this.#senders.delete(bootId);
  }

  /** Forgets a channel that is not listened to any more: what is sent meanwhile is not missing. */
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
    return [this.#begin(sequence, beginning === 'before' ? goesOnFrom : 0), beginning === 'unknown'];
  }

  #begin(sequence: Sequence, last: number): State {
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
