// The journal of nodes that are processes of their own: what a kill -9 leaves of it, and what the others say of it.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from 'nestjs-foundation/testing';
import type { JournalEntry } from '../../libs/foundation/src/journal/journal.js';
import { command } from '../integration/command.js';
import { COOKIE, TestCluster } from '../support/cluster.js';

const NAMES = ['a', 'b', 'c'];

describe('the journal', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.open({ processes: 'steady' });
    await cluster.start(NAMES);
    await cluster.members(NAMES);
  });
  afterAll(() => cluster.close());

  const history = async (...argv: string[]): Promise<JournalEntry[]> => {
    const env = {
      ...{ FOUNDATION_REDIS_URL: cluster.redis.url, FOUNDATION_APP_NAME: 'e2e', FOUNDATION_COOKIE: COOKIE },
    };
    const ran = await command(['history', ...argv, '--json', '--limit', '1000'], env);
    expect(ran).toMatchObject({ code: 0, err: '' });
    return (JSON.parse(ran.out) as { entries: JournalEntry[] }).entries;
  };

  it('says once that a node was killed, by whom that was seen, and who took over', async () => {
    const owner = await cluster.owner('steady');
    const { bootId } = await cluster.node(owner.node).ready;
    // What is written in the last moment before a kill may be lost; this is older.
    await eventually(async () => (await history('steady')).some(({ epoch }) => epoch === owner.epoch));
    const killedAt = await cluster.node(owner.node).kill();
    cluster.noteFault('kill', ['steady'], 10_000, killedAt);
    const others = NAMES.filter((name) => name !== owner.node);
    const next = await cluster.owner('steady', { not: owner.node, above: owner.epoch, ask: others });
    await cluster.members(others);
    for (const node of others) await cluster.event({ event: 'cluster.node_left', node });
    const left = (): Promise<JournalEntry[]> => history('--kind', 'cluster.node_left', '--node', owner.node);
    await eventually(async () => (await left()).length > 0, { what: 'The word of it' });
    const [started, ...before] = await history('steady', '--kind', 'process.*');
    expect(started).toMatchObject({ kind: 'process.started', node: next.node, epoch: next.epoch, from: owner.node });
    expect(before[0]).toMatchObject({ kind: 'process.started', node: owner.node, epoch: owner.epoch });
    const [again] = cluster.spawn([owner.node]);
    await again!.ready;
    const joins = await eventually(async () => {
      const found = await history('--kind', 'cluster.node_joined', '--node', owner.node);
      return found.length === 2 ? found : undefined;
    });
    expect(new Set(joins.map((entry) => entry.bootId)).size).toBe(2);
    await cluster.members(NAMES);
    // Every node has written what it had to say before it heard of the new one.
    expect(await left()).toMatchObject([{ node: owner.node, bootId, reason: 'timeout' }]);
    expect(others).toContain((await left())[0]!.by);
  });

  it('has each start and each drain once, after orders from the command line', async () => {
    const owner = await cluster.owner('steady');
    const env = { FOUNDATION_REDIS_URL: cluster.redis.url, FOUNDATION_APP_NAME: 'e2e', FOUNDATION_COOKIE: COOKIE };
    expect(await command(['drain', owner.node, '--reason', 'new disk'], env)).toMatchObject({ code: 0 });
    await cluster.owner('steady', { not: owner.node, above: owner.epoch });
    expect(await command(['undrain', owner.node], env)).toMatchObject({ code: 0 });
    const commands = await history('--kind', 'command.*', '--node', owner.node);
    expect(commands.map(({ kind, target, via, reason }) => [kind, target, via, reason])).toEqual([
      ['command.undrain', owner.node, 'command-line', undefined],
      ['command.drain', owner.node, 'command-line', 'new disk'],
    ]);
    const drains = await history('--kind', 'drain.progress', '--node', owner.node);
    expect(drains.map(({ reason }) => reason)).toEqual(['drained', 'begun']);
    const epochs = (await history('steady', '--kind', 'process.started')).map(({ epoch }) => epoch);
    expect(new Set(epochs).size).toBe(epochs.length);
    expect(cluster.violations()).toEqual([]);
  });
});
