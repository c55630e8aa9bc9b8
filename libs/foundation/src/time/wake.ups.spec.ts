import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { WakeUps } from './wake.ups.js';

describe('Wake-ups', () => {
  let wakeUps: WakeUps;
  let began: number;
  let fired: { name: string; at: number }[];

  beforeEach(() => {
    jest.useFakeTimers();
    began = performance.now();
    fired = [];
    wakeUps = new WakeUps();
  });
  afterEach(() => void jest.useRealTimers());

  const set = (name: string, earliest: number, latest: number) =>
    wakeUps.within(earliest, latest, () => fired.push({ name, at: Math.round(performance.now() - began) }));

  it('fires at the latest moment when there is nobody to share it with', () => {
    set('a', 50, 100);
    jest.advanceTimersByTime(99);
    expect(fired).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(fired).toEqual([{ name: 'a', at: 100 }]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('fires with another one that has to, once it may', () => {
    set('must', 100, 100);
    set('may', 90, 500);
    set('may not yet', 150, 500);
    jest.advanceTimersByTime(100);
    expect(fired.map(({ name }) => name)).toEqual(['must', 'may']);
    jest.advanceTimersByTime(400);
    expect(fired.at(-1)).toEqual({ name: 'may not yet', at: 500 });
  });

  it('fires again and again until it is cancelled, and keeps no process', () => {
    const every = wakeUps.every(50, 100, () =>
      fired.push({ name: 'every', at: Math.round(performance.now() - began) }),
    );
    set('must', 60, 60);
    jest.advanceTimersByTime(300);
    expect(fired.map(({ name, at }) => `${name} ${at}`)).toEqual(['every 60', 'must 60', 'every 160', 'every 260']);
    every.cancel();
    jest.advanceTimersByTime(300);
    expect(fired).toHaveLength(4);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is never late because of those that were set before or after', () => {
    for (const [index, latest] of [700, 300, 500, 100, 900].entries()) set(`${index}`, latest, latest);
    jest.advanceTimersByTime(1000);
    expect(fired.map(({ at }) => at)).toEqual([100, 300, 500, 700, 900]);
  });

  it('has one timer for all', () => {
    for (let index = 0; index < 100; index++) set(`${index}`, 10, 100 + index);
    expect(jest.getTimerCount()).toBe(1);
  });

  it('forgets what was cancelled, by another work too, and leaves no timer', () => {
    const first = wakeUps.within(10, 10, () => second.cancel());
    const second = set('second', 10, 10);
    const third = set('third', 10, 20);
    third.cancel();
    jest.advanceTimersByTime(100);
    expect(fired).toEqual([]);
    first.cancel();
    set('fourth', 10, 10).cancel();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('leaves what a work sets for another wake-up', () => {
    let turns = 0;
    const again = (): void => {
      turns += 1;
      if (turns < 3) wakeUps.within(0, 10, again);
    };
    wakeUps.within(0, 10, again);
    jest.advanceTimersByTime(10);
    expect(turns).toBe(1);
    jest.advanceTimersByTime(20);
    expect(turns).toBe(3);
  });

  it('keeps the process as long as one of them does', () => {
    jest.useRealTimers();
    const timers = jest.spyOn(globalThis, 'setTimeout');
    const plain = wakeUps.within(1e6, 1e6, () => undefined);
    wakeUps.within(1e6, 1e6, () => undefined).unref();
    const [timer] = timers.mock.results.map(({ value }) => value as NodeJS.Timeout);
    timers.mockRestore();
    expect(timer?.hasRef()).toBe(true);
    plain.cancel();
    expect(timer?.hasRef()).toBe(false);
    wakeUps.within(2e6, 2e6, () => undefined);
    expect(timer?.hasRef()).toBe(true);
    clearTimeout(timer);
  });

  it('calls the others when one throws', () => {
    wakeUps.within(10, 10, () => {
      throw new Error('broken');
    });
    set('other', 10, 10);
    expect(() => jest.advanceTimersByTime(10)).toThrow('broken');
    jest.advanceTimersByTime(1);
    expect(fired).toHaveLength(1);
  });

  it('goes on when the timers of a test were replaced', () => {
    set('lost', 10, 10);
    jest.useRealTimers();
    jest.useFakeTimers({ now: Date.now() + 60_000 });
    wakeUps.within(5, 5, () => fired.push({ name: 'new', at: 0 }));
    jest.advanceTimersByTime(60_000);
    expect(fired.map(({ name }) => name)).toContain('new');
  });

  it('does not put off one that is overdue when a busy event loop sets another', async () => {
    jest.useRealTimers();
    // Before, it was put off by a turn or more in nearly each of these.
    for (let times = 1; times <= 5; times++) {
      set('overdue', 10, 10);
      let isOver = false;
      const inTheSameTurn = new Promise<number>((resolve) =>
        setTimeout(() => setImmediate(() => resolve(fired.length)), 10),
      );
      const turn = (): void => {
        for (const until = performance.now() + 12; performance.now() < until;);
        set('other', 60_000, 60_000).cancel();
        if (!isOver) setImmediate(turn);
      };
      setImmediate(turn);
      expect(await inTheSameTurn).toBe(times);
      isOver = true;
    }
  });

  it('runs no work in the context in which another one was set', () => {
    const context = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    context.run('a request', () => wakeUps.within(0, 10, () => seen.push(context.getStore())));
    wakeUps.within(0, 10, () => seen.push(context.getStore()));
    jest.advanceTimersByTime(10);
    expect(seen).toEqual([undefined, undefined]);
  });
});
