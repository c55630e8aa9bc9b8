/**
 * Asks each service of this node how it is: with a timeout, and with hysteresis so that one bad moment changes nothing.
 * Driven by the facade.
 */
import { describe } from '../errors/describe.js';
import { unattended } from '../foreign/gate.js';
import { Log } from '../logging/log.js';
import { type Clock, machineClock } from '../time/clock.js';
import { within } from '../time/timeout.js';
import type { WakeUp } from '../time/wake.ups.js';
import type { ServiceStatus } from './service.js';

const CHECK_EVERY_MS = 5000;
const CHECK_TIMEOUT_MS = 2000;
/** Failures in a row until a service counts as unhealthy, and successes in a row until it counts as healthy again. */
const UNHEALTHY_AFTER = 3;
const HEALTHY_AFTER = 2;

/** Pure: the status after one more check, and how many checks in a row spoke against the status before. */
export function nextStatus(
  { status, against }: { status: ServiceStatus; against: number },
  isGood: boolean,
): { status: ServiceStatus; against: number } {
  if (isGood === (status === 'healthy')) return { status, against: 0 };
  const limit = status === 'healthy' ? UNHEALTHY_AFTER : HEALTHY_AFTER;
  if (against + 1 < limit) return { status, against: against + 1 };
  return { status: status === 'healthy' ? 'unhealthy' : 'healthy', against: 0 };
}

/** The checks of one service. */
export class ServiceHealth {
  readonly #logger = new Log();
  readonly #timer: Pick<WakeUp, 'cancel'>;
  #state: { status: ServiceStatus; against: number } = { status: 'healthy', against: 0 };
  #checking = false;
  #stopped = false;

  constructor(
    private readonly service: { name: string; node: string; instanceId: string },
    private readonly check: () => boolean | Promise<boolean>,
    private readonly changed: (status: ServiceStatus) => void,
    private readonly clock: Clock = machineClock,
  ) {
    this.#timer = clock.every(CHECK_EVERY_MS, CHECK_EVERY_MS, () => unattended('a health check', this.look()));
  }

  /** One check; a second one at the same time does nothing. */
  async look(): Promise<void> {
    if (this.#checking || this.#stopped) return;
    this.#checking = true;
    let reason = 'it said so';
    let isGood = false;
    try {
      const answer = Promise.resolve().then(() => this.check());
      this.clock.underWay(answer);
      isGood = (await within(CHECK_TIMEOUT_MS, answer, `no answer in ${CHECK_TIMEOUT_MS} ms`, this.clock)) === true;
    } catch (error) {
      reason = describe(error);
    } finally {
      this.#checking = false;
    }
    // It may have been withdrawn during the check.
    if (!this.#hasStopped()) this.#note(isGood, reason);
  }

  /** The answer to a check in progress no longer counts. */
  stop(): void {
    this.#stopped = true;
    this.#timer.cancel();
  }

  /** A method, because TypeScript thinks that it cannot change during an await. */
  #hasStopped(): boolean {
    return this.#stopped;
  }

  #note(isGood: boolean, reason: string): void {
    const before = this.#state;
    this.#state = nextStatus(before, isGood);
    const { name: service, node, instanceId } = this.service;
    if (this.#state.status !== before.status) {
      if (isGood) this.#logger.log('Service is healthy again', { service, node, instanceId });
      else {
        const consecutiveFailures = UNHEALTHY_AFTER;
        const details = { service, node, consecutiveFailures, action: 'marking_unhealthy', instanceId, reason };
        this.#logger.warn('Service health check failed', details);
      }
      this.changed(this.#state.status);
    }
  }
}
