// The strategy `mdns`: nodes that find each other on the loopback interface, and what anybody in the network can tell
// them.
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Answer, encode } from 'dns-packet';
import { createMdns } from '../../libs/foundation/src/cluster/topologies/mdns/mdns.js';
import { recordsOf, TYPE } from '../../libs/foundation/src/cluster/topologies/mdns/mdns.records.js';
import type { TopologyRunner } from '../../libs/foundation/src/cluster/topologies/topology.runner.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { sendLocally } from '../support/udp.js';
import { CapturedLog, closeAll, freshName } from './fixture.js';
import { looking, until, untilState } from './topology.fixture.js';

const [GROUP, PORT, LOOPBACK] = ['224.0.0.251', 5353, '127.0.0.1'];
const REDIS = 'redis://127.0.0.1:6399/0';

const shown = (topologies: TopologyRunner) => () =>
  topologies
    .peers()
    .map(({ node, state }) => `${node} ${state}`)
    .sort()
    .join(', ');
const counters = (topologies: TopologyRunner) => topologies.status()[0]?.counters ?? {};
const response = (...answers: Answer[]): Buffer => encode({ type: 'response', answers });

describe('the strategy mdns', () => {
  let appName: string;
  let log: CapturedLog;

  beforeEach(() => {
    log = CapturedLog.install();
    // Everything on this machine shares the port, so each test has an application of its own.
    appName = freshName(`mdns-${process.pid}`);
  });
  afterEach(closeAll);

  async function begin(node: string, more = {}, every = 100, app = appName): Promise<TopologyRunner> {
    return looking(await createMdns({ interface: LOOPBACK, every }), app, node, more);
  }
  async function look(node: string, every = 100, app = appName): Promise<TopologyRunner> {
    const topologies = await begin(node, {}, every, app);
    await untilState(topologies, 'looking');
    return topologies;
  }
  const counted = (topologies: TopologyRunner, name: string, least = 1): Promise<unknown> =>
    eventually(() => (counters(topologies)[name] ?? 0) >= least, { what: name, lastSeen: () => counters(topologies) });
  const told = (node: string, more = {}) => ({ app: appName, node, boot: randomBytes(8).toString('hex'), ...more });

  it('finds all nodes and their Redis, hears of one that comes late, and of one that leaves', async () => {
    const [a, b, bank] = [await look('a'), await look('b'), await look('c', 100, `${appName}-bank`)];
    for (const each of [a, b]) await until(each, shown(each), 'a ready, b ready');
    a.announce({ redis: REDIS, address: '10.0.0.1:7000' });
    const c = await begin('c');
    expect(await c.redis(10_000)).toEqual([{ strategy: 'mdns', url: REDIS }]);
    for (const each of [a, b, c]) await until(each, shown(each), 'a ready, b ready, c ready');
    expect(c.peers().find(({ node }) => node === 'a')).toMatchObject({ address: '10.0.0.1:7000' });
    await b.stop();
    for (const each of [a, c]) await until(each, shown(each), 'a ready, c ready');
    expect(shown(bank)()).toBe('c ready');
    expect(await bank.redis(0)).toEqual([]);
  });

  it('tells the command line, which is no node', async () => {
    const [a, b] = [await look('a', 60_000), await look('b', 60_000)];
    const cli = await begin('cli', { observes: true }, 60_000);
    await until(cli, shown(cli), 'a ready, b ready');
    await cli.stop();
    for (const each of [a, b]) expect(shown(each)()).not.toContain('cli');
  });

  it('knows no Redis where nodes do not agree', async () => {
    const a = await look('a');
    a.announce({ redis: REDIS });
    const other = recordsOf(told('b', { redis: 'redis://10.0.0.5:6379/0' }));
    await eventually(
      async () => {
        await sendLocally(PORT, GROUP, response(...other));
        return shown(a)() === 'a ready, b ready';
      },
      { what: 'b', lastSeen: shown(a) },
    );
    expect((await a.redis(0)).map(({ url }) => url)).not.toContain('redis://10.0.0.5:6379/0');
  });

  it('is not brought down by garbage, and takes nothing forged', async () => {
    const a = await look('a');
    const text = (...data: string[]): Answer => ({ type: 'TXT', name: `x.${TYPE}`, ttl: 120, data });
    const boot = 'boot=0123456789abcdef';
    await sendLocally(
      ...[PORT, GROUP, randomBytes(1), randomBytes(200), randomBytes(9000), Buffer.alloc(12)],
      ...[Buffer.concat([response(...recordsOf(told('cut'))).subarray(0, 60)])],
      ...[
        text(),
        text(`app=${appName}`, 'node=n\u001b[31m\nERROR forged', boot),
        text(`app=${appName}`, 'node=n', boot, 'redis=redis://:hunter2@127.0.0.1:6379/0'),
        text('__proto__=x', `app=${appName}`, 'node=n'),
      ].map((record) => response(record)),
    );
    await counted(a, 'dropped.malformed', 4);
    await counted(a, 'unreadable');
    expect(shown(a)()).toBe('a ready');
    expect(a.status()[0]).toMatchObject({ state: 'looking', failures: 0 });
    for (const each of ['forged', 'hunter2', '\u001b']) expect(log.lines.join('\n')).not.toContain(each);
    expect(log.lines.filter((line) => line.includes('"reason":"malformed"'))).toHaveLength(1);
  });

  it('takes no more nodes than it may', async () => {
    const a = await look('a', 60_000);
    const some = (): Buffer[] => Array.from({ length: 25 }, (_, n) => response(...recordsOf(told(`x${n}`))));
    await eventually(
      async () => {
        await sendLocally(PORT, GROUP, ...some());
        return (counters(a)['dropped.full'] ?? 0) > 0;
      },
      { what: 'Full', every: 5, timeout: 30_000, lastSeen: () => counters(a) },
    );
    expect(a.peers().length).toBeLessThanOrEqual(26);
  }, 40_000);

  it('fails with advice where the interface is not there', async () => {
    const topologies = await looking(await createMdns({ interface: '203.0.113.9', every: 100 }), appName, 'a');
    await untilState(topologies, 'failing');
    expect(topologies.status()[0]?.error).toMatch(/interface 203\.0\.113\.9, port 5353: .*FOUNDATION_REDIS_URL/s);
  });
});
