import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { Member } from '../cluster/member.js';
import { Telemetry } from '../telemetry/telemetry.js';
import type { JournalFacts } from './journal.entry.js';
import { JournalRecorder } from './journal.recorder.js';
import type { Writing } from './journal.writer.js';

const SELF = { name: 'n1', bootId: 'b1' };
const own = { ...SELF, joinedAt: 100, version: '0.1.0', release: '1.2.3', state: 'up' } as Member;

describe('the recorder', () => {
  let telemetry: Telemetry;
  let added: (Omit<JournalFacts, 'at'> & Writing)[];
  let recorder: JournalRecorder;
  const add = (facts: Omit<JournalFacts, 'at'>, how: Writing = {}) => void added.push({ ...facts, ...how });
  const view = { self: SELF, own, members: () => [own, { name: 'n2', bootId: 'b2', joinedAt: 300, version: '0.1.0' }] };
  const parts = () => ({
    telemetry,
    view: view as unknown as ClusterView,
    writer: { add },
    store: { read: () => Promise.resolve([]) },
  });
  const kinds = () => added.map(({ kind }) => kind);

  beforeEach(() => {
    telemetry = new Telemetry();
    added = [];
    recorder = new JournalRecorder(parts());
    recorder.attach();
  });

  it('writes what becomes of the processes of this node', () => {
    const ids = { name: 'feed', node: 'n1', epoch: 7 };
    telemetry.emit('process.started', { ...ids, startMs: 3, before: 'n2' });
    telemetry.emit('process.stopped', { ...ids, reason: 'move', clean: false });
    telemetry.emit('process.stopped', { ...ids, reason: 'crash', clean: true });
    telemetry.emit('process.crashed', { ...ids, error: 'it broke' });
    telemetry.emit('process.escalated', { ...ids, crashes: 6 });
    telemetry.emit('lease.lost', { ...ids, reason: 'deadline' });
    expect(added).toMatchObject([
      { kind: 'process.started', process: 'feed', node: 'n1', epoch: 7, from: 'n2', ms: 3, isEveryday: true },
      { kind: 'process.stopped', reason: 'move', error: 'it did not stop in its time', isEveryday: true },
      { kind: 'process.crashed', error: 'it broke', isEveryday: false },
      { kind: 'process.escalated', count: 6 },
      { kind: 'lease.lost', reason: 'deadline' },
    ]);
  });

  it('writes its own join and leave, and under the same mark what others see of a node', () => {
    telemetry.emit('cluster.node_joined', { node: 'n1', bootId: 'b1' });
    telemetry.emit('cluster.node_joined', { node: 'n2', bootId: 'b2' });
    telemetry.emit('cluster.node_left', { node: 'n2', bootId: 'b2', joinedAt: 200, reason: 'timeout' });
    recorder.left();
    expect(added).toMatchObject([
      { kind: 'cluster.node_joined', node: 'n1', bootId: 'b1', release: '1.2.3', version: '0.1.0', mark: '' },
      { kind: 'cluster.node_left', node: 'n2', by: 'n1', reason: 'timeout', mark: 'left b2 200' },
      { kind: 'cluster.node_left', node: 'n1', reason: 'shutdown', mark: 'left b1 100' },
    ]);
  });

  it('writes that a node is back which the others had removed, once for all of them', () => {
    telemetry.emit('cluster.node_left', { node: 'n2', bootId: 'b2', joinedAt: 200, reason: 'timeout' });
    telemetry.emit('cluster.node_joined', { node: 'n2', bootId: 'b2' });
    telemetry.emit('cluster.node_joined', { node: 'n2', bootId: 'b2' });
    expect(added.slice(1)).toMatchObject([
      { kind: 'cluster.node_joined', node: 'n2', by: 'n1', reason: 'returned', mark: 'joined b2 300' },
    ]);
  });

  it('writes the beginning and the end of a drain, and no step between', () => {
    for (const left of [3, 2, 1, 0]) telemetry.emit('drain.progress', { node: 'n1', left, total: 3 });
    expect(added.map(({ reason, count }) => [reason, count])).toEqual([
      ['begun', 3],
      ['drained', 3],
    ]);
  });

  it('writes no drain of a node that was never there, such as one whose start failed', () => {
    const never = { ...view, own: { ...own, joinedAt: 0 } };
    new JournalRecorder({ ...parts(), view: never as unknown as ClusterView }).attach();
    added.length = 0;
    telemetry.emit('drain.progress', { node: 'n1', left: 0, total: 0 });
    expect(added).toHaveLength(1); // of the other recorder
  });

  it('writes of a node that owns nothing once that it is drained, and again when it has taken work since', () => {
    const empty = { node: 'n1', left: 0, total: 0 };
    const all = [empty, empty, { node: 'n1', left: 1, total: 1 }, empty];
    for (const progress of all) telemetry.emit('drain.progress', progress);
    expect(added.map(({ reason, count }) => [reason, count])).toEqual([['drained', 0]]);
    telemetry.emit('cluster.view_changed', { node: 'n1', version: 2, members: 1 });
    telemetry.emit('drain.progress', empty);
    expect(added).toHaveLength(2);
  });

  it('writes of cron jobs what went wrong', () => {
    const ids = { job: 'nightly', node: 'n1', epoch: 7, scheduled: 1 };
    const run = { ...ids, cause: 'tick', durationMs: 5 } as const;
    telemetry.emit('cron.ended', { ...run, outcome: 'done' });
    telemetry.emit('cron.ended', { ...run, outcome: 'failed', error: 'no money' });
    telemetry.emit('cron.interrupted', { job: 'nightly', node: 'n1', scheduled: 1, ranOn: 'n2', epoch: 6 });
    telemetry.emit('cron.missed', { job: 'nightly', node: 'n1', count: 2, first: 1, last: 2, caughtUp: true });
    expect(added).toMatchObject([
      { kind: 'cron.ended', process: 'cron:nightly', reason: 'failed', error: 'no money' },
      { kind: 'cron.interrupted', process: 'cron:nightly', from: 'n2' },
      { kind: 'cron.missed', process: 'cron:nightly', count: 2 },
    ]);
  });

  it('of the command line writes its commands only', () => {
    const other = new JournalRecorder({ ...parts(), observes: true });
    const end = other.attach();
    added = [];
    telemetry = new Telemetry();
    end();
    new JournalRecorder({ ...parts(), observes: true }).attach();
    telemetry.emit('cluster.node_left', { node: 'n2', bootId: 'b2', joinedAt: 200, reason: 'timeout' });
    const command = {
      command: 'move',
      node: 'cli-1',
      via: 'command-line',
      actor: 'ada',
      why: 'new disk',
      process: 'feed',
    } as const;
    telemetry.emit('command.issued', command);
    const { command: _command, why: reason, ...facts } = command;
    expect(added).toEqual([{ ...facts, reason, kind: 'command.move', mark: '', isEveryday: false }]);
  });

  it('has no more of nodes that were removed than it keeps', () => {
    for (let index = 0; index < 1500; index++) {
      telemetry.emit('cluster.node_left', { node: `n${index}`, bootId: `x${index}`, joinedAt: 1, reason: 'timeout' });
    }
    added = [];
    telemetry.emit('cluster.node_joined', { node: 'n0', bootId: 'x0' });
    telemetry.emit('cluster.node_joined', { node: 'n1499', bootId: 'x1499' });
    expect(kinds()).toEqual(['cluster.node_joined']);
  });

  it('writes nothing once it is detached', () => {
    const end = new JournalRecorder(parts()).attach();
    end();
    telemetry.emit('process.crashed', { name: 'feed', node: 'n1', epoch: 7, error: 'x' });
    expect(added).toHaveLength(1);
  });
});
