import { describe, expect, it } from '@jest/globals';
import type { Member } from '../cluster/member.js';
import type { ProcessInfo } from '../processes/process.ref.js';
import { channelsOf, type Facts, listedOf, MAX_LINES, overviewOf, processSeen, whyOf } from './dashboard.overview.js';
import { changesOf, textOf, Timeline } from './event.timeline.js';

const process = (name: string, more: Partial<ProcessInfo> = {}): ProcessInfo => ({
  ...{ name, type: 'Feed', kind: 'singleton', state: 'running', restart: 'permanent' },
  ...{ node: 'n1', epoch: 7, startedAt: 5, ...more },
});
const member: Member = {
  ...{ name: 'n1', bootId: 'b1', host: 'h', pid: 1, version: '1', state: 'up', load: 1, lag: 0, labels: { zone: 'a' } },
  ...{ replicas: {}, listens: { events: [''] }, classes: ['Feed'], joinedAt: 3, self: true },
};
const facts = (more: Partial<Facts> = {}): Facts => ({
  ...{ app: 'shop', now: 10, self: 'n1', members: [member], services: [], jobs: [] },
  ...{ processes: [processSeen(process('feed', { crashes: 2 }), 'least loaded')], processCount: 1 },
  ...{ groups: [], departed: [] },
  health: { status: 'healthy', nodes: [], services: [], reasons: [], lastCheck: new Date(0) } as never,
  ...{ channels: [], silentNodes: ['n2'] },
  ...more,
});

describe('overviewOf', () => {
  it('has what the page shows, and nothing of what it does not', () => {
    expect(overviewOf(facts())).toEqual({
      ...{ app: 'shop', at: 10, self: 'n1', health: { status: 'healthy', reasons: [] } },
      nodes: [
        {
          ...{ name: 'n1', state: 'up', load: 1, lag: 0, version: '1', labels: { zone: 'a' }, host: 'h', pid: 1 },
          joinedAt: 3,
        },
      ],
      processes: [
        {
          ...{ name: 'feed', kind: 'singleton', state: 'running', node: 'n1', epoch: 7, startedAt: 5 },
          ...{ restarts: 2, why: 'least loaded' },
        },
      ],
      ...{
        groups: [],
        departed: [],
        processesLeftOut: 0,
        services: [],
        servicesLeftOut: 0,
        jobs: [],
        jobsLeftOut: 0,
        channels: [],
        silentNodes: ['n2'],
      },
    });
  });

  it('says of a node that does not answer that it is silent, until the cluster says more', () => {
    const stateOf = (state: Member['state']) =>
      overviewOf(facts({ members: [{ ...member, state }], silentNodes: ['n1'] })).nodes[0]!.state;
    expect([stateOf('up'), stateOf('suspect'), stateOf('draining')]).toEqual(['silent', 'suspect', 'draining']);
  });

  it('says how many processes it leaves out', () => {
    expect(overviewOf(facts({ processCount: 10_001 })).processesLeftOut).toBe(10_000);
  });
});

describe('listedOf', () => {
  it('is bounded, and has those first that do not run', () => {
    const known = (name: string) => process(name, { state: 'waiting', node: undefined });
    const many = Array.from({ length: 10_000 }, (_, index) => known(`p${index}`));
    const down = process('zz', { state: 'escalated', error: 'boom' });
    const listed = listedOf([...many, down], new Set(['p9999']));
    expect(listed).toHaveLength(MAX_LINES);
    expect(listed.slice(-2).map(({ name }) => name)).toEqual(['p9999', 'zz']);
    expect(listedOf([process('p10'), process('p9')], new Set()).map(({ name }) => name)).toEqual(['p9', 'p10']);
  });
});

describe('whyOf', () => {
  const candidate = (node: string, reason: string, excluded = false) => ({ node, score: [], reason, excluded });

  it.each([
    ['where it runs', process('feed'), [candidate('n2', 'by hash'), candidate('n1', 'it owns 3')], 'it owns 3'],
    ['what it waits for', process('feed', { node: undefined, state: 'waiting' }), [candidate('n2', 'x')], 'it waits for n2'], // prettier-ignore
    ['that no node can', process('feed', { node: undefined, state: 'waiting' }), [candidate('n2', 'it is full', true)], 'no node can run it: of n2, it is full'], // prettier-ignore
    ['that there is none', process('feed', { node: undefined, state: 'waiting' }), [], 'there is no node'],
    ['nothing of one that is stopped', process('feed', { node: undefined, state: 'stopped' }), [], undefined],
  ])('says %s', (_what, info, candidates, why) => expect(whyOf(info, candidates)).toBe(why));
});

describe('channelsOf', () => {
  const figures = (received: number) => ({
    events: { sent: 2 * received, received, failed: 1, dropped: 2, waiting: 3, lag: 4 },
  });

  it('has rates once something was said before, and none when the counters began anew', () => {
    const rates = (now: number, before?: number) => {
      const [seen] = channelsOf(
        'n1',
        figures(now),
        2000,
        before === undefined ? undefined : { figures: figures(before), at: 0 },
      );
      return [seen!.receivedPerSecond, seen!.sentPerSecond];
    };
    expect(channelsOf('n1', figures(100), 2000, undefined)).toEqual([
      {
        ...{ node: 'n1', channel: 'events', sentPerSecond: 0, receivedPerSecond: 0 },
        ...{ waiting: 3, lagMs: 4, failed: 1, dropped: 2 },
      },
    ]);
    expect(rates(100, 50)).toEqual([25, 50]);
    expect(rates(10, 50)).toEqual([0, 0]);
  });
});

describe('the time-line', () => {
  it('keeps what strangers can make happen from wiping out the rest', () => {
    const timeline = new Timeline();
    for (let index = 0; index < 100; index++) timeline.add(index * 10_000, 'cluster.node_left', `n${index} left`);
    for (let index = 0; index < 600; index++) timeline.add(1e7, 'transport.refused', `10.0.${index}.1 refused`);
    expect(timeline.lines.filter(({ event }) => event === 'cluster.node_left')).toHaveLength(100);
    expect(textOf('transport.refused', { address: '10.0.0.1:5000', reason: 'wrong-cookie' })).toBe(
      '10.0.0.1 refused: wrong-cookie',
    );
  });

  it('counts what is the same within a few seconds, and keeps the last two hundred', () => {
    const timeline = new Timeline();
    const first = timeline.add(0, 'message.dropped', 'events dropped');
    expect(timeline.add(4999, 'message.dropped', 'events dropped')).toBe(first);
    expect(first.count).toBe(2);
    expect(timeline.add(5000, 'message.dropped', 'events dropped').id).toBe(2);
    for (let index = 0; index < 300; index++) timeline.add(6000, 'cluster.node_left', `n${index} left`);
    expect(timeline.lines).toHaveLength(200);
    expect(timeline.lines.at(-1)).toMatchObject({ text: 'n299 left', id: 302 });
  });

  it.each([
    ['cluster.node_left', { node: 'n2', bootId: 'b', reason: 'timeout' }, 'n2 node left: timeout'],
    ['drain.progress', { node: 'n2', left: 1, total: 3 }, 'n2 progress: 1 of 3 left'],
    ['service.registered', { name: 'tills', node: 'n1', instanceId: 'i' }, 'tills on n1 registered'],
    ['message.dropped', { channel: 'events', reason: 'queue-full', count: 3 }, 'events dropped: queue-full'],
    ['message.handler_failed', { channel: 'events', error: 'boom' }, 'events handler failed: boom'],
  ])('says what %s is', (event, payload, line) => {
    expect(textOf(event, payload)).toBe(line);
  });

  it('says what has become of processes from one overview to the next', () => {
    const before = overviewOf(facts());
    const of = (more: Partial<ProcessInfo>) =>
      changesOf(before, overviewOf(facts({ processes: [processSeen(process('feed', more), undefined)] })));
    expect(of({})).toEqual([]);
    expect(of({ node: 'n2', epoch: 9 })).toEqual([
      { event: 'process.running', text: 'feed is running on n2 with epoch 9, before on n1', node: 'n2' },
    ]);
    expect(of({ state: 'escalated', error: 'boom' })[0]!.text).toBe('feed is escalated on n1 with epoch 7: boom');
    expect(textOf('process.crashed', { name: 'x'.repeat(400), node: 'n', error: '' })).toHaveLength(300);
  });
});
