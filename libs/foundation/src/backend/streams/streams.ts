/**
 * Contract: texts that are kept until each group has handled them, for delivery at least once.
 * Implemented by `redis.streams.ts` and `local.streams.ts`; used by the durable channels.
 */

/** A text as it was kept. */
export interface StreamEntry {
  /** `<milliseconds>-<number>`; rises. */
  id: string;
  text: string;
  /** How often it was delivered to a consumer of the group, this time included; 0 outside of a group. */
  deliveries: number;
  /** Why it must not be handled: its message was delivered in another entry, or was signed for another time. */
  unplayable?: 'again' | 'elsewhere';
}

/** Which message a text is: signed with it, so that a copy says the same. */
export interface Origin {
  /** The boot id of the node that sent it; without blanks. */
  sender: string;
  /** Its number among all of that node in this stream. */
  number: number;
  /** When its entry was to be made, in milliseconds of the clock of the stream. */
  at: number;
}

/** A text that is not to be kept twice. */
export interface Once {
  /** Of the application, up to 200 characters. */
  id: string;
  /** Milliseconds in which it is remembered. */
  within: number;
  /**
   * When its entry is to be made, as the text says: where texts are tied to their time, one that got another entry
   * cannot be handled, and is not remembered.
   */
  at: number;
}

/** Which entry has a text that is not to be kept twice. */
export interface KeptOnce {
  /** Of this text, or of the one that was kept before with the same id. */
  id: string;
  isNew: boolean;
}

/** What an entry has to have reached before it counts as safe. */
export interface Safety {
  /** The disk of the primary, or the memory of a number of replicas. */
  acknowledge: 'fsync' | { replicas: number };
  /** Milliseconds in which that has to be so. */
  timeout: number;
}

/** Why an entry is not known to be safe. */
export interface Unsafe {
  /** What happened, as a part of a sentence, and what to do about it. */
  reason: string;
  advice: string;
  /** False for an entry that is not there any longer. */
  isKept: boolean;
  /** How many disks or replicas have it, where Redis said so. */
  reached?: number;
  cause?: unknown;
}

/** What a consumer wants. */
export interface ConsumerOptions {
  stream: string;
  group: string;
  /** Where a group begins that does not exist yet: an id (what is after it), `0` or `$` (what comes from now on). */
  from: string;
  /** Entries delivered at a time; so many may be under way, and as many that are due again. */
  batch: number;
  /**
   * Milliseconds after which an entry is redelivered that was not acknowledged, and whose consumer does not say that it
   * is still handling it.
   */
  retryAfter: number;
  /** An entry that was delivered this often without an acknowledgement is dead-lettered. */
  maxDeliveries: number;
  /** Reads which message a text is; `undefined` for an unreadable text. */
  originOf?: (text: string) => Origin | undefined;
}

/** What a consumer reports. */
export interface ConsumerListener {
  /** Handles entries; no more are read before it resolves, where there is no {@link room}. Must not reject. */
  take(entries: StreamEntry[]): Promise<void>;
  /** Resolves once it would begin one more entry at once: then more are read beside those under way. */
  readonly room?: (() => Promise<void>) | undefined;
  /** An entry was dead-lettered because it was delivered too often. */
  buried(entry: StreamEntry, reason: string): void;
  /** The number of entries that are gone without having been handled: the stream was trimmed. */
  lost(count: number): void;
}

/** A running consumer. */
export interface Consumer {
  /** The entry was handled. */
  acknowledge(id: string): Promise<void>;
  /**
   * Dead-letters the entry, with the reason. False when that failed, or when another consumer has it by now: then it is
   * redelivered.
   */
  bury(entry: StreamEntry, reason: string): Promise<boolean>;
  /**
   * Releases entries that were not begun: they are redelivered with the next sweep of any consumer of the group, and
   * this delivery does not count.
   */
  release(entries: readonly StreamEntry[]): Promise<void>;
  /** The entry failed, and is redelivered when its time has come, also while others of its batch are under way. */
  leave(id: string): void;
  /** Stops reading, and resolves once `take` has resolved. */
  close(): Promise<void>;
}

/** See the file header. */
export interface Streams {
  /** A message is worth something in an entry of its time only: where texts are signed, and a copy would be as good. */
  readonly isTied: boolean;
  /** Resolves with the id once the text is kept; about `maxLength` texts are, the oldest go. */
  append(stream: string, text: string, maxLength: number): Promise<string>;
  /** The same, unless a text with this id was kept within the time that was given with it: then nothing is kept. */
  appendOnce(stream: string, text: string, maxLength: number, once: Once): Promise<KeptOnce>;
  /** Resolves once the entry is safe, or with why it is not known to be; does not reject. */
  confirm(stream: string, id: string, safety: Safety): Promise<Unsafe | undefined>;
  /** Resolves once the group exists, or while Redis is unreachable at once: then it is made as soon as it can be. */
  consume(options: ConsumerOptions, listener: ConsumerListener): Promise<Consumer>;
  /**
   * Kept entries from one id to another, both included, the first not when it begins with `(`; `-` and `+` are the
   * ends.
   */
  range(stream: string, from: string, to: string, count: number): Promise<StreamEntry[]>;
  /** Ends what consumers there still are, without waiting for what they handle. */
  close(): void;
}

/** Negative when `one` is the older id. */
export function compareIds(one: string, other: string): number {
  const [a = 0, b = 0] = one.split('-').map(Number);
  const [c = 0, d = 0] = other.split('-').map(Number);
  return a === c ? b - d : a - c;
}
