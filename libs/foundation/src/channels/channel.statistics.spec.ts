import { describe, expect, it } from '@jest/globals';
import { readFigures, sumOf } from './channel.statistics.js';

const counters = {
  received: 2,
  failed: 1,
  invalid: 1,
  missed: 3,
  unknown: 0,
  dropped: { 'queue-full': 2, unsubscribed: 1 },
  waiting: 4,
  lag: 5,
};

describe('channel statistics', () => {
  it('sums the subscriptions, and takes the oldest of their backlogs', () => {
    const figures = sumOf(
      [['events', 9]],
      [
        ['events', counters],
        ['events', { ...counters, lag: 50 }],
        ['data', counters],
      ],
    );
    expect({ ...figures }).toEqual({
      events: { sent: 9, received: 4, failed: 4, dropped: 12, waiting: 8, lag: 50 },
      data: { sent: 0, received: 2, failed: 2, dropped: 6, waiting: 4, lag: 5 },
    });
  });

  it('reads the statistics of another node as far as possible', () => {
    const none = { sent: 0, received: 0, failed: 0, dropped: 0, waiting: 0, lag: 0 };
    for (const nonsense of [null, 'x', 7, []]) expect(readFigures(nonsense)).toBeUndefined();
    const read = readFigures(
      JSON.parse('{"a":{"received":-1,"lag":"x","sent":1e400},"b":null,"__proto__":{"sent":3}}'),
    );
    expect(read?.['a']).toEqual(none);
    expect(Object.keys(read ?? {})).not.toContain('b');
    expect(({} as Record<string, unknown>)['sent']).toBeUndefined();
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`c${index}`, none]));
    expect(Object.keys(readFigures(many) ?? {})).toHaveLength(100);
    expect(Object.keys(readFigures({ ['x'.repeat(200)]: none, ['x'.repeat(201)]: none }) ?? {})).toHaveLength(1);
  });
});
