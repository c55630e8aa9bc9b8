// One owner of a job after the other, over ticks in memory, by a clock that the test sets.
import { afterAll, afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { CronJob, CronTime } from 'cron';
import { LocalTicks } from '../backend/leases/local.ticks.js';
import type { Ticks } from '../backend/leases/ticks.js';
import type { ProcessContext } from '../processes/declaration/process.context.js';
import type { FoundationEventName } from '../telemetry/events.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { eventually } from '../testing/eventually.js';
import type { ClusterCronOptions, CronRun } from './cron.decorator.js';
import { type JobRecord, readRecord } from './job.record.js';
import { JobRunner } from './job.runner.js';
import { type JobSchedule, readSchedule, scheduleArgs } from './job.schedule.js';

const cron = { CronJob, CronTime };

/** A node that owns the job, as an instance sees it. */
class Owner {
  readonly abort = new AbortController();
  readonly tasks: Promise<void>[] = [];
  readonly runner: JobRunner;
  isOwner = true;

  constructor(world: World, epoch: number) {
    this.runner = new JobRunner({
      name: 'close',
      schedule: () => world.schedule,
      call: (run) => world.call(run),
      ticks: world.ticks,
      telemetry: world.telemetry,
      wallClock: () => world.now(),
    });
    this.runner.onProcessStart({
      node: `n${epoch}`,
      epoch,
      signal: this.abort.signal,
      isOwner: () => this.isOwner,
      run: (task: (signal: AbortSignal) => Promise<void>) => void this.tasks.push(task(this.abort.signal)),
    } as unknown as ProcessContext);
  }

  /** As a stop: what runs is waited for. */
  async stop(): Promise<void> {
    this.isOwner = false;
    this.abort.abort(new Error('stopped'));
    for (let waited = 0; waited < this.tasks.length; waited = this.tasks.length) await Promise.all(this.tasks);
  }

  /** As a death: nothing of it is heard any more. */
  die(): void {
    this.isOwner = false;
    this.abort.abort(new Error('dead'));
  }
}

class World {
  readonly telemetry = new Telemetry();
  readonly events: [FoundationEventName, Record<string, unknown>][] = [];
  readonly runs: CronRun[] = [];
  offset = 0;
  schedule: JobSchedule;
  ticks: Pick<Ticks, 'open' | 'write' | 'read'>;
  work: (run: CronRun) => unknown = () => undefined;
  readonly owners: Owner[] = [];
  #epoch = 0;

  constructor(expression: string, options: ClusterCronOptions, at: string) {
    this.set(at);
    this.schedule = this.scheduleOf(expression, options);
    this.ticks = new LocalTicks(() => this.now());
    this.telemetry.attach('cron.*', (event, payload) => this.events.push([event, payload]));
  }

  scheduleOf(expression: string, options: ClusterCronOptions = {}): JobSchedule {
    const schedule = readSchedule(scheduleArgs(expression, { timeZone: 'UTC', ...options }), cron, this.now());
    if (typeof schedule === 'string') throw new Error(schedule);
    return schedule;
  }

  now(): number {
    return Date.now() + this.offset;
  }

  set(at: string): void {
    this.offset = Date.parse(at) - Date.now();
  }

  own(): Owner {
    const owner = new Owner(this, (this.#epoch += 1));
    this.owners.push(owner);
    return owner;
  }

  call(run: CronRun): unknown {
    this.runs.push(run);
    return this.work(run);
  }

  async record(): Promise<JobRecord | undefined> {
    return readRecord((await this.ticks.read(['close']))[0]!, this.now());
  }

  /** The times that runs were for, and why. */
  get fired(): string[] {
    return this.runs.map(({ scheduledAt, cause }) => `${scheduledAt.toISOString().slice(11, 19)} ${cause}`);
  }

  of(event: FoundationEventName): Record<string, unknown>[] {
    return this.events.filter(([name]) => name === event).map(([, payload]) => payload);
  }
}

let world: World;
const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
beforeEach(() => void warned.mockClear());
afterAll(() => warned.mockRestore());
afterEach(async () => {
  for (const owner of world.owners) owner.die();
  await Promise.all(world.owners.flatMap((owner) => owner.tasks.map((task) => task.catch(() => undefined))));
});

const until = (met: () => boolean | Promise<boolean>): Promise<unknown> =>
  eventually(met, { timeout: 20_000, lastSeen: () => ({ fired: world.fired, events: world.events }) });

describe('a job', () => {
  it('runs at its time, and what became of it is kept', async () => {
    world = new World('0 3 * * *', {}, '2026-05-01T02:59:59.700Z');
    world.own();
    await until(async () => (await world.record())?.last !== undefined);
    expect(world.fired).toEqual(['03:00:00 tick']);
    expect(await world.record()).toMatchObject({
      next: Date.parse('2026-05-02T03:00:00Z'),
      last: { scheduled: Date.parse('2026-05-01T03:00:00Z'), outcome: 'done', node: 'n1', epoch: 1 },
      counts: { fired: 1, failed: 0, missed: 0 },
    });
    expect(world.of('cron.ended')).toEqual([expect.objectContaining({ job: 'close', outcome: 'done' })]);
  });

  it('has no times before it was there', async () => {
    world = new World('0 3 * * *', { missed: 'run-once' }, '2026-05-01T12:00:00Z');
    world.own();
    await until(async () => (await world.record())?.next !== undefined);
    expect(world.runs).toEqual([]);
    expect(world.of('cron.missed')).toEqual([]);
  });

  it('that throws is kept as failed, and runs at its next time', async () => {
    world = new World('* * * * * *', {}, '2026-05-01T03:00:00Z');
    world.work = () => {
      throw new Error('no money');
    };
    world.own();
    await until(() => world.runs.length >= 2);
    expect(world.of('cron.ended')[0]).toMatchObject({ outcome: 'failed', error: 'no money' });
    await until(async () => ((await world.record())?.counts.failed ?? 0) >= 2);
    expect((await world.record())?.last).toMatchObject({ outcome: 'failed', error: 'no money' });
  });

  it('is run by hand, and keeps its times', async () => {
    world = new World('0 3 * * *', {}, '2026-05-01T12:00:00Z');
    const owner = world.own();
    await until(async () => (await world.record())?.next !== undefined);
    expect(await owner.runner.runNow()).toBe('started');
    await until(async () => (await world.record())?.last?.cause === 'manual');
    expect((await world.record())?.next).toBe(Date.parse('2026-05-02T03:00:00Z'));
  });
});

describe('a time', () => {
  it('that the owner before has fired is not fired again, by a node whose clock is behind', async () => {
    world = new World('0 * * * *', {}, '2026-05-01T02:59:59.800Z');
    const first = world.own();
    await until(async () => (await world.record())?.last !== undefined);
    await first.stop();
    world.set('2026-05-01T02:59:59.900Z');
    world.own();
    await until(() => world.now() > Date.parse('2026-05-01T03:00:00.300Z'));
    expect(world.fired).toEqual(['03:00:00 tick']);
    expect((await world.record())?.next).toBe(Date.parse('2026-05-01T04:00:00Z'));
  });

  it('that nobody could run is missed, and reported once', async () => {
    world = new World('0 * * * *', {}, '2026-05-01T02:59:59.800Z');
    const first = world.own();
    await until(async () => (await world.record())?.last !== undefined);
    await first.stop();
    world.set('2026-05-01T06:30:00Z');
    const second = world.own();
    await until(() => world.of('cron.missed').length > 0);
    expect(world.of('cron.missed')).toEqual([
      expect.objectContaining({
        count: 3,
        first: Date.parse('2026-05-01T04:00:00Z'),
        last: Date.parse('2026-05-01T06:00:00Z'),
        caughtUp: false,
      }),
    ]);
    await second.stop();
    world.own();
    await until(async () => (await world.record())?.next === Date.parse('2026-05-01T07:00:00Z'));
    expect(world.of('cron.missed')).toHaveLength(1);
    expect(world.fired).toEqual(['03:00:00 tick']);
    expect((await world.record())?.counts).toMatchObject({ missed: 3, fired: 1 });
  });

  it('that nobody could run is caught up where that is asked for: the last one, once', async () => {
    world = new World('0 * * * *', { missed: 'run-once' }, '2026-05-01T02:59:59.800Z');
    const first = world.own();
    await until(async () => (await world.record())?.last !== undefined);
    await first.stop();
    world.set('2026-05-01T06:30:00Z');
    const second = world.own();
    await until(async () => (await world.record())?.last?.cause === 'catch-up');
    await second.stop();
    world.own();
    await until(async () => (await world.record())?.next === Date.parse('2026-05-01T07:00:00Z'));
    expect(world.fired).toEqual(['03:00:00 tick', '06:00:00 catch-up']);
    expect(world.of('cron.missed')).toEqual([expect.objectContaining({ count: 3, caughtUp: true })]);
  });

  it('that nobody could run is reported by the next owner, when the one that claimed it ends before it can', async () => {
    world = new World('0 * * * *', { missed: 'run-once' }, '2026-05-01T02:59:59.800Z');
    const first = world.own();
    await until(async () => (await world.record())?.last !== undefined);
    await first.stop();
    world.set('2026-05-01T06:30:00Z');
    const { ticks } = world;
    const write = ticks.write.bind(ticks);
    const second = world.own();
    ticks.write = async (job, epoch, record, claim) => {
      const answer = await write(job, epoch, record, claim);
      if (claim === undefined) return answer;
      // It is written, and the answer is lost with the lease.
      second.die();
      throw new Error('Connection is closed.');
    };
    await until(async () => (await world.record())?.untold !== undefined);
    await Promise.all(second.tasks);
    expect(world.of('cron.missed')).toEqual([]);
    ticks.write = write;
    const third = world.own();
    const span = { first: Date.parse('2026-05-01T04:00:00Z'), last: Date.parse('2026-05-01T06:00:00Z') };
    await until(() => world.of('cron.missed').length > 0);
    expect(world.of('cron.missed')).toEqual([expect.objectContaining({ ...span, count: 3, caughtUp: true })]);
    expect(world.of('cron.interrupted')).toHaveLength(1);
    await until(async () => (await world.record())?.untold === undefined);
    await third.stop();
    world.own();
    await until(async () => (await world.record())?.next === Date.parse('2026-05-01T07:00:00Z'));
    expect(world.of('cron.missed')).toHaveLength(1);
  });

  it('that the record knows of is not fired again, though its claim is lost', async () => {
    world = new World('0 * * * * *', {}, '2026-05-01T02:59:59.500Z');
    const first = world.own();
    await until(async () => (await world.record())?.last?.outcome === 'done');
    first.die();
    const { ticks } = world;
    const open = ticks.open.bind(ticks);
    ticks.open = async (...args) => ({ ...(await open(...args))!, claimed: 0 });
    const second = world.own();
    await until(async () => (await world.record())?.next === Date.parse('2026-05-01T03:01:00Z'));
    await second.stop();
    expect([world.fired, world.of('cron.missed')]).toEqual([['03:00:00 tick'], []]);
  });

  it('whose run the death of its owner cut short is reported, and not repeated', async () => {
    world = new World('0 * * * *', { missed: 'run-once' }, '2026-05-01T02:59:59.800Z');
    world.work = () => new Promise(() => undefined);
    const first = world.own();
    await until(() => world.runs.length === 1);
    first.die();
    first.tasks.length = 0;
    world.work = () => undefined;
    world.own();
    await until(() => world.of('cron.interrupted').length > 0);
    expect(world.of('cron.interrupted')).toEqual([
      { job: 'close', node: 'n2', ranOn: 'n1', epoch: 1, scheduled: Date.parse('2026-05-01T03:00:00Z') },
    ]);
    await until(async () => (await world.record())?.last?.outcome === 'interrupted');
    expect(world.fired).toEqual(['03:00:00 tick']);
  });

  it('is fired by the next owner when the owner is told to end between claim and run', async () => {
    world = new World('0 * * * *', {}, '2026-05-01T02:59:59.800Z');
    const first = world.own();
    const { ticks } = world;
    world.ticks = {
      open: (...args) => ticks.open(...args),
      read: (...args) => ticks.read(...args),
      write: (...args) => ticks.write(...args),
    };
    const write = ticks.write.bind(ticks);
    ticks.write = async (job, epoch, record, claim) => {
      const answer = await write(job, epoch, record, claim);
      if (claim !== undefined) first.die();
      return answer;
    };
    await until(async () => (await world.record())?.waiting !== undefined);
    await first.stop();
    ticks.write = write;
    world.own();
    await until(() => world.runs.length === 1);
    expect(world.fired).toEqual(['03:00:00 queued']);
    await until(async () => (await world.record())?.counts.fired === 1);
  });

  it('that is due lets timers come between the end of the lease and the word of it', async () => {
    world = new World('0,1 0 3 * * *', {}, '2026-05-01T02:59:59.500Z');
    const owner = world.own();
    await until(async () => (await world.record())?.last !== undefined);
    owner.isOwner = false;
    // With no other time to come before the next day it would never have let go.
    await until(() => world.now() > Date.parse('2026-05-01T03:00:01.300Z'));
    expect(world.fired).toEqual(['03:00:00 tick']);
    owner.isOwner = true;
    await until(() => world.fired.length > 1 || world.of('cron.missed').length > 0);
  });

  it('is claimed as soon as Redis is back, while the owner is one', async () => {
    world = new World('0 * * * *', {}, '2026-05-01T02:59:59.500Z');
    const { ticks } = world;
    const write = ticks.write.bind(ticks);
    let failures = 0;
    ticks.write = (job, epoch, record, claim) => {
      if (claim === undefined || (failures += 1) > 5) return write(job, epoch, record, claim);
      return Promise.reject(new Error('Connection is closed.'));
    };
    world.own();
    await until(() => world.runs.length === 1);
    expect(failures).toBe(6);
    expect(world.fired).toEqual(['03:00:00 tick']);
  });
});

describe('a write that was delayed', () => {
  it('brings no run back that has ended since', async () => {
    world = new World('0 * * * * *', {}, '2026-05-01T02:59:59.500Z');
    const { ticks } = world;
    const write = ticks.write.bind(ticks);
    let arrive: (() => Promise<unknown>) | undefined;
    ticks.write = (...args) => {
      if (args[3] === undefined || arrive !== undefined) return write(...args);
      arrive = () => write(...args);
      return Promise.reject(new Error('Command timed out'));
    };
    const first = world.own();
    await until(async () => (await world.record())?.last?.outcome === 'done');
    expect(await arrive!()).toBe('late');
    first.die();
    world.own();
    await eventually(async () => (await world.record())?.next === Date.parse('2026-05-01T03:01:00Z'));
    expect(world.of('cron.interrupted')).toEqual([]);
    expect(await world.record()).toMatchObject({ last: { outcome: 'done' }, counts: { fired: 1, interrupted: 0 } });
  });

  it('and claims a time after its owner has given it up has that time reported', async () => {
    world = new World('0,1 0 3 * * *', {}, '2026-05-01T02:59:59.500Z');
    const at = Date.parse('2026-05-01T03:00:01Z');
    let isOver: () => void = () => undefined;
    world.work = () => new Promise<void>((resolve) => (isOver = resolve));
    const { ticks } = world;
    const write = ticks.write.bind(ticks);
    const first = world.own();
    await until(() => world.runs.length === 1);
    let given: Parameters<typeof write> | undefined;
    ticks.write = (...args) => {
      if (args[3] === undefined) return write(...args);
      given = args;
      first.die();
      return Promise.reject(new Error('Command timed out'));
    };
    await until(() => given !== undefined);
    expect(await write(...given!)).toBe('done');
    expect(await world.record()).toMatchObject({ until: at, counts: { skipped: 1 } });
    // How the run ended is written over it, by an owner that knows of no claim.
    isOver();
    await until(async () => (await world.record())?.last?.outcome === 'done');
    expect(await world.record()).toMatchObject({ counts: { fired: 1, missed: 0, skipped: 0 } });
    await first.stop();
    ticks.write = write;
    const second = world.own();
    await until(() => world.of('cron.missed').length > 0);
    expect(world.of('cron.missed')).toEqual([expect.objectContaining({ count: 1, first: at, last: at, node: 'n2' })]);
    await until(async () => (await world.record())?.untold === undefined);
    const counts = { fired: 1, missed: 1, skipped: 0, interrupted: 0 };
    expect(await world.record()).toMatchObject({ until: at, last: { outcome: 'done' }, counts });
    // Once.
    await second.stop();
    world.own();
    await until(async () => (await world.record())?.next === Date.parse('2026-05-02T03:00:00Z'));
    expect(world.of('cron.missed')).toHaveLength(1);
    expect(world.fired).toEqual(['03:00:00 tick']);
  });

  it('and given up is not taken for the one that follows it', async () => {
    world = new World('0 * * * * *', {}, '2026-05-01T03:00:59.500Z');
    const { ticks } = world;
    const write = ticks.write.bind(ticks);
    const tried = new Map<string, string>();
    let isEarly = true;
    ticks.write = async (job, epoch, record, claim) => {
      const [rev = ''] = /\d+/.exec(record) ?? [];
      expect(tried.get(rev) ?? record).toBe(record);
      tried.set(rev, record);
      if (claim !== undefined && isEarly) isEarly = false;
      else return write(job, epoch, record, claim);
      return 'early';
    };
    world.own();
    await until(() => world.runs.length === 1);
    expect(isEarly).toBe(false);
    expect(tried.size).toBeGreaterThan(2);
  });
});

describe('a clock', () => {
  it('that is set back fires nothing twice', async () => {
    world = new World('* * * * * *', {}, '2026-05-01T03:00:00Z');
    world.own();
    await until(() => world.runs.length >= 3);
    world.offset -= 2000;
    const before = world.runs.length;
    await until(() => world.runs.length >= before + 1);
    const times = world.runs.map(({ scheduledAt }) => scheduledAt.getTime());
    expect(new Set(times).size).toBe(times.length);
    expect(world.of('cron.missed')).toEqual([]);
  });

  it('that is set forward reports what it left out', async () => {
    world = new World('* * * * * *', {}, '2026-05-01T03:00:00Z');
    world.own();
    await until(() => world.runs.length >= 2);
    world.offset += 5000;
    const before = world.runs.length;
    await until(() => world.runs.length >= before + 2);
    const [missed] = world.of('cron.missed') as { count: number; first: number; last: number }[];
    const times = new Set(world.runs.map(({ scheduledAt }) => scheduledAt.getTime()));
    for (let at = missed!.first; at <= missed!.last; at += 1000) {
      expect(times.has(at)).toBe(false);
      times.add(at);
    }
    expect(times.size).toBe((Math.max(...times) - Math.min(...times)) / 1000 + 1);
  });

  it('that is far ahead of the others claims nothing', async () => {
    world = new World('* * * * * *', {}, '2026-05-01T03:00:00Z');
    world.ticks = new LocalTicks(() => Date.parse('2026-05-01T02:00:00Z'));
    world.own();
    await until(async () => (await world.record())?.next !== undefined);
    await until(() => world.now() > Date.parse('2026-05-01T03:00:02.500Z'));
    expect(world.runs).toEqual([]);
  });
});

describe('a run that goes on when the next time comes', () => {
  it('lets it be skipped', async () => {
    world = new World('* * * * * *', {}, '2026-05-01T03:00:00.500Z');
    let end!: () => void;
    world.work = () => new Promise<void>((resolve) => (end = resolve));
    const owner = world.own();
    await until(() => world.of('cron.skipped').length >= 2);
    expect(world.runs).toHaveLength(1);
    expect(await owner.runner.runNow()).toBe('skipped');
    world.work = () => undefined;
    end();
    await until(() => world.runs.length >= 2);
    const fired = world.runs.map(({ scheduledAt }) => scheduledAt.getTime());
    const skipped = world.of('cron.skipped').map(({ scheduled }) => scheduled);
    expect(fired.filter((time) => skipped.includes(time))).toEqual([]);
  });

  it('lets one wait where that is asked for, and the others be skipped', async () => {
    world = new World('* * * * * *', { overlap: 'queue' }, '2026-05-01T03:00:00.500Z');
    let end!: () => void;
    world.work = () => new Promise<void>((resolve) => (end = resolve));
    world.own();
    await until(() => world.of('cron.skipped').length >= 1);
    world.work = () => undefined;
    end();
    await until(() => world.runs.length >= 2);
    expect(world.fired.slice(0, 2)).toEqual(['03:00:01 tick', '03:00:02 queued']);
    expect(world.of('cron.skipped')[0]).toMatchObject({ scheduled: Date.parse('2026-05-01T03:00:03Z') });
  });

  it('leaves what waits to the next owner', async () => {
    world = new World('* * * * * *', { overlap: 'queue' }, '2026-05-01T03:00:00.500Z');
    let end!: () => void;
    world.work = () => new Promise<void>((resolve) => (end = resolve));
    const first = world.own();
    await until(async () => (await world.record())?.waiting !== undefined);
    const stopping = first.stop();
    end();
    await stopping;
    world.work = () => undefined;
    world.own();
    await until(() => world.runs.length >= 2);
    expect(world.fired.slice(0, 2)).toEqual(['03:00:01 tick', '03:00:02 queued']);
    expect((await world.record())?.counts.interrupted).toBe(0);
  });

  it('is told to end when the job leaves the node', async () => {
    world = new World('* * * * * *', {}, '2026-05-01T03:00:00.500Z');
    world.work = ({ signal }) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    const first = world.own();
    await until(() => world.runs.length === 1);
    await first.stop();
    expect((await world.record())?.last).toMatchObject({ outcome: 'done' });
    expect((await world.record())?.run).toBeUndefined();
  });
});

describe('another schedule', () => {
  it('begins with its first time after the change', async () => {
    world = new World('0 3 * * *', { missed: 'run-once' }, '2026-05-01T02:59:59.800Z');
    const first = world.own();
    await until(async () => (await world.record())?.last !== undefined);
    await first.stop();
    world.set('2026-05-01T12:30:00Z');
    world.schedule = world.scheduleOf('0 * * * *', { missed: 'run-once' });
    world.own();
    await until(async () => (await world.record())?.next === Date.parse('2026-05-01T13:00:00Z'));
    expect(world.fired).toEqual(['03:00:00 tick']);
    expect(world.of('cron.missed')).toEqual([]);
  });
});

/** Another client of Redis, or a clock that was wrong, may have written any of them. */
const NO_TIMES = [Number.MAX_SAFE_INTEGER, 8.64e15, 253_402_300_799_000];

describe('a record with a time that no clock says', () => {
  const counts = { fired: 7, failed: 0, missed: 0, skipped: 0, interrupted: 0 };
  const warnings = (): string => JSON.stringify(warned.mock.calls);

  async function left(record: object): Promise<void> {
    world = new World('* * * * * *', {}, '2026-05-01T03:00:00.200Z');
    const rest = { rev: 3, schedule: world.schedule.text, since: world.now() - 60_000, counts };
    await world.ticks.write('close', 0, JSON.stringify({ ...rest, ...record }), { at: world.now() - 200, id: 'x' });
    world.own();
    await until(() => world.runs.length >= 2);
    await until(async () => ((await world.record())?.counts.fired ?? 0) >= 9);
  }

  it.each(NO_TIMES)('begins anew now: since %d', async (since) => {
    await left({ since });
    expect(world.fired.slice(0, 2)).toEqual(['03:00:01 tick', '03:00:02 tick']);
    expect(warnings()).toContain('since');
  });

  it.each(NO_TIMES)('runs nothing for it: waiting %d', async (waiting) => {
    await left({ waiting });
    expect(world.fired.slice(0, 2)).toEqual(['03:00:01 tick', '03:00:02 tick']);
    expect(warnings()).toContain('waiting');
  });

  it.each(NO_TIMES)('has no run that began then: %d', async (at) => {
    const run = { scheduled: at, cause: 'tick', started: at, node: 'n', epoch: 0 };
    await left({ run, last: run, missed: { count: 1, first: at, last: at }, next: at });
    expect(world.fired.slice(0, 2)).toEqual(['03:00:01 tick', '03:00:02 tick']);
    expect(world.of('cron.interrupted')).toEqual([]);
    for (const what of ['run', 'last', 'missed']) expect(warnings()).toContain(what);
  });

  it('stays out of what people see', () => {
    const now = Date.parse('2026-05-01T03:00:00Z');
    const run = { scheduled: 8.64e15 + 1, cause: 'tick', started: now, node: 'n', epoch: 0 };
    const rest = { rev: 3, schedule: '', since: now, counts };
    const read = readRecord(JSON.stringify({ ...rest, last: run, next: 8.64e15 + 1 }), now);
    expect(read).toEqual(rest);
    const yearly = Date.parse('2030-01-01T00:00:00Z');
    expect(readRecord(JSON.stringify({ ...rest, next: yearly }), now)).toEqual({ ...rest, next: yearly });
  });
});

describe('a claimed time that no clock says', () => {
  /** Ticks whose claimed time is none, as the scripts answer then. */
  function doubted(next: string | undefined): void {
    world = new World('* * * * *', { missed: 'run-once' }, '2026-05-01T03:00:00.500Z');
    const { ticks } = world;
    const record = {
      rev: 3,
      schedule: world.schedule.text,
      since: Date.parse('2026-05-01T00:00:00Z'),
      ...(next === undefined ? {} : { next: Date.parse(next) }),
      counts: { fired: 7, failed: 0, missed: 0, skipped: 0, interrupted: 0 },
    };
    let opened = 0;
    world.ticks = {
      open: async (job, epoch) => {
        const known = await ticks.open(job, epoch);
        if ((opened += 1) > 1 || known === undefined) return known;
        const most = world.now() + 60_000;
        return { claimed: 0, record: JSON.stringify(record), doubt: { said: String(Number.MAX_SAFE_INTEGER), most } };
      },
      read: (jobs) => ticks.read(jobs),
      write: (...args) => ticks.write(...args),
    };
    world.own();
  }

  it('lets the job go on with the next time that its record names', async () => {
    doubted('2026-05-01T03:00:00Z');
    await until(() => world.runs.length === 1);
    expect(world.fired).toEqual(['03:00:00 tick']);
    expect(world.of('cron.missed')).toEqual([]);
  });

  it('fires nothing that may have been fired where the record names none', async () => {
    doubted(undefined);
    await until(async () => (await world.record())?.next !== undefined);
    expect(world.fired).toEqual([]);
    expect((await world.record())?.next).toBe(Date.parse('2026-05-01T03:02:00Z'));
    // What was taken for claimed is claimed, so the next owner has no doubt left.
    expect((await world.ticks.open('close', 9))!.claimed).toBeGreaterThan(Date.parse('2026-05-01T03:01:00Z'));
  });

  it('of a clock that was years ahead is passed over once it is right', async () => {
    world = new World('* * * * *', {}, '2029-12-31T23:59:59.800Z');
    const first = world.own();
    await until(async () => (await world.record())?.last !== undefined);
    await first.stop();
    world.set('2026-05-01T03:00:00.500Z');
    const second = world.own();
    await until(async () => (await world.record())?.next === Date.parse('2026-05-01T03:02:00Z'));
    await second.stop();
    world.set('2026-05-01T03:01:59.900Z');
    world.own();
    await until(() => world.runs.length === 2);
    expect(world.fired).toEqual(['00:00:00 tick', '03:02:00 tick']);
  });
});

describe('a record that Redis refuses to give', () => {
  const replied = (text: string): Error => Object.assign(new Error(text), { name: 'ReplyError' });

  it.each<[string, Error, boolean]>([
    ['warned of', replied('OOM command not allowed when used memory > maxmemory'), true],
    ['warned of', new Error("NOPERM this user has no permissions to run the 'hget' command"), true],
    ['nothing to warn of', new Error('Connection is closed.'), false],
  ])('is %s: %s', async (_what, error, isWarned) => {
    world = new World('* * * * * *', {}, '2026-05-01T03:00:00.500Z');
    const { ticks } = world;
    let failures = 0;
    world.ticks = {
      open: (...args) => ((failures += 1) > 2 ? ticks.open(...args) : Promise.reject(error)),
      read: (jobs) => ticks.read(jobs),
      write: (...args) => ticks.write(...args),
    };
    world.own();
    await until(() => world.runs.length >= 1);
    const said = JSON.stringify(warned.mock.calls);
    if (isWarned) expect(said).toContain(error.message.slice(0, 20));
    else expect(warned).not.toHaveBeenCalled();
  });
});
