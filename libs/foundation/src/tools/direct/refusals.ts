/**
 * Counts who was not let in, and warns of it, but not as often as a stranger would like.
 * Called by the direct transport for connections and for letters.
 */
import { Logger } from '@nestjs/common';
import type { Telemetry } from '../../telemetry/telemetry.js';

/** One warning for each host in this time, in milliseconds. */
const WARN_EVERY_MS = 60_000;
/** How many hosts are remembered. */
const MAX_HOSTS = 256;

/** See the file header. */
export class Refusals {
  readonly #warned = new Map<string, { at: number; since: number }>();
  readonly #logger = new Logger('Foundation');

  constructor(
    private readonly telemetry: Telemetry,
    private readonly now: () => number = () => performance.now(),
  ) {}

  note(address: string, reason: string): void {
    this.telemetry.emit('transport.refused', { address, reason });
    const host = address.replace(/:\d+$/, '');
    const now = this.now();
    const known = this.#warned.get(host);
    if (known !== undefined && now - known.at < WARN_EVERY_MS) {
      known.since += 1;
      return;
    }
    this.#warned.delete(host);
    this.#warned.set(host, { at: now, since: 0 });
    const oldest = this.#warned.size > MAX_HOSTS ? this.#warned.keys().next().value : undefined;
    if (oldest !== undefined) this.#warned.delete(oldest);
    this.#logger.warn('A node or a stranger was not let in; nothing of it was read', {
      address,
      reason,
      ...(known === undefined ? {} : { refusedSinceTheLastWarning: known.since }),
    });
  }
}
