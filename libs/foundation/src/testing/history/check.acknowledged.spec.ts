import { describe, expect, it } from '@jest/globals';
import { acknowledgedHandled, acknowledgementsEnd } from './check.acknowledged.js';
import type { HistoryEvent } from './history.js';

const PIDS: Record<string, number> = { a: 1, b: 2 };
const at = (ms: number, node: string, event: string, payload: object): HistoryEvent => ({
  ...{ at: ms * 1000, node, bootId: `boot ${node}`, pid: PIDS[node]!, event },
  payload: { channel: 'c', id: 'm', ...payload },
});
const listens = at(0, 'b', 'test.ask_listening', {});
const joined = at(1, 'a', 'cluster.node_joined', { node: 'b', bootId: 'boot b' });
const asked = at(5000, 'a', 'test.asked', { timeoutMs: 1000 });
const handled = at(5010, 'b', 'test.ask_handled', {});
const acknowledged = at(5020, 'a', 'test.ask_acknowledged', {});
const left = (reason: string): HistoryEvent =>
  at(5005, 'a', 'cluster.node_left', { node: 'b', bootId: 'boot b', reason });

describe('I21, of what was acknowledged', () => {
  it('holds where every node that listened has handled it before, or has shut down', () => {
    expect(acknowledgedHandled([listens, joined, asked, handled, acknowledged])).toEqual([]);
    expect(acknowledgedHandled([listens, joined, asked, left('shutdown'), acknowledged])).toEqual([]);
    expect(acknowledgedHandled([listens, asked, acknowledged])).toEqual([]);
  });

  it('is broken where one had not, also one that disappeared', () => {
    const broken = [{ invariant: 'I21' }];
    expect(acknowledgedHandled([listens, joined, asked, acknowledged])).toMatchObject(broken);
    expect(acknowledgedHandled([listens, joined, asked, left('timeout'), acknowledged])).toMatchObject(broken);
    const late = { ...handled, at: 6_000_000 };
    expect(acknowledgedHandled([listens, joined, asked, acknowledged, late])).toMatchObject(broken);
  });
});

describe('I16, of what is waited for', () => {
  const last = at(60_000, 'b', 'test.ask_handled', { id: 'other' });

  it('holds where the wait ends in its time, or its sender ends', () => {
    expect(acknowledgementsEnd([asked, acknowledged, last], {})).toEqual([]);
    expect(acknowledgementsEnd([asked, at(6001, 'a', 'test.ask_failed', {}), last], {})).toEqual([]);
    expect(acknowledgementsEnd([asked, last], { killed: [{ pid: 1, at: 5_500_000 }] })).toEqual([]);
    const frozen = [{ pid: 1, from: 5_100_000, until: 25_100_000 }];
    expect(acknowledgementsEnd([asked, at(26_000, 'a', 'test.ask_failed', {}), last], { frozen })).toEqual([]);
  });

  it('is broken by one that does not, or too late', () => {
    expect(acknowledgementsEnd([asked, last], {})).toMatchObject([{ invariant: 'I16' }]);
    expect(acknowledgementsEnd([asked, at(20_000, 'a', 'test.ask_failed', {}), last], {})).toHaveLength(1);
  });
});
