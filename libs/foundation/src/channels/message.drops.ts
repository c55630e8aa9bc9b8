/**
 * Counts and reports what is dropped on its way to the handlers; the log hears of each reason once in a while only.
 * Called by the facade and by the queues.
 */
import { ThrottledLog } from '../logging/throttled.log.js';
import type { Telemetry } from '../telemetry/telemetry.js';

/** See the file header. */
export class MessageDrops {
  readonly #log = new ThrottledLog();

  constructor(private readonly telemetry: Telemetry) {}

  add(channel: string, reason: string, count = 1): void {
    this.telemetry.emit('message.dropped', { channel, reason, count });
    this.#log.warn('Messages were dropped', { channel, reason }, `${channel} ${reason}`, count);
  }
}
