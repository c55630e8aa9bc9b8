// @redis any-topology
// SIGSTOP of the owner: shorter than its lease nothing happens; longer, it wakes up as a stale owner and must do
// nothing.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { historyNow } from 'nestjs-foundation/testing';
import { TestCluster } from '../support/cluster.js';
import { msBetween, passed } from '../support/history.time.js';

const NAMES = ['a', 'b', 'c'];

describe('an owner that is frozen', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.open({ processes: 'steady,slow' });
    await cluster.start(NAMES);
    await cluster.members(NAMES);
    // Both, since what starts later looks like a consequence of the first freeze.
    for (const name of ['steady', 'slow']) await cluster.owner(name);
  });
  afterAll(() => cluster.close());

  it('keeps its lease over half a second', async () => {
    const owner = await cluster.owner('steady');
    const node = cluster.node(owner.node);
    const before = historyNow();
    await node.freeze();
    await passed(before, 500);
    node.thaw();
    const acted = await cluster.event({ event: 'test.effect', name: 'steady', node: node.name, after: historyNow() });
    expect(acted.payload['epoch']).toBe(owner.epoch);
    await passed(before, 2500); // longer than a lease lives: whoever would take it over would have done so
    expect(await cluster.owner('steady')).toEqual(owner);
    const lifecycle = cluster.history().filter(({ at, event }) => at > before && /^(lease|process)\./.test(event));
    expect(lifecycle).toEqual([]);
    expect(cluster.violations()).toEqual([]);
  });

  it('is replaced after five seconds, and does nothing when it wakes up', async () => {
    const owner = await cluster.owner('steady');
    const node = cluster.node(owner.node);
    const before = historyNow();
    await node.freeze();
    cluster.noteFault('a freeze', ['steady', 'slow']);
    const next = await cluster.owner('steady', { not: node.name, above: owner.epoch });
    await passed(before, 5000);
    const thawed = historyNow();
    node.thaw();

    const lost = await cluster.event({ event: 'lease.lost', name: 'steady', node: node.name, after: thawed });
    expect(lost.payload['epoch']).toBe(owner.epoch);
    const stopped = await cluster.event({ event: 'process.stopped', name: 'steady', node: node.name, after: thawed });
    expect(stopped.payload).toMatchObject({ epoch: owner.epoch, reason: 'lease-lost' });
    console.log(`Thaw to lease.lost: ${msBetween(thawed, lost.at)} ms`);

    expect(await node.ask('fencedSet', 'steady')).toBe('LeaseLostError');
    await cluster.event({ event: 'test.fenced_write', name: 'steady', node: next.node, after: thawed });
    expect(await node.ask('fencedSetUnguarded', 'steady')).toBe('StaleEpochError');
    await cluster.members(NAMES);
    expect(await cluster.owner('steady')).toEqual(next);
    expect(cluster.events({ event: 'test.effect', name: 'steady', node: node.name, after: thawed })).toEqual([]);
    expect(cluster.violations()).toEqual([]);
  });

  it('is a candidate again', async () => {
    const owner = await cluster.owner('steady');
    const [stale, third] = cluster.answering().filter(({ name }) => name !== owner.node);
    await third!.freeze(); // so that there is nobody else
    await cluster.node(owner.node).terminate();
    const next = await cluster.owner('steady', { not: owner.node, above: owner.epoch });
    expect(next.node).toBe(stale!.name);
    third!.thaw();
    await cluster.members([stale!.name, third!.name]);
    expect(cluster.violations()).toEqual([]);
  });
});
