// Redis itself fails: killed and empty again, flushed, frozen, a key deleted. Never two owners, never a lower epoch,
// and afterwards everything is there again, from what the nodes know.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, historyNow } from 'nestjs-foundation/testing';
import { TestCluster } from '../support/cluster.js';
import { msBetween, passed } from '../support/history.time.js';
import type { Owner } from '../support/node.protocol.js';

const NAMES = ['a', 'b', 'c'];
const SINGLETONS = ['extra', 'patient', 'slow', 'steady'];

describe('a Redis that fails', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.open({ processes: 'steady,slow,patient' });
    await cluster.start(NAMES);
    await cluster.members(NAMES);
    await cluster.node('b').ask('startExtra', 'extra'); // known to the table alone, not to any decorator
  });
  /** Whose lease an operator has deleted: until its next renewal another node may take what is free. */
  let deleted: Owner | undefined;
  const isGivenAway = (violation: string): boolean =>
    deleted !== undefined &&
    /^I1: (\w+ acted as )?"steady"/.test(violation) &&
    violation.includes(`"epoch":${deleted.epoch}`);
  afterEach(() => expect(cluster.violations().filter((each) => !isGivenAway(each))).toEqual([]));
  afterAll(() => cluster.close());

  const owners = async (): Promise<Owner[]> => Promise.all(SINGLETONS.map((name) => cluster.owner(name)));

  /** Everything is back: members, the table in Redis, an owner of each. Returns the owners. */
  async function whole(): Promise<Owner[]> {
    await cluster.members(NAMES);
    await eventually(
      async () =>
        (await cluster.redis.cli('HKEYS', cluster.key('processes'))).split('\n').sort().join() === SINGLETONS.join(),
      { what: 'The table of processes in Redis' },
    );
    return owners();
  }

  it.each([100, 3000])('is killed and comes back empty after %i ms', async (downMs) => {
    const before = await owners();
    cluster.noteFault(`Redis was killed for ${downMs} ms`, SINGLETONS, downMs + 10_000);
    const killed = historyNow();
    await cluster.redis.kill();
    await cluster.redis.restart({ delayMs: downMs });
    const back = historyNow();
    // A node may find it out before this process hears that Redis is back.
    await cluster.event({ event: 'cluster.data_loss', after: killed });
    // An epoch of the life before is no answer: wait until each is owned with a higher one.
    const after = await Promise.all(before.map(({ name, epoch }) => cluster.owner(name, { above: epoch })));
    console.log(
      `Redis down ${downMs} ms: ${after.filter(({ node }, index) => node === before[index]!.node).length} of ${after.length} ` +
        `kept their node; ${kinds(cluster, back)}; all owned ${msBetween(back, historyNow()).toFixed(0)} ms after it was back`,
    );
    if (downMs > 1500)
      expect(cluster.events({ event: 'lease.lost', after: back - downMs * 1000 - 1_000_000 })).not.toEqual([]);
    await whole();
  });

  it('is flushed', async () => {
    const before = await owners();
    const flushed = historyNow();
    cluster.noteFault('FLUSHALL', SINGLETONS);
    await cluster.redis.cli('FLUSHALL');
    const after = await Promise.all(before.map(({ name, epoch }) => cluster.owner(name, { above: epoch })));
    console.log(`FLUSHALL: ${kinds(cluster, flushed)}`);
    expect(after.map(({ node }) => node)).toEqual(before.map(({ node }) => node)); // incumbents keep what they own
    await whole();
  });

  it('forgets its scripts', async () => {
    await cluster.redis.cli('SCRIPT', 'FLUSH');
    const since = historyNow();
    await cluster.event({
      event: 'test.fenced_write',
      after: since,
      where: ({ payload }) => payload['accepted'] === true,
    });
    await passed(since, 2000);
    expect(cluster.events({ event: 'lease.lost', after: since })).toEqual([]);
  });

  it('is frozen for half a second, which nobody notices', async () => {
    const before = await owners();
    const since = historyNow();
    cluster.redis.pause();
    await passed(since, 500);
    cluster.redis.resume();
    await passed(since, 2500);
    expect(await owners()).toEqual(before);
    expect(cluster.events({ event: 'lease.lost', after: since })).toEqual([]);
  });

  it.each([800, 950, 1100, 1250])(
    'is frozen for %i ms, nearly the time of a lease: kept or lost, never both',
    async (downMs) => {
      const before = await owners();
      const since = historyNow();
      cluster.noteFault(`a freeze of Redis for ${downMs} ms`, SINGLETONS);
      cluster.redis.pause();
      await passed(since, downMs);
      cluster.redis.resume();
      await passed(since, downMs + 2000);
      const after = await owners();
      const kept = after.filter(({ epoch }, index) => epoch === before[index]!.epoch).length;
      console.log(`Redis frozen ${downMs} ms: ${kept} of ${before.length} kept their lease`);
      await whole();
    },
  );

  it('is frozen for five seconds: every owner fences itself, and one is back soon after', async () => {
    const before = await owners();
    const since = historyNow();
    cluster.noteFault('a freeze of Redis for 5 s', SINGLETONS, 15_000);
    cluster.redis.pause();
    for (const { name, node } of before) await cluster.event({ event: 'lease.lost', name, node, after: since }, 5000);
    for (const name of NAMES) await cluster.event({ event: 'cluster.isolated', node: name, after: since }, 5000);
    await passed(since, 5000);
    const back = historyNow();
    cluster.redis.resume();
    await Promise.all(before.map(({ name, epoch }) => cluster.owner(name, { above: epoch })));
    console.log(`Redis frozen 5 s: all owned ${msBetween(back, historyNow()).toFixed(0)} ms after it went on`);
    for (const name of NAMES) await cluster.event({ event: 'cluster.rejoined', node: name, after: back });
    await whole();
  });

  it('loses a lease to an operator: the owner learns it at its next renewal and fences itself', async () => {
    const owner = await cluster.owner('steady');
    deleted = owner;
    const since = historyNow();
    cluster.noteFault('DEL of the lease', ['steady']);
    await cluster.redis.cli('DEL', cluster.key('lease:steady'));
    const lost = await cluster.event({ event: 'lease.lost', name: 'steady', node: owner.node, after: since });
    expect(lost.payload).toMatchObject({ epoch: owner.epoch, reason: 'taken' });
    console.log(`DEL of the lease to lease.lost: ${msBetween(since, lost.at)} ms`);
    const next = await cluster.owner('steady', { above: owner.epoch });
    expect(next.epoch).toBeGreaterThan(owner.epoch);
    await whole();
  });

  it('is flushed while a process waits for its restart: the sweep remembers it', async () => {
    const owner = await cluster.owner('patient');
    await Promise.all(cluster.answering().map((node) => node.ask('crash', 'run')));
    const since = historyNow();
    await cluster.other().ask('restart', 'patient');
    const scheduled = await cluster.event({ event: 'process.restart_scheduled', name: 'patient', after: since });
    await Promise.all(cluster.answering().map((node) => node.ask('crash', 'none')));
    await cluster.redis.cli('FLUSHALL');
    const next = await cluster.owner('patient', { above: Number(scheduled.payload['epoch']), timeout: 30_000 });
    expect(next.epoch).toBeGreaterThan(owner.epoch);
    const delay = msBetween(scheduled.at, historyNow());
    console.log(
      `FLUSHALL during a backoff of ${String(scheduled.payload['delayMs'])} ms: back after ${delay.toFixed(0)} ms`,
    );
    await whole();
  });

  it('is frozen while a node is terminated: the node ends all the same', async () => {
    const owner = await cluster.owner('steady');
    cluster.redis.pause();
    const since = historyNow();
    const { signal, at } = await cluster.node(owner.node).terminate(30_000);
    cluster.redis.resume();
    console.log(`SIGTERM while Redis hangs: ended after ${msBetween(since, at).toFixed(0)} ms`);
    expect(signal).toBe('SIGTERM');
    await cluster.owner('steady', { not: owner.node, above: owner.epoch });
    await cluster.members(NAMES.filter((name) => name !== owner.node));
  });
});

function kinds(cluster: TestCluster, since: number): string {
  const count = (event: string): number => cluster.events({ event, after: since - 4_000_000 }).length;
  return `${count('lease.reclaimed')} reclaimed, ${count('lease.lost')} lost`;
}
