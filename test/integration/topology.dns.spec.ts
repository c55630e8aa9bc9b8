// The strategy `dns` against a small DNS server, and against dnsmasq where one is on the PATH. Both are on 127.0.0.1.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type DnsSettings, Topologies, translateDns } from 'nestjs-foundation';
import { DnsStrategy } from '../../libs/foundation/src/cluster/topologies/dns/dns.js';
import type { TopologyRunner } from '../../libs/foundation/src/cluster/topologies/topology.runner.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { Dnsmasq, type DnsRecord, DnsServer, hasDnsmasq } from '../support/dns-server.js';
import { boot, CapturedLog, closeAll, closeLater, credentials, formed, type Ground, onOwnRedis } from './fixture.js';
import { looking, until, untilState } from './topology.fixture.js';

const a = (name: string, data: string, ttl = 0): DnsRecord => ({ type: 'A', name, data, ttl });
const aaaa = (name: string, data: string): DnsRecord => ({ type: 'AAAA', name, data, ttl: 0 });
const srv = (name: string, target: string, port: number, priority = 0): DnsRecord => ({
  ...{ type: 'SRV', name, ttl: 0, data: { target, port, priority, weight: 0 } },
});

const shown = (topologies: TopologyRunner) => () =>
  topologies
    .peers()
    .map(({ id, state }) => `${id} ${state}`)
    .join(', ');

async function look(address: string, settings: DnsSettings = {}): Promise<TopologyRunner> {
  const { config } = translateDns({ query: 'shop.test', every: 20, servers: [address], ...settings });
  return looking(new DnsStrategy(config), 'shop', 'n1');
}

const servers: [string, (records: DnsRecord[]) => Promise<{ address: string; stop: () => Promise<void> }>][] = [
  ['a small server', (records) => DnsServer.start(records)],
];
if (hasDnsmasq()) servers.push(['dnsmasq', (records) => Dnsmasq.start(records)]);

describe.each(servers)('the strategy dns with %s', (_what, start) => {
  beforeEach(() => void CapturedLog.install());
  afterEach(closeAll);

  async function serve(...records: DnsRecord[]): Promise<string> {
    const server = await start(records);
    closeLater(() => server.stop());
    return server.address;
  }

  it.each<[string, string, DnsRecord[], string]>([
    ['A', 'shop.test', [a('shop.test', '10.0.0.2'), a('shop.test', '10.0.0.1')], '10.0.0.1 ready, 10.0.0.2 ready'],
    ['AAAA', 'shop.test', [aaaa('shop.test', 'fd00::1')], 'fd00::1 ready'],
    [
      'A before AAAA, which are the same nodes',
      'shop.test',
      [a('shop.test', '10.0.0.1'), aaaa('shop.test', 'fd00::1')],
      '10.0.0.1 ready',
    ],
    [
      ...(['SRV', '_shop._tcp.shop.test'] as const),
      [srv('_shop._tcp.shop.test', 'b.shop.test', 7001), srv('_shop._tcp.shop.test', 'a.shop.test', 7000)],
      'a.shop.test:7000 ready, b.shop.test:7001 ready',
    ],
  ])('finds the nodes of %s records', async (_type, query, records, expected) => {
    const topologies = await look(await serve(...records), { query });
    await until(topologies, shown(topologies), expected);
    await untilState(topologies, 'looking');
    expect(topologies.expectedNodes()).toBe(expected.split(', ').length);
  });

  it('finds Redis by an SRV record, also before there is a name with nodes', async () => {
    const records = [srv('_redis._tcp.shop.test', 'redis.shop.test', 6380), a('redis.shop.test', '127.0.0.1')];
    const topologies = await look(await serve(...records), { redisQuery: '_redis._tcp.shop.test' });
    expect(await topologies.redis(10_000)).toEqual([{ strategy: 'dns', url: 'redis://127.0.0.1:6380' }]);
    await untilState(topologies, 'failing');
    expect(topologies.status()[0]?.error).toMatch(/know no "shop\.test": (?:ENOTFOUND|ENODATA)/);
  });

  it('finds Redis by a host, and none where there are several', async () => {
    const address = await serve(
      ...[
        a('shop.test', '10.0.0.1'),
        a('redis.test', '127.0.0.1'),
        a('two.test', '10.0.0.5'),
        a('two.test', '10.0.0.6'),
      ],
    );
    const one = await look(address, { redisQuery: 'redis.test' });
    expect(await one.redis(10_000)).toEqual([{ strategy: 'dns', url: 'redis://127.0.0.1:6379' }]);
    const two = await look(address, { redisQuery: 'two.test' });
    await untilState(two, 'looking');
    expect(await two.redis(200)).toEqual([]);
  });
});

describe('the strategy dns', () => {
  let server: DnsServer;

  beforeEach(async () => {
    CapturedLog.install();
    server = await DnsServer.start([a('shop.test', '10.0.0.1'), a('shop.test', '10.0.0.2')]);
  });
  afterEach(async () => {
    await closeAll();
    await server.stop();
  });

  it('follows the answers, and keeps what it knew while the name is gone', async () => {
    const topologies = await look(server.address);
    const both = '10.0.0.1 ready, 10.0.0.2 ready';
    await until(topologies, shown(topologies), both);
    server.records = [];
    await untilState(topologies, 'failing');
    expect(shown(topologies)()).toBe(both);
    expect(topologies.expectedNodes()).toBe(2);
    server.records = [a('shop.test', '10.0.0.3')];
    await until(topologies, shown(topologies), '10.0.0.3 ready');
    await untilState(topologies, 'looking');
  });

  it('asks again when an answer has lived its time, and not before', async () => {
    server.records = [a('shop.test', '10.0.0.1', 1)];
    const topologies = await look(server.address);
    await until(topologies, shown(topologies), '10.0.0.1 ready');
    const before = server.asked.length;
    server.records = [a('shop.test', '10.0.0.2', 60)];
    await until(topologies, shown(topologies), '10.0.0.2 ready');
    const [first, second] = server.asked.slice(before - 1);
    expect(second!.at - first!.at).toBeGreaterThan(900);
  });

  it.each(['silence', 'SERVFAIL', 'garbage'] as const)(
    'keeps what it knew during %s, and comes back',
    async (fault) => {
      const topologies = await look(server.address);
      await until(topologies, shown(topologies), '10.0.0.1 ready, 10.0.0.2 ready');
      server.fault = fault;
      await untilState(topologies, 'failing');
      expect(topologies.peers()).toHaveLength(2);
      expect(topologies.status()[0]?.error).toContain(server.address);
      server.fault = 'none';
      await untilState(topologies, 'looking');
    },
  );

  it('reports no more than it may be told, and no forged names', async () => {
    const name = '_shop._tcp.shop.test';
    server.records = [
      srv(name, 'good.test', 7),
      srv(name, 'for\nged.test', 7),
      srv(name, 'x.test', 0),
      srv(name, '.', 7),
    ];
    const topologies = await look(server.address, { query: name });
    await until(topologies, shown(topologies), 'good.test:7 ready');
  });

  it('ends a question that is under way with the node', async () => {
    server.fault = 'silence';
    const topologies = await look(server.address);
    await eventually(() => server.asked.length > 0, { what: 'A question' });
    await topologies.stop();
    expect(topologies.status()[0]).toMatchObject({ state: 'stopped', failures: 0 });
  });
});

describe('applications with the strategy dns', () => {
  let ground: Ground;
  onOwnRedis((stand) => (ground = stand));

  it('find their Redis and each other', async () => {
    const { appName, server } = ground;
    const { port } = new URL(server.url);
    const records = [
      ...[srv('_redis._tcp.shop.test', 'redis.shop.test', Number(port)), a('redis.shop.test', '127.0.0.1')],
      ...[a('shop.test', '10.0.0.1'), a('shop.test', '10.0.0.2'), a('shop.test', '10.0.0.3')],
    ];
    const dns = await DnsServer.start(records);
    closeLater(() => dns.stop());
    const strategy = {
      strategy: 'dns',
      query: 'shop.test',
      redisQuery: '_redis._tcp.shop.test',
      servers: [dns.address],
    } as const;
    const redis = credentials(server);
    const nodes = [
      await boot(redis, appName, [], { cluster: strategy }),
      await boot(redis, appName, [], { cluster: strategy }),
    ];
    await formed(...nodes);
    expect(nodes[0]!.app.get(Topologies).expectedNodes()).toBe(3);
  });
});
