import { describe, expect, it } from '@jest/globals';
import { durableDelivered } from './check.durable.js';
import type { HistoryEvent } from './history.js';

const PIDS: Record<string, number> = { a: 1, b: 2 };
const at = (ms: number, node: string, event: string, payload: object): HistoryEvent => ({
  ...{ at: ms * 1000, node, bootId: `boot ${node}`, pid: PIDS[node]!, event: `test.durable_${event}` },
  payload: { channel: 'orders', ...payload },
});
const listens = at(0, 'a', 'listening', { group: 'g' });
const kept = (ms: number, message: string): HistoryEvent => at(ms + 1, 'a', 'kept', { message, sentAt: ms * 1000 });
const begins = (ms: number, node: string, deliveries = 1): HistoryEvent =>
  at(ms, node, 'delivered', { group: 'g', message: 'm', deliveries });
const handles = (ms: number, node: string, deliveries = 1): HistoryEvent =>
  at(ms, node, 'handled', { group: 'g', message: 'm', deliveries });
const later = at(60_000, 'a', 'listening', { group: 'g' });

describe('I24', () => {
  it('holds where what is kept is handled, after a failure as well', () => {
    const events = [listens, kept(10, 'm'), begins(20, 'a'), begins(3030, 'b', 2), handles(3040, 'b', 2), later];
    expect(durableDelivered(events, {})).toEqual([]);
  });

  it('is broken by a message that was kept and is not handled in any group of its channel', () => {
    expect(durableDelivered([listens, kept(10, 'm'), begins(20, 'a'), later], {})).toMatchObject([
      { invariant: 'I24', sentence: expect.stringContaining('1 messages') },
    ]);
    const other = at(0, 'b', 'listening', { group: 'other' });
    const handled = [listens, other, kept(10, 'm'), begins(20, 'a'), handles(30, 'a'), later];
    expect(durableDelivered(handled, {})).toMatchObject([{ sentence: expect.stringContaining('"other"') }]);
  });

  it('asks nothing of what was lost with all the data, or of what was kept just now', () => {
    const events = [listens, kept(10, 'm'), later];
    expect(durableDelivered(events, { dataLost: [{ at: 11_000 }] })).toEqual([]);
    expect(durableDelivered(events, { dataLost: [{ at: 9000 }] })).toHaveLength(1);
    expect(durableDelivered(events, { settledAt: 12_000 })).toEqual([]);
  });

  it('is broken by a message that is given to another one while its consumer has it, or after that', () => {
    for (const again of [25, 5000]) {
      const events = [listens, kept(10, 'm'), begins(20, 'a'), handles(30, 'a'), begins(again, 'b', 2), later];
      events.sort((one, other) => one.at - other.at);
      expect(durableDelivered(events, {})).toMatchObject([{ invariant: 'I24' }]);
      expect(durableDelivered(events, { cut: [{ node: 'b', from: 0 }] })).toHaveLength(1);
      for (const facts of [
        { cut: [{ node: 'a', from: 0 }] },
        { frozen: [{ pid: 1, from: 22_000, until: 24_000 }] },
        { killed: [{ pid: 1, at: 24_000 }] },
        { redisFrozen: [{ from: 22_000, until: 24_000 }] },
        { dataLost: [{ at: 23_000 }] },
      ])
        expect(durableDelivered(events, facts)).toEqual([]);
    }
  });
});
