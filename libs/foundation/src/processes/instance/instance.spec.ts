import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Lease } from '../../backend/leases/leases.js';
import { processDefaults } from '../../config/resolve.js';
import { LeaseLostError, ProcessStartError, ProcessTimeoutError } from '../../errors/process.errors.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { eventually } from '../../testing/eventually.js';
import type { ProcessContext, StopReason } from '../declaration/process.context.js';
import type { InstanceDeps } from './instance.deps.js';
import { Instance, type InstanceExit } from './instance.js';

const never = new Promise<never>(() => undefined);
const turn = () => new Promise((resolve) => setImmediate(resolve));

class FakeLease implements Lease {
  readonly name = 'feed';
  epoch = 7;
  held = true;
  readonly abort = new AbortController();
  readonly signal = this.abort.signal;
  readonly left: string[] = [];
  inherited: string | undefined;
  isHeld = () => this.held;
  refresh = () => Promise.resolve(this.epoch);
  announce = () => Promise.resolve();
  leave = async (state: string) => void this.left.push(state);
  inherit: () => Promise<string | undefined> = () => Promise.resolve(this.inherited);
  release = () => Promise.resolve();
  abandon = () => undefined;

  lose(): void {
    this.held = false;
    this.abort.abort(new LeaseLostError(this.name, 'n1', this.epoch, 'test'));
  }
}

interface Hooks {
  start?: (ctx: ProcessContext) => void | Promise<void>;
  stop?: (reason: StopReason) => void | Promise<void>;
  create?: () => Promise<object>;
  started?: InstanceDeps['started'];
}

/** An instance whose steps are written down. */
function setUp(hooks: Hooks = {}, options: Parameters<typeof processDefaults>[0] = {}, lease = new FakeLease()) {
  const steps: string[] = [];
  let ctx!: ProcessContext;
  const target = {
    onProcessStart: async (given: ProcessContext) => {
      ctx = given;
      steps.push('start');
      await hooks.start?.(given);
    },
    onProcessStop: async (reason: StopReason) => {
      steps.push(`stop ${reason}${ctx?.signal.aborted === false ? ' (not aborted)' : ''}`);
      await hooks.stop?.(reason);
    },
  };
  const telemetry = new Telemetry();
  telemetry.attach('*', (event) => steps.push(event));
  const fencedSet = jest.fn<InstanceDeps['leases']['fencedSet']>().mockResolvedValue(undefined);
  const fencedDelete = jest.fn<InstanceDeps['leases']['fencedDelete']>().mockResolvedValue(undefined);
  const deps: InstanceDeps = {
    create: async () => {
      steps.push('create');
      return (await hooks.create?.()) ?? target;
    },
    leases: { fencedSet, fencedDelete },
    telemetry,
    node: 'n1',
    started:
      hooks.started ??
      (async () => {
        steps.push('attach');
        return async () => void steps.push('detach');
      }),
  };
  const spec = {
    name: 'feed',
    type: 'Feed',
    declared: true,
    kind: 'singleton' as const,
    count: 1,
    args: ['EUR', { depth: 1 }],
    placement: { strategy: 'spread' as const, labels: {} },
    handoff: false,
    rebalance: 'off' as const,
    options: processDefaults({ timeout: 1000, stopTimeout: 1000, ...options }),
  };
  const instance = new Instance(spec, lease, deps);
  return { instance, lease, steps, spec, fencedSet, ctx: () => ctx, telemetry };
}

/** Fails instead of hanging; an instance that does not end in time is what some tests are about. */
function within<T>(work: Promise<T>, ms = 2500): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${ms} ms`)), ms);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

beforeEach(() => void Logger.overrideLogger(false));

describe('Instance: an ordinary life', () => {
  it('goes through its steps in order, each once', async () => {
    const { instance, steps } = setUp();
    const life = instance.run();
    expect(instance.running).toBe(false);
    await turn();
    expect(instance.running).toBe(true);
    instance.stop('stop');
    instance.stop('shutdown');
    expect(await life).toEqual({ reason: 'stop', clean: true, started: true });
    expect(instance.running).toBe(false);
    expect(steps).toEqual([
      'process.starting',
      'create',
      'start',
      'process.started',
      'attach',
      'stop stop',
      'detach',
      'process.stopped',
    ]);
  });

  it('needs no hooks at all', async () => {
    const { instance } = setUp({ create: () => Promise.resolve({}) });
    const life = instance.run();
    await turn();
    instance.stop('restart');
    expect(await life).toMatchObject({ reason: 'restart', clean: true, started: true });
  });

  it('gives a context with copied arguments and the epoch of the moment', async () => {
    const { instance, ctx, lease, spec } = setUp();
    const life = instance.run();
    await turn();
    expect(ctx()).toMatchObject({ name: 'feed', node: 'n1', epoch: 7 });
    expect(ctx().args).toEqual(['EUR', { depth: 1 }]);
    (ctx().args[1] as { depth: number }).depth = 2;
    expect(spec.args).toEqual(['EUR', { depth: 1 }]);
    lease.epoch = 8;
    expect(ctx().epoch).toBe(8);
    instance.stop('stop');
    await life;
  });

  it('aborts the signal before it stops, and is no owner from then on', async () => {
    const seen: boolean[] = [];
    const { instance, ctx } = setUp({ stop: () => void seen.push(ctx().signal.aborted, ctx().isOwner()) });
    const life = instance.run();
    await turn();
    expect(ctx().isOwner()).toBe(true);
    instance.stop('stop');
    await life;
    expect(seen).toEqual([true, false]);
  });

  it('ends by complete', async () => {
    const { instance, ctx } = setUp();
    const life = instance.run();
    await turn();
    ctx().complete();
    expect(await life).toMatchObject({ reason: 'complete', clean: true, started: true });
  });

  it('ends by fail', async () => {
    const { instance, ctx } = setUp();
    const life = instance.run();
    await turn();
    const error = new Error('mine');
    ctx().fail(error);
    expect(await life).toEqual({ reason: 'crash', error, clean: true, started: true });
  });
});

describe('Instance: starts that fail', () => {
  it('reports a class that cannot be made, and stops nothing', async () => {
    const cause = new Error('no database');
    const { instance, steps } = setUp({ create: () => Promise.reject(cause) });
    const exit = await instance.run();
    expect(exit).toMatchObject({ reason: 'crash', clean: true, started: false });
    expect(exit.error).toBeInstanceOf(ProcessStartError);
    expect((exit.error as Error).cause).toBe(cause);
    expect(steps).toEqual(['process.starting', 'create', 'process.stopped']);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('bad start');
      },
    ],
    ['rejects', () => Promise.reject(new Error('bad start'))],
  ])('stops what had started when onProcessStart %s', async (_how, start) => {
    const { instance, steps, ctx } = setUp({ start });
    const exit = await instance.run();
    expect(exit).toMatchObject({ reason: 'crash', clean: true, started: false });
    expect(exit.error).toBeInstanceOf(ProcessStartError);
    expect((exit.error as Error).message).toContain('bad start');
    expect(ctx().signal.aborted).toBe(true);
    expect(steps).toEqual(['process.starting', 'create', 'start', 'stop crash', 'process.stopped']);
  });

  it('gives up a start that never ends, and does not call that clean', async () => {
    const { instance, steps, ctx } = setUp({ start: () => never }, { timeout: 30, stopTimeout: 30 });
    const exit = await within(instance.run());
    expect(exit).toMatchObject({ reason: 'crash', clean: false, started: false });
    expect(exit.error).toBeInstanceOf(ProcessTimeoutError);
    expect(ctx().signal.aborted).toBe(true);
    expect(steps).toContain('stop crash');
  });

  it('is clean when the late start heeds the signal', async () => {
    const start = (ctx: ProcessContext) =>
      new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()));
    const { instance } = setUp({ start }, { timeout: 30 });
    expect(await within(instance.run())).toMatchObject({ reason: 'crash', clean: true, started: false });
  });

  it('waits indefinitely with timeout infinity', async () => {
    const { instance } = setUp({ start: () => never }, { timeout: 'infinity', stopTimeout: 20 });
    const life = instance.run();
    await turn();
    instance.stop('stop');
    expect(await within(life)).toMatchObject({ reason: 'stop', clean: false, started: false });
  });

  it('takes a failed attach for a crash', async () => {
    const error = new Error('no such channel');
    const { instance, steps } = setUp({ started: () => Promise.reject(error) });
    expect(await within(instance.run())).toEqual({ reason: 'crash', error, clean: true, started: true });
    expect(steps).toEqual(['process.starting', 'create', 'start', 'process.started', 'stop crash', 'process.stopped']);
  });
});

describe('Instance: a lease that is lost', () => {
  it('aborts the signal in the same turn, and isOwner is false at once', async () => {
    const { instance, lease, ctx } = setUp();
    const life = instance.run();
    await turn();
    lease.lose();
    expect(ctx().signal.aborted).toBe(true);
    expect(ctx().signal.reason).toBeInstanceOf(LeaseLostError);
    expect(ctx().isOwner()).toBe(false);
    expect(instance.running).toBe(false);
    const exit = await life;
    expect(exit).toMatchObject({ reason: 'lease-lost', clean: true, started: true });
    expect(exit.error).toBeInstanceOf(LeaseLostError);
  });

  it('is no owner as soon as the clock says so, before anybody has noticed', async () => {
    const { instance, lease, ctx } = setUp();
    const life = instance.run();
    await turn();
    lease.held = false;
    expect(ctx().isOwner()).toBe(false);
    await expect(ctx().fenced.set('k', 'v')).rejects.toBeInstanceOf(LeaseLostError);
    instance.stop('stop');
    await life;
  });

  it('ends a start that is under way', async () => {
    let ready!: () => void;
    const { instance, lease, ctx, steps } = setUp({ start: () => new Promise<void>((resolve) => (ready = resolve)) });
    const life = instance.run();
    await turn();
    lease.lose();
    expect(ctx().signal.aborted).toBe(true);
    ready();
    expect(await within(life)).toMatchObject({ reason: 'lease-lost', clean: true, started: false });
    expect(steps).not.toContain('process.started');
    expect(steps).not.toContain('attach');
  });

  it('does not count as started when it was lost while the start returned', async () => {
    const { instance, lease, steps } = setUp({ start: () => lease.lose() });
    expect(await within(instance.run())).toMatchObject({ reason: 'lease-lost', started: false });
    expect(steps).not.toContain('attach');
  });

  it('starts nothing when it was lost while the class was made', async () => {
    const lease = new FakeLease();
    const { instance, steps } = setUp(
      {
        create: async () => {
          lease.lose();
          return undefined as never;
        },
      },
      {},
      lease,
    );
    expect(await within(instance.run())).toMatchObject({ reason: 'lease-lost', started: false });
    expect(steps).not.toContain('start');
  });

  it('starts nothing when it was lost before', async () => {
    const lease = new FakeLease();
    lease.lose();
    const { instance, steps, ctx } = setUp({}, {}, lease);
    expect(await within(instance.run())).toMatchObject({ reason: 'lease-lost', started: false });
    expect(ctx()?.signal.aborted ?? true).toBe(true);
    expect(steps).not.toContain('start');
  });

  it('stops although the attach hangs', async () => {
    const { instance, lease, steps } = setUp({ started: () => never });
    const life = instance.run();
    await turn();
    lease.lose();
    expect(await within(life)).toMatchObject({ reason: 'lease-lost' });
    expect(steps).toContain('stop lease-lost');
  });

  it('stops although the detach hangs', async () => {
    const { instance, lease, steps } = setUp({ started: () => Promise.resolve(() => never) }, { stopTimeout: 50 });
    const life = instance.run();
    await turn();
    lease.lose();
    await within(life);
    expect(steps).toContain('stop lease-lost');
  });
});

describe('Instance: stops', () => {
  it('starts nothing when it was stopped while the class was made', async () => {
    let made!: () => void;
    const { instance, steps } = setUp({
      create: () => new Promise((resolve) => (made = () => resolve(undefined as never))),
    });
    const life = instance.run();
    await turn();
    instance.stop('shutdown');
    made();
    expect(await within(life)).toMatchObject({ reason: 'shutdown', started: false });
    expect(steps).not.toContain('start');
  });

  it('during the start aborts it and waits for it', async () => {
    const order: string[] = [];
    const { instance } = setUp({
      start: async (ctx) => {
        await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()));
        await turn();
        order.push('start ended');
      },
      stop: () => void order.push('stop hook'),
    });
    const life = instance.run();
    await turn();
    instance.stop('shutdown');
    const exit = await within(life);
    order.push('run ended');
    expect(exit).toMatchObject({ reason: 'shutdown', clean: true, started: false });
    expect(order).toEqual(['stop hook', 'start ended', 'run ended']);
  });

  it('goes on when the stop hook throws', async () => {
    const { instance } = setUp({
      stop: () => {
        throw new Error('bad stop');
      },
    });
    const life = instance.run();
    await turn();
    instance.stop('stop');
    expect(await within(life)).toMatchObject({ reason: 'stop', clean: true });
  });

  it('goes on when the detach throws', async () => {
    const { instance, steps } = setUp({ started: () => Promise.resolve(() => Promise.reject(new Error('no'))) });
    const life = instance.run();
    await turn();
    instance.stop('stop');
    expect(await within(life)).toMatchObject({ reason: 'stop', clean: true });
    expect(steps).toContain('stop stop');
  });

  it('begins no task once nothing waits for it: a timer of the process would go on beside the next owner', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    const begun: string[] = [];
    const task = (name: string) => () => Promise.resolve(void begun.push(name));
    const { instance, ctx } = setUp({ stop: () => ctx().run(task('while it ends')) });
    const life = instance.run();
    await turn();
    instance.stop('stop');
    expect(await within(life)).toMatchObject({ reason: 'stop', clean: true });
    ctx().run(task('after it'));
    await turn();
    expect(begun).toEqual(['while it ends']);
    expect(String(warn.mock.calls[0]?.[0])).toContain('Process "feed" has ended, so a task of ctx.run was not begun');
    warn.mockRestore();
  });

  it('is not clean when the stop hook never ends', async () => {
    const { instance } = setUp({ stop: () => never }, { stopTimeout: 30 });
    const life = instance.run();
    await turn();
    instance.stop('stop');
    expect(await within(life)).toMatchObject({ reason: 'stop', clean: false });
  });
});

describe('Instance: callers', () => {
  const called = async (options = {}) => {
    const all = setUp({}, options);
    const life = all.instance.run();
    await turn();
    const givenUp = jest.fn();
    let answer!: () => void;
    const call = all.instance.call(() => new Promise<void>((resolve) => (answer = resolve)));
    const unheed = all.instance.onGivenUp(givenUp);
    void call.then(unheed);
    return { ...all, life, givenUp, answer };
  };

  it('wait no longer as soon as the lease is lost', async () => {
    const { lease, givenUp, answer, life } = await called();
    lease.lose();
    expect(givenUp).toHaveBeenCalledTimes(1);
    answer();
    await within(life);
  });

  it('wait a moment after a crash, and the end of the instance waits on for the call', async () => {
    const { ctx, givenUp, answer, life } = await called({ stopTimeout: 60_000 });
    ctx().fail(new Error('broken'));
    await turn();
    expect(givenUp).not.toHaveBeenCalled();
    let isOver = false;
    void life.then(() => (isOver = true));
    await eventually(() => givenUp.mock.calls.length === 1);
    expect(isOver).toBe(false);
    answer();
    expect(await within(life)).toMatchObject({ reason: 'crash', clean: true });
  });

  it('get the answer of a method that ends after a crash', async () => {
    const { ctx, givenUp, answer, life } = await called();
    ctx().fail(new Error('broken'));
    await turn();
    answer();
    await within(life);
    expect(givenUp).not.toHaveBeenCalled();
  });

  it('wait for a stop as long as it does', async () => {
    const { instance, givenUp, life } = await called({ stopTimeout: 30 });
    instance.stop('stop');
    expect(await within(life)).toMatchObject({ reason: 'stop', clean: false });
    expect(givenUp).toHaveBeenCalledTimes(1);
  });
});

describe('Instance: tasks', () => {
  const running = async (options = {}) => {
    const all = setUp({}, options);
    const life = all.instance.run();
    await turn();
    return { ...all, life };
  };

  it('crash by a rejection', async () => {
    const { ctx, life } = await running();
    const error = new Error('lost the feed');
    ctx().run(() => Promise.reject(error));
    expect(await within(life)).toEqual({ reason: 'crash', error, clean: true, started: true });
  });

  it('are refused at once when they are no functions, which is no crash', async () => {
    const { ctx, instance, life } = await running();
    for (const task of [5, undefined, Promise.resolve()]) {
      expect(() => ctx().run(task as never)).toThrow('ctx.run: invalid argument "task": received');
    }
    await turn();
    expect(ctx().signal.aborted).toBe(false);
    instance.stop('stop');
    expect(await within(life)).toMatchObject({ reason: 'stop', clean: true });
  });

  it('crash by a throw', async () => {
    const { ctx, life } = await running();
    ctx().run(() => {
      throw new Error('at once');
    });
    expect(await within(life)).toMatchObject({ reason: 'crash' });
  });

  it('do not crash by a rejection after the abort', async () => {
    const { ctx, life, instance } = await running();
    ctx().run(
      (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    );
    instance.stop('stop');
    expect(await within(life)).toEqual({ reason: 'stop', clean: true, started: true });
  });

  it('may end before the process does', async () => {
    const { ctx, life, instance } = await running();
    ctx().run(() => Promise.resolve());
    await turn();
    expect(instance.running).toBe(true);
    instance.stop('stop');
    expect(await within(life)).toMatchObject({ reason: 'stop', clean: true });
  });

  it('are waited for', async () => {
    const { ctx, life, instance } = await running();
    let ended = false;
    ctx().run(async (signal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      await turn();
      ended = true;
    });
    instance.stop('stop');
    expect(await within(life)).toMatchObject({ clean: true });
    expect(ended).toBe(true);
  });

  it('that ignore the signal are not clean', async () => {
    const { ctx, life, instance } = await running({ stopTimeout: 30 });
    ctx().run(() => never);
    instance.stop('stop');
    expect(await within(life)).toMatchObject({ reason: 'stop', clean: false });
  });

  it('that begin after the stop are waited for, too', async () => {
    let go!: () => void;
    const { instance } = setUp(
      {
        start: async (ctx) => {
          await new Promise<void>((resolve) => (go = resolve));
          ctx.run(() => never);
        },
      },
      { stopTimeout: 100 },
    );
    const life = instance.run();
    await turn();
    instance.stop('stop');
    await turn();
    go();
    expect(await within(life)).toMatchObject({ reason: 'stop', clean: false });
  });
});

describe('Instance: a state that was left', () => {
  it('is asked for again while Redis does not answer, and nothing starts without it', async () => {
    const lease = new FakeLease();
    let asked = 0;
    lease.inherit = () =>
      (asked += 1) < 3 ? Promise.reject(new Error('Command timed out')) : Promise.resolve('{"n":1}');
    const { instance, ctx, spec } = setUp({}, {}, lease);
    spec.handoff = true;
    const life = instance.run();
    await eventually(() => instance.running);
    expect(asked).toBe(3);
    expect(ctx().handoff).toEqual({ n: 1 });
    instance.stop('stop');
    await within(life);
  });

  it('is left to the next owner when the lease is lost meanwhile', async () => {
    const lease = new FakeLease();
    lease.inherit = () => Promise.reject(new Error('Command timed out'));
    const { instance, spec, steps } = setUp({}, {}, lease);
    spec.handoff = true;
    const life = instance.run();
    await turn();
    lease.lose();
    expect(await within(life)).toMatchObject({ reason: 'lease-lost', started: false });
    expect(steps).not.toContain('start');
  });
});

describe('Instance: a state that it leaves', () => {
  const setUpLeaving = (lease = new FakeLease(), hooks: Hooks = {}, options: Parameters<typeof setUp>[1] = {}) => {
    const target = {
      onProcessStart: (ctx: ProcessContext) => hooks.start?.(ctx),
      onProcessStop: (reason: StopReason) => hooks.stop?.(reason),
      onHandoff: () => ({ n: 2 }),
    };
    const made = setUp({ create: () => Promise.resolve(target) }, options, lease);
    made.spec.handoff = true;
    const lost: string[] = [];
    made.telemetry.attach('process.handoff_lost', (_event, { reason, error }) => lost.push(`${reason}: ${error}`));
    return { ...made, lost };
  };

  it.each(['lost request', 'lost reply'])('is left again after a %s', async (fault) => {
    const lease = new FakeLease();
    const leave = lease.leave;
    let asked = 0;
    lease.leave = async (state) => {
      asked += 1;
      if (asked > 2 || fault === 'lost reply') await leave(state);
      if (asked <= 2) throw new Error('Command timed out');
    };
    const { instance, lost } = setUpLeaving(lease);
    const life = instance.run();
    await eventually(() => instance.running);
    instance.stop('move');
    expect(await within(life)).toMatchObject({ reason: 'move', clean: true });
    expect(lease.left.at(-1)).toBe('{"n":2}');
    expect(lost).toEqual([]);
  });

  it('is reported as lost when the lease is lost before Redis has it', async () => {
    const lease = new FakeLease();
    lease.leave = () => Promise.reject(new Error('Command timed out'));
    const { instance, lost } = setUpLeaving(lease);
    const life = instance.run();
    await eventually(() => instance.running);
    instance.stop('shutdown');
    await turn();
    lease.lose();
    await within(life);
    expect(lost).toEqual(['lease-lost: Command timed out']);
  });

  it('is reported as lost when the lease was lost during the stop, or user code did not stop', async () => {
    const lease = new FakeLease();
    const slow = setUpLeaving(lease, { stop: () => lease.lose() });
    const life = slow.instance.run();
    await eventually(() => slow.instance.running);
    slow.instance.stop('move');
    await within(life);
    expect(slow.lost).toEqual([expect.stringMatching(/^lease-lost: .*lease was lost/)]);

    const stuck = setUpLeaving(new FakeLease(), { stop: () => never }, { stopTimeout: 30 });
    const other = stuck.instance.run();
    await eventually(() => stuck.instance.running);
    stuck.instance.stop('move');
    await within(other);
    expect(stuck.lost).toEqual([expect.stringContaining('did not stop')]);
    expect(stuck.lease.left).toEqual([]);
  });

  it('is put back as it was when no user code has seen it', async () => {
    const lease = new FakeLease();
    let answer!: (state: string) => void;
    lease.inherit = () => new Promise((resolve) => (answer = resolve));
    const { instance, lost, steps } = setUpLeaving(lease);
    const life = instance.run();
    await eventually(() => typeof answer === 'function');
    instance.stop('move');
    answer('{"n":1}');
    await within(life);
    expect(steps).not.toContain('start');
    expect(lease.left).toEqual(['{"n":1}']);
    expect(lost).toEqual([]);
  });

  it('is reported as lost when the instance that took it ends in its start', async () => {
    const lease = new FakeLease();
    lease.inherited = '{"n":1}';
    let go!: () => void;
    const { instance, lost } = setUpLeaving(lease, { start: () => new Promise((resolve) => (go = resolve)) });
    const life = instance.run();
    await eventually(() => typeof go === 'function');
    instance.stop('move');
    go();
    await within(life);
    expect(lease.left).toEqual([]);
    expect(lost).toEqual([expect.stringMatching(/^ended-in-start: /)]);
  });

  it('is reported as lost when it cannot be read', async () => {
    const lease = new FakeLease();
    lease.inherited = 'taken:by-another:{';
    const { instance, lost } = setUpLeaving(lease);
    const life = instance.run();
    await eventually(() => instance.running);
    expect(lost).toHaveLength(1);
    instance.stop('stop');
    await within(life);
  });
});

describe('Instance: calls', () => {
  it('are waited for, so that the lease is not given back beside them', async () => {
    const { instance, steps } = setUp();
    const life = instance.run();
    await turn();
    let finish!: (value: string) => void;
    const call = instance.call(() => new Promise<string>((resolve) => (finish = resolve)));
    instance.stop('shutdown');
    await turn();
    expect(steps).toContain('stop shutdown');
    expect(steps).not.toContain('process.stopped');
    finish('done');
    expect(await call).toBe('done');
    expect(await within(life)).toMatchObject({ reason: 'shutdown', clean: true });
  });

  it('that never end are not clean', async () => {
    const { instance } = setUp({}, { stopTimeout: 30 });
    const life = instance.run();
    await turn();
    void instance.call(() => never);
    instance.stop('stop');
    expect(await within(life)).toMatchObject({ reason: 'stop', clean: false });
  });

  it('that fail are the business of their callers, not of the instance', async () => {
    const { instance } = setUp();
    const life = instance.run();
    await turn();
    const fails = (): never => {
      throw new Error('no');
    };
    await expect(instance.call(fails)).rejects.toThrow('no');
    expect(instance.running).toBe(true);
    instance.stop('stop');
    expect(await within(life)).toMatchObject({ reason: 'stop', clean: true });
  });
});

describe('Instance: fenced effects', () => {
  it('carry the epoch of the moment', async () => {
    const { instance, ctx, lease, fencedSet } = setUp();
    const life = instance.run();
    await turn();
    await ctx().fenced.set('k', 'v');
    lease.epoch = 9;
    await ctx().fenced.set('k', 'w');
    expect(fencedSet.mock.calls).toEqual([
      ['k', 'v', 7, undefined],
      ['k', 'w', 9, undefined],
    ]);
    instance.stop('stop');
    await life;
  });

  it('are allowed in the stop hook while the lease is held, and refused without a call once it is not', async () => {
    const results: unknown[] = [];
    const { instance, ctx, lease, fencedSet } = setUp({
      stop: async () => {
        await ctx().fenced.set('k', 'last');
        lease.held = false;
        results.push(
          await ctx()
            .fenced.set('k', 'too late')
            .catch((error: unknown) => error),
        );
      },
    });
    const life: Promise<InstanceExit> = instance.run();
    await turn();
    instance.stop('stop');
    await within(life);
    expect(fencedSet.mock.calls).toEqual([['k', 'last', 7, undefined]]);
    expect(results[0]).toBeInstanceOf(LeaseLostError);
  });
});
