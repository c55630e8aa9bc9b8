// What an operator reads: who runs what, and little more than that while Redis is away.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Membership, type ProcessContext, ProcessManager, Singleton } from 'nestjs-foundation';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { startRedis } from '../support/redis-server.js';
import {
  boot,
  CapturedLog,
  closeAll,
  closeLater,
  formed,
  freshName,
  type Ground,
  onOwnRedis,
  settle,
} from './fixture.js';

@Singleton({ name: 'price-feed' })
class PriceFeed {
  onProcessStart(): void {
    // It only runs.
  }
}

@Singleton({ name: 'report', restart: 'transient' })
class Report {
  onProcessStart(ctx: ProcessContext): void {
    ctx.complete();
  }
}

describe('The log', () => {
  let ground: Ground;
  onOwnRedis((given) => (ground = given));

  const said = (what: RegExp) =>
    eventually(() => ground.log.lines.find((line) => what.test(line)), {
      what: `A line like ${String(what)}`,
      lastSeen: () => ground.log.lines,
    });

  it('says where a singleton runs, who had it before, and what becomes of nodes', async () => {
    const { server, appName, keys } = ground;
    // As a node leaves it that was killed.
    await server.cli('HSET', keys.owner('price-feed'), 'node', 'shop-9', 'token', 'x');
    const a = await boot(server.url, appName, [PriceFeed]);
    await said(/^log price-feed runs here, epoch \d+, before on shop-9 \{/);
    const b = await boot(server.url, appName, [PriceFeed]);
    await formed(a, b);
    await said(new RegExp(`^log Node ${b.name} has joined `));
    await a.app.close();
    await said(/^log price-feed stopped here because this node drains, epoch \d+/);
    await said(new RegExp(`^log price-feed runs here, epoch \\d+, before on ${a.name} `));
    await said(new RegExp(`^log Node ${a.name} has left `));
    await said(new RegExp(`^log This node has left the cluster .*${a.name}`));
  });

  it('says when a job has completed', async () => {
    const { server, appName } = ground;
    const node = await boot(server.url, appName, [Report]);
    await node.app.get(ProcessManager).startSingleton(Report, [], { restart: 'transient' });
    await said(/^log report has completed, epoch \d+/);
  });
});

describe('While Redis is away', () => {
  afterEach(closeAll);

  it('says what is, in ten lines for twelve seconds', async () => {
    const log = CapturedLog.install();
    const server = await startRedis();
    closeLater(() => server.stop());
    const appName = freshName();
    await settle(server, appName);
    const node = await boot(server.url, appName, [PriceFeed]);
    await eventually(() => node.of('process.started').length > 0, { what: 'The feed' });
    const before = log.lines.length;
    await server.kill();
    const since = performance.now();
    await eventually(() => performance.now() - since > 12_000, { timeout: 20_000, what: 'Twelve seconds' });
    expect(node.app.get(Membership).state).toBe('isolated');
    const lines = log.lines.slice(before);
    expect(lines.filter((line) => /isolated/.test(line))).toHaveLength(1);
    expect(lines.filter((line) => /Redis connection failed/.test(line))).toHaveLength(1);
    expect(lines.filter((line) => /price-feed stopped here because it lost its lease/.test(line))).toHaveLength(1);
    expect(lines.length < 11 ? [] : lines).toEqual([]);
  }, 60_000);
});
