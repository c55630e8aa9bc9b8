/**
 * Pure: which messages can be sent: what JSON can write, within `channels.maxMessageBytes`.
 */
import type { Packing } from '../../backend/transport/outbox.bundle.js';
import { MessageError } from '../../errors/message.errors.js';
import { isPromise } from '../../foreign/given.options.js';
import { hasToJson } from '../../wire/packed.kinds.js';

/** How a channel's messages are checked while they are packed. */
export function limitsOf(channel: string, maxMessageBytes: number): Pick<Packing, 'most' | 'tooLarge'> {
  return {
    most: maxMessageBytes,
    tooLarge: (entry) => {
      const { b: message } = entry as { b?: unknown };
      // What is deflated was measured before.
      const size = message === undefined ? 0 : Buffer.byteLength(JSON.stringify(message));
      return size > maxMessageBytes ? tooLarge(channel, size, maxMessageBytes) : undefined;
    },
  };
}

/** What JSON has a text for, without asking it for another value first. */
export function isPackable(message: unknown): boolean {
  if (typeof message !== 'object') return isPrimitive(message);
  try {
    return !hasToJson(message) && !isPromise(message);
  } catch {
    // JSON finds it as well, and says so.
    return false;
  }
}

function isPrimitive(message: unknown): boolean {
  return typeof message === 'string' || typeof message === 'number' || typeof message === 'boolean';
}

/** The error for what JSON has no text for. */
export function unwritable(channel: string, cause: unknown): MessageError {
  return new MessageError(channel, 'JSON cannot write it', 'Send plain values.', undefined, cause);
}

/** JSON makes an empty object of a promise, and nobody hears of a forgotten `await`. @throws MessageError */
export function requireAwaited(channel: string, message: unknown): void {
  if (isPromise(message)) throw new MessageError(channel, 'it is a promise', 'Await it, and send its value.');
}

/** The error for a message of so many bytes of JSON. */
export function tooLarge(channel: string, size: number, most: number): MessageError {
  return new MessageError(
    channel,
    `it has ${size} bytes and channels.maxMessageBytes is ${most}`,
    'Send less, or a reference to the data.',
    'FOUNDATION_MESSAGE_TOO_LARGE',
  );
}
