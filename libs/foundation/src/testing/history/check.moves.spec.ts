import { describe, expect, it } from '@jest/globals';
import { movesSettle } from './check.moves.js';
import type { HistoryEvent } from './history.js';

const SECOND = 1_000_000;
const at = (seconds: number, node: string, event: string, payload: Record<string, unknown> = {}): HistoryEvent => ({
  ...{ at: seconds * SECOND, node, bootId: node, pid: 1, event },
  payload: { name: 'p', ...payload },
});
const moved = (seconds: number, node: string) => at(seconds, node, 'process.stopped', { reason: 'move', clean: true });
const starts = (seconds: number, node: string) => at(seconds, node, 'process.starting');
const sentences = (...events: HistoryEvent[]) => movesSettle(events, {}).map(({ sentence }) => sentence);

describe('movesSettle', () => {
  it('allows moves after a change, each away for good', () => {
    expect(
      sentences(at(0, 'a', 'cluster.node_joined'), moved(6, 'a'), starts(6.1, 'b'), moved(50, 'b'), starts(50, 'c')),
    ).toEqual([]);
  });

  it('finds a process that comes back, at once or later', () => {
    expect(sentences(moved(1, 'a'), starts(1.1, 'a'))).toEqual([expect.stringContaining('"p" came back to a 100')]);
    const later = [moved(1, 'a'), starts(2, 'b'), moved(40, 'b'), starts(41, 'a')];
    expect(sentences(...later)).toHaveLength(1);
    expect(sentences(...later.map((event) => ({ ...event, payload: { ...event.payload, name: 'q' } })))).toHaveLength(
      1,
    );
  });

  it.each([
    ['a node came', at(3, 'a', 'cluster.node_joined')],
    ['another process ended', at(3, 'a', 'process.stopped', { name: 'q', reason: 'stop' })],
    ['a call asked for it', at(3, 'a', 'test.revived')],
  ])('allows it when %s in between', (_what, change) => {
    expect(sentences(moved(1, 'a'), starts(2, 'b'), change, moved(40, 'b'), starts(41, 'a'))).toEqual([]);
  });

  it('does not hold a move that a call asked for to it, and the next one again', () => {
    const asked = [at(0, 'b', 'test.revived'), moved(1, 'a'), starts(1.1, 'a')];
    expect(sentences(...asked)).toEqual([]);
    expect(sentences(...asked, moved(3, 'a'), starts(3.1, 'a'))).toHaveLength(1);
  });

  it('counts what the test did as changes', () => {
    const events = [moved(1, 'a'), starts(2, 'b'), moved(40, 'b'), starts(41, 'a')];
    expect(movesSettle(events, { killed: [{ pid: 3, at: 30 * SECOND }] })).toEqual([]);
    expect(movesSettle(events, { frozen: [{ pid: 3, from: 0.5 * SECOND, until: 30 * SECOND }] })).toEqual([]);
    expect(movesSettle(events, { cut: [{ node: 'b', from: 0.5 * SECOND }] })).toHaveLength(1);
  });

  it('finds a move long after the last change', () => {
    expect(sentences(at(0, 'a', 'cluster.node_joined'), moved(121, 'a'))).toEqual([
      'a moved "p" away 121000.0 ms after the last change',
    ]);
  });
});
