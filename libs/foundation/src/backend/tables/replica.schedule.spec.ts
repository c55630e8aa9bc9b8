// When a replica reads, by a clock of the test: reads that end when the test says so.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ReplicaSchedule } from './replica.schedule.js';

let reads: { resolve: () => void; reject: (error: Error) => void }[];
let followed: number[];
let schedule: ReplicaSchedule;

beforeEach(() => {
  jest.useFakeTimers();
  [reads, followed] = [[], []];
  schedule = new ReplicaSchedule({
    what: 'table of tests',
    now: () => Date.now(),
    read: () => new Promise<void>((resolve, reject) => reads.push({ resolve, reject })),
    follow: (version) => {
      followed.push(version);
      return undefined;
    },
  });
});
afterEach(() => void jest.useRealTimers());

/** Long enough for what hangs on promises. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

describe('a read that is asked for', () => {
  it('begins at once, and the next one once it is over, whoever asks', async () => {
    expect(schedule.isReading).toBe(false);
    const [first, second, third] = [schedule.sync(), schedule.sync(), schedule.sync()];
    expect([reads.length, schedule.isReading, second === third, first === second]).toEqual([1, true, true, false]);
    reads[0]!.resolve();
    await first;
    await settled();
    expect([reads.length, schedule.isReading]).toEqual([2, true]);
    // Who asks now is not helped by the one that runs.
    const fourth = schedule.sync();
    expect([reads.length, fourth === second]).toEqual([2, false]);
    reads[1]!.resolve();
    await second;
    await settled();
    reads[2]!.resolve();
    await fourth;
    expect([reads.length, schedule.isReading]).toEqual([3, false]);
  });

  it('fails for those that asked for it, and not for those that come after', async () => {
    const failed = schedule.sync();
    const next = schedule.sync();
    reads[0]!.reject(new Error('away'));
    await expect(failed).rejects.toThrow('away');
    await settled();
    reads[1]!.resolve();
    await next;
    expect(schedule.isReading).toBe(false);
  });
});

describe('a hint', () => {
  /** A read that began now, and is over. */
  const readNow = async (): Promise<void> => {
    const read = schedule.sync();
    reads.at(-1)!.resolve();
    await read;
  };
  const passed = (ms: number): void => {
    jest.advanceTimersByTime(ms);
  };

  it('that is urgent is followed once what is under way has been answered', async () => {
    await readNow();
    schedule.hinted(5, true);
    schedule.hinted(7, true);
    schedule.hinted(6, true);
    expect(followed).toEqual([]);
    passed(0);
    expect(followed).toEqual([7]);
    schedule.hinted(3, true);
    passed(0);
    expect(followed).toEqual([7, 3]);
  });

  it('that is not is followed with all others, a tenth of a second after the last read', async () => {
    await readNow();
    passed(40);
    schedule.hinted(5, false);
    passed(30);
    schedule.hinted(6, false);
    passed(29);
    expect(followed).toEqual([]);
    passed(1);
    expect(followed).toEqual([6]);
    expect(jest.getTimerCount()).toBe(0);
    await readNow();
    schedule.hinted(7, false);
    passed(99);
    expect(followed).toEqual([6]);
    passed(1);
    expect(followed).toEqual([6, 7]);
  });

  it('that is not is followed at once where the last read was long ago, or there was none', async () => {
    schedule.hinted(5, false);
    passed(0);
    await readNow();
    passed(100);
    schedule.hinted(6, false);
    passed(0);
    expect(followed).toEqual([5, 6]);
  });

  it('that is urgent takes the place of those that wait', async () => {
    await readNow();
    schedule.hinted(5, false);
    schedule.hinted(4, true);
    passed(0);
    expect(followed).toEqual([5]);
    passed(1000);
    expect(followed).toEqual([5]);
  });

  it('waits no longer than that, also where the clock was set back', async () => {
    await readNow();
    jest.setSystemTime(Date.now() - 3_600_000);
    schedule.hinted(5, false);
    passed(100);
    expect(followed).toEqual([5]);
  });
});
