// The transport contract over real Redis and real sockets. The direct one is held to it on links, and on letters alone.
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { FoundationOptions } from 'nestjs-foundation';
import { TcpProxy, type TransportCluster, transportContract } from 'nestjs-foundation/testing';
import type { NodeRecord } from '../../libs/foundation/src/backend/directory/directory.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { secret } from '../support/secrets.js';
import { backendOn, type Bench, CapturedLog, closeAll, freshName } from './fixture.js';

const COOKIE = secret('a cookie of the transport spec');
let server: RedisServer;

beforeAll(async () => {
  CapturedLog.install();
  server = await startRedis();
});
afterAll(() => server.stop());

/** The topics of the contract are none of the application's, which is all that the user of applications may use. */
const asAdmin = (): FoundationOptions => ({ redis: server.adminUrl });

const times = <T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));

async function redisCluster(size: number): Promise<TransportCluster> {
  const appName = freshName();
  const nodes = await times(size, () => backendOn(server, appName, asAdmin()));
  const admin = new Redis(server.adminUrl);
  return {
    nodes: nodes.map(({ backend }) => backend.transport),
    hearsItself: true,
    async disturb() {
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await eventually(() => nodes.every(({ backend }) => (backend.raw.subscriber as Redis).status === 'ready'));
    },
    async close() {
      admin.disconnect();
      await closeAll();
    },
  };
}

function recordOf({ backend, node }: Bench, address = backend.address): NodeRecord {
  const { name, bootId } = node;
  return {
    ...{ name, bootId, host: 'h', pid: 1, version: '0', state: 'up', classes: [], load: 0, lag: 0 },
    ...{ labels: {}, replicas: {}, listens: {}, leaseServers: 1, joinedAt: 1 },
    ...(address === undefined ? {} : { address }),
  };
}

/** Every node is reached through a proxy of its own; `linked` waits until all have a link to all. */
async function directCluster(size: number, mode: 'links' | 'letters'): Promise<TransportCluster> {
  const appName = freshName();
  const options: FoundationOptions = {
    ...asAdmin(),
    transport: { kind: 'direct', host: '127.0.0.1' },
    security: { cookie: COOKIE },
  };
  const nodes = await times(size, () => backendOn(server, appName, options));
  const proxies = await Promise.all(nodes.map(({ backend }) => TcpProxy.open(Number(backend.address!.split(':')[1]))));
  if (mode === 'letters') for (const proxy of proxies) proxy.mode = 'cut';
  const members = nodes.map((node, index) => recordOf(node, `127.0.0.1:${proxies[index]!.port}`));
  for (const { backend } of nodes) backend.meet!(members);
  const linked = () =>
    eventually(
      () => nodes.every(({ of }) => of('transport.link_up').length - of('transport.link_down').length === size - 1),
      { what: 'All links' },
    );
  if (mode === 'links') await linked();
  return {
    nodes: nodes.map(({ backend }) => backend.transport),
    hearsItself: false,
    async disturb() {
      for (const proxy of proxies) proxy.mode = 'cut';
      const downs = (): number => nodes.reduce((sum, { of }) => sum + of('transport.link_down').length, 0);
      if (mode === 'links') await eventually(() => downs() > 0);
      for (const proxy of proxies) proxy.mode = 'ok';
      await linked();
    },
    async close() {
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await closeAll();
    },
  };
}

transportContract('redis', redisCluster, { describe, it });
transportContract('direct, on links', (size) => directCluster(size, 'links'), { describe, it });
transportContract('direct, on letters through Redis', (size) => directCluster(size, 'letters'), { describe, it });
