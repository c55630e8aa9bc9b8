// The processes of the random test: each counts the calls it carries out, leaves its count to the next instance on a
// planned move, and writes both down. One class for each way to be owned: a singleton, a transient one, replicas,
// partitions.
import { setTimeout as delay } from 'node:timers/promises';
import type { Type } from '@nestjs/common';
import { Callable, Partitioned, type ProcessContext, Replicated, Singleton } from 'nestjs-foundation';
import { Ticking } from './node.processes.js';

/** What `count` answers. */
export interface Counted {
  epoch: number;
  value: number;
}

/** What an instance leaves to the next one. */
interface Left extends Counted {
  id: string;
}

/** Crashes are part of the test and must not end in an escalation. */
const RESTLESS = { maxRestarts: 10_000, maxSeconds: 60, backoff: { base: 50, cap: 400 }, handoff: true };

class Counter extends Ticking {
  protected override readonly tickMs = 50;
  protected override readonly writeEveryMs = 250;
  #ctx!: ProcessContext;
  #value = 0;

  override onProcessStart(ctx: ProcessContext): void {
    this.#ctx = ctx;
    const left = ctx.handoff as Left | undefined;
    if (left !== undefined) {
      this.#value = left.value;
      const { id, epoch: from, value } = left;
      this.journal.recorder.record('test.handoff_taken', { name: ctx.name, epoch: ctx.epoch, id, from, value });
    }
    void super.onProcessStart(ctx);
  }

  onHandoff(): Left {
    const { name, epoch } = this.#ctx;
    const left = { id: `${name} ${epoch}`, epoch, value: this.#value };
    this.journal.recorder.record('test.handoff_left', { name, ...left });
    return left;
  }

  @Callable()
  count(id: string, takesMs: number): Promise<Counted> {
    return this.#count(id, takesMs);
  }

  @Callable({ idempotent: true })
  countAgain(id: string, takesMs: number): Promise<Counted> {
    return this.#count(id, takesMs);
  }

  async #count(id: string, takesMs: number): Promise<Counted> {
    const { name, epoch } = this.#ctx;
    const value = ++this.#value;
    this.journal.recorder.record('test.call_run', { name, id, epoch, value });
    if (takesMs > 0) await delay(takesMs);
    this.journal.recorder.record('test.call_ran', { name, id, epoch });
    return { epoch, value };
  }
}

@Singleton({ name: 'ledger', ...RESTLESS })
class Ledger extends Counter {}

@Singleton({ name: 'mail', ...RESTLESS, rebalance: 'on-join' })
class Mail extends Counter {}

/** Stays down once it has completed. */
@Singleton({ name: 'import', ...RESTLESS, restart: 'transient' })
class Import extends Counter {}

@Replicated({ name: 'trio', replicas: 3, ...RESTLESS })
class Trio extends Counter {}

@Partitioned({ name: 'shard', partitions: 4, ...RESTLESS })
class Shard extends Counter {}

/** By the name of the process. */
export const COUNTERS: Readonly<Record<string, Type<Counter>>> = {
  ledger: Ledger,
  mail: Mail,
  import: Import,
  trio: Trio,
  shard: Shard,
};

export type CounterCalls = Pick<Counter, 'count' | 'countAgain'>;
