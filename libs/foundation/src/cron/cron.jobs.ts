/**
 * The facade over cluster-wide cron jobs: what there is, when it ran and runs next, and a way to run it now.
 * Used by the application, the dashboard and the command line. Underneath: processes, and their records in Redis.
 */
import { Injectable } from '@nestjs/common';
import type { Ticks } from '../backend/leases/ticks.js';
import type { CallRouter } from '../calls/call.router.js';
import type { IssuedCommands } from '../context/actor.js';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { UnknownProcessError } from '../errors/process.errors.js';
import { inRedis } from '../errors/refusal.js';
import type { ProcessFinder } from '../processes/process.finder.js';
import type { ProcessState } from '../processes/process.ref.js';
import type { ProcessTable } from '../processes/table/process.table.js';
import { type Clock, clockOf } from '../time/clock.js';
import { isName } from '../wire/names.js';
import { JOB_PREFIX } from './cron.explorer.js';
import { type JobCounts, type JobRun, type MissedSpan, readRecord } from './job.record.js';
import type { RunAnswer } from './job.runner.js';

export type { JobCounts, JobRun, MissedSpan, RunAnswer };

/** A job, as `list()` has it. Times are milliseconds since 1970. */
export interface CronJobInfo {
  /** Without the `cron:` of its process. */
  name: string;
  expression: string;
  timeZone: string;
  missed: string;
  overlap: string;
  /** That of its process. */
  state: ProcessState;
  /** The owner, if there is one. */
  node?: string;
  /** The next time, as the owner saw it last. */
  next?: number;
  /** The run that goes on; of an owner that has died until the next one has taken over. */
  run?: JobRun;
  /** The last run that has ended. */
  last?: JobRun;
  /** A time that waits for the run before. */
  waiting?: number;
  /** The last times that were missed. */
  lastMissed?: MissedSpan;
  /** Since the record began; it is forgotten 30 days after the last owner. */
  counts: JobCounts;
}

/** What the facade is made of. */
export interface CronJobsParts {
  ticks: Ticks;
  table: Pick<ProcessTable, 'get'>;
  finder: Pick<ProcessFinder, 'list'>;
  calls: Pick<CallRouter, 'call'>;
  /** Of Redis, for errors. */
  endpoint: string;
  clock?: Clock;
  commands: Pick<IssuedCommands, 'issued'>;
}

const NONE: JobCounts = { fired: 0, failed: 0, missed: 0, skipped: 0, interrupted: 0 };

/** Injectable. The jobs of {@link ClusterCron}, from any node. */
@Injectable()
export class CronJobs {
  readonly #parts: CronJobsParts;

  /** @internal Made by Foundation. */
  constructor(parts: CronJobsParts) {
    this.#parts = parts;
  }

  /**
   * Every job that the cluster knows, by name.
   *
   * Underneath: this node's copy of `…:processes`, who owns them, and `HGET …:cron:<name> record`, many in one call.
   */
  async list(): Promise<CronJobInfo[]> {
    const { ticks, table, finder, endpoint } = this.#parts;
    const processes = await finder.list((known) => known.filter(({ name }) => name.startsWith(JOB_PREFIX)));
    const names = processes.map(({ name }) => name.slice(JOB_PREFIX.length));
    const records = await inRedis(endpoint, 'listing cron jobs', () => ticks.read(names));
    const now = clockOf(this.#parts).wall();
    return processes.map(({ name: process, state, node }, index): CronJobInfo => {
      const record = readRecord(records[index] ?? '', now);
      const [expression, timeZone, missed, overlap] = table.get(process)?.args ?? [];
      const { next, run, last, waiting, missed: lastMissed, counts = NONE } = record ?? {};
      return {
        name: names[index]!,
        expression: textOf(expression),
        timeZone: textOf(timeZone),
        missed: textOf(missed),
        overlap: textOf(overlap),
        state,
        ...(node === undefined ? {} : { node }),
        ...(next === undefined ? {} : { next }),
        ...(run === undefined ? {} : { run }),
        ...(last === undefined ? {} : { last }),
        ...(waiting === undefined ? {} : { waiting }),
        ...(lastMissed === undefined ? {} : { lastMissed }),
        counts,
      };
    });
  }

  /**
   * Runs a job once, now, on the node that owns it, beside its times; resolves when it has begun, or with what its
   * `overlap` says when it runs already.
   *
   * Underneath: a call to the process `cron:<name>`.
   *
   * @throws ArgumentError, `UnknownProcessError`, and the errors of a call while no node owns the job.
   */
  async runNow(name: string): Promise<RunAnswer> {
    const process = typeof name === 'string' ? `${JOB_PREFIX}${name}` : undefined;
    if (!isName(process)) throw new ArgumentError('runNow', 'name', show(name), 'the name of a job');
    if (this.#parts.table.get(process) === undefined) {
      const known = (await this.list()).map((job) => job.name);
      throw new UnknownProcessError(process, known, name);
    }
    const answer = (await this.#parts.calls.call({ name: process }, 'runNow', [])) as RunAnswer;
    if (answer !== 'skipped') this.#parts.commands.issued('run', { process });
    return answer;
  }
}

/** A row is what any client may have written. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '?';
}
