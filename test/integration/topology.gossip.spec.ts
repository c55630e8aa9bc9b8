// The strategy `gossip`: several nodes that tell each other of themselves on the loopback interface, and what they are
// told by others.
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type GossipSettings, Topologies, translateGossip } from 'nestjs-foundation';
import { GossipStrategy } from '../../libs/foundation/src/cluster/topologies/gossip/gossip.js';
import { keyFrom, open, seal } from '../../libs/foundation/src/cluster/topologies/gossip/gossip.packets.js';
import type { TopologyRunner } from '../../libs/foundation/src/cluster/topologies/topology.runner.js';
import { Secret } from '../../libs/foundation/src/security/secret.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { secret } from '../support/secrets.js';
import { freeUdpPort, sendLocally } from '../support/udp.js';
import { boot, CapturedLog, closeAll, closeLater, credentials, formed, type Ground, onOwnRedis } from './fixture.js';
import { looking, shown, until, untilState } from './topology.fixture.js';

const SECRET = secret('a gossip secret of the tests');
const OTHER = secret('the other gossip secret of it');
const GROUP = '239.255.7.1';
const LOOPBACK = '127.0.0.1';
const REDIS = 'redis://127.0.0.1:6399/0';

describe('the strategy gossip', () => {
  let port: number;
  let log: CapturedLog;

  beforeEach(async () => {
    log = CapturedLog.install();
    port = await freeUdpPort();
  });
  afterEach(closeAll);

  function begin(node: string, settings: GossipSettings = {}, appName = 'shop', more = {}): Promise<TopologyRunner> {
    const quick = { secret: SECRET, group: GROUP, interface: LOOPBACK, port, every: 100, ...settings };
    return looking(new GossipStrategy(translateGossip(quick).config), appName, node, more);
  }
  /** One that has looked once. */
  async function look(...node: Parameters<typeof begin>): Promise<TopologyRunner> {
    const topologies = await begin(...node);
    await untilState(topologies, 'looking');
    return topologies;
  }
  const counters = (topologies: TopologyRunner) => topologies.status()[0]?.counters ?? {};
  const counted = (topologies: TopologyRunner, name: string, least = 1): Promise<unknown> =>
    eventually(() => (counters(topologies)[name] ?? 0) >= least, { what: name, lastSeen: () => counters(topologies) });

  it('finds all nodes and their Redis, hears of one that comes late, and of one that leaves', async () => {
    const [a, b] = [await look('a'), await look('b')];
    for (const each of [a, b]) await until(each, shown(each), 'a ready, b ready');
    a.announce({ redis: REDIS, address: '10.0.0.1:7000' });
    const c = await look('c');
    expect(await c.redis(10_000)).toEqual([{ strategy: 'gossip', url: REDIS }]);
    for (const each of [a, b, c]) await until(each, shown(each), 'a ready, b ready, c ready');
    expect(c.expectedNodes()).toBe(3);
    expect(c.peers().find(({ node }) => node === 'a')).toMatchObject({ address: '10.0.0.1:7000', host: hostname() });
    await b.stop();
    for (const each of [a, c]) await until(each, shown(each), 'a ready, c ready');
    expect(counters(a)).toMatchObject({ 'dropped.undecipherable': 0, 'dropped.malformed': 0, 'dropped.replayed': 0 });
    expect(counters(a)['sent']).toBeGreaterThan(0);
  });

  it('uses broadcast where the group is a broadcast address', async () => {
    const nodes = await Promise.all(['a', 'b', 'c'].map((node) => look(node, { group: '127.255.255.255' })));
    for (const each of nodes) await until(each, shown(each), 'a ready, b ready, c ready');
  });

  it('knows no Redis where nodes do not agree', async () => {
    const [a, b] = [await look('a'), await look('b')];
    a.announce({ redis: REDIS });
    b.announce({ redis: 'redis://127.0.0.1:6398/0' });
    const c = await look('c');
    await until(c, shown(c), 'a ready, b ready, c ready');
    expect(await c.redis(300)).toEqual([]);
  });

  it('sends with the first secret and takes both, so that the secret can be changed', async () => {
    const a = await look('a');
    const b = await look('b', { secret: SECRET, previousSecret: OTHER });
    const c = await look('c', { secret: OTHER, previousSecret: SECRET });
    await until(b, shown(b), 'a ready, b ready, c ready');
    await until(c, shown(c), 'a ready, b ready, c ready');
    // The one with the old secret alone has to be restarted before others send with the new one.
    await until(a, shown(a), 'a ready, b ready');
    const d = await look('d', { secret: OTHER });
    await until(d, shown(d), 'c ready, d ready');
  });

  it('tells the command line, which is no node', async () => {
    const [a, b] = [await look('a', { every: 60_000 }), await look('b', { every: 60_000 })];
    const cli = await begin('cli', { every: 60_000 }, 'shop', { observes: true });
    await until(cli, shown(cli), 'a ready, b ready');
    await cli.stop();
    for (const each of [a, b]) expect(shown(each)()).not.toContain('cli');
  });

  it('drops what was made with another secret, counts it, and says so once, with the sender and without the secret', async () => {
    const a = await look('a');
    const stranger = await look('stranger', { secret: OTHER });
    await counted(a, 'dropped.undecipherable', 3);
    await counted(stranger, 'dropped.undecipherable', 3);
    expect(shown(a)()).toBe('a ready');
    const warnings = log.lines.filter((line) => line.includes('"reason":"undecipherable"'));
    // One of each of the two nodes.
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(/another secret.*FOUNDATION_GOSSIP_SECRET.*"from":"127\.0\.0\.1"/);
  });

  it('does not mind another application on the same group', async () => {
    const [a, bank] = [await look('a'), await look('b', { secret: OTHER }, 'bank')];
    await counted(a, 'foreign', 2);
    expect(shown(a)()).toBe('a ready');
    expect(shown(bank)()).toBe('b ready');
    expect(log.lines.filter((line) => line.startsWith('warn'))).toEqual([]);
  });

  it('drops what was recorded and is played again, of a node that lives and of one that is gone', async () => {
    const recorded = await record(port);
    const [a, b] = [await look('a'), await look('b')];
    await until(a, shown(a), 'a ready, b ready');
    await eventually(() => recorded.length >= 4, { what: 'Packets' });
    await b.stop();
    await until(a, shown(a), 'a ready');
    const before = counters(a)['heard'];
    await sendLocally(port, GROUP, ...recorded);
    // What `a` itself has sent is among them, and is nothing new to it.
    await counted(a, 'dropped.replayed', 2);
    expect(shown(a)()).toBe('a ready');
    expect(counters(a)['heard']).toBe(before);
    expect(log.lines.some((line) => line.includes('sent before') && line.includes('"from":"127.0.0.1"'))).toBe(true);
  });

  it('drops an old packet on a node that remembers nothing', async () => {
    const a = await look('a');
    const key = await keyFrom(new Secret(SECRET), 'shop');
    const told = { app: 'shop', node: 'ghost', boot: '0123456789abcdef' };
    await sendLocally(port, GROUP, seal({ ...told, at: Date.now() - 60_000 }, 'shop', key));
    await counted(a, 'dropped.untimely');
    await sendLocally(port, GROUP, seal({ ...told, at: Date.now() }, 'shop', key));
    await until(a, shown(a), 'a ready, ghost ready');
  });

  it('drops packets that were changed, cut, too large or made up, and lives', async () => {
    const recorded = await record(port);
    const [a] = [await look('a'), await look('b')];
    await until(a, shown(a), 'a ready, b ready');
    const packet = recorded[0]!;
    const changed = Buffer.from(packet);
    changed[changed.length - 20]! ^= 1;
    await sendLocally(port, GROUP, changed);
    await counted(a, 'dropped.undecipherable');
    const garbage = [Buffer.alloc(0), Buffer.from('FDN1'), randomBytes(64), randomBytes(9000), Buffer.alloc(60_000)];
    await sendLocally(port, GROUP, packet.subarray(0, 30), ...garbage);
    await counted(a, 'dropped.malformed', garbage.length);
    expect(shown(a)()).toBe('a ready, b ready');
    expect(a.status()[0]).toMatchObject({ state: 'looking', failures: 0 });
  });

  it('takes nothing strange from somebody who knows the secret', async () => {
    const a = await look('a');
    const key = await keyFrom(new Secret(SECRET), 'shop');
    const told = { app: 'shop', node: 'n', boot: '0123456789abcdef', at: Date.now() };
    const strange: object[] = [
      { ...told, node: 'n\u001b[31m\n[Nest] ERROR forged' },
      { ...told, redis: 'redis://:hunter2@127.0.0.1:6379/0' },
      { ...told, app: 'bank' },
      { ...told, at: '0' },
      { ...told, at: 1e300 },
      JSON.parse('{"__proto__":{"app":"shop","node":"n","boot":"0123456789abcdef","at":1}}') as object,
      [],
    ];
    await sendLocally(port, GROUP, ...strange.map((each) => seal(each, 'shop', key)));
    await counted(a, 'dropped.malformed', strange.length);
    expect(shown(a)()).toBe('a ready');
    for (const text of ['forged', 'hunter2', '\u001b']) expect(log.lines.join('\n')).not.toContain(text);
  });

  it('says nothing in the clear, and never more than a packet takes', async () => {
    const recorded = await record(port);
    const a = await look('node-with-a-name');
    a.announce({ redis: 'redis://secret-host:6379/0' });
    const key = await keyFrom(new Secret(SECRET), 'shop');
    await eventually(
      () => recorded.some((packet) => JSON.stringify(open(packet, 'shop', [key])).includes('secret-host')),
      { what: 'The packet' },
    );
    for (const packet of recorded) {
      expect(packet.toString('latin1')).not.toMatch(/node-with|secret-host|shop/);
      expect(packet.length).toBeLessThan(1200);
    }
  });

  it('fails with advice where the interface is not there', async () => {
    const topologies = await begin('a', { interface: '203.0.113.9' });
    await untilState(topologies, 'failing');
    expect(topologies.status()[0]?.error).toMatch(/interface 203\.0\.113\.9: .*"interface"/s);
  });

  /** Everything that is sent to the group from now on. */
  async function record(at: number): Promise<Buffer[]> {
    const packets: Buffer[] = [];
    const socket = createSocket({ type: 'udp4', reuseAddr: true }).bind(at);
    await once(socket, 'listening');
    socket.addMembership(GROUP, LOOPBACK);
    socket.on('message', (packet) => packets.push(packet));
    closeLater(async () => void (await new Promise<void>((resolve) => socket.close(resolve))));
    return packets;
  }
});

describe('applications with the strategy gossip', () => {
  let ground: Ground;
  onOwnRedis((stand) => (ground = stand));

  it('find the Redis of the first one, and each other, by the secret alone', async () => {
    const { appName, server } = ground;
    const cluster = { strategy: 'gossip', secret: SECRET, interface: LOOPBACK, port: await freeUdpPort() } as const;
    const first = await boot(server.url, appName, [], { cluster });
    const others = await Promise.all([1, 2].map(() => boot(credentials(server), appName, [], { cluster })));
    await formed(first, ...others);
    const topologies = first.app.get(Topologies);
    await eventually(() => topologies.expectedNodes() === 3, { what: 'Three', lastSeen: () => topologies.peers() });
  });
});
