/**
 * Counts and reports what is dropped on its way to the handlers; the log hears of each reason once in a while only.
 * Called by the facade and by the queues.
 */
import { Logger } from '@nestjs/common';
import type { Telemetry } from '../telemetry/telemetry.js';

const LOG_EVERY_MS = 10_000;

/** See the file header. */
export class Drops {
  readonly #logger = new Logger('Foundation');
  /** Channels are declared and reasons are ours, so this does not grow. */
  readonly #counts = new Map<string, { unlogged: number; loggedAt: number }>();

  constructor(
    private readonly telemetry: Telemetry,
    private readonly now: () => number = () => performance.now(),
  ) {}

  add(channel: string, reason: string, count = 1): void {
    this.telemetry.emit('message.dropped', { channel, reason, count });
    const key = `${channel} ${reason}`;
    const now = this.now();
    const entry = this.#counts.get(key) ?? { unlogged: 0, loggedAt: -Infinity };
    this.#counts.set(key, entry);
    entry.unlogged += count;
    if (now - entry.loggedAt < LOG_EVERY_MS) return;
    this.#logger.warn('Messages were dropped', { channel, reason, count: entry.unlogged });
    entry.unlogged = 0;
    entry.loggedAt = now;
  }
}
