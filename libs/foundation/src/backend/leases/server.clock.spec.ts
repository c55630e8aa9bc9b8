import { expect, it } from '@jest/globals';
import { ServerClock } from './server.clock.js';

it('says the time of the server, late by what the question took, never early', () => {
  const clock = new ServerClock();
  expect(clock.at(1000)).toBe(-1);
  // 50 ms on the way; at 1000 here it was 900,950 there.
  clock.note(1000, 901_000);
  expect(clock.at(1500)).toBe(901_500);
});

it('follows a clock that was set, from the next answer on', () => {
  const clock = new ServerClock();
  clock.note(1000, 901_000);
  clock.note(2000, 5_000);
  expect(clock.at(2100.4)).toBe(5_100);
});
