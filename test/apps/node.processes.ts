// The processes of the test application: small workloads that write down what they do, each under the guard that the
// library offers for it. Which of them a node has is chosen by its environment.
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, type Type } from '@nestjs/common';
import { type OnProcessStart, type OnProcessStop, type ProcessContext, Singleton } from 'nestjs-foundation';
import { historyNow, type HistoryRecorder } from 'nestjs-foundation/testing';
import type { CrashMode, WriteOutcome } from '../support/node.protocol.js';

const TICK_MS = 20;
const WRITE_EVERY_MS = 100;
const SLOW_STOP_MS = 150;
const COMPLETES_AFTER_MS = 100;
const CRASHES_AFTER_MS = 50;
const JOB_MS = 20;
/** Of a node that its process ends. */
const EXIT_CODE = 7;

/** What the processes of this node share. */
@Injectable()
export class Journal {
  recorder: Pick<HistoryRecorder, 'record'> = { record: () => undefined };
  crash: CrashMode = 'none';
  /** The last context of each process, kept beyond its end to play the stale owner. */
  readonly contexts = new Map<string, ProcessContext>();

  /** Writes with `set`, and writes down how that went. */
  async write(name: string, epoch: number, set: () => Promise<void>): Promise<WriteOutcome> {
    const sentAt = historyNow();
    const outcome = await set().then(
      () => 'accepted' as const,
      (error: unknown) => (error instanceof Error ? error.name : String(error)),
    );
    this.recorder.record('test.fenced_write', { name, epoch, sentAt, accepted: outcome === 'accepted', outcome });
    return outcome;
  }
}

/** Acts every 20 ms while it is the owner, and makes fenced writes. */
@Injectable()
export class Ticking implements OnProcessStart {
  protected readonly tickMs: number = TICK_MS;
  protected readonly writeEveryMs: number = WRITE_EVERY_MS;

  constructor(protected readonly journal: Journal) {}

  onProcessStart(ctx: ProcessContext): void | Promise<void> {
    this.journal.contexts.set(ctx.name, ctx);
    ctx.run((signal) => this.#act(ctx, signal));
    ctx.run((signal) => this.#write(ctx, signal));
  }

  async #act(ctx: ProcessContext, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (ctx.isOwner()) this.journal.recorder.record('test.effect', { name: ctx.name, epoch: ctx.epoch });
      await delay(this.tickMs);
    }
  }

  async #write(ctx: ProcessContext, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.journal.write(ctx.name, ctx.epoch, () => ctx.fenced.set(ctx.name, ctx.node));
      await delay(this.writeEveryMs);
    }
  }
}

@Singleton({ name: 'steady' })
class Steady extends Ticking {}

@Singleton({ name: 'slow' })
class Slow extends Ticking implements OnProcessStop {
  async onProcessStop(): Promise<void> {
    await delay(SLOW_STOP_MS);
  }
}

@Singleton({ name: 'finite', restart: 'transient' })
class Finite extends Ticking {
  override onProcessStart(ctx: ProcessContext): void {
    void super.onProcessStart(ctx);
    ctx.run(async (signal) => {
      await delay(COMPLETES_AFTER_MS);
      if (!signal.aborted) ctx.complete();
    });
  }
}

@Singleton({ name: 'lasting', restart: 'transient' })
class Lasting extends Ticking {}

@Singleton({ name: 'once', restart: 'temporary' })
class Once extends Ticking {}

@Singleton({ name: 'fragile', maxRestarts: 3, maxSeconds: 60, backoff: { base: 50, cap: 400 } })
class Fragile extends Ticking {
  override onProcessStart(ctx: ProcessContext): void | Promise<void> {
    if (this.journal.crash === 'start') throw new Error('crashes in its start');
    if (this.journal.crash === 'exit') process.exit(EXIT_CODE);
    if (this.journal.crash === 'hang') return new Promise<void>(() => undefined);
    void super.onProcessStart(ctx);
    if (this.journal.crash !== 'run') return;
    ctx.run(async () => {
      await delay(CRASHES_AFTER_MS);
      throw new Error('crashes while it runs');
    });
  }
}

/** Waits long enough for its restart that a test can interfere. */
@Singleton({ name: 'patient', backoff: { base: 3000, cap: 3000 } })
class Patient extends Fragile {}

/** Not a process by itself: `startSingleton` makes one of it. */
@Injectable()
export class Extra extends Ticking {}

/** Completes as soon as it has started, or a moment later. */
@Injectable()
export class Job implements OnProcessStart {
  constructor(private readonly journal: Journal) {}

  onProcessStart(ctx: ProcessContext): void {
    this.journal.recorder.record('test.job_ran', { name: ctx.name, epoch: ctx.epoch });
    if (ctx.epoch % 2 === 0) return ctx.complete();
    ctx.run(async () => {
      await delay(JOB_MS);
      ctx.complete();
    });
  }
}

const NAMED: Readonly<Record<string, Type<object>>> = {
  steady: Steady,
  slow: Slow,
  finite: Finite,
  lasting: Lasting,
  once: Once,
  fragile: Fragile,
  patient: Patient,
};

/** Does nothing, so that what is measured is Foundation alone. */
@Injectable()
class Idle {}

/** The classes of a list such as `steady,slow`, `many:12` or `idle:1000`; `named` adds to the names. */
export function processClasses(list: string, named: Readonly<Record<string, Type<object>>> = {}): Type<object>[] {
  return list.split(',').flatMap((word) => {
    const [name = '', count] = word.split(':');
    if (name === 'many') return Array.from({ length: Number(count) }, (_, index) => oneOfMany(index + 1, Ticking));
    if (name === 'idle') return Array.from({ length: Number(count) }, (_, index) => oneOfMany(index + 1, Idle));
    const type = NAMED[name] ?? named[name];
    if (type === undefined) throw new Error(`No process "${name}" in the test application`);
    return [type];
  });
}

function oneOfMany(number: number, base: typeof Ticking | typeof Idle): Type<object> {
  const className = `Many${number}`;
  const type = { [className]: class extends (base as typeof Idle) {} }[className]!;
  Singleton({ name: `many-${number}` })(type);
  return type;
}
