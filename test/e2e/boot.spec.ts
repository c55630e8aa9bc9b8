// Starts that meet trouble: no Redis yet, a name that is taken, a predecessor that was killed, a wrong password.
import { afterEach, describe, expect, it } from '@jest/globals';
import { eventually, historyNow } from 'nestjs-foundation/testing';
import { TestCluster } from '../support/cluster.js';
import { msBetween, passed } from '../support/history.time.js';

describe('the start of a node', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.close());

  it('does not need Redis: the application runs, and joins when Redis comes', async () => {
    cluster = await TestCluster.open();
    await cluster.redis.kill();
    const [node] = await cluster.start(['a']);
    expect((await node!.ready).state).toBe('joining');
    await expect(node!.ask('lookup', 'steady')).rejects.toMatchObject({ name: 'NotReadyError' });
    expect(await node!.ask('members')).toEqual([]);
    await cluster.redis.restart();
    const back = historyNow();
    await cluster.members(['a']);
    const owner = await cluster.owner('steady');
    expect(owner.node).toBe('a');
    console.log(`Redis came, joined and owned after ${msBetween(back, historyNow()).toFixed(0)} ms`);
    await node!.ask('broadcast', 'events', 'hello');
    await eventually(async () => (await node!.ask('received')).includes('hello'));
    expect(cluster.violations()).toEqual([]);
    expect(await node!.terminate()).toMatchObject({ signal: 'SIGTERM' });
  });

  it('ends in order when it is terminated before Redis has come', async () => {
    cluster = await TestCluster.open();
    await cluster.redis.kill();
    const [node] = await cluster.start(['a']);
    expect(await node!.terminate(10_000)).toMatchObject({ signal: 'SIGTERM' });
    expect(cluster.violations()).toEqual([]);
  });

  it('is refused under a name that another node has, and that node does not notice', async () => {
    cluster = await TestCluster.open();
    const [first] = await cluster.start(['a']);
    const owner = await cluster.owner('steady');
    const since = historyNow();
    const [second] = cluster.spawn(['a']);
    await expect(second!.ready).rejects.toMatchObject({
      name: 'DuplicateNodeError',
      code: 'FOUNDATION_DUPLICATE_NODE',
    });
    second!.isEnding = true;
    expect(await endOf(second!)).toMatchObject({ code: 1 });
    cluster.nodes.set('a', first!);
    await cluster.members(['a']);
    expect(await cluster.owner('steady')).toEqual(owner);
    const noticed = cluster
      .history()
      .filter(({ at, pid, event }) => at > since && pid === first!.pid && /^(lease|process|cluster)\./.test(event));
    expect(noticed).toEqual([]);
    expect(cluster.violations()).toEqual([]);
  });

  it('can be broken off while it waits for the name of a node that was killed', async () => {
    cluster = await TestCluster.open();
    const [first] = await cluster.start(['a']);
    await first!.kill();
    const [second] = cluster.spawn(['a']);
    await eventually(() => second!.tail().includes('NodeModule dependencies initialized'), { what: 'Its start' });
    expect(await second!.terminate(15_000)).toMatchObject({ signal: 'SIGTERM' });
    expect(cluster.violations()).toEqual([]);
  });

  it('under the name of a node that is frozen makes that one give up, until the name is free again', async () => {
    cluster = await TestCluster.open();
    const [old] = await cluster.start(['a']);
    await cluster.start(['b']);
    await cluster.members(['a', 'b']);
    await old!.freeze();
    const [young] = await cluster.start(['a']);
    await cluster.members(['a', 'b']);
    const thawed = historyNow();
    old!.thaw();
    const taken = await cluster.event({ event: 'cluster.name_taken', after: thawed });
    expect(taken.pid).toBe(old!.pid);
    await eventually(async () => (await old!.ask('state')).state === 'isolated');
    await cluster.owner('steady');
    await passed(thawed, 2000);
    const owned = cluster.events({ event: 'lease.acquired', after: thawed, where: ({ pid }) => pid === old!.pid });
    expect(owned).toEqual([]);

    await young!.terminate();
    cluster.nodes.set('a', old!);
    await cluster.members(['a', 'b']);
    await cluster.event({ event: 'cluster.rejoined', after: thawed, where: ({ pid }) => pid === old!.pid });
    expect(cluster.violations()).toEqual([]);
  });

  it('succeeds at once under the name of a node that was killed', async () => {
    cluster = await TestCluster.open();
    await cluster.start(['a', 'b']);
    await cluster.members(['a', 'b']);
    const killedAt = await cluster.node('a').kill();
    await cluster.start(['a']);
    console.log(
      `Killed and restarted under its name: a member after ${msBetween(killedAt, historyNow()).toFixed(0)} ms`,
    );
    await cluster.members(['a', 'b']);
    await cluster.owner('steady');
    expect(cluster.violations()).toEqual([]);
  });

  it('fails with a typed error for a wrong password, and leaves nothing open', async () => {
    cluster = await TestCluster.open({ redis: { password: 'the-right-one', minimal: false } });
    const url = cluster.redis.url.replace('right', 'wrong');
    const [node] = cluster.spawn(['a'], { FOUNDATION_REDIS_URL: url });
    node!.isEnding = true;
    await expect(node!.ready).rejects.toMatchObject({ name: 'RedisRefusedError', code: 'FOUNDATION_REDIS_REFUSED' });
    const failed = historyNow();
    expect(await endOf(node!)).toMatchObject({ code: 1 }); // it calls no process.exit()
    console.log(`Wrong password: ended by itself ${msBetween(failed, node!.exit!.at).toFixed(0)} ms after the error`);
    expect(node!.tail(100_000)).not.toContain('wrong');
    expect(cluster.violations()).toEqual([]);
  });
});

const endOf = (node: { exit?: object; name: string }): Promise<object> =>
  eventually(() => node.exit, { timeout: 10_000, what: `The end of node ${node.name}` });
