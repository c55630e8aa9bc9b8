// Each invariant with a history that breaks it and one, as near as possible, that does not: a checker that cannot fail
// is worth nothing. Times are written in milliseconds.
import { describe, expect, it } from '@jest/globals';
import {
  acquired,
  broken,
  effect,
  history,
  type Line,
  lost,
  PIDS,
  released,
  us,
} from '../../../../../test/support/history.lines.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { checkHistory, describeViolations } from './check.history.js';
import type { HistoryFacts } from './history.facts.js';
import { historyNow, parseHistory, recordHistory } from './history.js';

describe('a long history', () => {
  it('is checked and described, however many events it has', () => {
    const effects = Array.from({ length: 300_000 }, (_, index): Line => effect(2 + index / 100, 'a', 1));
    const events = [acquired(0, 'a', 1), ...effects, acquired(1, 'b', 2)].flatMap((line) => history(line));
    const violations = checkHistory(events).slice(0, 1);
    expect(describeViolations(violations, events)[0]).toMatch(/^I1: .*\n {4}0\.0 ms a/s);
  });
});

describe('I1: one owner', () => {
  it('holds when one ends before the next begins', () => {
    expect(broken([acquired(0, 'a', 1), released(10, 'a', 1), acquired(11, 'b', 2)])).toEqual([]);
    expect(broken([acquired(0, 'a', 1), lost(10, 'a', 1), acquired(11, 'b', 2)])).toEqual([]);
  });
  it('is broken by two at a time, also by one inside the other', () => {
    expect(broken([acquired(0, 'a', 1), acquired(9, 'b', 2), released(10, 'a', 1)])).toEqual(['I1']);
    expect(broken([acquired(0, 'a', 1), acquired(5, 'b', 2), released(6, 'b', 2), released(10, 'a', 1)])).toEqual([
      'I1',
    ]);
  });
  it('is broken by a third owner while the first goes on, although the second has ended', () => {
    const lines = [acquired(0, 'a', 1), acquired(5, 'b', 2), released(6, 'b', 2), acquired(8, 'c', 3)];
    expect(broken(lines)).toEqual(['I1', 'I1']);
  });
  it('knows that a killed process owns nothing', () => {
    const lines = [acquired(0, 'a', 1), acquired(20, 'b', 2)];
    expect(broken(lines)).toEqual(['I1']);
    expect(broken(lines, { killed: [{ pid: PIDS['a']!, at: us(15) }] })).toEqual([]);
    expect(broken(lines, { killed: [{ pid: PIDS['a']!, at: us(25) }] })).toEqual(['I1']);
  });
  it('keeps names apart', () => {
    expect(broken([acquired(0, 'a', 1), [5, 'b', 'lease.acquired', { name: 'other', epoch: 2 }]])).toEqual([]);
  });

  describe('with a frozen process', () => {
    const frozen = [{ pid: PIDS['a']!, from: us(10), until: us(50) }];
    const takenOver = [acquired(0, 'a', 1), acquired(30, 'b', 2), lost(60, 'a', 1)];

    it('ends the ownership at the freeze when nothing was done after it', () => {
      expect(broken(takenOver)).toEqual(['I1']);
      expect(broken(takenOver, { frozen })).toEqual([]);
    });
    it('is broken by an effect between the thaw and the loss', () => {
      expect(broken([...takenOver, effect(55, 'a', 1)], { frozen })).toEqual(['I1', 'I1']);
    });
    it('lets an ownership that survived the freeze go on after it', () => {
      const kept = [acquired(0, 'a', 1), effect(5, 'a', 1), effect(55, 'a', 1)];
      expect(broken(kept, { frozen })).toEqual([]);
      expect(broken([...kept, acquired(60, 'b', 2)], { frozen })).toEqual(['I1']);
    });
  });

  it('is broken by an effect after the end of the own lease, and not by one before', () => {
    expect(broken([acquired(0, 'a', 1), effect(9, 'a', 1), released(10, 'a', 1)])).toEqual([]);
    expect(broken([acquired(0, 'a', 1), released(10, 'a', 1), effect(11, 'a', 1)])).toEqual(['I1']);
  });
  it('is broken by an act under an epoch that is not its own then', () => {
    const reclaimed: Line = [10, 'a', 'lease.reclaimed', { epoch: 2, previousEpoch: 1 }];
    expect(broken([acquired(0, 'a', 1), effect(5, 'a', 1), reclaimed, effect(15, 'a', 2)])).toEqual([]);
    expect(broken([acquired(0, 'a', 1), effect(5, 'a', 1), reclaimed, effect(15, 'a', 1)])).toEqual(['I1']);
  });
  it('is broken by a release before the instance has stopped', () => {
    const starting: Line = [1, 'a', 'process.starting', { epoch: 1 }];
    const stopped = (ms: number): Line => [ms, 'a', 'process.stopped', { epoch: 1, clean: true, reason: 'stop' }];
    expect(broken([acquired(0, 'a', 1), starting, stopped(9), released(10, 'a', 1)])).toEqual([]);
    expect(broken([acquired(0, 'a', 1), starting, released(10, 'a', 1), stopped(11)])).toEqual(['I1']);
  });
});

describe('I2: a node that is cut off fences itself first', () => {
  const facts = { cut: [{ node: 'a', from: us(100) }], fenceGapMs: 50 };
  it('holds with the gap, and asks for none of a node that was not cut off', () => {
    expect(broken([acquired(0, 'a', 1), lost(1000, 'a', 1), acquired(1050, 'b', 2)], facts)).toEqual([]);
    expect(broken([acquired(0, 'c', 1), lost(1000, 'c', 1), acquired(1001, 'b', 2)], facts)).toEqual([]);
  });
  it('is broken by less', () => {
    expect(broken([acquired(0, 'a', 1), lost(1000, 'a', 1), acquired(1049, 'b', 2)], facts)).toEqual(['I2']);
  });
});

describe('I3: epochs rise', () => {
  const reclaimed = (ms: number, epoch: number): Line => [ms, 'a', 'lease.reclaimed', { epoch, previousEpoch: 5 }];
  it('holds over owners and reclaims', () => {
    expect(broken([acquired(0, 'a', 5), reclaimed(5, 6), released(9, 'a', 6), acquired(10, 'b', 7)])).toEqual([]);
  });
  it('is broken by an equal one and by a lower one', () => {
    expect(broken([acquired(0, 'a', 5), released(9, 'a', 5), acquired(10, 'b', 5)])).toEqual(['I3']);
    expect(broken([acquired(0, 'a', 5), reclaimed(5, 4), released(9, 'a', 4)])).toEqual(['I3']);
  });
});

describe('I4: fenced writes', () => {
  const write = (ms: number, node: string, epoch: number, accepted: boolean, sentAt = ms): Line => [
    ms,
    node,
    'test.fenced_write',
    { epoch, accepted, sentAt: us(sentAt) },
  ];
  it('holds when the lower one is refused', () => {
    expect(broken([write(1, 'a', 1, true), write(2, 'b', 2, true), write(3, 'a', 1, false)])).toEqual([]);
  });
  it('is broken when it is accepted', () => {
    expect(broken([write(1, 'a', 1, true), write(2, 'b', 2, true), write(3, 'a', 1, true)])).toEqual(['I4']);
  });
  it('does not hold a late answer against an early write', () => {
    expect(broken([write(2, 'b', 2, true), write(3, 'a', 1, true, 1)])).toEqual([]);
  });
  const numbered = (ms: number, number: number, accepted = true): Line => [
    ...([ms, 'a', 'test.fenced_write'] as const),
    { name: 'k', epoch: 1, number, accepted, sentAt: us(ms) },
  ];
  const read = (ms: number, number: number, askedAt = ms - 1, writer = 'boot-a'): Line => [
    ...([ms, 'b', 'test.fenced_read'] as const),
    { name: 'k', epoch: 1, number, writer, askedAt: us(askedAt) },
  ];
  it('is broken when an earlier write of an owner is found after a later one', () => {
    expect(broken([numbered(1, 1), numbered(2, 2), read(4, 1)])).toEqual(['I4']);
  });
  it('holds when the later one is found, was not known to be written, or is another owner’s', () => {
    expect(broken([numbered(1, 1), numbered(2, 2), read(4, 2)])).toEqual([]);
    expect(broken([numbered(1, 1), numbered(2, 2, false), read(4, 1)])).toEqual([]);
    expect(broken([numbered(1, 1), numbered(3, 2), read(4, 1, 2)])).toEqual([]);
    expect(broken([numbered(1, 1), numbered(2, 2), read(4, 1, 3, 'another')])).toEqual([]);
  });
  it('excuses a Redis that went back to older data, until it is back', () => {
    const rewound = [{ from: us(1), until: us(3) }];
    expect(broken([numbered(1, 1), numbered(2, 2), read(5, 1)], { rewound })).toEqual([]);
    expect(broken([numbered(1, 1), numbered(4, 2), read(6, 1)], { rewound })).toEqual(['I4']);
  });
});

describe('I5: owned again in time', () => {
  const facts = { wanted: [{ name: 'job', at: us(100), withinMs: 50, because: 'a kill' }] };
  const killed = [{ pid: PIDS['a']!, at: us(100) }];
  it('holds when another node takes it in time, or the owner keeps it', () => {
    expect(broken([acquired(0, 'a', 1), acquired(150, 'b', 2)], { ...facts, killed })).toEqual([]);
    expect(broken([acquired(0, 'a', 1)], facts)).toEqual([]);
  });
  it('requires of an owner that kept it only to last until the next fault', () => {
    const [first] = facts.wanted;
    const next = { ...first!, at: us(120), because: 'another kill' };
    const lines = [acquired(0, 'a', 1), acquired(160, 'b', 2)];
    const later = [{ pid: PIDS['a']!, at: us(120) }];
    expect(broken(lines, { killed: later, wanted: [first!, next] })).toEqual([]);
    expect(broken(lines, { killed: later, wanted: [first!] })).toEqual(['I5']);
  });
  it('asks for no owner after the end of the history, where one has just given the name away', () => {
    const wanted = [{ ...facts.wanted[0]!, withinMs: 9000 }];
    const moving = [acquired(0, 'a', 1), released(5000, 'a', 1)];
    const lasting = (ms: number): Line => [ms, 'b', 'cluster.view_changed', {}];
    expect(broken([...moving, lasting(5900)], { wanted })).toEqual([]);
    expect(broken([...moving, lasting(6100)], { wanted })).toEqual(['I5']);
    expect(broken([...moving, lasting(5900)], facts)).toEqual([]);
    expect(broken([acquired(0, 'a', 1), released(120, 'a', 1), lasting(160)], facts)).toEqual(['I5']);
    expect(broken([acquired(0, 'a', 1), lost(5000, 'a', 1), lasting(5100)], { wanted })).toEqual(['I5']);
    expect(broken([acquired(0, 'a', 1), released(90, 'a', 1), lasting(110)], { wanted })).toEqual(['I5']);
  });
  it('is broken when it is late, or never', () => {
    expect(broken([acquired(0, 'a', 1), acquired(151, 'b', 2)], { ...facts, killed })).toEqual(['I5']);
    expect(broken([acquired(0, 'a', 1)], { ...facts, killed })).toEqual(['I5']);
  });
});

describe('I6: restarts', () => {
  const scheduled = (ms: number, epoch: number): Line => [ms, 'a', 'process.restart_scheduled', { epoch }];
  const escalated = (ms: number): Line => [ms, 'a', 'process.escalated', { epoch: 9 }];
  const revived = (ms: number): Line => [ms, 'a', 'test.revived'];
  const facts = { limits: { job: { maxRestarts: 2, maxSeconds: 1 } } };
  it('holds for one per epoch, as many as allowed, then one escalation', () => {
    expect(broken([scheduled(0, 1), scheduled(1, 2), escalated(2)], facts)).toEqual([]);
    expect(broken([scheduled(0, 1), scheduled(1, 2), scheduled(1001, 3)], facts)).toEqual([]);
    expect(broken([scheduled(0, 1), scheduled(1, 2), escalated(2), revived(3), scheduled(4, 3)], facts)).toEqual([]);
  });
  it('is broken by two for one epoch', () => expect(broken([scheduled(0, 1), scheduled(1, 1)])).toEqual(['I6']));
  it('is broken by more than allowed in the window', () => {
    expect(broken([scheduled(0, 1), scheduled(1, 2), scheduled(999, 3)], facts)).toEqual(['I6']);
  });
  it('is broken by two escalations, unless it was started in between', () => {
    expect(broken([escalated(0), escalated(1)])).toEqual(['I6']);
    expect(broken([escalated(0), revived(1), escalated(2)])).toEqual([]);
  });
});

describe('I8: one view', () => {
  const view = (ms: number, node: string, version: number, members: number): Line => [
    ms,
    node,
    'cluster.view_changed',
    { version, members },
  ];
  const facts = { settledAt: us(100) };
  it('holds when every node that is alive has the same one, with all of them in it', () => {
    expect(broken([view(1, 'a', 1, 1), view(2, 'a', 2, 2), view(3, 'b', 2, 2)], facts)).toEqual([]);
    const killed = [{ pid: PIDS['c']!, at: us(50) }];
    expect(broken([view(1, 'a', 2, 2), view(2, 'b', 2, 2), view(3, 'c', 1, 3)], { ...facts, killed })).toEqual([]);
    expect(broken([view(1, 'a', 1, 2), view(2, 'b', 2, 2)])).toEqual([]);
  });
  it('is broken by an older one, and by one that lacks a node', () => {
    expect(broken([view(1, 'a', 1, 2), view(2, 'b', 2, 2)], facts)).toEqual(['I8']);
    expect(broken([view(1, 'a', 2, 1), view(2, 'b', 2, 1)], facts)).toEqual(['I8']);
  });
});

describe('I10: nothing unexpected', () => {
  const exit = (injected: boolean): HistoryFacts => ({
    exits: [{ node: 'a', pid: PIDS['a']!, at: us(5), how: 'code 1', injected }],
  });
  it('holds for ends that the test asked for', () => expect(broken([], exit(true))).toEqual([]));
  it('is broken by other ends and by stray errors', () => {
    expect(broken([acquired(0, 'a', 1)], exit(false))).toEqual(['I10']);
    expect(broken([[0, 'a', 'test.stray_error', { kind: 'unhandledRejection', error: 'x' }]])).toEqual(['I10']);
  });
});

describe('I13: restart policies', () => {
  const starting = (ms: number): Line => [ms, 'a', 'process.starting', { epoch: ms }];
  const stopped = (ms: number, reason: string): Line => [ms, 'a', 'process.stopped', { clean: true, reason }];
  const temporary: HistoryFacts = { policies: { job: 'temporary' } };
  const transient: HistoryFacts = { policies: { job: 'transient' } };
  it('lets a temporary process start once', () => {
    expect(broken([starting(0), stopped(1, 'crash')], temporary)).toEqual([]);
    expect(broken([starting(0), stopped(1, 'crash'), starting(2)], temporary)).toEqual(['I13']);
  });
  it('lets a transient process start again after a crash, not after a completion', () => {
    expect(broken([starting(0), stopped(1, 'crash'), starting(2)], transient)).toEqual([]);
    expect(broken([starting(0), stopped(1, 'complete'), starting(2)], transient)).toEqual(['I13']);
  });
  it('lets a transient process start again whose node said that it could not record the completion', () => {
    const lines: Line[] = [
      starting(0),
      stopped(1, 'complete'),
      [2, 'a', 'process.end_unrecorded', { epoch: 0 }],
      starting(3),
    ];
    expect(broken(lines, transient)).toEqual([]);
    expect(broken(lines, temporary)).toEqual(['I13']);
  });
  it('lets everything start again when a call requests it', () => {
    const revived: Line = [2, 'b', 'test.revived'];
    expect(broken([starting(0), stopped(1, 'complete'), revived, starting(3)], transient)).toEqual([]);
    expect(broken([starting(0), stopped(1, 'complete'), revived, starting(3)], temporary)).toEqual([]);
  });
});

describe('I14: lookups', () => {
  const lookup = (asked: number, answered: number, node: string, epoch: number): Line => [
    answered,
    'c',
    'test.lookup',
    { node, epoch, askedAt: us(asked) },
  ];
  const moved = [acquired(0, 'a', 1), released(10, 'a', 1), acquired(20, 'b', 2)];
  const facts = { leaseTtlMs: 100 };
  it('holds for the owner at the time of the question', () => {
    expect(broken([...moved, lookup(5, 6, 'a', 1), lookup(25, 26, 'b', 2)], facts)).toEqual([]);
    expect(broken([...moved, [30, 'c', 'test.lookup', { node: undefined, askedAt: us(29) }]], facts)).toEqual([]);
  });
  it('lets an answer be older than what happened meanwhile, and an owner be seen until its lease has run out', () => {
    expect(broken([...moved, lookup(9, 30, 'a', 1), lookup(15, 16, 'a', 1)], facts)).toEqual([]);
  });
  it('is broken by an owner that has been replaced', () => {
    expect(broken([...moved, lookup(21, 22, 'a', 1)], facts)).toEqual(['I14']);
  });
  it('is broken by an owner whose lease has run out', () => {
    const lines = [acquired(0, 'a', 1), lost(10, 'a', 1)];
    expect(broken([...lines, lookup(1111, 1112, 'a', 1)], facts)).toEqual(['I14']);
    // Its last renewal may have been on its way for a second.
    expect(broken([...lines, lookup(1109, 1110, 'a', 1)], facts)).toEqual([]);
  });
  it('knows that a Redis that was frozen renews the lease of a dead owner when it goes on', () => {
    const lines = [acquired(0, 'a', 1), lost(10, 'a', 1), lookup(1111, 1112, 'a', 1)];
    const redisFrozen = [{ from: us(5), until: us(50) }];
    expect(broken(lines, { leaseTtlMs: 100, redisFrozen })).toEqual([]);
    expect(broken([...lines, lookup(1151, 1152, 'a', 1)], { leaseTtlMs: 100, redisFrozen })).toEqual(['I14']);
    expect(broken(lines, { leaseTtlMs: 100, redisFrozen: [{ from: us(11), until: us(50) }] })).toEqual(['I14']);
  });
  it('knows that a Redis that went back to older data names an older owner until its lease has run out', () => {
    const lines = [...moved, lookup(21, 22, 'a', 1)];
    const rewound = [{ from: us(12), until: us(21) }];
    expect(broken(lines, { ...facts, rewound })).toEqual([]);
    expect(broken(lines, { ...facts, rewound: [{ from: us(2), until: us(8) }] })).toEqual(['I14']);
    expect(broken([...moved, lookup(5000, 5001, 'a', 1)], { ...facts, rewound })).toEqual(['I14']);
  });
  it('is broken by one that never was, and by one that was not yet', () => {
    expect(broken([...moved, lookup(5, 6, 'c', 1)], facts)).toEqual(['I14']);
    expect(broken([...moved, lookup(12, 13, 'b', 2)], facts)).toEqual(['I14']);
  });
  it('knows the epochs of reclaims, which others may see before their owner hears of them', () => {
    const reclaimed: Line = [2000, 'a', 'lease.reclaimed', { epoch: 3, previousEpoch: 1 }];
    expect(broken([acquired(0, 'a', 1), reclaimed, lookup(2001, 2002, 'a', 3)], facts)).toEqual([]);
    expect(broken([acquired(0, 'a', 1), reclaimed, lookup(1990, 1991, 'a', 3)], facts)).toEqual([]);
    expect(broken([acquired(0, 'a', 1), reclaimed, lookup(900, 901, 'a', 3)], facts)).toEqual(['I14']);
    expect(broken([acquired(0, 'a', 1), reclaimed, lookup(2001, 2002, 'a', 1)], facts)).toEqual(['I14']);
  });
  it('knows that an owner which loses its lease may never hear of its reclaim', () => {
    const loss: Line = [55, 'b', 'cluster.data_loss', {}];
    const owned = [acquired(0, 'a', 1), loss, lost(60, 'a', 1)];
    expect(broken([...owned, lookup(50, 51, 'a', 3), lookup(150, 151, 'a', 3)], facts)).toEqual([]);
    expect(broken([...owned, lookup(1161, 1162, 'a', 3)], facts)).toEqual(['I14']);
    // Nor may any node notice the loss.
    const unnoticed = [acquired(0, 'a', 1), lost(60, 'a', 1), lookup(50, 51, 'a', 3)];
    expect(broken(unnoticed, { ...facts, dataLost: [{ at: 40_000 }] })).toEqual([]);
    expect(broken(unnoticed, { ...facts, dataLost: [{ at: -1 }] })).toEqual(['I14']);
    // It is the last of its ownerships that may have reclaimed.
    const before = [acquired(-900, 'a', 0), lost(-800, 'a', 0)];
    expect(broken([...before, ...owned, lookup(150, 151, 'a', 3)], facts)).toEqual([]);
    expect(broken([...owned, acquired(70, 'b', 4), lookup(80, 81, 'a', 3)], facts)).toEqual(['I14']);
    expect(broken([...owned, lookup(70, 71, 'b', 3)], facts)).toEqual(['I14']);
    expect(broken([acquired(0, 'a', 5), loss, lost(60, 'a', 5), lookup(70, 71, 'a', 3)], facts)).toEqual(['I14']);
    expect(broken([acquired(0, 'a', 1), lost(60, 'a', 1), lookup(70, 71, 'a', 3)], facts)).toEqual(['I14']);
    expect(broken([acquired(0, 'a', 1), loss, released(60, 'a', 1), lookup(70, 71, 'a', 3)], facts)).toEqual(['I14']);
    expect(broken([acquired(0, 'a', 1), loss, lookup(70, 71, 'a', 3)], facts)).toEqual(['I14']);
  });
});

describe('the report', () => {
  it('says what was broken, by whom and when', () => {
    const events = history(acquired(1000, 'a', 1), acquired(1009, 'b', 2), released(1010, 'a', 1));
    expect(describeViolations(checkHistory(events), events)).toEqual([
      'I1: "job" had two owners for 1.0 ms: b became one while a was' +
        '\n    0.0 ms a (11) lease.acquired {"name":"job","epoch":1}' +
        '\n    10.0 ms a (11) lease.released {"name":"job","epoch":1}' +
        '\n    9.0 ms b (22) lease.acquired {"name":"job","epoch":2}',
    ]);
  });
});

describe('the format', () => {
  it('records every telemetry event, and those of the application, as lines that can be read again', () => {
    const telemetry = new Telemetry();
    const lines: string[] = [];
    const before = historyNow();
    const recorder = recordHistory(telemetry, (line) => lines.push(line), { name: 'a', bootId: 'boot' });
    telemetry.emit('lease.acquired', { name: 'job', node: 'a', epoch: 1 });
    recorder.record('test.effect', { name: 'job', epoch: 1 });
    recorder.stop();
    telemetry.emit('lease.released', { name: 'job', node: 'a', epoch: 1 });
    const events = parseHistory(lines.map((line) => `${line}\n`).join(''));
    expect(events).toEqual([
      expect.objectContaining({ node: 'a', bootId: 'boot', pid: process.pid, event: 'lease.acquired' }),
      expect.objectContaining({ event: 'test.effect', payload: { name: 'job', epoch: 1 } }),
    ]);
    expect(events[0]!.at).toBeGreaterThanOrEqual(before);
    expect(events[1]!.at).toBeGreaterThanOrEqual(events[0]!.at);
  });
  it('ignores the line that a kill has torn, and no other', () => {
    const line = JSON.stringify(history(acquired(0, 'a', 1))[0]);
    expect(parseHistory(`${line}\n${line.slice(0, 20)}`)).toHaveLength(1);
    expect(() => parseHistory(`${line}\n${line.slice(0, 20)}\n${line}\n`)).toThrow('Line 2 of the history');
  });
});

describe('I21: losses are told', () => {
  const said = (ms: number, seq: number, lane = 'normal'): Line => [
    ms,
    'a',
    'test.said',
    { channel: 'events', lane, seq, sentAt: us(ms) },
  ];
  const heard = (ms: number, seq: number): Line => [
    ms,
    'b',
    'test.heard',
    { channel: 'events', lane: 'normal', seq, sender: 'boot-a' },
  ];
  const gap = (ms: number, more: object): Line => [
    ms,
    'b',
    'message.gap',
    { channel: 'events', from: 'a', bootId: 'boot-a', ...more },
  ];
  const listening: Line = [0, 'b', 'test.listening', { channel: 'events' }];
  const end: Line = [60_000, 'b', 'test.end'];
  const joined: Line = [0, 'b', 'cluster.view_changed'];
  const told = (...lines: Line[]) => broken([joined, listening, ...lines, end], {}).filter((one) => one === 'I21');

  it('holds when a message is handled, reported missing, dropped, or not known and told so', () => {
    expect(told(said(10, 1), heard(11, 1))).toEqual([]);
    expect(told(said(10, 1), gap(900, { priority: 'normal', missing: { first: 1, last: 1 } }))).toEqual([]);
    expect(
      told(said(10, 1), [20, 'b', 'message.dropped', { channel: 'events', reason: 'queue-full', count: 1 }]),
    ).toEqual([]);
    expect(told(said(10, 1), gap(900, {}))).toEqual([]);
  });
  it('is broken by a message of which nothing is said, or something else', () => {
    expect(told(said(10, 1))).toEqual(['I21']);
    expect(told(said(10, 1), said(20, 2), heard(21, 2))).toEqual(['I21']);
    expect(told(said(10, 3), gap(900, { priority: 'normal', missing: { first: 1, last: 2 } }))).toEqual(['I21']);
    expect(told(said(10, 1, 'high'), gap(900, { priority: 'normal', missing: { first: 1, last: 1 } }))).toEqual([
      'I21',
    ]);
    expect(told(gap(5, {}), said(10, 1))).toEqual(['I21']);
    const dropped: Line = [20, 'b', 'message.dropped', { channel: 'data', reason: 'queue-full', count: 1 }];
    expect(told(said(10, 1), dropped)).toEqual(['I21']);
  });
  it('does not ask for what was sent before this node listened, just now, or to one that died', () => {
    expect(broken([joined, said(0, 1), [1, 'b', 'test.listening', { channel: 'events' }], end])).toEqual([]);
    expect(broken([listening, said(0, 1), [1, 'b', 'cluster.view_changed'], end])).toEqual([]);
    expect(told(said(59_000, 1))).toEqual([]);
    // Published before, and confirmed only afterwards.
    expect(told([10, 'a', 'test.said', { channel: 'events', lane: 'normal', seq: 1, sentAt: us(-1) }])).toEqual([]);
    const facts = { killed: [{ pid: PIDS['b']!, at: us(12_000) }] };
    expect(broken([joined, listening, said(10, 1), end], facts)).not.toContain('I21');
  });
  it('asks of a sender with links for all, or for what it sends once it knows a listener without', () => {
    const view = (ms: number, node: string, version: number): Line => [ms, node, 'cluster.view_changed', { version }];
    const link: Line = [9, 'a', 'transport.link_up', { node: 'c' }];
    const of = (...lines: Line[]) => broken([view(0, 'b', 7), listening, view(1, 'a', 6), ...lines, end]);
    expect(of(link, said(10, 1), view(20, 'a', 7))).toEqual([]);
    expect(of(said(10, 1), view(20, 'a', 7))).toEqual(['I21']);
    expect(of(link, view(20, 'a', 8), said(21, 1))).toEqual(['I21']);
    expect(of(link, [9, 'b', 'transport.link_up', { node: 'c' }], said(10, 1), view(20, 'a', 7))).toEqual(['I21']);
  });
  it('does not ask for the last that a sender with links had not brought over when it was killed', () => {
    const links: Line[] = ['a', 'b'].map((node) => [1, node, 'transport.link_up', { node: 'c' }]);
    const facts = { killed: [{ pid: PIDS['a']!, at: us(30) }] };
    const lost = [...links, said(10, 1), heard(11, 1), said(20, 2), said(21, 3)];
    expect(broken([joined, listening, ...lost, end], facts)).not.toContain('I21');
    expect(broken([joined, listening, ...lost, end])).toContain('I21');
    expect(broken([joined, listening, ...lost, heard(22, 3), end], facts)).toContain('I21');
    expect(broken([joined, listening, ...lost.slice(1), end], facts)).toContain('I21');
  });
  it('does not ask for a sender that came and went during one cut', () => {
    const facts = { cut: [{ node: 'b', from: us(5), until: us(100) }], killed: [{ pid: PIDS['a']!, at: us(90) }] };
    const senderJoins = (ms: number): Line => [ms, 'a', 'cluster.view_changed'];
    expect(broken([joined, listening, senderJoins(6), said(10, 1), end], facts)).toEqual([]);
    expect(broken([joined, listening, senderJoins(2), said(10, 1), end], facts)).toContain('I21');
    const { killed } = facts;
    const frozen = [{ pid: PIDS['b']!, from: us(5), until: us(100) }];
    expect(broken([joined, listening, senderJoins(6), said(10, 1), end], { killed, frozen })).toEqual([]);
  });
});

describe('I22: jobs are answered', () => {
  const answer = (outcome: string): Line => [9, 'a', 'test.job_started', { outcome }];
  const stopped = (reason: string): Line => [5, 'b', 'process.stopped', { reason, epoch: 1 }];

  it('is broken by an error for a job that completed', () => {
    expect(broken([stopped('complete'), answer('ProcessStartError')])).toEqual(['I22']);
    expect(broken([stopped('complete'), answer('ok')])).toEqual([]);
    expect(broken([stopped('crash'), answer('ProcessStartError')])).toEqual([]);
  });
});

describe('I23: capacity holds', () => {
  const capacity: Line = [0, 'a', 'test.capacity', { capacity: 1 }];
  const of = (ms: number, event: string, name: string): Line => [ms, 'a', event, { name, epoch: ms }];

  it('is broken by one process more, and not by the next one', () => {
    const one = of(1, 'lease.acquired', 'x');
    const other = of(3, 'lease.acquired', 'y');
    expect(broken([capacity, one, other])).toEqual(['I23']);
    expect(broken([capacity, one, of(2, 'lease.released', 'x'), other])).toEqual([]);
    expect(broken([one, other])).toEqual([]);
  });
});

describe('I13 by the beginning of a name', () => {
  it('is broken by a job that starts again after it has completed', () => {
    const line = (ms: number, event: string): Line => [ms, 'a', event, { name: 'job-7', reason: 'complete' }];
    const lines = [line(1, 'process.starting'), line(2, 'process.stopped'), line(3, 'process.starting')];
    expect(broken(lines, { policies: { 'job-*': 'transient' } })).toEqual(['I13']);
    expect(broken(lines, { policies: { 'other-*': 'transient' } })).toEqual([]);
  });
  it('is not broken when the owner died or lost its lease before it could record the end', () => {
    const [starts, completes, again] = [
      [1, 'a', 'process.starting'],
      [2, 'a', 'process.stopped', { reason: 'complete' }],
      [9000, 'b', 'process.starting'],
    ] as const satisfies Line[];
    const policies = { job: 'transient' } as const;
    expect(broken([starts, completes, again], { policies })).toEqual(['I13']);
    expect(broken([starts, completes, [900, 'a', 'process.end_unrecorded'], again], { policies })).toEqual([]);
    const killedAt = (ms: number) => ({ policies, killed: [{ pid: PIDS['a']!, at: us(ms) }] });
    expect(broken([starts, completes, again], killedAt(100))).toEqual([]);
    expect(broken([starts, completes, again], killedAt(5000))).toEqual(['I13']);
  });
});
