// @redis any-topology
// What follows a crash, a completion and a death: restart policies, backoff, escalation, and calls from another node.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, historyNow } from 'nestjs-foundation/testing';
import { TestCluster } from '../support/cluster.js';
import { msBetween, passed } from '../support/history.time.js';
import type { CrashMode } from '../support/node.protocol.js';

const NAMES = ['a', 'b', 'c'];
const MAX_RESTARTS = 3;

describe('a process', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.open({ processes: 'steady,slow,finite,lasting,once,fragile' });
    await cluster.start(NAMES);
    await cluster.members(NAMES);
  });
  afterEach(() => expect(cluster.violations()).toEqual([]));
  afterAll(() => cluster.close());

  const stateOf = async (name: string): Promise<string | undefined> =>
    (await cluster.other().ask('list')).find((info) => info.name === name)?.state;
  const crash = async (mode: CrashMode): Promise<void> => {
    await Promise.all(cluster.answering().map((node) => node.ask('crash', mode)));
  };

  it('that is transient completes once and stays so', async () => {
    await cluster.event({
      event: 'process.stopped',
      name: 'finite',
      where: ({ payload }) => payload['reason'] === 'complete',
    });
    await eventually(async () => (await stateOf('finite')) === 'completed', { lastSeen: () => stateOf('finite') });
    expect(await cluster.other().ask('lookup', 'finite')).toBeNull();
  });

  it.each<CrashMode>(['run', 'start'])(
    'that crashes in its %s restarts with backoff, escalates once, and comes back by a call',
    async (mode) => {
      await cluster.owner('fragile');
      await crash(mode);
      const since = historyNow();
      // It is healthy and does not look again, so its next start must come from somewhere.
      const { epoch } = (await cluster.other().ask('lookup', 'fragile'))!;
      await Promise.allSettled([cluster.other().ask('restart', 'fragile')]);
      const escalated = await cluster.event({ event: 'process.escalated', name: 'fragile', after: since });
      expect(escalated.payload['crashes']).toBe(MAX_RESTARTS + 1);
      await eventually(async () => (await stateOf('fragile')) === 'escalated');

      const scheduled = cluster.events({ event: 'process.restart_scheduled', name: 'fragile', after: since });
      const delays = scheduled.map(({ payload }) => Number(payload['delayMs']));
      expect(delays).toHaveLength(MAX_RESTARTS);
      delays.forEach((delay, index) => {
        const longest = Math.min(400, 50 * 2 ** index);
        expect(delay).toBeGreaterThanOrEqual(Math.floor(longest / 2));
        expect(delay).toBeLessThanOrEqual(longest);
      });
      const late = scheduled.map(({ at, payload }) => {
        const next = cluster.events({ event: 'process.starting', name: 'fragile', after: at })[0];
        return Math.round(msBetween(at, next!.at) - Number(payload['delayMs']));
      });
      console.log(`Crash in ${mode}: delays ${delays.join(', ')} ms; starts came ${late.join(', ')} ms after them`);

      await passed(escalated.at, 1500);
      expect(cluster.events({ event: 'process.starting', name: 'fragile', after: escalated.at })).toEqual([]);
      await crash('none');
      const back = await cluster.other().ask('restart', 'fragile');
      expect(back.epoch).toBeGreaterThan(epoch);
      expect(await cluster.owner('fragile')).toEqual(back);
    },
  );

  it('can be restarted and stopped from another node', async () => {
    const owner = await cluster.owner('slow');
    const other = cluster.other(owner.node);
    const again = await other.ask('restart', 'slow');
    expect(again.epoch).toBeGreaterThan(owner.epoch);
    const restarted = cluster.events({ event: 'process.stopped', name: 'slow' }).slice(-1)[0];
    expect(restarted!.payload).toMatchObject({ epoch: owner.epoch, reason: 'restart', clean: true });

    await other.ask('stop', 'slow');
    const stopped = cluster.events({ event: 'process.stopped', name: 'slow' }).slice(-1)[0];
    expect(stopped!.payload).toMatchObject({ epoch: again.epoch, reason: 'stop', clean: true });
    for (const node of cluster.answering()) expect(await node.ask('lookup', 'slow')).toBeNull();
    await eventually(async () => (await stateOf('slow')) === 'stopped');
    await passed(stopped!.at, 2000);
    expect(cluster.events({ event: 'process.starting', name: 'slow', after: stopped!.at })).toEqual([]);
    expect((await other.ask('restart', 'slow')).epoch).toBeGreaterThan(again.epoch);
  });

  it('that is transient starts again when its node dies, and one that is temporary does not', async () => {
    const { node } = await cluster.owner('lasting');
    const killedAt = await cluster.node(node).kill();
    cluster.noteFault('a kill', ['lasting', 'steady', 'slow', 'fragile'], 10_000, killedAt);
    const once = await cluster.owner('lasting', { not: node }).then(() => cluster.other().ask('lookup', 'once'));
    if (once !== null) await cluster.node(once.node).kill();
    const lookAt = historyNow();
    await eventually(async () => (await stateOf('once')) === 'lost', { lastSeen: () => stateOf('once') });
    await cluster.owner('lasting');
    await passed(lookAt, 6000); // longer than a sweep
    expect(cluster.events({ event: 'process.starting', name: 'once' })).toHaveLength(1);
    expect(cluster.events({ event: 'process.starting', name: 'finite' })).toHaveLength(1);
  });

  it('that is over is not brought back by a node that joins, but by a call', async () => {
    const gone = NAMES.filter((name) => !cluster.node(name).alive);
    await cluster.start(gone);
    await cluster.members(NAMES);
    const joined = historyNow();
    await passed(joined, 3000);
    expect(cluster.events({ event: 'process.starting', name: 'once' })).toHaveLength(1);
    expect(cluster.events({ event: 'process.starting', name: 'finite' })).toHaveLength(1);
    const back = await cluster.other().ask('restart', 'once');
    expect(await cluster.owner('once')).toEqual(back);
  });

  it('whose start ends its node has crashed by that, so that it does not end one node after the other', async () => {
    await cluster.owner('fragile');
    await crash('hang');
    const since = historyNow();
    const asked = cluster
      .other()
      .ask('restart', 'fragile')
      .catch(() => undefined);
    const starting = await cluster.event({ event: 'process.starting', name: 'fragile', after: since });
    await cluster.node(starting.node).kill(); // as its own process.exit() would
    await crash('none');
    const crashed = await cluster.event({ event: 'process.crashed', name: 'fragile', after: starting.at });
    expect(crashed.node).not.toBe(starting.node);
    expect(crashed.payload['error']).toContain(`node "${starting.node}" ended, or lost its lease`);
    await cluster.event({ event: 'process.restart_scheduled', name: 'fragile', after: crashed.at });
    await cluster.owner('fragile', { above: Number(crashed.payload['epoch']) });
    await asked;
  });
});
