// The shortest stretch of a history that shows a breach: it is short, it shows the same, and it has no other names in
// it.
import { expect, it } from '@jest/globals';
import { checkHistory } from 'nestjs-foundation/testing';
import { acquired, effect, history, type Line, lost } from '../support/history.lines.js';
import { shortestStretch } from '../support/shortest.stretch.js';

/** A long and good history: the lease goes from one node to the next, and each acts while it has it. */
const good = (turns: number): Line[] =>
  Array.from({ length: turns }, (_, turn): Line[] => {
    const [at, node] = [turn * 100, turn % 2 === 0 ? 'a' : 'b'];
    return [
      acquired(at, node, turn + 1),
      effect(at + 10, node, turn + 1),
      [at + 20, node, 'test.lookup_failed', { name: 'other' }],
      lost(at + 90, node, turn + 1),
    ];
  }).flat();

it('is undefined for a history that breaks nothing', () => {
  expect(shortestStretch(history(...good(50)), {})).toBeUndefined();
});

it('has what makes the breach, and little else', () => {
  const lines = good(200);
  const at = lines.findIndex(([ms]) => ms > 10_000);
  const bad = [...lines.slice(0, at), effect(10_005, 'c', 7), ...lines.slice(at)] satisfies Line[];
  const events = history(...bad);
  const found = shortestStretch(events, {})!;
  expect(found.violation.invariant).toBe('I1');
  expect(found.events.length).toBeLessThan(5);
  expect(found.events.every(({ payload }) => payload['name'] === 'job')).toBe(true);
  expect(checkHistory(found.events, {}).map(({ sentence }) => sentence)).toContain(found.violation.sentence);
});

it('leaves out what was expected', () => {
  const events = history(...good(10), effect(2000, 'c', 7));
  expect(shortestStretch(events, {}, (violation) => violation.startsWith('I1'))).toBeUndefined();
});

it('has the faults of that time, and nothing that the application did besides', () => {
  const calls = Array.from({ length: 50 }, (_, index): Line => [20 + index, 'a', 'test.lookup', { name: 'job' }]);
  const events = history(acquired(10, 'a', 1), ...calls, acquired(90, 'b', 2), lost(95, 'a', 1));
  const cut = [{ node: 'a', from: events[5]!.at }];
  const found = shortestStretch(events, { cut })!;
  expect(found.violation.invariant).toBe('I1');
  expect(found.events.map(({ event, node }) => `${event} ${node}`)).toEqual([
    'lease.acquired a',
    'fault: cut off a',
    'lease.acquired b',
    'lease.lost a',
  ]);
});

it('of what never came is what there was instead', () => {
  const other = (ms: number): Line => [ms, 'b', 'lease.acquired', { name: `other-${ms}`, epoch: 1 }];
  const events = history(acquired(10, 'a', 1), lost(60, 'a', 1), other(70), other(30_000));
  const wanted = [{ name: 'job', at: events[1]!.at - 1, withinMs: 1000, because: 'SIGKILL' }];
  const found = shortestStretch(events, { wanted })!;
  expect(found.violation.invariant).toBe('I5');
  expect(found.events.map(({ event }) => event)).toEqual(['lease.acquired', 'fault: SIGKILL', 'lease.lost']);
});
