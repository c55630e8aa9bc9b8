/**
 * What an outbox collects, and when it lets go of it.
 */
import type { Lane } from '../../wire/lane.js';
import type { PackedWriter } from '../../wire/packed.writer.js';

/** A text is cut when it is larger than this: a receiver reads it in one piece, and what is urgent waits for that. */
const MAX_TEXT = 64 * 1024;
/** The same for what is packed: with one more message it mostly fits into one frame of a link. */
const MAX_PACKED = 24 * 1024;
/** When a bundle leaves, and what may wait. */
export interface OutboxLimits {
  /** In characters: what the transport has not confirmed yet, of the lanes below `high`. */
  inFlight: number;
  /**
   * In characters: what waits for that. Of `high`, which never waits, as much may be unconfirmed as may wait of the
   * other lanes.
   */
  waiting: number;
  /**
   * In milliseconds: how long what is not `high` waits for company while something is not confirmed. As with Nagle's
   * algorithm (RFC 896), a caller that sends one message at a time and waits for it is never held up; the limit is what
   * keeps a late confirmation from adding to the latency.
   */
  linger: number;
  /**
   * In milliseconds: where a text has left so short a time ago, what is neither `high` nor {@link OutboxLimits.few}
   * waits for company, as long as each turn of the event loop brings some. Where a turn brings one message, a text for
   * each would cost twice the message. What comes after a pause leaves with its turn, and a caller that waits for each
   * of its messages is held up for one turn.
   */
  company: number;
  /** In characters, or in bytes of what is packed: so little waits for company. */
  few: number;
  /** In characters: a text is cut when it is larger. */
  text: number;
  /** In bytes: what is packed is cut when it is larger. */
  packed: number;
  /**
   * Also what is not `high` leaves in the very call when nothing is on its way, and the rest of the turn after it: for
   * calls, where the other side can begin with the first while this one writes the others. Not where several left
   * together last: what one more write costs is more than what it hurries.
   */
  isPrompt: boolean;
}

export const LIMITS: OutboxLimits = {
  inFlight: 1024 * 1024,
  waiting: 32 * 1024 * 1024,
  linger: 1,
  company: 0.2,
  few: 16 * 1024,
  text: MAX_TEXT,
  packed: MAX_PACKED,
  isPrompt: false,
};

/** What is collected for one topic and lane. */
export interface Open {
  readonly topic: string;
  readonly lane: Lane;
  /** As JSON, or packed where the transport takes that. */
  readonly texts: string[];
  readonly packed: PackedWriter | undefined;
  /** Messages, without the head. */
  count: number;
  /** In characters, or in bytes where they are packed. */
  size: number;
  /** A message is being packed, which may run code of users. */
  isWriting: boolean;
  /** It waits to be sent, or is on its way: nothing can be added. */
  isCut: boolean;
  /** It was handed over, or is not sent: what is packed is not read any more. */
  isGone: boolean;
  readonly sent: Promise<number | undefined>;
  readonly resolve: (receivers: number | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** How what is packed is sent. */
export interface Packing {
  readonly lane?: Lane;
  /** What a new bundle begins with. */
  readonly head?: () => unknown;
  /** The most bytes of JSON that one may have. */
  readonly most?: number;
  /** The error for one that may have more, with a copy of it; `undefined` when it has not. */
  tooLarge?(copy: unknown): Error | undefined;
}

/** Nothing is in it yet. */
export function openBundle(topic: string, lane: Lane, packed: PackedWriter | undefined): Open {
  return {
    topic,
    lane,
    texts: [],
    packed,
    count: 0,
    size: 0,
    isWriting: false,
    isCut: false,
    isGone: false,
    ...deferred(),
  };
}

function deferred(): Pick<Open, 'sent' | 'resolve' | 'reject'> {
  let resolve!: Open['resolve'];
  let reject!: Open['reject'];
  const sent = new Promise<number | undefined>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { sent, resolve, reject };
}
