import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { BeatAnswer } from '../backend/directory/directory.js';
import { machineClock } from '../time/clock.js';
import { wakeUps } from '../time/wake.ups.js';
import { Heartbeat } from './heartbeat.js';
import type { LocalRecord } from './local.record.js';

const EVERY = 1000;

describe('The heartbeat', () => {
  let beats: number[];
  let isDown: boolean;
  let heartbeat: Heartbeat;
  let began: number;

  beforeEach(async () => {
    jest.useFakeTimers();
    jest.spyOn(Math, 'random').mockReturnValue(1);
    began = performance.now();
    beats = [];
    isDown = false;
    const record = {
      take: () => ({ update: undefined, told: undefined }),
      acknowledged: () => undefined,
      restore: () => undefined,
      noteLag: () => undefined,
      dropIdle: () => false,
    };
    const beat = async (): Promise<BeatAnswer> => {
      beats.push(Math.round(performance.now() - began));
      if (isDown) throw new Error('away');
      return { status: 'ok', viewVersion: 0, tableVersion: 0, incarnation: '', now: 0, late: [] };
    };
    const owner = {
      self: { name: 'a', bootId: 'a1' },
      isBeating: () => true,
      heard: () => Promise.resolve(),
      unheard: () => undefined,
    };
    heartbeat = new Heartbeat(owner, { beat }, record as unknown as LocalRecord, EVERY, {
      ...machineClock,
      monotonic: () => performance.now(),
    });
    await heartbeat.beat();
  });
  afterEach(async () => {
    await heartbeat.stop();
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

  it('is never later than a tenth of its interval', async () => {
    await pass(3 * 1.1 * EVERY);
    expect(beats).toEqual([0, 1100, 2200, 3300]);
  });

  it('goes with another wake-up that comes a little sooner, and with none that comes much sooner', async () => {
    for (const ms of [500, 740, 760, 800]) wakeUps.within(ms, ms, () => undefined);
    await pass(1000);
    expect(beats).toEqual([0, 760]);
  });

  it('comes at once when something has changed, and soon after one that failed', async () => {
    heartbeat.soon();
    await pass(60);
    expect(beats).toEqual([0, 55]);
    isDown = true;
    await pass(1100 + 2 * 275);
    expect(beats.slice(2)).toEqual([1155, 1430, 1705]);
  });

  it('leaves no timer once it has stopped', async () => {
    await heartbeat.stop();
    expect(jest.getTimerCount()).toBe(0);
  });
});
