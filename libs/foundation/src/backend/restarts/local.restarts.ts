/** Restarts by timers inside one process, for an application that is not clustered. */
import { unattended } from '../../foreign/gate.js';
import type { Clock, Timer } from '../../time/clock.js';
import type { RestartHandlers, Restarts } from './restarts.js';

/** A restart that is to come. */
interface Scheduled {
  name: string;
  epoch: number;
  timer: Timer;
  /** Its delay is over, and this node takes no jobs yet. */
  isDue: boolean;
}

/** See {@link Restarts}. There is no sweep: nothing can be forgotten that this process still remembers. */
export class LocalRestarts implements Restarts {
  /** Crashes of a name, by epoch; forgotten once the window of the last one is over, as in Redis. */
  readonly #crashes = new Map<string, { at: Map<number, number>; until: number }>();
  /** INVARIANT (I6): by epoch and name, so there is at most one restart for each crash. */
  readonly #scheduled = new Map<string, Scheduled>();
  #handlers: RestartHandlers | undefined;

  constructor(private readonly clock: Clock) {}

  open(handlers: RestartHandlers): Promise<void> {
    this.#handlers = handlers;
    for (const [key, { isDue }] of [...this.#scheduled]) if (isDue) this.#restart(key);
    return Promise.resolve();
  }

  crashed(name: string, epoch: number, windowMs: number): Promise<number> {
    const now = this.clock.wall();
    for (const [each, { until }] of this.#crashes) if (until <= now) this.#crashes.delete(each);
    const crashes = this.#crashes.get(name)?.at ?? new Map<number, number>();
    if (!crashes.has(epoch)) crashes.set(epoch, now);
    for (const [each, at] of crashes) if (at <= now - windowMs) crashes.delete(each);
    this.#crashes.set(name, { at: crashes, until: now + windowMs });
    return Promise.resolve(crashes.size);
  }

  forget(...names: string[]): Promise<void> {
    for (const name of names) this.#crashes.delete(name);
    return Promise.resolve();
  }

  schedule(name: string, epoch: number, delayMs: number): Promise<void> {
    const key = `${epoch} ${name}`;
    if (!this.#scheduled.has(key)) {
      const timer = this.clock.setTimeout(() => this.#restart(key), delayMs);
      this.#scheduled.set(key, { name, epoch, timer, isDue: false });
    }
    return Promise.resolve();
  }

  ensureSweep(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    for (const { timer } of this.#scheduled.values()) this.clock.clearTimeout(timer);
    this.#scheduled.clear();
    this.#handlers = undefined;
    return Promise.resolve();
  }

  #restart(key: string): void {
    const scheduled = this.#scheduled.get(key);
    if (scheduled === undefined) return;
    scheduled.isDue = true;
    if (this.#handlers === undefined) return;
    this.#scheduled.delete(key);
    const { name, epoch } = scheduled;
    unattended(
      'a restart',
      this.#handlers.restart(name, epoch).catch(() => undefined),
    );
  }
}
