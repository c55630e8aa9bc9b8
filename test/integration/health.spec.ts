// @redis any-topology
// Health over several applications in this process, on real Redis, also by HTTP and through terminus.
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject } from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import {
  Callable,
  FoundationHealthModule,
  FoundationModule,
  type FoundationOptions,
  HealthMonitor,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import { FoundationHealthIndicator } from 'nestjs-foundation/health';
import { freePort } from 'nestjs-foundation/testing';
import { LocalRecord } from '../../libs/foundation/src/cluster/local.record.js';
import { resolve } from '../../libs/foundation/src/config/resolve.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { RedisServer } from '../support/redis-server.js';
import {
  backendFor,
  boot,
  type Booted,
  CapturedLog,
  closeLater,
  formed,
  LEASE,
  MEMBERSHIP,
  onOwnRedis,
  type Provider,
} from './fixture.js';

@Singleton({ name: 'fragile', maxRestarts: 0, backoff: { base: 1, cap: 1 } })
class Fragile {
  onProcessStart(): void {
    throw new Error('too fragile');
  }
}

class Till {
  @Callable()
  ok(): boolean {
    return true;
  }
}

@Controller('status')
class StatusController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(FoundationHealthIndicator) private readonly foundation: FoundationHealthIndicator,
  ) {}
  @Get()
  check() {
    return this.health.check([() => this.foundation.check('cluster')]);
  }
}

let server: RedisServer;
let appName: string;

onOwnRedis((ground) => ({ server, appName } = ground));

const healthOf = (node: Booted) => node.app.get(HealthMonitor).clusterHealth();

describe('HealthMonitor', () => {
  it('is healthy with its nodes and services, and says when one is missing', async () => {
    const nodes = await Promise.all([1, 2, 3].map(() => boot(server.url, appName, [])));
    await formed(...nodes);
    await nodes[1]!.app.get(ServiceMesh).registerService('till', new Till());
    const report = await eventually(async () => {
      const health = await healthOf(nodes[0]!);
      return health.services.length === 1 && health.reasons.length === 0 ? health : undefined;
    });
    expect(report).toMatchObject({
      status: 'healthy',
      services: [{ service: 'till', status: 'healthy', instances: 1 }],
      reasons: [],
    });
    expect(report.nodes.map(({ node }) => node).sort()).toEqual(nodes.map(({ name }) => name).sort());
    // It joins, and says nothing any more: as if it had been killed.
    const { backend, node } = await backendFor(server, appName);
    await eventually(() => backend.open().then(() => true), { timeout: 20_000, what: 'A connection' });
    const silent = { ...new LocalRecord(node, resolve({}, {}, { host: 'h', pid: 1 })).current, ...MEMBERSHIP };
    await backend.directory.join(silent);
    const saying = async () => {
      const all = await Promise.all(nodes.map(healthOf));
      return all.map(({ status, reasons }) => [status, ...reasons.map(({ code }) => code)].join(' '));
    };
    const all = (what: string) => async () => (await saying()).every((each) => each === what);
    await eventually(all('degraded nodes-missing'), { timeout: 20_000, lastSeen: saying });
  });

  it('does not miss who left in order, and every node says the same', async () => {
    const nodes = await Promise.all([1, 2, 3, 4, 5].map(() => boot(server.url, appName, [])));
    await formed(...nodes);
    const [a, b, ...others] = nodes as [Booted, Booted, ...Booted[]];
    for (const { app } of others) await app.close();
    const joined = await boot(server.url, appName, []);
    await formed(a, b, joined);
    const saying = () => Promise.all([a, b, joined].map(async (node) => (await healthOf(node)).reasons));
    await eventually(async () => (await saying()).every((reasons) => reasons.length === 0), { lastSeen: saying });
    const ended = a.of('cluster.node_left').map(({ reason }) => reason);
    expect(ended).toEqual(['shutdown', 'shutdown', 'shutdown']);
  });

  it('counts against the number that was configured, and names a process that stays down', async () => {
    const node = await boot(server.url, appName, [Fragile], { expectedNodes: 4 });
    const report = await eventually(
      async () => {
        const health = await healthOf(node);
        return health.reasons.length === 2 ? health : undefined;
      },
      { lastSeen: () => healthOf(node) },
    );
    expect(report.status).toBe('critical');
    expect(report.reasons.map(({ code }) => code).sort()).toEqual(['process-escalated', 'too-few-nodes']);
    expect(report.reasons.find(({ code }) => code === 'process-escalated')!.detail).toContain('too fragile');
  });

  it('is healthy inside one process without Redis', async () => {
    const app = await Test.createTestingModule({ imports: [FoundationModule.forRoot()] }).compile();
    closeLater(() => app.close());
    await app.init();
    // A busy machine is late, which degrades it for a moment.
    const report = await eventually(async () => {
      const health = await app.get(HealthMonitor).clusterHealth();
      return health.reasons.length === 0 ? health : undefined;
    });
    expect(report.status).toBe('healthy');
  });
});

describe('the probes', () => {
  async function serve(
    options: FoundationOptions,
    providers: Provider[] = [],
  ): Promise<(path: string) => Promise<{ code: number; body: unknown }>> {
    const all = { cluster: true, redis: server.url, appName, lease: LEASE, membership: MEMBERSHIP, ...options };
    const module = await Test.createTestingModule({
      imports: [FoundationModule.forRoot(all), FoundationHealthModule, TerminusModule.forRoot({ logger: false })],
      controllers: [StatusController],
      providers: [FoundationHealthIndicator, ...providers],
    })
      .setLogger(new CapturedLog())
      .compile();
    const app = module.createNestApplication();
    closeLater(() => app.close());
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    return async (path) => {
      // A connection of its own, which nothing keeps: `fetch` would leave one open behind the test.
      const [response] = (await once(get(`${url}${path}`, { agent: false }), 'response')) as [IncomingMessage];
      return { code: response.statusCode ?? 0, body: await json(response) };
    };
  }

  it('answer for a cluster that is well', async () => {
    const probe = await serve({});
    expect(await probe('/health/live')).toEqual({ code: 200, body: { status: 'live' } });
    expect(await probe('/health/ready')).toEqual({ code: 200, body: { status: 'ready' } });
    let seen: unknown;
    // A busy machine is late, which degrades it for a moment.
    const says = (path: string, word: string) =>
      eventually(async () => JSON.stringify((seen = await probe(path))).includes(word), { lastSeen: () => seen });
    await says('/health/cluster', '"status":"healthy"');
    expect(seen).toMatchObject({ code: 200 });
    await says('/status', '"health":"healthy"');
    expect(seen).toMatchObject({
      code: 200,
      body: { details: { cluster: { status: 'up', health: 'healthy', nodes: 1, reasons: [] } } },
    });
  });

  it('say nothing of what user code said', async () => {
    const probe = await serve({}, [Fragile]);
    const seen = await eventually(
      async () => {
        const { code, body } = await probe('/health/cluster');
        return code === 503 ? JSON.stringify([body, await probe('/status')]) : undefined;
      },
      { lastSeen: () => probe('/health/cluster') },
    );
    expect(seen).toContain('process-escalated');
    expect(seen).not.toContain('too fragile');
  });

  it('tell one that is not, and still say that the process lives', async () => {
    const probe = await serve({ expectedNodes: 3 });
    expect((await probe('/health/live')).code).toBe(200);
    expect((await probe('/health/ready')).code).toBe(200);
    expect(await probe('/health/cluster')).toMatchObject({
      code: 503,
      body: { status: 'critical', reasons: [{ code: 'too-few-nodes' }] },
    });
    expect(await probe('/status')).toMatchObject({ code: 503, body: { details: { cluster: { status: 'down' } } } });
  });

  it('do not hang on Redis, unless readiness is that of a member', async () => {
    const redis = `redis://127.0.0.1:${await freePort()}`;
    const probe = await serve({ redis });
    expect(await probe('/health/ready')).toEqual({ code: 200, body: { status: 'ready' } });
    expect(await probe('/health/cluster')).toMatchObject({ code: 503 });
    const strict = await serve({ redis, readiness: 'member' });
    expect(await strict('/health/ready')).toEqual({ code: 503, body: { status: 'not ready' } });
  });
});
