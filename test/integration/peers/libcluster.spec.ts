// What libcluster holds its strategies to, written anew for ours. From bitwalker/libcluster: `strategy` is
// test/strategy_test.exs, `app` test/app_test.exs, `epmd` test/epmd_test.exs, `dns` test/dns_poll_test.exs.
// Elsewhere: what its tests of DNS, gossip and Kubernetes ask for (new nodes, removed nodes, state that is kept, names
// that are not resolved, bad secrets) is in topology.dns, topology.gossip and topology.kubernetes.spec.ts.
// Connecting is not theirs here: a strategy says who is there, and nodes find each other through Redis.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  FoundationConfigError,
  type Peer,
  type TopologyReport,
  type TopologySelf,
  type TopologyStrategy,
} from 'nestjs-foundation';
import { StaticStrategy } from '../../../libs/foundation/src/cluster/topologies/static.js';
import type { TopologyRunner } from '../../../libs/foundation/src/cluster/topologies/topology.runner.js';
import { resolve } from '../../../libs/foundation/src/config/resolve.js';
import { eventually } from '../../../libs/foundation/src/testing/eventually.js';
import { CapturedLog, closeAll, freshName } from '../fixture.js';
import { looking, shown, until, untilState } from '../topology.fixture.js';

const peer = (node: string, state: Peer['state'] = 'ready'): Peer => ({ id: node, node, state });

/** A strategy that does what a test says, and writes down what it is asked for. */
class Scripted implements TopologyStrategy {
  readonly name: string = 'scripted';
  readonly started: TopologySelf[] = [];
  stopped = 0;
  report!: TopologyReport;
  /** What the starts come to, one after another; the last one counts from then on. */
  constructor(private readonly starts: (Peer[] | Error)[] = [[]]) {}

  start(report: TopologyReport, self: TopologySelf): Promise<void> {
    this.report = report;
    const outcome = this.starts[Math.min(this.started.push(self), this.starts.length) - 1]!;
    if (outcome instanceof Error) return Promise.reject(outcome);
    report.found({ peers: outcome });
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.stopped++;
    return Promise.resolve();
  }
}

let log: CapturedLog;
beforeEach(() => void (log = CapturedLog.install()));
afterEach(closeAll);

/** What the runner shows changes so often. */
function changesOf(topologies: TopologyRunner): string[] {
  const seen: string[] = [];
  topologies.listen(() => void seen.push(shown(topologies)()));
  return seen;
}

describe("libcluster's strategies", () => {
  // app: calls strategy with right arguments
  it('a strategy is started once, with what it needs to know of its node', async () => {
    const strategy = new Scripted();
    await looking(strategy, 'shop', 'shop-1');
    expect(strategy.started).toEqual([
      expect.objectContaining({ appName: 'shop', node: 'shop-1', labels: {}, bootId: expect.any(String) }),
    ]);
  });

  // strategy: does connect new nodes, does disconnect new nodes
  it('who is reported is known, and who is not reported any more is not', async () => {
    const strategy = new Scripted([[peer('foo')]]);
    const topologies = await looking(strategy, freshName(), 'me');
    await until(topologies, shown(topologies), 'foo ready');
    strategy.report.found({ peers: [peer('foo'), peer('bar')] });
    await until(topologies, shown(topologies), 'bar ready, foo ready');
    expect(topologies.expectedNodes()).toBe(2);
    strategy.report.found({ peers: [peer('bar')] });
    await until(topologies, shown(topologies), 'bar ready');
    expect(topologies.expectedNodes()).toBe(1);
  });

  // strategy: does not connect existing nodes again, does not disconnect missing nodes
  it('who is reported again, or twice in one report, is one, and what never was there does not go', async () => {
    const strategy = new Scripted([[peer('foo')]]);
    const topologies = await looking(strategy, freshName(), 'me');
    await until(topologies, shown(topologies), 'foo ready');
    const changes = changesOf(topologies);
    for (let time = 0; time < 3; time++) strategy.report.found({ peers: [peer('foo'), peer('foo')] });
    strategy.report.found({ peers: [peer('foo'), peer('bar')] });
    await until(topologies, shown(topologies), 'bar ready, foo ready');
    expect(changes.filter((change) => !/^(bar ready, )?foo ready$/.test(change))).toEqual([]);
    expect(topologies.status()[0]).toMatchObject({ peers: 2, failures: 0 });
  });

  // strategy: handles connect failure
  it('a failure is told and keeps what is known, and it is asked again, which ends it', async () => {
    const strategy = new Scripted([[peer('foo')], [peer('foo'), peer('bar')]]);
    const topologies = await looking(strategy, freshName(), 'me');
    await until(topologies, shown(topologies), 'foo ready');
    strategy.report.failed(new Error('the source is away'));
    expect(topologies.status()[0]).toMatchObject({ state: 'failing', failures: 1 });
    expect(topologies.status()[0]?.error).toContain('the source is away');
    expect(shown(topologies)()).toBe('foo ready');
    await untilState(topologies, 'looking');
    await until(topologies, shown(topologies), 'bar ready, foo ready');
    expect(log.lines.filter((line) => line.includes('the source is away')).length).toBeLessThanOrEqual(1);
  });

  // strategy: handles connect failure, at the start; dns: does not connect to anything if name is not resolved
  it('one that cannot start is started again until it can, and says why meanwhile', async () => {
    const strategy = new Scripted([new Error('not yet'), new Error('not yet'), [peer('foo')]]);
    const topologies = await looking(strategy, freshName(), 'me');
    await until(topologies, shown(topologies), 'foo ready');
    await untilState(topologies, 'looking');
    expect(strategy.started).toHaveLength(3);
    expect(topologies.status()[0]?.failures).toBe(2);
  });

  // strategy: handles connect ignore
  it.each<[Peer['state'], number | undefined]>([
    ['ready', 2],
    ['not-ready', 2],
    ['leaving', 1],
    ['terminated', 1],
  ])('of a node that is %s beside one that is ready, %s are expected', async (state, expected) => {
    const strategy = new Scripted([[peer('foo'), peer('bar', state)]]);
    const topologies = await looking(strategy, freshName(), 'me');
    await until(topologies, shown(topologies), `bar ${state}, foo ready`);
    expect(topologies.expectedNodes()).toBe(expected);
  });

  // strategy: handles disconnect error
  it('one whose end fails, or never comes, keeps nobody from ending', async () => {
    const ends = [() => Promise.reject(new Error('cannot')), () => new Promise<void>(() => undefined)];
    for (const end of ends) {
      // It is stopped once more after the test.
      const strategy: Scripted = Object.assign(new Scripted(), {
        stop: () => (strategy.stopped++ === 0 ? end() : Promise.resolve()),
      });
      const topologies = await looking(strategy, freshName(), 'me');
      await topologies.stop();
      strategy.report.found({ peers: [peer('late')] });
      expect(shown(topologies)()).toBe('');
    }
  });

  // epmd: starts GenServer and connects nodes, reconnects every time the configured timeout was reached
  it('hosts are looked up again and again, and one that is not known yet is not ready', async () => {
    const asked: string[] = [];
    let isKnown = false;
    const strategy = new StaticStrategy({ hosts: ['foo:7000', 'bar:7000'], every: 10 }, (host) => {
      asked.push(host);
      return host === 'foo' || isKnown ? Promise.resolve() : Promise.reject(new Error('unknown'));
    });
    const topologies = await looking(strategy, freshName(), 'me');
    const states = (): string =>
      topologies
        .peers()
        .map(({ address, state }) => `${address} ${state}`)
        .sort()
        .join(', ');
    await until(topologies, states, 'bar:7000 not-ready, foo:7000 ready');
    await eventually(() => asked.length >= 6, { what: 'Three looks', lastSeen: () => asked });
    isKnown = true;
    await until(topologies, states, 'bar:7000 ready, foo:7000 ready');
    await topologies.stop();
    const { length } = asked;
    expect(asked).toEqual(Array.from({ length }, (_, at) => ['foo', 'bar'][at % 2]));
  });

  // dns: does not connect to anything with missing config params, with invalid config params
  it.each<[string, object]>([
    ['a host that is none', { cluster: { strategy: 'static', hosts: ['a b'] } }],
    ['hosts that are no list', { cluster: { strategy: 'static', hosts: 'a' } }],
    ['a query that is no text', { cluster: { strategy: 'dns', query: 7 } }],
    ['a time that is none', { cluster: { strategy: 'dns', query: 'a.test', every: 'soon' } }],
    ['an option that there is not', { cluster: { strategy: 'mdns', group: 'x' } }],
  ])('%s is refused before anything starts', (_what, options) => {
    const machine = { host: 'h', pid: 1 };
    expect(() => resolve({ redis: 'redis://a', appName: 'x', ...options }, {}, machine)).toThrow(FoundationConfigError);
  });
});
