// Calls over a network of which `fc.scheduler` decides: a question arrives later or never, and so does its answer.
import type { Scheduler } from 'fast-check';
import fc from 'fast-check';

/**
 * `late`: who asked has given up when it arrives; `astray`: and what was asked after it, over another connection, may
 * arrive before; a number: that, and it is on its way for so many milliseconds.
 */
export type Fault = 'none' | 'request' | 'answer' | 'late' | 'astray' | number;

export const fault: fc.Arbitrary<Fault> = fc.constantFrom(
  ...(['none', 'none', 'none', 'none', 'request', 'answer', 'late', 'astray'] as const),
);

/** A script of a modelled server, by its `KEYS` and `ARGV`. */
export type ModelScript = (keys: string[], args: string[]) => unknown;

/** Makes the commands of a client, as ioredis has them for scripts: `count` keys, then the arguments. */
export function commandsOver(calls: RemoteCalls, node: string) {
  return (name: string, run: ModelScript) =>
    (count: number, ...rest: string[]): Promise<unknown> =>
      calls.call(`${node} ${name}`, async () => run(rest.slice(0, count), rest.slice(count)));
}

/** See the file header. As on a connection, questions arrive in the order in which they were asked. */
export class RemoteCalls {
  /** Nothing is lost any more, nor late. */
  isCalm = false;
  /** No question arrives. */
  isCut = false;
  readonly #faults: Fault[];
  #asked: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly s: Scheduler,
    faults: readonly Fault[],
    /** As the timeout of a command; without it only what is `late` or `astray` is given up. */
    private readonly giveUpAfterMs?: number,
  ) {
    this.#faults = [...faults];
  }

  /** What becomes of the next calls, before all that was drawn. */
  next(faults: readonly Fault[]): void {
    this.#faults.unshift(...faults);
  }

  call<T>(what: string, run: () => Promise<T>): Promise<T> {
    const called = this.#call(what, run);
    const ms = this.giveUpAfterMs;
    if (ms === undefined) return called;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('timed out')), ms);
      called.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  async #call<T>(what: string, run: () => Promise<T>): Promise<T> {
    if (this.isCalm) return run();
    const given = this.isCut ? 'request' : (this.#faults.shift() ?? 'none');
    const isAstray = given === 'astray' || typeof given === 'number';
    const isGivenUp = given === 'late' || isAstray;
    const sent = typeof given === 'number' ? new Promise((resolve) => setTimeout(resolve, given)) : this.#asked;
    const asked = sent.then(() => this.#arrives(isGivenUp ? `${given}: ${what}` : what));
    if (!isAstray) this.#asked = asked;
    if (isGivenUp) {
      asked.then(run).catch(() => undefined);
      await this.#arrives(`gives up: ${what}`);
      throw new Error('timed out');
    }
    await asked;
    const answer = given === 'request' ? undefined : await run();
    await this.#arrives(`answered: ${what}`);
    if (given !== 'none') throw new Error('no answer');
    return answer as T;
  }

  #arrives(what: string): Promise<unknown> {
    return this.isCalm ? Promise.resolve() : this.s.schedule(Promise.resolve(), what);
  }
}
