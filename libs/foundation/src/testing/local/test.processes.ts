/**
 * What a test does to the processes of its application. Provided by `FoundationTestingModule`; underneath the
 * supervisor
 * of the node.
 */
import { Injectable } from '@nestjs/common';
import { processOf } from '../../cluster/slot.names.js';
import { ArgumentError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import type { NodeParts } from '../../node.parts.js';
import { nameOf, type ProcessTarget } from '../../processes/declaration/process.target.js';
import type { Instance } from '../../processes/instance/instance.js';
import type { ManualTimers } from './manual.timers.js';

/** Enough to see what there is. */
const SHOWN = 20;

/** Injectable. The processes of the application under test: the object that runs, and what may happen to it. */
@Injectable()
export class TestProcesses {
  readonly #parts: Promise<NodeParts>;
  readonly #clock: Pick<ManualTimers, 'settle'>;

  /** @internal Made by `FoundationTestingModule`. */
  constructor(parts: Promise<NodeParts>, clock: Pick<ManualTimers, 'settle'>) {
    this.#parts = parts;
    this.#clock = clock;
  }

  /**
   * The object that runs, itself and not calls to it; of several the first, or the one that is
   * named, such as `Accounts/3` or `Thumbnails#0`.
   *
   * @throws ArgumentError when it does not run now.
   */
  async instance<T extends object>(target: ProcessTarget<T>): Promise<T> {
    return (await this.#running(target)).target as T;
  }

  /**
   * Lets it crash as by `ctx.fail(error)`, and waits for its end; the restart comes with the backoff, when the
   * clock is
   * moved.
   *
   * @throws ArgumentError when it does not run now, and for what is no `Error`.
   */
  async crash(target: ProcessTarget, error: Error = new Error('a test let it crash')): Promise<void> {
    if (!(error instanceof Error)) throw new ArgumentError('TestProcesses.crash', 'error', show(error), 'an Error');
    (await this.#running(target)).crash(error);
    await this.#clock.settle();
  }

  /**
   * Takes its lease away, as when this node was cut off from Redis: its signal aborts at once, and it runs again when
   * it has stopped, or after `lease.ttl`.
   *
   * @throws ArgumentError when it does not run now.
   */
  async loseLease(target: ProcessTarget): Promise<void> {
    (await this.#running(target)).lease.abandon();
    await this.#clock.settle();
  }

  async #running(target: ProcessTarget): Promise<Instance> {
    const { supervisor } = await this.#parts;
    const name = nameOf(target);
    const running = supervisor.hosted().filter((each) => supervisor.running(each.name) !== undefined);
    const found = running.find((each) => each.name === name) ?? running.find((each) => processOf(each.name) === name);
    const instance = found && supervisor.running(found.name);
    if (instance !== undefined) return instance;
    const names = running.slice(0, SHOWN).map((each) => each.name);
    const expected = `a process that runs now: ${names.length === 0 ? 'none does' : names.join(', ')}`;
    throw new ArgumentError('TestProcesses', 'target', show(name), expected);
  }
}
