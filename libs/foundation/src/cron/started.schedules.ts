/**
 * `@Cron`, `@Interval` and `@Timeout` of @nestjs/schedule, and `@OnEvent` of @nestjs/event-emitter, in process classes:
 * they act on the instance that is started, as long as it runs. Called by the declarations of the application.
 */
import type { Type } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import { afresh } from '../context/fresh.js';
import { markedMethods } from '../decorated.js';
import { describe, read, show } from '../errors/describe.js';
import { ProcessDeclarationError } from '../errors/process.errors.js';
import { Gate, unattended } from '../foreign/gate.js';
import { Log } from '../logging/log.js';
import { metadataOf } from '../processes/declaration/process.decorators.js';
import type { Instance } from '../processes/instance/instance.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { type Clock, machineClock } from '../time/clock.js';
import { LONGEST_TIMER_MS } from '../time/duration.js';
import { type CronPackage, loadCron } from './cron.package.js';
import { TickTimes } from './tick.times.js';

/** The keys of the metadata, which the packages do not export. Values as of @nestjs/schedule 5 to 12. */
const SCHEDULER = 'SCHEDULER_TYPE';
const KINDS = { 1: '@Cron', 2: '@Timeout', 3: '@Interval' } as const;
const CRON_OPTIONS = 'SCHEDULE_CRON_OPTIONS';
const TIMES = { 2: 'SCHEDULE_TIMEOUT_OPTIONS', 3: 'SCHEDULE_INTERVAL_OPTIONS' } as const;
const EVENT = 'EVENT_LISTENER_METADATA';

type CronJobOptions = Parameters<CronPackage['CronJob']['from']>[0] & { disabled?: boolean; initialDelay?: number };

/** What a decorator left on a method. */
interface Schedule {
  method: string;
  kind: 1 | 2 | 3;
  options: CronJobOptions & { timeout?: unknown };
}

interface Heard {
  event: unknown;
  options?: { suppressErrors?: boolean; prependListener?: boolean };
}

type Listen = (event: unknown, listener: Method, options: object) => { off(): unknown };
type Method = (...args: unknown[]) => unknown;

/** What of the application decides about schedules. */
interface Surroundings {
  /** Of `ScheduleModule.forRoot()`, where that is imported. */
  switches: { cronJobs?: boolean; intervals?: boolean; timeouts?: boolean };
  /** `EventEmitter2`, where its module is imported. */
  emitter: { on: Listen; prependListener: Listen } | undefined;
}

/** See the file header. */
export class StartedSchedules {
  readonly #gate: Gate;
  readonly #log = new Log();
  #cron: CronPackage | undefined;
  #around: Surroundings = { switches: {}, emitter: undefined };

  constructor(
    telemetry: Pick<Telemetry, 'emit'>,
    private readonly discovery: DiscoveryService,
    private readonly clock: Clock = machineClock,
  ) {
    this.#gate = new Gate(telemetry);
  }

  /**
   * Looks at what these process classes have, before anything of them starts.
   *
   * @throws ProcessDeclarationError for a time that is none, and for `@OnEvent` where it would hear part of what is
   * emitted; MissingPackageError when `@Cron` is used and `cron` is not there.
   */
  async check(types: Iterable<Type<object>>): Promise<void> {
    this.#around = { switches: this.#switches(), emitter: this.#emitter() };
    for (const type of types) {
      this.#checkEvents(type);
      for (const schedule of schedulesOf(type)) await this.#checkSchedule(type, schedule);
    }
  }

  /**
   * Arms what the class of an instance has; returns what disarms it.
   *
   * INVARIANT (I1): what fires is user code of the instance. So nothing begins for one that ends or whose lease is not
   * held, whatever its timer says, and its end waits for what is under way, as for calls.
   */
  arm(target: object, instance: Instance): () => void {
    const type = target.constructor as Type<object>;
    // Of a class that is no process Nest's own instance acts, as ever; it may be started by a call all the same.
    if (metadataOf(type) === undefined) return nothing;
    const methods = target as Record<string, Method>;
    const run = (method: string, args: unknown[]): Promise<unknown> => {
      if (instance.target !== target) return Promise.resolve();
      const running = afresh(() => instance.call(() => methods[method]!(...args)));
      this.clock.underWay(running);
      return running;
    };
    const fire = ({ method, kind }: Schedule): Promise<void> =>
      run(method, []).then(
        () => undefined,
        (error: unknown) => this.#gate.failed(`${KINDS[kind]} of ${type.name}.${method}`, error),
      );
    const ends = schedulesOf(type).map((schedule) => this.#armOne(type, schedule, () => fire(schedule)));
    for (const { method, metadata } of markedMethods<Heard[]>(type, EVENT)) {
      for (const heard of metadata) ends.push(this.#listen(type, method, heard, (args) => run(method, args)));
    }
    return () => ends.forEach((end) => end());
  }

  #armOne(type: Type, { kind, method, options }: Schedule, fire: () => Promise<void>): () => void {
    const { cronJobs = true, intervals = true, timeouts = true } = this.#around.switches;
    if (kind === 1) return cronJobs ? this.#armCron(`${type.name}.${method}`, options, fire) : nothing;
    if (!(kind === 2 ? timeouts : intervals)) return nothing;
    const tick = (): void => unattended('a schedule of a process', fire());
    const ms = options.timeout as number;
    return kind === 2 ? this.#after(ms, tick) : this.#each(() => Math.max(1, ms), tick);
  }

  /** As `SchedulerOrchestrator.mountCron` of @nestjs/schedule does it. */
  #armCron(where: string, options: CronJobOptions, fire: () => Promise<void>): () => void {
    const { disabled = false, initialDelay = 0, ...rest } = options;
    if (disabled) return nothing;
    try {
      const begin = this.clock === machineClock ? this.#byJob(rest, fire) : this.#byClock(rest, fire);
      if (initialDelay <= 0) return begin();
      let end: () => void = nothing;
      const cancel = this.#after(initialDelay, () => (end = begin()));
      return () => {
        cancel();
        end();
      };
    } catch (error) {
      // A date that has passed is an error of the package; the instance of another day was not told so.
      this.#log.warn('@Cron of {where} does not fire: {error}', { where, error: describe(error) });
      return nothing;
    }
  }

  /** As @nestjs/schedule does it. */
  #byJob(options: CronJobOptions, fire: () => Promise<void>): () => () => void {
    const job = this.#cron!.CronJob.from({ ...options, onTick: fire, start: false });
    return () => {
      job.start();
      return () => unattended('stopping a schedule', Promise.resolve(job.stop()));
    };
  }

  /** The jobs of the package know no clock but that of the machine; its times do. */
  #byClock(options: CronJobOptions, fire: () => Promise<void>): () => () => void {
    const untilNext = waitsOf(options, this.#cron!, this.clock.wall);
    const { waitForCompletion = false } = options;
    let isRunning = false;
    const tick = (): void => {
      if (waitForCompletion && isRunning) return;
      isRunning = true;
      unattended(
        'a schedule of a process',
        fire().finally(() => (isRunning = false)),
      );
    };
    return () => this.#each(untilNext, tick);
  }

  #after(ms: number, work: () => void): () => void {
    const timer = this.clock.setTimeout(work, ms);
    return () => this.clock.clearTimeout(timer);
  }

  /** Again and again; not any more when there is no time to wait for. */
  #each(untilNext: () => number | undefined, work: () => void): () => void {
    let cancel: () => void = nothing;
    const arm = (): void => {
      const ms = untilNext();
      if (ms === undefined) return;
      cancel = this.#after(ms, () => {
        arm();
        work();
      });
    };
    arm();
    return () => cancel();
  }

  #listen(
    type: Type,
    method: string,
    { event, options = {} }: Heard,
    run: (args: unknown[]) => Promise<unknown>,
  ): () => void {
    const emitter = this.#around.emitter;
    if (emitter === undefined) return nothing;
    const { suppressErrors = true, prependListener = false } = options;
    const listener = (...args: unknown[]): Promise<unknown> =>
      run(args).catch((error: unknown) => {
        if (!suppressErrors) throw error;
        this.#gate.failed(`@OnEvent of ${type.name}.${method}`, error);
      });
    const listen = (prependListener ? emitter.prependListener : emitter.on).bind(emitter);
    const listening = listen(event, listener, { ...options, objectify: true });
    return () => void listening.off();
  }

  async #checkSchedule(type: Type, { method, kind, options }: Schedule): Promise<void> {
    const subject = `class ${type.name}`;
    if (kind !== 1) {
      const { timeout } = options;
      if (typeof timeout === 'number' && timeout >= 0 && timeout <= LONGEST_TIMER_MS) return;
      const problem = `${KINDS[kind]} of its method ${method} waits ${show(timeout)}, which no timer can`;
      throw new ProcessDeclarationError(subject, problem, `Give it 0 to ${LONGEST_TIMER_MS} milliseconds.`);
    }
    this.#cron ??= await loadCron(`@Cron of ${type.name}.${method}`);
    const { cronTime, timeZone = null, utcOffset = null } = options;
    try {
      const from = this.#cron.CronTime as new (time: unknown, zone: unknown, offset: unknown) => unknown;
      new from(cronTime, timeZone, utcOffset);
    } catch (error) {
      const problem = `@Cron of its method ${method} has a time that is none (${describe(error)})`;
      throw new ProcessDeclarationError(subject, problem, 'Write a cron expression, and a time zone that exists.');
    }
  }

  #checkEvents(type: Type<object>): void {
    const [heard] = markedMethods(type, EVENT);
    if (heard === undefined) return;
    const { kind, count } = metadataOf(type) ?? {};
    if (count !== 'all') {
      const problem =
        `its method ${heard.method} has @OnEvent of @nestjs/event-emitter, which would hear what its own node emits, and a ` +
        `${kind} process runs on one node only`;
      throw new ProcessDeclarationError(
        `class ${type.name}`,
        problem,
        'Broadcast on a channel, and take it with @Channel().',
      );
    }
    if (this.#around.emitter !== undefined) return;
    const problem = `its method ${heard.method} has @OnEvent of @nestjs/event-emitter, and the application has no emitter`;
    throw new ProcessDeclarationError(`class ${type.name}`, problem, 'Import EventEmitterModule.forRoot().');
  }

  #switches(): Surroundings['switches'] {
    const found = this.discovery.getProviders().find(({ token }) => token === 'SCHEDULE_MODULE_OPTIONS');
    return (found?.instance as Surroundings['switches'] | undefined) ?? {};
  }

  /** By its module, since the class has another name than it is exported by. */
  #emitter(): Surroundings['emitter'] {
    const found = this.discovery
      .getProviders()
      .find(
        ({ host, instance }) =>
          host?.metatype?.name === 'EventEmitterModule' && typeof read(instance, 'prependListener') === 'function',
      );
    return found?.instance as Surroundings['emitter'];
  }
}

const nothing = (): void => undefined;

/** How long it is until the next time of a `@Cron`, each time it is asked; `undefined` when there is none any more. */
function waitsOf(options: CronJobOptions, { CronTime }: CronPackage, wall: () => number): () => number | undefined {
  const { timeZone, utcOffset } = options as { timeZone?: string | null; utcOffset?: number | null };
  const from = CronTime as new (time: unknown, zone: unknown, offset: unknown) => InstanceType<typeof CronTime>;
  const time = new from(options.cronTime, timeZone ?? null, utcOffset ?? null);
  const zone = timeZone ?? (utcOffset == null ? undefined : zoneOf(utcOffset));
  if (!time.realDate) {
    const times = new TickTimes(time, zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone);
    return () => times.next(wall()) - wall();
  }
  // A date comes once.
  const at = Number(time.source);
  if (at < wall()) throw new Error('Date in past. Will never be fired.');
  let isOver = false;
  return () => {
    const ms = isOver ? undefined : at - wall();
    isOver = true;
    return ms;
  };
}

/** `UTC+05:30` for 330 minutes. */
function zoneOf(minutes: number): string {
  const of = (value: number): string => String(Math.trunc(Math.abs(value))).padStart(2, '0');
  return `UTC${minutes < 0 ? '-' : '+'}${of(minutes / 60)}:${of(minutes % 60)}`;
}

/** The schedules of a class, inherited ones included. */
function schedulesOf(type: Type<object>): Schedule[] {
  return markedMethods<unknown>(type, SCHEDULER).flatMap(({ method, metadata: kind }): Schedule[] => {
    if (kind !== 1 && kind !== 2 && kind !== 3) return [];
    const target = (type.prototype as Record<string, object>)[method]!;
    const options: unknown = Reflect.getMetadata(kind === 1 ? CRON_OPTIONS : TIMES[kind], target);
    return [{ method, kind, options: { ...(options as object | undefined) } as Schedule['options'] }];
  });
}
