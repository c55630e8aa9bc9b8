// Topology strategies in applications: the tiers of the configuration, where Redis is found, and what cannot start.
import 'reflect-metadata';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import {
  FoundationConfigError,
  FoundationModule,
  type FoundationOptions,
  HealthMonitor,
  Membership,
  Topologies,
  type TopologyReport,
  type TopologySelf,
  type TopologyStrategy,
  translateStatic,
} from 'nestjs-foundation';
import { whoAnswers } from '../../libs/foundation/src/locator/redis.locator.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, CapturedLog, formed, LEASE, MEMBERSHIP, onOwnRedis } from './fixture.js';

/** A strategy of a user's own. */
class Own implements TopologyStrategy {
  readonly name = 'own';
  readonly told: TopologySelf[] = [];
  readonly stops: boolean[] = [];
  report!: TopologyReport;

  constructor(private readonly redis?: string) {}

  start(report: TopologyReport, self: TopologySelf): Promise<void> {
    this.report = report;
    this.told.push(self);
    if (this.redis !== undefined) report.found({ redis: this.redis });
    return Promise.resolve();
  }

  announce(self: TopologySelf): void {
    this.told.push(self);
  }

  stop(leaving: boolean): Promise<void> {
    this.stops.push(leaving);
    return Promise.resolve();
  }
}

describe('topology strategies in applications', () => {
  let server: RedisServer;
  let appName: string;
  let log: CapturedLog;
  onOwnRedis((ground) => ({ server, appName, log } = ground));

  it('static: finds Redis, expects every host, and misses who is not there', async () => {
    const cluster = {
      strategy: 'static',
      hosts: ['localhost:1', 'localhost:2', '127.0.0.1:3'],
      redis: server.url,
    } as const;
    const [a, b] = [await boot(undefined, appName, [], { cluster }), await boot(undefined, appName, [], { cluster })];
    await formed(a, b);
    const { reasons } = await a.app.get(HealthMonitor).clusterHealth();
    expect(reasons).toEqual([
      { code: 'nodes-missing', severity: 'degraded', message: 'Only 2 of 3 expected nodes are there.' },
    ]);
  });

  it('takes the option over the strategy for how many nodes there should be', async () => {
    const topologies = [translateStatic({ hosts: ['localhost:1', 'localhost:2', 'localhost:3'] })];
    const { app } = await boot(server.url, appName, [], { topologies, expectedNodes: 1 });
    expect(app.get(Topologies).expectedNodes()).toBe(3);
    // A busy machine is late, which degrades it for a moment.
    await eventually(async () => (await app.get(HealthMonitor).clusterHealth()).status === 'healthy');
  });

  it('wizard: runs several strategies, tells them of the node, and stops them when it leaves', async () => {
    const [own, other] = [new Own(server.url), new Own()];
    const topologies = [own, other, { strategy: 'static', hosts: ['127.0.0.1:1'] } as const];
    const transport = { kind: 'direct', host: '127.0.0.1' } as const;
    const security = { cookie: 'a cookie for this test' };
    const { app } = await boot(undefined, appName, [], { cluster: true, topologies, transport, security });
    expect(app.get(Membership).state).toBe('up');
    expect(own.told[0]).not.toHaveProperty('redis');
    const { port } = new URL(server.url);
    expect(own.told.at(-1)).toMatchObject({
      appName,
      redis: `redis://127.0.0.1:${port}/0`,
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    });
    own.report.found({ peers: [{ id: '1', node: 'x', state: 'ready' }] });
    // What strategies report is gathered for a moment.
    await eventually(() => app.get(Topologies).expectedNodes() === 2, {
      lastSeen: () => app.get(Topologies).expectedNodes(),
    });
    expect(log.lines.some((line) => line.includes('"strategy":"own+own+static"'))).toBe(true);
    await app.close();
    expect([own.stops, other.stops]).toEqual([[true], [true]]);
  });

  it('says in health that a strategy fails, and goes on', async () => {
    const own = new Own();
    const { app } = await boot(server.url, appName, [], { topologies: [own] });
    own.report.found({ peers: [{ id: '1', node: 'x', state: 'ready' }] });
    own.report.failed(new Error('the source is away'));
    const { reasons } = await app.get(HealthMonitor).clusterHealth();
    expect(reasons.map(({ code }) => code)).toEqual(['topology-failing']);
    const monitor = app.get(HealthMonitor);
    await eventually(async () => (await monitor.clusterHealth()).status === 'healthy', { what: 'Health' });
  });

  it('never shows the password of a Redis that was found', async () => {
    const own = new Own(server.url.replace(/:\/\/.*@/, '://default:hunter2@'));
    await boot(undefined, appName, [], { topologies: [own] }).catch(() => undefined);
    expect(log.lines.join('\n') + JSON.stringify(own.told)).not.toContain('hunter2');
  });

  it('knows a Redis when it hears one, with a password or not, and nothing else', async () => {
    const { hostname, port } = new URL(server.url);
    expect(await whoAnswers(hostname, Number(port))).toBe('redis');
    // One that says something else, one that says nothing, and one that hangs up.
    const others: ((socket: Socket) => void)[] = [
      (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
      () => undefined,
      (socket) => socket.destroy(),
    ];
    for (const answer of others) {
      const other = createServer((socket) => answer(socket.on('error', () => undefined).resume())).listen(
        0,
        '127.0.0.1',
      );
      await once(other, 'listening');
      expect(await whoAnswers('127.0.0.1', (other.address() as AddressInfo).port)).toBe('something else');
      other.close();
      await once(other, 'close');
    }
  });

  it.each<[string, () => FoundationOptions, string]>([
    ['an unknown strategy', () => ({ cluster: 'kubernets' as never }), 'one of kubernetes, consul'],
    [
      'strategies that disagree',
      () => ({ topologies: [new Own(server.url), new Own('redis://other')] }),
      'different Redis',
    ],
    ['a Redis that is none', () => ({ topologies: [new Own('http://other')] }), 'no Redis URL'],
  ])('does not start with %s', async (_what, options, text) => {
    const imports = [FoundationModule.forRoot({ appName, lease: LEASE, membership: MEMBERSHIP, ...options() })];
    const error = await Test.createTestingModule({ imports })
      .setLogger(log)
      .compile()
      .then(
        () => new Error('It started'),
        (reason: unknown) => reason as Error,
      );
    expect(error).toBeInstanceOf(FoundationConfigError);
    expect(error.message).toContain(text);
  });
});
