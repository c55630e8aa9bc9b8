// Several Redis servers that look like one to a test: a Redis Cluster with three primaries and a replica of each, or
// one primary with a replica and three sentinels. Both can be failed over.
import { Cluster, Redis } from 'ioredis';
import { eventually } from 'nestjs-foundation/testing';
import { NODE_LOGIN, type RedisServer, render, startServer } from './redis-server.js';

const PRIMARY_NAME = 'mymaster';
const FORM_MS = 30_000;
/** Each has a replica, so channels may wait for one. */
const NEEDS = { acknowledge: ['replicas'] } as const;
/** Commands without a key, which every primary is asked. */
const EVERYWHERE = new Set(['KEYS', 'FLUSHALL', 'CONFIG', 'INFO', 'SCRIPT', 'DBSIZE']);

/** A topology in the place of a server; what only one server can do throws. */
export interface RedisTopology extends RedisServer {
  /** SIGKILLs the primary that has this key, and resolves once a replica has taken its place. */
  failOver(key: string): Promise<void>;
}

/** `cluster` or `sentinel`. Underneath: redis-server with `--cluster-enabled`, `--replicaof` and `--sentinel`. */
export async function startTopology(name: string): Promise<RedisTopology> {
  if (name !== 'cluster' && name !== 'sentinel')
    throw new Error(`FOUNDATION_TEST_TOPOLOGY=${name}: cluster or sentinel`);
  return name === 'cluster' ? ClusterTopology.open() : SentinelTopology.open();
}

/** Gives each primary of a Redis Cluster that is being made its part of the slots. */
export async function shareSlots(primaries: readonly RedisServer[]): Promise<void> {
  const firstOf = (index: number): number => Math.floor((index * 16_384) / primaries.length);
  for (const [index, server] of primaries.entries()) {
    await server.cli('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
    await server.cli('CLUSTER', 'ADDSLOTSRANGE', String(firstOf(index)), String(firstOf(index + 1) - 1));
  }
}

abstract class Topology implements RedisTopology {
  readonly embedded = false;
  abstract get url(): string;

  get adminUrl(): string {
    return this.url.replace(NODE_LOGIN, '');
  }

  urlAt(): string {
    throw new Error('A topology has no single port');
  }

  protected constructor(protected readonly servers: RedisServer[]) {}

  protected abstract primaryOf(key: string): Promise<RedisServer>;
  abstract cli(command: string, ...args: string[]): Promise<string>;

  get port(): number {
    throw new Error('A topology has no single port');
  }

  get pid(): number {
    throw new Error('A topology has no single process');
  }

  get folder(): string {
    return this.servers[0]!.folder;
  }

  async failOver(key: string): Promise<void> {
    const before = await this.primaryOf(key);
    await before.kill();
    await eventually(async () => (await this.primaryOf(key)) !== before, { timeout: FORM_MS, what: 'A new primary' });
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  kill(): Promise<void> {
    throw new Error('A topology is failed over, not killed');
  }

  restart(): Promise<void> {
    throw new Error('A topology is failed over, not restarted');
  }

  pause(): void {
    throw new Error('A topology cannot be paused');
  }

  resume(): void {
    throw new Error('A topology cannot be paused');
  }

  protected serverAt(port: number): RedisServer {
    const server = this.servers.find((each) => each.port === port);
    if (server === undefined) throw new Error(`No server of this topology on port ${port}`);
    return server;
  }
}

class ClusterTopology extends Topology {
  get url(): string {
    return `redis-cluster://${NODE_LOGIN}${this.servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  static async open(): Promise<ClusterTopology> {
    const args = [
      '--cluster-enabled',
      'yes',
      '--cluster-node-timeout',
      '1000',
      '--cluster-replica-validity-factor',
      '0',
    ];
    const servers = await Promise.all(
      Array.from({ length: 6 }, () => startServer({ args, minimal: true, needs: NEEDS })),
    );
    const [first] = servers;
    const ids = await Promise.all(servers.map((server) => server.cli('CLUSTER', 'MYID')));
    await shareSlots(servers.slice(0, 3));
    for (const server of servers.slice(1)) await server.cli('CLUSTER', 'MEET', '127.0.0.1', String(first!.port));
    const everywhere = (test: (info: string, nodes: string) => boolean): Promise<unknown> =>
      eventually(
        async () => {
          const all = servers.map(async (server) =>
            test(await server.cli('CLUSTER', 'INFO'), await server.cli('CLUSTER', 'NODES')),
          );
          return (await Promise.all(all)).every(Boolean);
        },
        { timeout: FORM_MS, what: 'A Redis Cluster' },
      );
    await everywhere((_info, nodes) => ids.every((id) => nodes.includes(id)));
    for (const [index, server] of servers.slice(3).entries()) await server.cli('CLUSTER', 'REPLICATE', ids[index]!);
    await everywhere((info, nodes) => info.includes('cluster_state:ok') && nodes.match(/slave/g)?.length === 3);
    const linked = async (server: RedisServer) => (await server.cli('INFO', 'replication')).includes('link_status:up');
    await eventually(async () => (await Promise.all(servers.slice(3).map(linked))).every(Boolean), {
      timeout: FORM_MS,
      what: 'Replicas that have caught up',
    });
    return new ClusterTopology(servers);
  }

  async cli(command: string, ...args: string[]): Promise<string> {
    const client = new Cluster(
      this.servers.map(({ port }) => ({ host: '127.0.0.1', port })),
      { lazyConnect: true, redisOptions: { commandTimeout: 5000 } },
    );
    client.on('error', () => undefined);
    try {
      await client.connect();
      const asked = EVERYWHERE.has(command.toUpperCase()) ? client.nodes('master') : [client];
      const replies = await Promise.all(asked.map((each) => (each as Redis).call(command, ...args)));
      return replies.map(render).filter(Boolean).join('\n');
    } finally {
      client.disconnect();
    }
  }

  protected async primaryOf(key: string): Promise<RedisServer> {
    let last: unknown;
    for (const server of this.servers) {
      try {
        const slot = Number(await server.cli('CLUSTER', 'KEYSLOT', key));
        for (const line of (await server.cli('CLUSTER', 'NODES')).split('\n')) {
          const [, address = '', flags = '', , , , , , ...ranges] = line.split(' ');
          const has = ranges
            .map((range) => range.split('-').map(Number))
            .some(([a = 0, b = a]) => a <= slot && slot <= b);
          if (has && flags.includes('master') && !flags.includes('fail')) {
            return this.serverAt(Number(/:(\d+)@/.exec(address)?.[1]));
          }
        }
      } catch (error) {
        last = error; // this one is dead; ask the next
      }
    }
    throw new Error('No server knows the primary', { cause: last });
  }
}

class SentinelTopology extends Topology {
  private constructor(
    servers: RedisServer[],
    private readonly sentinels: RedisServer[],
  ) {
    super([...servers, ...sentinels]);
  }

  get url(): string {
    return `redis-sentinel://${NODE_LOGIN}${this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}#${PRIMARY_NAME}`;
  }

  static async open(): Promise<SentinelTopology> {
    const primary = await startServer({ minimal: true, needs: NEEDS });
    const replica = await startServer({
      minimal: true,
      needs: NEEDS,
      args: ['--replicaof', '127.0.0.1', String(primary.port)],
    });
    const caughtUp = async () => (await replica.cli('INFO', 'replication')).includes('master_link_status:up');
    await eventually(caughtUp, { timeout: FORM_MS, what: 'A replica that has caught up' });
    const sentinel = [
      `sentinel monitor ${PRIMARY_NAME} 127.0.0.1 ${primary.port} 2`,
      `sentinel down-after-milliseconds ${PRIMARY_NAME} 1000`,
      `sentinel failover-timeout ${PRIMARY_NAME} 5000`,
    ];
    const sentinels = await Promise.all([1, 2, 3].map(() => startServer({ sentinel })));
    const known = async (server: RedisServer) =>
      /slaves=1,sentinels=3/.test(await server.cli('INFO', 'sentinel').catch(() => ''));
    await eventually(async () => (await Promise.all(sentinels.map(known))).every(Boolean), {
      timeout: FORM_MS,
      what: 'Sentinels that know the replica and one another',
    });
    return new SentinelTopology([primary, replica], sentinels);
  }

  async cli(command: string, ...args: string[]): Promise<string> {
    return (await this.primaryOf()).cli(command, ...args);
  }

  protected async primaryOf(): Promise<RedisServer> {
    const [, port] = (await this.sentinels[0]!.cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', PRIMARY_NAME)).split('\n');
    return this.serverAt(Number(port));
  }
}
