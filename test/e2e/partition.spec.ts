// The chaos tests of the specification, by their names: a cluster of five in two parts, and a service whose node fails.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, historyNow } from 'nestjs-foundation/testing';
import { TestCluster } from '../support/cluster.js';
import { msBetween, passed } from '../support/history.time.js';
import { ENV } from '../support/node.protocol.js';

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const SERVICE = 'offer-0';
/** The limits of the specification. */
const [CONVERGED_MS, MIGRATED_MS] = [30_000, 10_000];

describe('a cluster of five', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.open({
      processes: 'steady,slow',
      env: { [ENV.services]: '1' },
      behindProxies: NAMES,
      linked: NAMES,
    });
    await cluster.start(NAMES);
    await cluster.members(NAMES);
  });
  let heals: (() => void)[] = [];
  afterEach(() => heals.forEach((heal) => heal()));
  afterAll(() => cluster.close());

  const offering = async (name: string): Promise<string> =>
    (await cluster.node(name).ask('discover', SERVICE))
      .map(({ node }) => node)
      .sort()
      .join();

  let said = 0;
  /** What one node says arrives at the other. */
  const heard = async (from: string, to: string): Promise<void> => {
    const message = `${from} to ${to}, ${++said}`;
    await cluster.node(from).ask('broadcast', 'events', message);
    await eventually(async () => (await cluster.node(to).ask('received')).includes(message), { what: message });
  };

  it('cluster heals after a partition', async () => {
    const owner = await cluster.owner('steady');
    const few = [owner.node, NAMES.find((name) => name !== owner.node)!];
    const many = NAMES.filter((name) => !few.includes(name));
    const since = historyNow();
    heals = few.map((name) => cluster.cut(name, 'blackhole'));
    cluster.noteFault('a partition', ['steady', 'slow'], MIGRATED_MS);

    // Each part goes on: those with Redis with everything, the others with what they know and can do alone.
    for (const node of few) await cluster.event({ event: 'cluster.isolated', node, after: since });
    for (const name of ['steady', 'slow']) {
      // Until its lease is over, Redis names the owner that has fenced itself.
      await eventually(async () => many.includes((await cluster.owner(name, { ask: many })).node), {
        timeout: MIGRATED_MS,
        what: `An owner of "${name}" among ${many.join()}`,
      });
    }
    for (const name of few) {
      const found = await cluster.node(name).ask('discover', SERVICE);
      expect(found.map(({ node }) => node)).toContain(name);
      expect(found.every(({ stale }) => stale)).toBe(true);
    }
    for (const name of many) await eventually(async () => (await offering(name)) === many.join());

    heals.forEach((heal) => heal());
    const healed = historyNow();
    await cluster.members(NAMES, CONVERGED_MS);
    for (const name of NAMES) await eventually(async () => (await offering(name)) === NAMES.join());
    console.log(`One cluster ${msBetween(healed, historyNow()).toFixed(0)} ms after the heal`);
    expect(cluster.violations()).toEqual([]);
  });

  it('cluster heals after a partition between nodes that all reach Redis', async () => {
    const owner = await cluster.owner('steady');
    const few = [owner.node, NAMES.find((name) => name !== owner.node)!];
    const pairs = few.flatMap((one) =>
      NAMES.filter((name) => !few.includes(name)).map((other) => [one, other] as const),
    );
    const since = historyNow();
    for (const [one, other] of pairs) await cluster.part(one, other);
    await passed(since, 6000);
    // Redis decides who is a member and what runs where, so all stay members; messages go through Redis meanwhile.
    await cluster.members(NAMES);
    await cluster.owner('steady');
    for (const [one, other] of pairs) {
      await heard(one, other);
      await heard(other, one);
    }
    for (const [one, other] of pairs) await cluster.join(one, other);
    await cluster.members(NAMES, CONVERGED_MS);
    for (const [one, other] of pairs) await heard(one, other);
    expect(cluster.violations()).toEqual([]);
  });

  it('services migrate when nodes fail', async () => {
    const owner = await cluster.owner('steady');
    const others = NAMES.filter((name) => name !== owner.node);
    const killedAt = await cluster.node(owner.node).kill();
    cluster.noteFault('SIGKILL', ['steady', 'slow'], MIGRATED_MS, killedAt);
    const next = await cluster.owner('steady', { not: owner.node, above: owner.epoch, timeout: MIGRATED_MS });
    expect(others).toContain(next.node);
    console.log(`The singleton is found elsewhere ${msBetween(killedAt, historyNow()).toFixed(0)} ms after a SIGKILL`);
    for (const name of others) await eventually(async () => (await offering(name)) === others.join());
    expect(cluster.violations()).toEqual([]);
  });
});
