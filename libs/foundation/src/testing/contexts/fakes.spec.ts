import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { fakeCronRun } from './fake.cron.run.js';
import { fakeProcessContext, type FakeProcessContextOptions } from './fake.process.context.js';

describe('A fake process context', () => {
  it('has what a process is given, and what the test says', () => {
    const args = [{ a: 1 }];
    const ctx = fakeProcessContext({ args, index: 3, handoff: 5, epoch: 7, name: 'feed/3' });
    expect(ctx).toMatchObject({ name: 'feed/3', node: 'test-node', args, index: 3, handoff: 5, epoch: 7 });
    expect(ctx.args).not.toBe(args);
    expect([ctx.isOwner(), ctx.signal.aborted, ctx.ended]).toEqual([true, false, undefined]);
  });

  it('runs tasks until it stops, and waits for them', async () => {
    const ctx = fakeProcessContext();
    const seen: string[] = [];
    ctx.run(async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await Promise.resolve();
      seen.push('task');
    });
    await ctx.stop();
    expect([seen, ctx.isOwner(), ctx.ended]).toEqual([['task'], false, undefined]);
    Logger.overrideLogger(false);
    ctx.run(() => Promise.resolve(void seen.push('too late')));
    await ctx.stop();
    expect(seen).toEqual(['task']);
  });

  it('tells how the process ended, by the first end', async () => {
    expect(() => fakeProcessContext().run(5 as never)).toThrow('ctx.run: invalid argument "task": received 5');
    const failed = fakeProcessContext();
    const error = new Error('no prices');
    failed.run(() => Promise.reject(error));
    await new Promise(setImmediate);
    failed.complete();
    expect([failed.ended, failed.signal.reason]).toEqual([{ reason: 'crash', error }, error]);
    const completed = fakeProcessContext();
    completed.complete();
    completed.fail(error);
    expect(completed.ended).toEqual({ reason: 'complete' });
  });

  it('keeps fenced writes as long as it has the lease', async () => {
    const ctx = fakeProcessContext({ name: 'ledger' });
    await ctx.fenced.set('total', '5');
    await expect(ctx.fenced.set('', '5')).rejects.toThrow('fenced.set');
    await ctx.loseLease();
    await expect(ctx.fenced.set('total', '6')).rejects.toThrow('ledger');
    expect([ctx.isOwner(), ctx.signal.reason]).toEqual([false, expect.objectContaining({ name: 'LeaseLostError' })]);
  });

  it.each([
    [null, 'options'],
    ['feed', 'options'],
    [{ nam: 'feed' }, 'nam'],
    [{ name: 5 }, 'name'],
    [{ args: 'a' }, 'args'],
    [{ index: -1 }, 'index'],
    [{ epoch: Number.NaN }, 'epoch'],
  ])('refuses %j', (options, argument) => {
    const make = (): unknown => fakeProcessContext(options as FakeProcessContextOptions);
    expect(make).toThrow(`invalid argument "${argument}"`);
  });
});

describe('A fake run of a job', () => {
  it('has what a job is given, and ends', () => {
    const scheduledAt = new Date('2026-01-01T03:00:00Z');
    const run = fakeCronRun({ name: 'close', scheduledAt });
    expect(run).toMatchObject({ name: 'close', scheduledAt, cause: 'tick', epoch: 1 });
    expect([run.isOwner(), run.signal.aborted]).toEqual([true, false]);
    run.abort();
    expect([run.isOwner(), run.signal.aborted]).toEqual([false, true]);
  });

  it.each([
    [null, 'options'],
    [{ at: 1 }, 'at'],
    [{ scheduledAt: 'now' }, 'scheduledAt'],
    [{ scheduledAt: new Date('never') }, 'scheduledAt'],
  ])('refuses %j', (options, argument) => {
    expect(() => fakeCronRun(options as object)).toThrow(`invalid argument "${argument}"`);
  });
});
