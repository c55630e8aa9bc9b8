import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { resolve } from '../config/resolve.js';
import { LeaseLostError, StaleEpochError } from '../errors/process.errors.js';
import { Telemetry } from '../telemetry/telemetry.js';
import type { Hint } from '../wire/hint.js';
import type { Backend } from './backend.js';
import { createBackend } from './create.backend.js';
import type { Lease } from './leases/leases.js';

describe('local backend', () => {
  let backend: Backend;
  let hints: Hint[];
  const telemetry = new Telemetry();

  beforeEach(async () => {
    const config = resolve({}, {}, { host: 'h', pid: 1 });
    backend = await createBackend(config, { name: 'n1', bootId: 'b1' }, telemetry);
    hints = [];
    backend.onHint((hint) => hints.push(hint));
    await backend.open();
  });
  afterEach(() => backend.close());

  const take = async (name = 'feed'): Promise<Lease> => (await backend.leases.acquire(name))!;

  it('has none of the raw tools', () => {
    expect(backend.kind).toBe('local');
    expect(backend.raw).toEqual({});
  });

  it('gives a name once until it is released, each time with a higher epoch', async () => {
    let last = 0;
    for (let round = 0; round < 100; round++) {
      const lease = await take();
      expect(await backend.leases.acquire('feed')).toBeUndefined();
      expect(lease.epoch).toBeGreaterThan(last);
      expect(Number.isSafeInteger(lease.epoch)).toBe(true);
      last = lease.epoch;
      await lease.release();
      await lease.release();
      expect(lease.isHeld()).toBe(false);
    }
    expect(hints.filter(({ t }) => t === 'released')).toHaveLength(100);
  });

  it('knows the owner and whether it runs', async () => {
    const lease = await take();
    expect((await backend.leases.owners(['feed', 'other']))[1]).toBeUndefined();
    expect((await backend.leases.owners(['feed']))[0]).toMatchObject({ node: 'n1', bootId: 'b1', state: 'starting' });
    await lease.announce();
    expect((await backend.leases.owners(['feed']))[0]).toMatchObject({ state: 'running', epoch: lease.epoch });
    expect((await backend.leases.standing(['feed', 'free'])).map(({ freeInMs }) => freeInMs > 0)).toEqual([
      true,
      false,
    ]);
  });

  it('keeps a name taken that is abandoned or lost, and aborts its signal', async () => {
    const one = await take('one');
    one.abandon();
    const two = await take('two');
    backend.leases.loseAll();
    for (const lease of [one, two]) {
      expect(lease.isHeld()).toBe(false);
      expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
    }
    expect(await backend.leases.acquire('one')).toBeUndefined();
  });

  it('refuses a fenced write with a lower epoch', async () => {
    await backend.leases.fencedSet('k', 'a', 5);
    await backend.leases.fencedSet('k', 'b', 5);
    await backend.leases.fencedSet('k', 'c', 6);
    await expect(backend.leases.fencedSet('k', 'd', 5)).rejects.toBeInstanceOf(StaleEpochError);
    await expect(backend.leases.fencedDelete('k', 5)).rejects.toBeInstanceOf(StaleEpochError);
    await backend.leases.fencedDelete('k', 6);
    await expect(backend.leases.fencedSet('k', 'd', 5)).rejects.toBeInstanceOf(StaleEpochError);
  });

  it('compares and sets rows of the table', async () => {
    const { table } = backend;
    const put = async (value: string, expected: number) =>
      (await table.put([{ key: 'k', value, expected }])).versions[0];
    const first = await put('1', 0);
    expect(await put('2', 0)).toBeUndefined();
    const second = await put('2', first!);
    expect(second).toBeGreaterThan(first!);
    expect(await table.since(first!)).toMatchObject({
      ...{ version: second, more: false, floor: 0 },
      rows: [{ key: 'k', value: '2', version: second }],
    });
    expect(await table.remove([{ key: 'k', version: first! }])).toEqual([]);
    expect((await table.since(0)).rows).toHaveLength(1);
    expect(await table.remove([{ key: 'k', version: second! }])).toEqual(['k']);
    expect((await table.since(0)).rows).toMatchObject([{ key: 'k', value: '' }]);
  });

  it('counts a crash once for each epoch, within the window, until it is forgotten', async () => {
    const { restarts } = backend;
    const clock = jest.spyOn(Date, 'now');
    clock.mockReturnValue(1000);
    expect(await restarts.crashed('feed', 1, 5000)).toBe(1);
    expect(await restarts.crashed('feed', 1, 5000)).toBe(1);
    expect(await restarts.crashed('feed', 2, 5000)).toBe(2);
    expect(await restarts.crashed('other', 2, 5000)).toBe(1);
    clock.mockReturnValue(6001);
    expect(await restarts.crashed('feed', 3, 5000)).toBe(1);
    await restarts.forget('feed');
    expect(await restarts.crashed('feed', 4, 5000)).toBe(1);
    clock.mockRestore();
  });

  it('calls for a restart after its delay, and not after the close', async () => {
    jest.useFakeTimers();
    const restart = jest.fn<(name: string, epoch: number) => Promise<void>>().mockResolvedValue(undefined);
    await backend.restarts.open({ restart, sweep: () => Promise.resolve() });
    await backend.restarts.schedule('feed', 7, 100);
    await jest.advanceTimersByTimeAsync(99);
    expect(restart).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(restart.mock.calls).toEqual([['feed', 7]]);
    await backend.restarts.schedule('feed', 8, 100);
    await backend.close();
    await jest.advanceTimersByTimeAsync(1000);
    expect(restart).toHaveBeenCalledTimes(1);
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });
});
