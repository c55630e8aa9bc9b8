// The strategy `consul` against a small agent of the test's own.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { HealthMonitor, Topologies, translateConsul } from 'nestjs-foundation';
import { ConsulStrategy } from '../../libs/foundation/src/cluster/topologies/consul/consul.js';
import type { TopologyRunner } from '../../libs/foundation/src/cluster/topologies/topology.runner.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { FakeConsul } from '../support/consul-agent.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { boot, CapturedLog, closeAll, credentials, formed, freshName, settle } from './fixture.js';
import { looking, shown, until, untilState } from './topology.fixture.js';

describe('the strategy consul', () => {
  let consul: FakeConsul;
  let log: CapturedLog;

  beforeEach(async () => {
    log = CapturedLog.install();
    consul = await FakeConsul.open();
  });
  afterEach(async () => {
    await closeAll();
    await consul.close();
  });

  /** A node's strategy that runs, with short times. */
  function look(nodeName: string, settings: object = {}): Promise<TopologyRunner> {
    const { config } = translateConsul({ appName: 'shop', address: consul.address, ttl: '2s', ...settings });
    return looking(new ConsulStrategy(config), 'shop', nodeName);
  }

  const sees = (topologies: TopologyRunner, expected: string): Promise<void> =>
    until(topologies, shown(topologies), expected);

  it('registers its node, follows the others, and takes the node out when it leaves', async () => {
    const [a, b] = [await look('a'), await look('b')];
    await sees(a, 'a ready, b ready');
    await sees(b, 'a ready, b ready');
    expect(a.expectedNodes()).toBe(2);
    consul.register({ ID: 'stranger', Name: 'shop' });
    b.announce({ address: '127.0.0.1:7001' });
    await eventually(() => a.peers().find(({ node }) => node === 'b')?.address === '127.0.0.1:7001', {
      ...{ what: 'The address of b', lastSeen: () => a.peers() },
    });
    expect(shown(a)()).toBe('a ready, b ready');
    await b.stop();
    await sees(a, 'a ready');
    expect(consul.registrations.map(({ ID }) => ID).sort()).toEqual([expect.stringMatching(/^shop-a-/), 'stranger']);
  });

  it('keeps its check passing for longer than it lasts, and shows one that has run out as not ready', async () => {
    const a = await look('a');
    consul.register({
      ...{ ID: 'shop-dead', Name: 'shop', Meta: { 'foundation-node': 'dead' } },
      Check: { CheckID: 'service:shop-dead', TTL: '3s' },
    });
    await sees(a, 'a ready, dead ready');
    // The check of `a` lasts two seconds: had it not been kept, it would have run out by now.
    await sees(a, 'a ready, dead not-ready');
    expect(a.expectedNodes()).toBe(2);
  });

  it('registers again with an agent that has forgotten everything', async () => {
    const a = await look('a');
    await sees(a, 'a ready');
    consul.forget();
    await eventually(() => consul.registrations.length === 1, {
      what: 'A registration',
      lastSeen: () => consul.registrations,
    });
    await sees(a, 'a ready');
    expect(a.status()[0]).toMatchObject({ failures: 0 });
  });

  it.each(['refuse', 'broken', 'redirect'] as const)(
    'keeps what it knows while the agent fails (%s)',
    async (fault) => {
      consul.register({ ID: 'shop-b', Name: 'shop', Meta: { 'foundation-node': 'b' } });
      const a = await look('a');
      await sees(a, 'a ready, b ready');
      consul.fault = fault;
      consul.cut();
      await untilState(a, 'failing');
      expect(shown(a)()).toBe('a ready, b ready');
      expect(consul.registrations).toHaveLength(2);
      consul.fault = 'none';
      consul.deregister('shop-b');
      await untilState(a, 'looking');
      await sees(a, 'a ready');
    },
  );

  it('says which rules its token lacks, and never shows it', async () => {
    consul.token = 'hunter2-right';
    const a = await look('a', { token: 'hunter2-wrong' });
    await untilState(a, 'failing');
    expect(a.status()[0]?.error).toMatch(/\(403 .*service "shop" \{ policy = "write" \}/);
    const b = await look('b', { token: 'hunter2-right' });
    await sees(b, 'b ready');
    expect(log.lines.join('\n') + JSON.stringify(a.status())).not.toContain('hunter2');
  });

  it('asks no more often than it must', async () => {
    const a = await look('a');
    await sees(a, 'a ready');
    const queries = () =>
      consul.requests.filter((each) => each.includes('health/service/shop') && each.includes('index=')).length;
    const passes = () => consul.requests.filter((each) => each.includes('check/pass')).length;
    await eventually(() => passes() >= 2, { what: 'Two signs of life', lastSeen: passes });
    expect(queries()).toBeLessThanOrEqual(2);
  });

  describe('in an application', () => {
    let redis: RedisServer;
    beforeAll(async () => void (redis = await startRedis()));
    afterAll(() => redis.stop());

    it('finds Redis, says how many nodes to expect, and leaves', async () => {
      const appName = freshName('shop');
      await settle(redis, appName);
      const { hostname, port } = new URL(redis.url);
      consul.register({ ID: 'redis', Name: 'redis', Address: hostname, Port: Number(port) });
      const cluster = { strategy: 'consul', address: consul.address } as const;
      const nodes = await Promise.all(
        ['a', 'b', 'c'].map((nodeName) => boot(credentials(redis), appName, [], { cluster, nodeName })),
      );
      await formed(...nodes);
      const { app } = nodes[0]!;
      await eventually(() => app.get(Topologies).expectedNodes() === 3, {
        ...{ what: 'Three expected', lastSeen: () => app.get(Topologies).peers() },
      });
      // A busy machine is another reason, for a while.
      await eventually(async () => {
        expect((await app.get(HealthMonitor).clusterHealth()).reasons).toEqual([]);
        return true;
      });
      await nodes[2]!.app.close();
      await eventually(() => app.get(Topologies).expectedNodes() === 2, {
        ...{ what: 'Two expected', lastSeen: () => app.get(Topologies).peers() },
      });
    });
  });
});
