import { describe, expect, it } from '@jest/globals';
import { ReplayGuard } from './replay.guard.js';

const NOW = 1_760_000_000_000;

describe('Stamps', () => {
  it('gives back the text, each time only once, and per topic in order', () => {
    const sender = new ReplayGuard('boot-a');
    const receiver = new ReplayGuard('boot-b');
    const [one, two, three] = ['[1]', '[2]', '[3] {}'].map((text) => sender.put(text, NOW));
    expect(receiver.take('x', one!, NOW)).toEqual({ text: '[1]' });
    expect(receiver.take('x', three!, NOW)).toEqual({ text: '[3] {}' });
    for (const again of [one, two, three]) {
      expect(receiver.take('x', again!, NOW)).toEqual({ refusal: 'replayed' });
    }
    expect(receiver.take('y', two!, NOW)).toEqual({ text: '[2]' });
  });

  it('rises when the clock stands still or goes back', () => {
    const sender = new ReplayGuard('boot-a');
    const receiver = new ReplayGuard('boot-b');
    for (const now of [NOW, NOW, NOW - 60_000, NOW + 1]) {
      expect(receiver.take('x', sender.put('[]', now), NOW)).toEqual({ text: '[]' });
    }
  });

  it('tells an old message from a new one also where nothing was heard of the sender', () => {
    const old = new ReplayGuard('boot-a').put('[]', NOW - 301_000);
    expect(new ReplayGuard('boot-b').take('x', old, NOW)).toEqual({ refusal: 'too-old' });
    const near = new ReplayGuard('boot-a').put('[]', NOW + 299_000);
    expect(new ReplayGuard('boot-b').take('x', near, NOW)).toEqual({ text: '[]' });
  });

  it('starts over after its clock was ahead, and rejects what was sent before', () => {
    const HOUR = 3_600_000;
    const sender = new ReplayGuard('boot-a');
    const [listener, newcomer] = [new ReplayGuard('boot-b'), new ReplayGuard('boot-c')];
    const before = sender.put('[1]', NOW);
    const ahead = sender.put('[2]', NOW + HOUR);
    for (const text of [before, ahead]) listener.take('x', text, NOW);
    const after = sender.put('[3]', NOW + 1000);
    for (const receiver of [listener, newcomer]) {
      expect(receiver.take('x', after, NOW + 1000)).toEqual({ text: '[3]' });
      expect(receiver.take('x', sender.put('[4]', NOW + 1001), NOW + 1001)).toEqual({ text: '[4]' });
      expect(receiver.take('x', after, NOW + 1002)).toEqual({ refusal: 'replayed' });
    }
    for (const text of [before, ahead]) {
      expect(listener.take('x', text, NOW + 2000)).toEqual({ refusal: 'replayed' });
    }
    expect(newcomer.take('x', ahead, NOW + 2000)).toEqual({ refusal: 'too-old' });
    // Each time it happens.
    sender.put('[]', NOW + HOUR);
    expect(newcomer.take('x', sender.put('[5]', NOW + 3000), NOW + 3000)).toEqual({ text: '[5]' });
  });

  it('goes on with a sender that was silent for long', () => {
    const sender = new ReplayGuard('boot-a');
    const receiver = new ReplayGuard('boot-b');
    receiver.take('x', sender.put('[]', NOW), NOW);
    expect(receiver.take('x', sender.put('[]', NOW + 1), NOW + 3_600_000)).toEqual({ text: '[]' });
  });

  it('takes nothing without a stamp, and forgets the oldest of many senders', () => {
    const receiver = new ReplayGuard('boot-b');
    for (const text of ['', '[]', 'boot 1', 'boot x []', `boot ${'9'.repeat(17)} []`]) {
      expect(receiver.take('x', text, NOW)).toEqual({ refusal: 'no-stamp' });
    }
    const first = new ReplayGuard('boot-0').put('[]', NOW);
    expect(receiver.take('x', first, NOW)).toEqual({ text: '[]' });
    for (let sender = 1; sender <= 10_000; sender++)
      receiver.take('x', new ReplayGuard(`boot-${sender}`).put('[]', NOW), NOW);
    expect(receiver.take('x', first, NOW)).toEqual({ text: '[]' });
  });

  it('says who sent it and when, in microseconds, and how often its clock was found ahead', () => {
    const HOUR = 3_600_000;
    const sender = new ReplayGuard('boot-a');
    expect(sender.put('[]', NOW)).toBe(`boot-a ${NOW * 1000} []`);
    expect(sender.put('[]', NOW + HOUR)).toBe(`boot-a ${(NOW + HOUR) * 1000} []`);
    expect(sender.put('[]', NOW)).toBe(`boot-a+1 ${NOW * 1000} []`);
    sender.put('[]', NOW + HOUR);
    expect(sender.put('[]', NOW)).toBe(`boot-a+2 ${NOW * 1000} []`);
  });

  it('takes clocks that differ by five minutes for right', () => {
    const sender = new ReplayGuard('boot-a');
    sender.put('[]', NOW + 300_000);
    expect(sender.put('[]', NOW)).toBe(`boot-a ${(NOW + 300_000) * 1000 + 1} []`);
    const old = new ReplayGuard('boot-a').put('[]', NOW - 300_000);
    expect(new ReplayGuard('boot-b').take('x', old, NOW)).toEqual({ text: '[]' });
  });

  it('remembers ten thousand senders, and forgets the one that was silent the longest', () => {
    const receiver = new ReplayGuard('boot-b');
    const [silent, busy] = [new ReplayGuard('silent'), new ReplayGuard('busy')];
    const [one, two] = [busy.put('[1]', NOW), silent.put('[2]', NOW)];
    for (const text of [one, two, busy.put('[3]', NOW)]) receiver.take('x', text, NOW);
    for (let sender = 3; sender <= 10_000; sender++)
      receiver.take('x', new ReplayGuard(`boot-${sender}`).put('[]', NOW), NOW);
    expect(receiver.take('x', two, NOW)).toEqual({ refusal: 'replayed' });
    receiver.take('x', new ReplayGuard('one-too-many').put('[]', NOW), NOW);
    expect(receiver.take('x', one, NOW)).toEqual({ refusal: 'replayed' });
    expect(receiver.take('x', two, NOW)).toEqual({ text: '[2]' });
  });
});
