import { describe, expect, it } from '@jest/globals';
import { SingleFlight } from './single.flight.js';

const turn = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve));

describe('SingleFlight', () => {
  it('works one at a time, and once more for all who ask meanwhile', async () => {
    const ends: (() => void)[] = [];
    const flight = new SingleFlight(() => new Promise<void>((resolve) => ends.push(resolve)));
    let done = 0;
    const asked = [flight.ask(), flight.ask(), flight.ask()].map((each) => each.then(() => (done += 1)));
    expect(ends).toHaveLength(1);
    ends[0]!();
    await turn();
    expect([ends.length, done]).toEqual([2, 0]);
    ends[1]!();
    await Promise.all(asked);
    expect(ends).toHaveLength(2);
  });

  it('begins again after it has ended', async () => {
    let runs = 0;
    const flight = new SingleFlight(() => Promise.resolve(void (runs += 1)));
    await flight.ask();
    await flight.ask();
    expect(runs).toBe(2);
  });
});
