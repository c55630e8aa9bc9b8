import { describe, expect, it } from '@jest/globals';
import { ReplayGuard } from './replay.guard.js';

const NOW = 1_760_000_000_000;

const put = (guard: ReplayGuard, text: string, now: number): string => guard.next(now) + text;

function take(guard: ReplayGuard, topic: string, stamped: string, now: number): { text: string } | { refusal: string } {
  const taken = guard.take(topic, stamped, now);
  return typeof taken === 'number' ? { text: stamped.slice(taken) } : { refusal: taken };
}

describe('Stamps', () => {
  it('gives back the text, each time only once, and per topic in order', () => {
    const sender = new ReplayGuard('boot-a');
    const receiver = new ReplayGuard('boot-b');
    const [one, two, three] = ['[1]', '[2]', '[3] {}'].map((text) => put(sender, text, NOW));
    expect(take(receiver, 'x', one!, NOW)).toEqual({ text: '[1]' });
    expect(take(receiver, 'x', three!, NOW)).toEqual({ text: '[3] {}' });
    for (const again of [one, two, three]) {
      expect(take(receiver, 'x', again!, NOW)).toEqual({ refusal: 'replayed' });
    }
    expect(take(receiver, 'y', two!, NOW)).toEqual({ text: '[2]' });
  });

  it('rises when the clock stands still or goes back', () => {
    const sender = new ReplayGuard('boot-a');
    const receiver = new ReplayGuard('boot-b');
    for (const now of [NOW, NOW, NOW - 60_000, NOW + 1]) {
      expect(take(receiver, 'x', put(sender, '[]', now), NOW)).toEqual({ text: '[]' });
    }
  });

  it('tells an old message from a new one also where nothing was heard of the sender', () => {
    const old = put(new ReplayGuard('boot-a'), '[]', NOW - 301_000);
    expect(take(new ReplayGuard('boot-b'), 'x', old, NOW)).toEqual({ refusal: 'too-old' });
    const near = put(new ReplayGuard('boot-a'), '[]', NOW + 299_000);
    expect(take(new ReplayGuard('boot-b'), 'x', near, NOW)).toEqual({ text: '[]' });
  });

  it('starts over after its clock was ahead, and rejects what was sent before', () => {
    const HOUR = 3_600_000;
    const sender = new ReplayGuard('boot-a');
    const [listener, newcomer] = [new ReplayGuard('boot-b'), new ReplayGuard('boot-c')];
    const before = put(sender, '[1]', NOW);
    const ahead = put(sender, '[2]', NOW + HOUR);
    for (const text of [before, ahead]) take(listener, 'x', text, NOW);
    const after = put(sender, '[3]', NOW + 1000);
    for (const receiver of [listener, newcomer]) {
      expect(take(receiver, 'x', after, NOW + 1000)).toEqual({ text: '[3]' });
      expect(take(receiver, 'x', put(sender, '[4]', NOW + 1001), NOW + 1001)).toEqual({ text: '[4]' });
      expect(take(receiver, 'x', after, NOW + 1002)).toEqual({ refusal: 'replayed' });
    }
    for (const text of [before, ahead]) {
      expect(take(listener, 'x', text, NOW + 2000)).toEqual({ refusal: 'replayed' });
    }
    expect(take(newcomer, 'x', ahead, NOW + 2000)).toEqual({ refusal: 'too-old' });
    // Each time it happens.
    put(sender, '[]', NOW + HOUR);
    expect(take(newcomer, 'x', put(sender, '[5]', NOW + 3000), NOW + 3000)).toEqual({ text: '[5]' });
  });

  it('goes on with a sender that was silent for long', () => {
    const sender = new ReplayGuard('boot-a');
    const receiver = new ReplayGuard('boot-b');
    take(receiver, 'x', put(sender, '[]', NOW), NOW);
    expect(take(receiver, 'x', put(sender, '[]', NOW + 1), NOW + 3_600_000)).toEqual({ text: '[]' });
  });

  it('takes nothing without a stamp, and forgets the oldest of many senders', () => {
    const receiver = new ReplayGuard('boot-b');
    for (const text of ['', '[]', 'boot 1', 'boot x []', `boot ${'9'.repeat(17)} []`]) {
      expect(take(receiver, 'x', text, NOW)).toEqual({ refusal: 'no-stamp' });
    }
    const first = put(new ReplayGuard('boot-0'), '[]', NOW);
    expect(take(receiver, 'x', first, NOW)).toEqual({ text: '[]' });
    for (let sender = 1; sender <= 10_000; sender++)
      take(receiver, 'x', put(new ReplayGuard(`boot-${sender}`), '[]', NOW), NOW);
    expect(take(receiver, 'x', first, NOW)).toEqual({ text: '[]' });
  });

  it('says who sent it and when, in microseconds, and how often its clock was found ahead', () => {
    const HOUR = 3_600_000;
    const sender = new ReplayGuard('boot-a');
    expect(put(sender, '[]', NOW)).toBe(`boot-a ${NOW * 1000} []`);
    expect(put(sender, '[]', NOW + HOUR)).toBe(`boot-a ${(NOW + HOUR) * 1000} []`);
    expect(put(sender, '[]', NOW)).toBe(`boot-a+1 ${NOW * 1000} []`);
    put(sender, '[]', NOW + HOUR);
    expect(put(sender, '[]', NOW)).toBe(`boot-a+2 ${NOW * 1000} []`);
  });

  it('takes clocks that differ by five minutes for right', () => {
    const sender = new ReplayGuard('boot-a');
    put(sender, '[]', NOW + 300_000);
    expect(put(sender, '[]', NOW)).toBe(`boot-a ${(NOW + 300_000) * 1000 + 1} []`);
    const old = put(new ReplayGuard('boot-a'), '[]', NOW - 300_000);
    expect(take(new ReplayGuard('boot-b'), 'x', old, NOW)).toEqual({ text: '[]' });
  });

  it('remembers ten thousand senders, and forgets the one that was silent the longest', () => {
    const receiver = new ReplayGuard('boot-b');
    const [silent, busy] = [new ReplayGuard('silent'), new ReplayGuard('busy')];
    const [one, two] = [put(busy, '[1]', NOW), put(silent, '[2]', NOW)];
    for (const text of [one, two, put(busy, '[3]', NOW)]) take(receiver, 'x', text, NOW);
    for (let sender = 3; sender <= 10_000; sender++)
      take(receiver, 'x', put(new ReplayGuard(`boot-${sender}`), '[]', NOW), NOW);
    expect(take(receiver, 'x', two, NOW)).toEqual({ refusal: 'replayed' });
    take(receiver, 'x', put(new ReplayGuard('one-too-many'), '[]', NOW), NOW);
    expect(take(receiver, 'x', one, NOW)).toEqual({ refusal: 'replayed' });
    expect(take(receiver, 'x', two, NOW)).toEqual({ text: '[2]' });
  });
});
