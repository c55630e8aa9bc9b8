import { describe, expect, it } from '@jest/globals';
import { GapDetector, type Sequence } from './gap.detector.js';

const of = (bootId = 'b', channel = 'events', lane: Sequence['lane'] = 'normal'): Sequence => ({
  bootId,
  channel,
  lane,
});
const FINE = { duplicates: 0, gap: undefined };

describe('GapDetector', () => {
  it('accepts any first number of a sender that predates the subscription', () => {
    const sequences = new GapDetector(() => 'before');
    expect(sequences.arrived(of(), 41, 2)).toEqual(FINE);
    expect(sequences.arrived(of(), 43, 1)).toEqual(FINE);
  });

  it('reports the missing first messages of a sender that started later than the subscription', () => {
    const sequences = new GapDetector(() => 'here');
    expect(sequences.arrived(of('late'), 4, 1)).toEqual({ duplicates: 0, gap: { first: 1, last: 3 } });
    expect(sequences.arrived(of('early'), 1, 1)).toEqual(FINE);
  });

  it('reports a gap once', () => {
    const sequences = new GapDetector(() => 'before');
    sequences.arrived(of(), 1, 3);
    expect(sequences.arrived(of(), 7, 2)).toEqual({ duplicates: 0, gap: { first: 4, last: 6 } });
    expect(sequences.arrived(of(), 9, 1)).toEqual(FINE);
    expect(sequences.announced(of(), 9)).toBeUndefined();
  });

  it.each([
    ['all of them', 2, 2, 2],
    ['the first of them', 3, 3, 1],
    ['older ones', 1, 1, 1],
  ])('counts duplicates: %s', (_what, first, count, duplicates) => {
    const sequences = new GapDetector(() => 'before');
    sequences.arrived(of(), 1, 3);
    expect(sequences.arrived(of(), first, count)).toEqual({ duplicates, gap: undefined });
    expect(sequences.arrived(of(), Math.max(4, first + count), 1)).toEqual(FINE);
  });

  it('keeps accepting a sender after a forged number', () => {
    const sequences = new GapDetector(() => 'before');
    sequences.arrived(of(), 1, 3);
    expect(sequences.arrived(of(), 2 ** 50, 1)).toEqual({ duplicates: 0, gap: { first: 4, last: 2 ** 50 - 1 } });
    expect(sequences.arrived(of(), 4, 2)).toEqual(FINE);
    expect(sequences.arrived(of(), 4, 2)).toEqual({ duplicates: 2, gap: undefined });
    sequences.arrived(of(), 2 ** 51, 1);
    expect(sequences.arrived(of(), 8, 1)).toEqual({ duplicates: 0, gap: { first: 6, last: 7 } });
    expect(sequences.arrived(of(), 11, 1)).toEqual({ duplicates: 0, gap: { first: 9, last: 10 } });
  });

  it('tells what comes late out of a gap from what comes again', () => {
    const sequences = new GapDetector(() => 'before');
    sequences.arrived(of(), 1, 3);
    sequences.arrived(of(), 7, 1);
    expect(sequences.arrived(of(), 8, 1)).toEqual(FINE);
    expect(sequences.arrived(of(), 3, 1)).toEqual({ duplicates: 1, gap: undefined });
    expect(sequences.arrived(of(), 6, 1)).toEqual({ duplicates: 0, gap: { first: 4, last: 5 } });
  });

  it('keeps senders, channels and lanes apart', () => {
    const sequences = new GapDetector(() => 'before');
    for (const sequence of [of(), of('other'), of('b', 'data'), of('b', 'events', 'high')]) {
      expect(sequences.arrived(sequence, 1, 1)).toEqual(FINE);
    }
    expect(sequences.arrived(of(), 2, 1)).toEqual(FINE);
  });

  it('detects missing last messages by an announcement, and reports them once', () => {
    const sequences = new GapDetector(() => 'before');
    sequences.arrived(of(), 1, 3);
    expect(sequences.announced(of(), 3)).toBeUndefined();
    expect(sequences.announced(of(), 5)).toEqual({ first: 4, last: 5 });
    expect(sequences.announced(of(), 5)).toBeUndefined();
    expect(sequences.announced(of(), 6)).toEqual({ first: 6, last: 6 });
    expect(sequences.arrived(of(), 9, 1)).toEqual({ duplicates: 0, gap: { first: 7, last: 8 } });
  });

  it('accepts messages that arrive after they were reported missing', () => {
    const sequences = new GapDetector(() => 'before');
    sequences.arrived(of(), 1, 1);
    sequences.announced(of(), 3);
    expect(sequences.arrived(of(), 2, 2)).toEqual(FINE);
  });

  it('continues from the announced number of a sender without messages so far', () => {
    const sequences = new GapDetector(() => 'before');
    expect(sequences.announced(of(), 5)).toBeUndefined();
    expect(sequences.announced(of(), 7)).toEqual({ first: 6, last: 7 });
    expect(sequences.arrived(of(), 10, 1)).toEqual({ duplicates: 0, gap: { first: 8, last: 9 } });
    expect(new GapDetector(() => 'here').announced(of(), 5)).toEqual({ first: 1, last: 5 });
  });

  it('reports the missing first message of a sender that had announced none', () => {
    const sequences = new GapDetector(() => 'before');
    expect(sequences.announced(of(), 0)).toBeUndefined();
    expect(sequences.announced(of(), 2)).toEqual({ first: 1, last: 2 });
  });

  it('reports at most what a sender may have sent that never announced its numbers before the cut', () => {
    const atMost = { first: 1, last: 4, atMost: true };
    expect(new GapDetector(() => 'unknown').arrived(of(), 5, 1)).toEqual({ duplicates: 0, gap: atMost });
    const sequences = new GapDetector(() => 'unknown');
    expect(sequences.announced(of(), 4)).toEqual(atMost);
    expect(sequences.arrived(of(), 5, 1)).toEqual(FINE);
    expect(sequences.announced(of(), 6)).toEqual({ first: 6, last: 6 });
    expect(new GapDetector(() => 'unknown').announced(of(), 0)).toBeUndefined();
  });

  it('forgets senders that are gone, and channels without subscriptions', () => {
    const sequences = new GapDetector(() => 'before');
    for (const bootId of ['a', 'b']) sequences.arrived(of(bootId), 1, 1);
    sequences.forgetSenders((bootId) => bootId === 'a');
    expect(sequences.size).toBe(1);
    sequences.forgetChannel('events');
    expect(sequences.arrived(of(), 9, 1)).toEqual(FINE);
  });

  it('keeps a bounded number of senders', () => {
    const sequences = new GapDetector(() => 'before');
    for (let sender = 0; sender < 10_100; sender++) sequences.arrived(of(`b${sender}`), 1, 1);
    expect(sequences.size).toBe(10_000);
  });
});
