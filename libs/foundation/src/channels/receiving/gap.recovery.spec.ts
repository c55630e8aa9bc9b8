import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Transport } from '../../backend/transport/transport.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import type { Member, MembershipListener } from '../../cluster/member.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import type { NodeMessageListener, NodeMessages } from '../node.messages.js';
import { GapRecovery } from './gap.recovery.js';
import { KnownSenders } from './known.senders.js';

const from = (name: string) => ({ name, bootId: name });

describe('GapRecovery', () => {
  const asked: string[] = [];
  const heard: unknown[] = [];
  const gone: string[] = [];
  const listeners: MembershipListener[] = [];
  const kinds = new Map<string, NodeMessageListener>();
  let members: Partial<Member>[];
  let channels: string[];
  let state: string;
  let now: number;
  let interrupt: (bootId?: string) => void;
  let catchUp: GapRecovery;
  let send: () => Promise<number>;
  let left: (name: string, reason?: string) => void;

  beforeEach(() => {
    jest.useFakeTimers();
    for (const list of [asked, heard, gone, listeners]) list.length = 0;
    channels = ['events'];
    state = 'up';
    members = [{ name: 'me', bootId: 'me', self: true, joinedAt: 1 }];
    now = 100;
    send = () => Promise.resolve(1);
    const membership = {
      self: from('me'),
      get state() {
        return state;
      },
      members: () => members,
      clusterNow: () => now,
      listen: (listener: MembershipListener) => (listeners.push(listener), () => undefined),
    } as unknown as ClusterView;
    const nodeMessages = {
      on: (kind: string, listener: NodeMessageListener) => kinds.set(kind, listener),
      send: (bootId: string) => {
        asked.push(bootId);
        return send();
      },
    } as unknown as NodeMessages;
    const transport = {
      onInterrupted: (listener: typeof interrupt) => ((interrupt = listener), () => undefined),
    } as unknown as Transport;
    const senders = new KnownSenders(membership);
    senders.listens('events');
    const attach = (_event: string, listener: (event: string, payload: object) => void) => {
      left = (name, reason = 'timeout') => {
        members = members.filter((member) => member.name !== name);
        listener('cluster.node_left', { ...from(name), node: name, reason });
        for (const each of listeners) each.changed!();
      };
    };
    catchUp = new GapRecovery({
      telemetry: { attach } as unknown as Telemetry,
      ...{ membership, nodeMessages, transport, senders },
      lasts: () => ({}),
      flush: () => Promise.resolve(),
      channels: () => channels,
      heard: (channel, lane, last, { bootId }) => void heard.push([bootId, channel, lane, last]),
      gone: ({ name }) => void gone.push(name),
    });
  });
  afterEach(() => {
    catchUp.close();
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  const see = (...others: [name: string, joinedAt: number][]) => {
    members = [members[0]!, ...others.map(([name, joinedAt]) => ({ ...from(name), self: false, joinedAt }))];
    for (const listener of listeners) listener.changed!();
  };
  const answer = (name: string, lasts: unknown) => kinds.get('last')!(lasts, from(name));

  it('queries each new node until it has answered', () => {
    see(['a', 50]);
    jest.advanceTimersByTime(1000);
    expect(asked).toEqual(['a']);
    answer('a', { events: { high: 7 } });
    see(['a', 50], ['b', 110]);
    jest.advanceTimersByTime(1000);
    expect(asked).toEqual(['a', 'b']);
    expect(heard).toEqual([
      ['a', 'events', 'high', 7],
      ['a', 'events', 'normal', 0],
      ['a', 'events', 'low', 0],
    ]);
  });

  it('queries no node without subscriptions, and all nodes at the first one', () => {
    channels = [];
    see(['a', 50]);
    jest.advanceTimersByTime(60_000);
    expect(asked).toEqual([]);
    channels = ['events'];
    catchUp.start();
    jest.advanceTimersByTime(1000);
    expect(asked).toEqual(['a']);
    answer('a', { events: {} });
    catchUp.start();
    jest.advanceTimersByTime(1000);
    expect(asked).toEqual(['a', 'a']);
  });

  it('queries all nodes again after a cut, or the one concerned', () => {
    see(['a', 50], ['b', 50]);
    jest.advanceTimersByTime(200);
    for (const name of ['a', 'b']) answer(name, {});
    interrupt('b');
    jest.advanceTimersByTime(1000);
    expect(asked).toEqual(['a', 'b', 'b']);
    answer('b', {});
    interrupt();
    jest.advanceTimersByTime(1000);
    expect(asked).toEqual(['a', 'b', 'b', 'a', 'b']);
  });

  it('keeps querying until there is an answer, however long the cut is', () => {
    send = () => Promise.reject(new Error('cut'));
    see(['a', 50]);
    interrupt();
    jest.advanceTimersByTime(10 * 60_000);
    const before = asked.length;
    expect(before).toBeLessThan(40);
    jest.advanceTimersByTime(60_000);
    expect(asked.length).toBeGreaterThan(before);
    // The connection is back: not only when it would have been asked anyway.
    const last = asked.length;
    interrupt();
    jest.advanceTimersByTime(1000);
    expect(asked).toHaveLength(last + 1);
  });

  it('reports a node that left before it answered, if messages of it may be lost', () => {
    see(['a', 50], ['b', 50]);
    jest.advanceTimersByTime(200);
    answer('a', {});
    // Without a cut nothing of it is lost.
    see(['a', 50]);
    jest.advanceTimersByTime(60_000);
    expect(gone).toEqual([]);
    interrupt();
    see(['late', 90], ['later', 120]);
    jest.advanceTimersByTime(200);
    see();
    jest.advanceTimersByTime(60_000);
    expect(gone.sort()).toEqual(['a', 'late']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('reports a node that disappeared before the cut and may be alive', () => {
    see(['a', 50], ['b', 50], ['c', 50]);
    jest.advanceTimersByTime(200);
    for (const name of ['a', 'b', 'c']) answer(name, {});
    left('a');
    left('b', 'shutdown');
    left('c');
    see(['c', 50]);
    jest.advanceTimersByTime(200);
    answer('c', {});
    expect(gone).toEqual([]);
    interrupt('c');
    jest.advanceTimersByTime(1000);
    expect(gone).toEqual([]);
    answer('c', {});
    interrupt();
    jest.advanceTimersByTime(1000);
    answer('c', {});
    expect(gone).toEqual(['a']);
    // The connection is back; what was sent until now was lost as well.
    interrupt();
    jest.advanceTimersByTime(1000);
    answer('c', {});
    expect(gone).toEqual(['a', 'a']);
    now += 300_001;
    interrupt();
    jest.advanceTimersByTime(1000);
    expect(gone).toEqual(['a', 'a']);
  });

  it.each([0, 0.5, 0.999])(
    'reports a node that leaves between two queries, however far they are apart (%s)',
    (random) => {
      jest.spyOn(Math, 'random').mockReturnValue(random);
      see(['a', 50], ['b', 50]);
      interrupt();
      // Neither answers, which is said once, and the queries become rare.
      jest.advanceTimersByTime(100_000);
      expect(gone.splice(0)).toEqual(['a', 'b']);
      // Also just before the next query would have been due without its jitter.
      jest.advanceTimersByTime(28_500);
      left('a');
      jest.advanceTimersByTime(6000);
      expect(gone).toEqual(['a']);
    },
  );

  it('reports once that a member does not say for long what it has sent, as one whose clock is wrong', () => {
    see(['a', 50], ['b', 50]);
    jest.advanceTimersByTime(200);
    for (const name of ['a', 'b']) answer(name, {});
    interrupt();
    jest.advanceTimersByTime(1000);
    answer('b', {});
    jest.advanceTimersByTime(4000);
    expect(gone).toEqual([]);
    // Ten seconds, as the pages say, with the jitter of each query.
    jest.advanceTimersByTime(8000);
    expect(gone).toEqual(['a']);
    jest.advanceTimersByTime(200_000);
    expect(gone).toEqual(['a']);
    // It may answer after all; and another cut is another loss.
    answer('a', { events: { normal: 3 } });
    expect(heard).toContainEqual(['a', 'events', 'normal', 3]);
    interrupt('a');
    jest.advanceTimersByTime(60_000);
    expect(gone).toEqual(['a', 'a']);
  });

  it('reports nothing of that while this node is cut off, since nobody can answer', () => {
    see(['a', 50]);
    state = 'isolated';
    interrupt();
    jest.advanceTimersByTime(200_000);
    expect(gone).toEqual([]);
    state = 'up';
    interrupt();
    jest.advanceTimersByTime(60_000);
    expect(gone).toEqual(['a']);
  });

  it('reports what it could not learn when this node leaves', () => {
    see(['a', 50], ['b', 50]);
    jest.advanceTimersByTime(200);
    answer('a', {});
    interrupt();
    // This one joined after the cut, so nothing of it was lost.
    see(['a', 50], ['b', 50], ['c', 120]);
    jest.advanceTimersByTime(200);
    catchUp.close();
    expect(gone.sort()).toEqual(['a', 'b']);
  });

  it('remembers at most a thousand of them', () => {
    for (let index = 0; index < 1500; index++) left(`x-${index}`);
    interrupt();
    jest.advanceTimersByTime(1000);
    expect(gone).toHaveLength(1000);
    expect(gone[0]).toBe('x-500');
  });

  it('waits for a node that Redis forgot for a moment', () => {
    see(['a', 50]);
    interrupt();
    see();
    jest.advanceTimersByTime(700);
    see(['a', 50]);
    jest.advanceTimersByTime(5000);
    expect(gone).toEqual([]);
    answer('a', { events: { normal: 3 } });
    expect(heard).toContainEqual(['a', 'events', 'normal', 3]);
  });

  it.each([
    ['nothing', undefined],
    ['a text', 'events'],
    ['numbers that are none', { events: { normal: '7', high: -1, low: 1.5 } }],
    ['a channel that nobody listens to', { data: { normal: 7 } }],
    ['lanes that are none', { events: null }],
  ])('treats %s as an answer without numbers', (_what, body) => {
    see(['a', 50]);
    answer('a', body);
    expect(heard).toEqual([]);
  });

  it('reads a thousand channels of an answer, with names of 200 characters', () => {
    see(['a', 50]);
    channels = Array.from({ length: 1500 }, (_, index) => `c${index}`);
    answer('a', Object.fromEntries(channels.map((channel) => [channel, { normal: 1 }])));
    expect(heard).toHaveLength(3000);
    heard.length = 0;
    see(['b', 60]);
    channels = ['x'.repeat(200), 'x'.repeat(201)];
    answer('b', Object.fromEntries(channels.map((channel) => [channel, { normal: 1 }])));
    expect(heard).toHaveLength(3);
  });

  it('ignores an answer of a node that was not queried', () => {
    see(['a', 50]);
    answer('stranger', { events: { normal: 7 } });
    expect(heard).toEqual([]);
  });
});
