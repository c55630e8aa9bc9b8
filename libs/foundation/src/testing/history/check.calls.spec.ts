// What a caller is promised, each promise with a history that keeps it and one that does not.
import { describe, expect, it } from '@jest/globals';
import { acquired, broken, type Line, lost, PIDS, released, us } from '../../../../../test/support/history.lines.js';

const sent = (ms: number, node: string, more: object = {}): Line => [
  ms,
  node,
  'test.call_sent',
  { id: 'x', idempotent: false, timeoutMs: 100, ...more },
];
const done = (ms: number, node: string, outcome: string, result: object = {}): Line => [
  ms,
  node,
  'test.call_done',
  { id: 'x', outcome, ...result },
];
const run = (ms: number, node: string, epoch: number, value: number): Line => [
  ms,
  node,
  'test.call_run',
  { id: 'x', epoch, value },
];
const ran = (ms: number, node: string): Line => [ms, node, 'test.call_ran', { id: 'x' }];
const owner = [acquired(0, 'a', 1)];

describe('I1, by calls', () => {
  it('holds for a call that its owner carries out', () => {
    expect(broken([...owner, sent(1, 'b'), run(2, 'a', 1, 1), done(3, 'b', 'ok', { epoch: 1, value: 1 })])).toEqual([]);
  });
  it('is broken by one that a stale owner carries out', () => {
    const lines = [...owner, acquired(10, 'b', 2), sent(11, 'c'), run(12, 'a', 1, 1), done(13, 'c', 'timeout')];
    const killed = [{ pid: PIDS['a']!, at: us(9) }];
    expect(broken(lines, { killed })).toEqual(['I1']);
    const after = [...owner, lost(5, 'a', 1), sent(6, 'c'), run(7, 'a', 1, 1), done(8, 'c', 'interrupted')];
    expect(broken(after)).toEqual(['I1']);
  });
  it('is broken by one that is carried out between the thaw of a stale owner and its loss', () => {
    const frozen = [{ pid: PIDS['a']!, from: us(5), until: us(50) }];
    const lines = [...owner, sent(4, 'c'), acquired(30, 'b', 2), lost(60, 'a', 1), done(70, 'c', 'timeout')];
    expect(broken(lines, { frozen })).toEqual([]);
    expect(broken([...lines, run(55, 'a', 1, 1)], { frozen })).toEqual(['I1', 'I1']);
  });
  it('is broken by a release while one is under way', () => {
    const lines = [...owner, sent(1, 'b'), run(2, 'a', 1, 1), done(9, 'b', 'interrupted')];
    expect(broken([...lines, ran(5, 'a'), released(6, 'a', 1)])).toEqual([]);
    expect(broken([...lines, released(5, 'a', 1), ran(6, 'a')])).toEqual(['I1']);
  });
});

describe('I15: carried out as often as the caller is told', () => {
  it('lets an outcome that is unknown be either', () => {
    for (const outcome of ['timeout', 'interrupted']) {
      expect(broken([sent(1, 'b'), done(3, 'b', outcome)])).toEqual([]);
      expect(broken([...owner, sent(1, 'b'), run(2, 'a', 1, 1), done(3, 'b', outcome)])).toEqual([]);
    }
  });
  it('is broken by an answer without a run, and by the result of no run', () => {
    const ok = done(3, 'b', 'ok', { epoch: 1, value: 1 });
    expect(broken([...owner, sent(1, 'b'), ok])).toEqual(['I15']);
    expect(broken([...owner, sent(1, 'b'), run(2, 'a', 1, 2), ok])).toEqual(['I15']);
  });
  it('is broken by two runs, unless the method is idempotent, and by three', () => {
    const twice = [...owner, run(2, 'a', 1, 1), run(3, 'a', 1, 2), done(4, 'b', 'timeout')];
    expect(broken([sent(1, 'b'), ...twice])).toEqual(['I15']);
    expect(broken([sent(1, 'b', { idempotent: true }), ...twice])).toEqual([]);
    expect(broken([sent(1, 'b', { idempotent: true }), run(2.5, 'a', 1, 3), ...twice])).toEqual(['I15']);
  });
  it('is broken by a refusal of what was carried out', () => {
    expect(broken([sent(1, 'b'), done(3, 'b', 'refused')])).toEqual([]);
    expect(broken([...owner, sent(1, 'b'), run(2, 'a', 1, 1), done(3, 'b', 'refused')])).toEqual(['I15']);
  });
  it('is broken by a run without a call', () => {
    expect(broken([...owner, run(2, 'a', 1, 1)])).toEqual(['I15']);
  });
});

describe('I16: every call ends', () => {
  const later: Line = [1000, 'c', 'cluster.view_changed'];
  const facts = { callSlackMs: 50 };
  it('holds within timeout and slack, and for one that is still under way', () => {
    expect(broken([sent(0, 'b'), done(150, 'b', 'timeout'), later], facts)).toEqual([]);
    expect(broken([sent(900, 'b'), later], facts)).toEqual([]);
  });
  it('is broken by one that ends later, or never', () => {
    expect(broken([sent(0, 'b'), done(151, 'b', 'timeout'), later], facts)).toEqual(['I16']);
    expect(broken([sent(0, 'b'), later], facts)).toEqual(['I16']);
  });
  it('is broken by an error that no callee reported', () => {
    expect(broken([sent(0, 'b'), done(1, 'b', 'unavailable')])).toEqual([]);
    expect(broken([sent(0, 'b'), done(1, 'b', 'TypeError')])).toEqual(['I16']);
  });
  it('asks nothing of a caller that is dead, and gives one that was frozen the time it slept', () => {
    const pid = PIDS['b']!;
    expect(broken([sent(0, 'b'), later], { ...facts, killed: [{ pid, at: us(100) }] })).toEqual([]);
    expect(broken([sent(0, 'b'), later], { ...facts, killed: [{ pid, at: us(200) }] })).toEqual(['I16']);
    const frozen = [{ pid, from: us(100), until: us(600) }];
    expect(broken([sent(0, 'b'), done(650, 'b', 'timeout'), later], { ...facts, frozen })).toEqual([]);
    expect(broken([sent(0, 'b'), done(651, 'b', 'timeout'), later], { ...facts, frozen })).toEqual(['I16']);
  });
});
