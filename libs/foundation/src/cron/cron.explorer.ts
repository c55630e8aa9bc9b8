/**
 * Reads `@ClusterCron` methods into processes of the cluster, one for each job. Starts nothing.
 * Called by the declarations of the application.
 */
import type { Type } from '@nestjs/common';
import type { OwnedTicks } from '../backend/leases/ticks.js';
import type { ResolvedProcessDefaults } from '../config/config.js';
import { type Found, markedMethods, requireShared } from '../decorated.js';
import { DeclarationError } from '../errors/config.errors.js';
import { quoted, show } from '../errors/describe.js';
import { aroundMethod } from '../foreign.decorators.js';
import { isOptions } from '../foreign/given.options.js';
import type { KnownClass } from '../processes/declaration/process.explorer.js';
import { type ProcessSpec, specOf } from '../processes/declaration/process.specification.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { Clock } from '../time/clock.js';
import { isName } from '../wire/names.js';
import { CRON_METADATA, type CronMetadata, type CronRun } from './cron.decorator.js';
import { type CronPackage, loadCron } from './cron.package.js';
import { JobRunner } from './job.runner.js';
import { type JobSchedule, readSchedule, type ScheduleArgs, scheduleArgs } from './job.schedule.js';

/** So many jobs may an application have: each is a lease that is renewed. */
export const MAX_JOBS = 1000;

/** Before the name of a job: that of its process. */
export const JOB_PREFIX = 'cron:';

const OPTIONS = ['name', 'timeZone', 'missed', 'overlap'];

/** What runners need of this node. */
export interface CronParts {
  ticks: OwnedTicks;
  telemetry: Pick<Telemetry, 'emit'>;
  /** The arguments of a process as the cluster has them now. */
  argsOf(process: string): readonly unknown[] | undefined;
  /** Whether a class of this application is a process of that name. */
  isTaken(process: string): boolean;
  wallClock(): number;
  /** By which they wait. */
  clock?: Clock;
}

/** The jobs of an application as processes that it declares and can run. */
export interface ExploredJobs {
  specs: ProcessSpec[];
  classes: Map<string, KnownClass>;
}

interface DeclaredJob {
  subject: string;
  name: string;
  args: ScheduleArgs;
  call(run: CronRun): unknown;
}

/**
 * @throws DeclarationError for what is no expression, time zone, option or name, for a name that two have, and for a
 * class that is request-scoped or a process; MissingPackageError when `cron` is not installed.
 */
export async function exploreJobs(
  found: Found,
  isProcess: (type: Type) => boolean,
  defaults: ResolvedProcessDefaults,
  parts: CronParts,
): Promise<ExploredJobs> {
  const jobs = declaredJobs(found, isProcess);
  const [first] = jobs.values();
  if (first === undefined) return { specs: [], classes: new Map() };
  const cron = await loadCron(first.subject);
  const classes = new Map<string, KnownClass>();
  const specs = [...jobs.values()].map((job) => {
    const own = readSchedule(job.args, cron, parts.wallClock());
    if (typeof own === 'string')
      throw new DeclarationError(job.subject, own, 'See docs/guides/cron.md of nestjs-foundation.');
    const process = `${JOB_PREFIX}${job.name}`;
    if (parts.isTaken(process)) {
      const problem = `a process of this application is called ${quoted(process)}`;
      throw new DeclarationError(job.subject, problem, 'Give one of them another name.');
    }
    const schedule = scheduleOf(process, own, cron, parts);
    const create = (): object => new JobRunner({ ...parts, name: job.name, schedule, call: (run) => job.call(run) });
    classes.set(process, { type: JobRunner, create: () => Promise.resolve(create()) });
    return specOf(
      {
        subject: job.subject,
        type: process,
        declared: true,
        kind: 'singleton',
        count: 1,
        options: { name: process, restart: 'permanent' },
        args: [...job.args],
      },
      defaults,
    );
  });
  return { specs, classes };
}

/** By name. */
function declaredJobs(found: Found, isProcess: (type: Type) => boolean): Map<string, DeclaredJob> {
  requireShared(found, '@ClusterCron', (type) => markedMethods(type, CRON_METADATA).length > 0);
  const jobs = new Map<string, DeclaredJob>();
  const processes = found.classes.filter(({ type }) => isProcess(type));
  for (const { type, instance } of [
    ...processes.map((each) => ({ ...each, instance: undefined })),
    ...found.instances,
  ]) {
    for (const { method, metadata } of markedMethods<CronMetadata>(type, CRON_METADATA)) {
      const job = jobOf(type, method, metadata, (run) => (instance as Called)[method]!(run));
      if (isProcess(type)) {
        const advice = 'Use @Cron of @nestjs/schedule here, or move the method to a class that is no process.';
        throw new DeclarationError(
          job.subject,
          `the class ${type.name} is a process, which has an owner of its own`,
          advice,
        );
      }
      const around = aroundMethod(type, method);
      if (around !== undefined) {
        const advice = 'Let the method call another one that has it: a call, or a request.';
        throw new DeclarationError(job.subject, `it has ${around}, which is for requests, calls and messages`, advice);
      }
      const other = jobs.get(job.name);
      if (other !== undefined) {
        const whose = other.subject === job.subject ? 'the class is provided twice' : `${other.subject} has it, too`;
        throw new DeclarationError(
          job.subject,
          `its name ${quoted(job.name)} is taken: ${whose}`,
          'Give it another name.',
        );
      }
      jobs.set(job.name, job);
    }
  }
  const beyond = [...jobs.values()][MAX_JOBS];
  if (beyond !== undefined) {
    throw new DeclarationError(beyond.subject, `an application has at most ${MAX_JOBS} such jobs`, 'Let one do more.');
  }
  return jobs;
}

type Called = Record<string, (run: CronRun) => unknown>;

function jobOf(
  type: Type,
  method: string,
  { expression, options }: CronMetadata,
  call: DeclaredJob['call'],
): DeclaredJob {
  const subject = `@ClusterCron of ${type.name}.${method}`;
  if (!isOptions(options)) throw new DeclarationError(subject, `${show(options)} are no options`, 'Give it an object.');
  const unknown = Object.keys(options).find((key) => !OPTIONS.includes(key));
  if (unknown !== undefined) {
    throw new DeclarationError(subject, `it knows no option ${quoted(unknown)}`, `It has ${OPTIONS.join(', ')}.`);
  }
  const name: unknown = options.name ?? `${type.name}.${method}`;
  if (typeof name === 'string' && name !== '' && isName(`${JOB_PREFIX}${name}`)) {
    return { subject, name, args: scheduleArgs(expression, options), call };
  }
  throw new DeclarationError(subject, `${show(name)} is no name`, 'Give it 1 to 195 characters in one line.');
}

/**
 * What the cluster has agreed about, which during a rolling release may be another schedule than this node's own. What
 * cannot be read there counts as this node's own.
 */
function scheduleOf(process: string, own: JobSchedule, cron: CronPackage, parts: CronParts): () => JobSchedule {
  let [known, schedule]: [readonly unknown[] | undefined, JobSchedule] = [undefined, own];
  return () => {
    const args = parts.argsOf(process);
    if (args !== undefined && args !== known) {
      const read = readSchedule(args, cron, parts.wallClock());
      [known, schedule] = [args, typeof read === 'string' ? own : read];
    }
    return schedule;
  };
}
