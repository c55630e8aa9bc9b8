import { expect, it } from '@jest/globals';
import { LocalTicks } from './local.ticks.js';
import { BELIEVED_AHEAD_MS, MOST_AHEAD_MS } from './ticks.js';

const NOW = 1_700_000_000_000;

function ticksAt(clock: { now: number }) {
  const ticks = new LocalTicks(() => clock.now);
  let rev = 0;
  const claim = (at: number, id = 'a') => ticks.write('job', 5, `{"rev":${++rev}}`, { at, id });
  return { ticks, claim };
}

it('lets a time be claimed that is as far ahead as clocks may differ, and no later one', async () => {
  const { claim } = ticksAt({ now: NOW });
  expect(await claim(NOW + MOST_AHEAD_MS + 1)).toBe('early');
  expect(await claim(NOW + MOST_AHEAD_MS)).toBe('done');
});

it('passes over what was claimed by a clock that was set back since, and says so to the next owner', async () => {
  const clock = { now: NOW };
  const { ticks, claim } = ticksAt(clock);
  await claim(NOW);
  clock.now = NOW - BELIEVED_AHEAD_MS;
  expect(await ticks.open('job', 5)).toStrictEqual({ claimed: NOW, record: '{"rev":1}' });
  expect(await claim(clock.now, 'b')).toBe('taken');
  clock.now -= 1;
  const doubt = { said: String(NOW), most: clock.now + MOST_AHEAD_MS };
  expect(await ticks.open('job', 5)).toStrictEqual({ claimed: 0, record: '{"rev":1}', doubt });
  expect(await claim(clock.now, 'b')).toBe('done');
  expect(await ticks.open('job', 5)).toStrictEqual({ claimed: clock.now, record: '{"rev":3}' });
});

it('still knows a claim again after the same was put back', async () => {
  const { ticks, claim } = ticksAt({ now: NOW });
  await claim(NOW);
  await ticks.restore(await ticks.recall(['job']));
  expect(await claim(NOW, 'b')).toBe('taken');
  expect(await claim(NOW, 'a')).toBe('done');
});
