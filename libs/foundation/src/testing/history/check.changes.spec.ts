// Stops, restarts, moves and hand-overs, each promise with a history that keeps it and one that does not.
import { describe, expect, it } from '@jest/globals';
import { acquired, broken, type Line, lost, PIDS, released, us } from '../../../../../test/support/history.lines.js';

const starting = (ms: number, node: string, epoch: number, more: object = {}): Line => [
  ms,
  node,
  'process.starting',
  { epoch, ...more },
];
const ended = (ms: number, node: string): Line => [ms, node, 'process.stopped', { clean: true, reason: 'stop' }];

describe('I17: what was stopped stays down', () => {
  const stopped: Line = [10, 'c', 'test.stopped'];
  const revived: Line = [20, 'c', 'test.revived'];
  it('holds until a call starts it', () => {
    expect(broken([acquired(0, 'a', 1), released(9, 'a', 1), stopped])).toEqual([]);
    expect(broken([stopped, revived, acquired(21, 'a', 1), starting(22, 'a', 1)])).toEqual([]);
  });
  it('is broken by a start before that, also of a replica or a partition', () => {
    expect(broken([stopped, acquired(11, 'a', 1), starting(12, 'a', 1), revived])).toEqual(['I17']);
    expect(broken([stopped, starting(12, 'a', 1, { name: 'job#2' })])).toEqual(['I17']);
    expect(broken([stopped, starting(12, 'a', 1, { name: 'job/0' })])).toEqual(['I17']);
    expect(broken([stopped, starting(12, 'a', 1, { name: 'jobs' })])).toEqual([]);
  });
  it('is broken by an owner after the answer, but not by one that slept through it and woke up to do nothing', () => {
    const lines = [acquired(0, 'a', 1), stopped, lost(15, 'a', 1)];
    expect(broken(lines)).toEqual(['I17']);
    expect(broken(lines, { frozen: [{ pid: PIDS['a']!, from: us(5), until: us(14) }] })).toEqual([]);
  });
});

describe('I18: a change is answered by an instance that began after it was asked for', () => {
  const answer = (event: string, node: string, epoch: number, more: object = {}): Line => [
    30,
    'c',
    event,
    { node, epoch, askedAt: us(10), ...more },
  ];
  const old = [acquired(0, 'a', 1), starting(1, 'a', 1)];
  const anew = [...old, ended(11, 'a'), released(12, 'a', 1), acquired(13, 'b', 2), starting(14, 'b', 2)];
  it('holds for a new one', () => {
    expect(broken([...anew, answer('test.restarted', 'b', 2)])).toEqual([]);
    expect(broken([...anew, answer('test.moved', 'b', 2, { to: 'b' })])).toEqual([]);
  });
  it('is broken by the old one, also when that has a new epoch since', () => {
    expect(broken([...old, answer('test.restarted', 'a', 1)])).toEqual(['I18']);
    const reclaimed: Line = [12, 'a', 'lease.reclaimed', { epoch: 2, previousEpoch: 1 }];
    expect(broken([...old, reclaimed, answer('test.restarted', 'a', 2)])).toEqual(['I18']);
    // The answer came in between, and the restart is made all the same.
    expect(broken([...old, reclaimed, answer('test.restarted', 'a', 2), ended(31, 'a'), released(32, 'a', 2)])).toEqual(
      [],
    );
  });
  it('is broken by one that never was', () => {
    expect(broken([...anew, answer('test.moved', 'b', 3, { to: 'b' })])).toEqual(['I18']);
  });
  it('may be answered by an owner that never heard of its reclaim, because it lost the lease first', () => {
    const loss: Line = [11, 'c', 'cluster.data_loss', {}];
    const lines = [...old, loss, lost(12, 'a', 1), ended(13, 'a')];
    const moved = answer('test.moved', 'a', 3, { to: 'a' });
    expect(broken([...lines, moved], { leaseTtlMs: 100 })).toEqual([]);
    // Long before the question, or without anything to reclaim.
    expect(broken([...old, lost(3, 'a', 1), ended(4, 'a'), loss, moved], { leaseTtlMs: 5 })).toEqual(['I18']);
    expect(broken([...old, lost(12, 'a', 1), ended(13, 'a'), moved], { leaseTtlMs: 100 })).toEqual(['I18']);
  });
  it('lets a process be on the node already', () => {
    expect(broken([...old, answer('test.moved', 'a', 1, { to: 'a' })])).toEqual([]);
    expect(broken([...old, answer('test.moved', 'a', 1, { to: 'b' })])).toEqual(['I18']);
  });
});

describe('I19: a state is handed over once', () => {
  const left = (ms: number, node: string, epoch: number): Line => [
    ms,
    node,
    'test.handoff_left',
    { epoch, id: `${epoch}` },
  ];
  const taken = (ms: number, node: string, epoch: number, from: number): Line => [
    ms,
    node,
    'test.handoff_taken',
    { epoch, id: `${from}`, from },
  ];
  const started = (ms: number, node: string, epoch: number): Line => [ms, node, 'process.started', { epoch }];
  it('holds from one to the next', () => {
    expect(broken([left(1, 'a', 1), taken(2, 'b', 2, 1), started(3, 'b', 2)])).toEqual([]);
    expect(broken([left(1, 'a', 1), started(3, 'b', 2)])).toEqual([]);
  });
  it('is broken by a second time, by a stale owner and by a state that no owner left', () => {
    expect(broken([left(1, 'a', 1), taken(2, 'b', 2, 1), taken(3, 'c', 3, 1)])).toEqual(['I19']);
    const rewound = [{ from: us(1), until: us(2.5) }];
    expect(broken([left(1, 'a', 1), taken(2, 'b', 2, 1), taken(3, 'c', 3, 1)], { rewound })).toEqual([]);
    expect(broken([left(1, 'a', 2), taken(2, 'b', 1, 2)])).toEqual(['I19']);
    expect(broken([taken(2, 'b', 2, 1)])).toEqual(['I19']);
  });
  it('is broken by a state that is older than the work of an instance in between', () => {
    expect(broken([left(1, 'a', 1), started(2, 'b', 2), taken(3, 'c', 3, 1)])).toEqual(['I19']);
  });
  it('is broken by a change after the state was left', () => {
    const sent: Line = [0.5, 'c', 'test.call_sent', { id: 'x', timeoutMs: 100 }];
    const run = (ms: number): Line => [ms, 'a', 'test.call_run', { id: 'x', epoch: 1, value: 1 }];
    const lines = [acquired(0, 'a', 1), sent, left(5, 'a', 1)];
    expect(broken([...lines, run(4)])).toEqual([]);
    expect(broken([...lines, run(6)])).toEqual(['I19']);
  });
});
