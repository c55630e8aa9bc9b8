/**
 * Counts and reports what is dropped on its way to the handlers; the log has each reason now and then only.
 */
import { ThrottledLog } from '../logging/throttled.log.js';
import type { MessageDropReason } from '../telemetry/events.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { Priority } from './channel.js';

/** The reasons in words, for the log and for a sender that waits for an acknowledgement. */
export const DROPPED: Readonly<Record<MessageDropReason, string>> = {
  'queue-full': 'the queue of a handler is full',
  unsubscribed: 'unsubscribed',
  'no-group-member': 'no member of the group was chosen',
  duplicate: 'they arrived before',
  'invalid-payload': 'they are not what their schema says',
  'outbox-full': 'too much waits to be sent',
  'inflate-backlog-full': 'too much waits to be inflated',
  'too-large-inflated': 'they are too large when inflated',
  'not-inflatable': 'they cannot be inflated',
  'not-json': 'they are not JSON, or nested too deeply',
  'not-packed': 'what arrived over a link is not packed as this node packs',
  'too-many-messages': 'what arrived has more messages than any node sends in one text',
  'malformed-envelope': 'what arrived is not an envelope',
  'malformed-message': 'what arrived is not a message',
  'unknown-version': 'another version of Foundation wrote them',
  'not-a-call': 'what arrived is not a call',
  'too-large': 'what arrived is larger than any node sends',
  'bad-signature': 'what arrived is not signed with the cookie of this node',
  replayed: 'they came a second time, or late',
  'too-old': 'they are too old, or a clock is wrong',
  'no-stamp': 'they have no stamp',
  'wrong-entry': 'they are not of the time of their entry: copies, or a clock is wrong',
  trimmed: 'the stream was trimmed before they were handled',
  'dead-letter': 'they became dead letters',
};

/** Why a subscription that has ended drops what comes. */
export const UNSUBSCRIBED = 'unsubscribed';

/** What else is known of what was dropped. */
export interface DropDetails {
  priority?: Priority;
  /** The name of the payload class; for the log. */
  payload?: string;
}

/** How many messages one subscription dropped, for each reason. */
export class DropCounts {
  readonly #counts: Partial<Record<MessageDropReason, number>> = {};

  add(reason: MessageDropReason): void {
    this.#counts[reason] = (this.#counts[reason] ?? 0) + 1;
  }

  get total(): number {
    return totalOf(this.#counts);
  }

  /** A copy. */
  read(): Partial<Record<MessageDropReason, number>> {
    return { ...this.#counts };
  }
}

/** All of them together. */
export function totalOf(counts: Readonly<Partial<Record<MessageDropReason, number>>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** See the file header. */
export class MessageDrops {
  readonly #log = new ThrottledLog();

  constructor(private readonly telemetry: Telemetry) {}

  /** The same without a word in the log: nothing is lost. */
  note(channel: string, reason: MessageDropReason): void {
    this.telemetry.emit('message.dropped', { channel, reason, count: 1 });
  }

  add(channel: string, reason: MessageDropReason, count = 1, details: DropDetails = {}): void {
    const { priority } = details;
    this.telemetry.emit('message.dropped', { channel, reason, count, ...(priority === undefined ? {} : { priority }) });
    const kind = `${channel} ${priority ?? ''}`;
    this.#log.warn(`Messages were dropped: ${DROPPED[reason]}`, { channel, reason, ...details }, kind, count);
  }
}
