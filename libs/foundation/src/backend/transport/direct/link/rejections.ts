/**
 * Counts who was not let in, and warns of it, but not as often as a stranger would like.
 * Called by the direct transport for connections and for letters.
 */
import { ThrottledLog } from '../../../../logging/throttled.log.js';
import type { Telemetry } from '../../../../telemetry/telemetry.js';

/** One warning for each host in this time, in milliseconds. */
const WARN_EVERY_MS = 60_000;

/** See the file header. */
export class Refusals {
  readonly #log: ThrottledLog;

  constructor(
    private readonly telemetry: Telemetry,
    now?: () => number,
  ) {
    this.#log = new ThrottledLog(WARN_EVERY_MS, now);
  }

  note(address: string, reason: string): void {
    this.telemetry.emit('transport.refused', { address, reason });
    const host = address.replace(/:\d+$/, '');
    this.#log.warn('A node or a stranger was not let in; nothing of it was read', { address, reason }, host);
  }
}
