/** One timer of the clock of a test. Kept by `manual.timers.ts`. */
import { AsyncResource } from 'node:async_hooks';
import type { Timer } from '../../time/clock.js';

/** Nothing listens for the end of a timer. */
const OPTIONS = { requireManualDestroy: true };

/** As with a timer of Node, what it calls has the context in which it was set. */
export class ManualTimer extends AsyncResource implements Timer {
  /** Once the clock runs by itself. */
  real: NodeJS.Timeout | undefined;
  keepsProcess = true;
  /** Of what recurs: from when on it may fire with another one. */
  mayFireAt: number | undefined;

  constructor(
    readonly dueAt: number,
    private readonly work: () => void,
  ) {
    super('ManualTimer', OPTIONS);
  }

  fire(): void {
    this.runInAsyncScope(this.work);
  }

  unref(): this {
    this.keepsProcess = false;
    this.real?.unref();
    return this;
  }
}
