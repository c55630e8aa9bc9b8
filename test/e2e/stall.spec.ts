// An event loop that is blocked for longer than a lease: by default the owner stops when it is free again; with
// `onStall: 'exit'` a thread ends its process at the deadline.
import { afterEach, describe, expect, it } from '@jest/globals';
import { historyNow } from 'nestjs-foundation/testing';
import { TestCluster } from '../support/cluster.js';
import { msBetween } from '../support/history.time.js';
import { ENV } from '../support/node.protocol.js';

const NAMES = ['a', 'b'];
let cluster: TestCluster;
afterEach(() => cluster.close());

describe('an owner whose event loop is blocked', () => {
  it('is replaced, does nothing when it is free again, and ranks lower for a while', async () => {
    cluster = await TestCluster.open();
    await cluster.start(NAMES);
    await cluster.members(NAMES);
    const owner = await cluster.owner('steady');
    const other = NAMES.find((name) => name !== owner.node)!;
    const before = historyNow();
    await cluster.node(owner.node).ask('block', 4000);
    const next = await cluster.owner('steady', { not: owner.node, above: owner.epoch, ask: [other] });
    expect(next.node).toBe(other);
    const lost = await cluster.event({ event: 'lease.lost', name: 'steady', node: owner.node, after: before });
    await cluster.event({ event: 'process.stopped', name: 'steady', node: owner.node, after: before });
    const stale = cluster.events({ event: 'test.effect', name: 'steady', node: owner.node, after: lost.at });
    expect(stale).toEqual([]);
    await cluster.members(NAMES);
    expect(await cluster.owner('steady')).toEqual(next);
  });

  it('is ended by the watchdog when that was asked for', async () => {
    cluster = await TestCluster.open({ env: { [ENV.onStall]: 'exit' } });
    await cluster.start(NAMES);
    await cluster.members(NAMES);
    const owner = await cluster.owner('steady');
    const other = NAMES.find((name) => name !== owner.node)!;
    const node = cluster.node(owner.node);
    const before = historyNow();
    await node.ask('block', 30_000);
    const { signal, at } = await node.exited;
    expect(signal).toBe('SIGKILL');
    console.log(`Block to the end of the process: ${msBetween(before, at)} ms`);
    expect(node.tail()).toContain('was blocked past the deadline');
    const next = await cluster.owner('steady', { not: owner.node, above: owner.epoch, ask: [other] });
    // The process had ended before the next one began: that is what the thread is for.
    const began = await cluster.event({ event: 'lease.acquired', name: 'steady', node: next.node, after: before });
    expect(began.at).toBeGreaterThan(at - 50_000);
  });

  it('does not end a process that is busy, frozen or away from Redis for less than that', async () => {
    cluster = await TestCluster.open({ env: { [ENV.onStall]: 'exit' } });
    await cluster.start(NAMES);
    await cluster.members(NAMES);
    const owner = await cluster.owner('steady');
    const node = cluster.node(owner.node);
    await node.ask('block', 500);
    await cluster.redis.kill();
    // Redis is away for longer than a lease: the loop is free, so it fences itself and lives.
    await cluster.event({ event: 'lease.lost', name: 'steady', node: owner.node, after: historyNow() });
    await cluster.redis.restart();
    await cluster.members(NAMES);
    await cluster.owner('steady', { above: owner.epoch });
    expect(node.exit).toBeUndefined();
    expect(cluster.violations()).toEqual([]);
  });
});
