/**
 * Counts rejected connections and frames, and warns of them, but not as often as a stranger would like.
 */
import { ThrottledLog } from '../../../../logging/throttled.log.js';
import type { RejectionReason } from '../../../../telemetry/events.js';
import type { Telemetry } from '../../../../telemetry/telemetry.js';
import { detailsOf, wordsOf } from './link.end.js';

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

  note(address: string, reason: RejectionReason, error?: string): void {
    const details = { address, ...detailsOf(reason, error) };
    this.telemetry.emit('transport.refused', details);
    const host = address.replace(/:\d+$/, '');
    this.#log.warn(`Rejected an unauthenticated connection: ${wordsOf(reason)}`, details, host);
  }
}
