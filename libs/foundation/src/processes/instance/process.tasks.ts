/**
 * What one process runs beside its hooks: tasks of `ctx.run`, and calls. Its end waits for them.
 * Made by the instance, and by the context of unit tests.
 */
import { ArgumentError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import { LimitError } from '../../errors/limit.errors.js';
import { ThrottledLog } from '../../logging/throttled.log.js';

/** So many tasks of `ctx.run` and calls may be under way in one instance. */
export const MAX_TASKS = 100_000;

/** One for all, so that a timer of each of many processes does not cost each of them one. */
const log = new ThrottledLog();

/** Whose tasks they are. */
export interface TaskOwner {
  readonly name: string;
  readonly signal: AbortSignal;
  /** Calls user code that nothing but the process waits for. */
  hook(work: () => Promise<void>): Promise<void>;
  crash(error: unknown): void;
}

/** See the file header. */
export class ProcessTasks {
  readonly underWay = new Set<Promise<void>>();
  #isOver = false;

  constructor(private readonly owner: TaskOwner) {}

  /** See `ProcessContext.run`. */
  run(task: (signal: AbortSignal) => Promise<void>): void {
    const { name, signal } = this.owner;
    if (typeof task !== 'function') throw new ArgumentError('ctx.run', 'task', show(task), 'a function');
    if (this.underWay.size >= MAX_TASKS) throw new LimitError('ctx.run', `tasks of "${name}"`, MAX_TASKS);
    // INVARIANT (I1): a timer that the process forgot would begin it beside the next owner; an error thrown in there
    // would end the node.
    if (this.#isOver) {
      log.warn('Process "{process}" has ended, so a task of ctx.run was not begun', { process: name }, name);
      return;
    }
    const running: Promise<void> = Promise.resolve()
      .then(async () => void (await this.owner.hook(() => task(signal))))
      .catch((error: unknown) => {
        // After the abort a rejection is the ordinary way out of an await that heeds the signal.
        if (!signal.aborted) this.owner.crash(error);
      })
      .finally(() => this.underWay.delete(running));
    this.underWay.add(running);
  }

  /** Resolves when nothing is under way: tasks may begin others while they end. */
  async settled(): Promise<void> {
    while (this.underWay.size > 0) await Promise.allSettled(this.underWay);
  }

  /** Nothing waits any more for what would begin. */
  end(): void {
    this.#isOver = true;
  }
}
