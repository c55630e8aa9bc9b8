/**
 * Restarts by timers inside one process.
 * Called by the supervisor when the configuration is not clustered.
 */
import { unattended } from '../../foreign/gate.js';
import type { RestartHandlers, Restarts } from './restarts.js';

/** See {@link Restarts}. There is no sweep: nothing can be forgotten that this process still remembers. */
export class LocalRestarts implements Restarts {
  /** Crashes of a name, by epoch; forgotten once the window of the last one is over, as in Redis. */
  readonly #crashes = new Map<string, { at: Map<number, number>; until: number }>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #handlers: RestartHandlers | undefined;

  constructor(private readonly wallClock: () => number) {}

  open(handlers: RestartHandlers): Promise<void> {
    this.#handlers = handlers;
    return Promise.resolve();
  }

  crashed(name: string, epoch: number, windowMs: number): Promise<number> {
    const now = this.wallClock();
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
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      unattended(
        'a restart',
        this.#handlers?.restart(name, epoch).catch(() => undefined),
      );
    }, delayMs);
    this.#timers.add(timer);
    return Promise.resolve();
  }

  ensureSweep(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#handlers = undefined;
    return Promise.resolve();
  }
}
