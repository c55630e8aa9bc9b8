// What Akka (and Pekko) hold their cluster singleton to, written anew for ours. From akka/akka and apache/pekko, in
// cluster-tools: `multi/…` is src/multi-jvm/…/cluster/singleton, `test/…` src/test/…/cluster/singleton.
// Not here: data centers and ClusterClient, which this library does not have, and the oldest node as the place of a
// singleton, which is chosen by load here.
import { describe, expect, it } from '@jest/globals';
import { Callable, Membership, type ProcessContext, Singleton } from 'nestjs-foundation';
import { eventually } from '../../../libs/foundation/src/testing/eventually.js';
import { type Booted, formed, type Ground, onOwnRedis } from '../fixture.js';
import {
  cluster,
  expectOneAtATime,
  lists,
  managerOf,
  membersOf,
  mortal,
  node,
  PATIENT,
  recorded,
  running,
  sees,
} from './nodes.js';

@Singleton({ name: 'proxied' })
class Proxied {
  #ctx!: ProcessContext;
  onProcessStart(ctx: ProcessContext): void {
    this.#ctx = ctx;
  }
  @Callable({ idempotent: true })
  echo(message: string): string {
    return `${this.#ctx.node} got ${message}`;
  }
}

let ground: Ground;
onOwnRedis((given) => void (ground = given));

const ask = async (from: Booted, message: string): Promise<string> =>
  (await running<Proxied>(from, 'proxied')).call('echo', message);
const lived = (lives: readonly { ended?: number }[], count: number) =>
  eventually(() => lives.length === count, { timeout: PATIENT, what: `${count} lives`, lastSeen: () => lives.length });
const ownerIn = async (nodes: readonly Booted[], name: string): Promise<[owner: Booted, others: Booted[]]> => {
  const { node: owner } = await running(nodes[0]!, name);
  return [nodes.find((each) => each.name === owner)!, nodes.filter((each) => each.name !== owner)];
};

describe("Akka's cluster singleton", () => {
  // multi/ClusterSingletonManagerStartupSpec: be quick
  it('runs once when three nodes start at the same time', async () => {
    const { type, lives } = recorded();
    const nodes = await cluster(ground, 3, [type]);
    const refs = await Promise.all(nodes.map((each) => running(each, 'echo')));
    expect(new Set(refs.map(({ node: owner, epoch }) => `${owner} ${epoch}`)).size).toBe(1);
    expect(lives).toHaveLength(1);
  });

  // multi/ClusterSingletonManagerSpec: startup 6 node cluster
  it('stays where it is while nodes join, and never runs on an observer, which can call it', async () => {
    // A lease that no stall of a busy machine ends; the handover at the end does not wait for it.
    const patient = { lease: { ttl: 6000 }, membership: { ttl: 6000 } };
    const nodes = [await node(ground, [Proxied], patient)];
    const first = await running(nodes[0]!, 'proxied');
    const observer = await node(ground, [], patient);
    for (let count = 0; count < 3; count++) nodes.push(await node(ground, [Proxied], patient));
    await formed(observer, ...nodes);
    for (const each of [observer, ...nodes]) expect(await ask(each, 'ping')).toBe(`${first.node} got ping`);
    expect((await running(observer, 'proxied')).epoch).toBe(first.epoch);
    await nodes[0]!.app.close();
    expect((await running(observer, 'proxied', first)).node).not.toBe(observer.name);
  });

  // test/ClusterSingletonProxySpec: correctly identify the singleton
  it('is reached from each of five nodes, again and again', async () => {
    const nodes = await cluster(ground, 5, [Proxied]);
    const { node: owner } = await running(nodes[0]!, 'proxied');
    for (const message of ['Hello', 'World']) {
      const answers = await Promise.all(nodes.map((each) => ask(each, message)));
      expect(answers).toEqual(nodes.map(() => `${owner} got ${message}`));
    }
  });

  // multi/ClusterSingletonManagerLeaveSpec: hand-over to new instance; multi/ClusterSingletonManagerLeave2Spec
  it('is handed over by each node that leaves, stopped before the node is gone, until the last one', async () => {
    const steps: string[] = [];
    const { type, lives } = recorded(
      {},
      (ctx) => steps.push(`${ctx.node} starts`),
      (life) => steps.push(`${life.node} stops`),
    );
    const nodes = await cluster(ground, 3, [type]);
    const order: string[] = [];
    for (let left = [...nodes]; left.length > 0;) {
      const [owner, others] = await ownerIn(left, 'echo');
      order.push(owner.name);
      await owner.app.close();
      steps.push(`${owner.name} left`);
      await lived(lives, Math.min(order.length + 1, 3));
      left = others;
    }
    expect(new Set(order).size).toBe(3);
    for (const name of order) {
      const own = steps.filter((step) => step.startsWith(name));
      expect(own).toEqual([`${name} starts`, `${name} stops`, `${name} left`]);
    }
    expectOneAtATime(lives);
    expect(lives.map(({ reason }) => reason)).toEqual(['shutdown', 'shutdown', 'shutdown']);
  });

  // multi/ClusterSingletonManagerSpec: hand over when oldest leaves; the proxy buffers while there is none
  it('gets the calls that were made while it was handed over', async () => {
    const nodes = await cluster(ground, 3, [Proxied]);
    const [owner, [caller]] = await ownerIn(nodes, 'proxied');
    const ref = await running<Proxied>(caller!, 'proxied');
    const closing = owner.app.close();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => ref.call('echo', String(at))));
    expect(answers.map((answer) => answer.replace(/^\w+ /, ''))).toEqual(answers.map((_, at) => `got ${at}`));
    await closing;
    expect(await ref.call('echo', 'after')).not.toMatch(new RegExp(`^${owner.name} `));
  });

  // multi/ClusterSingletonManagerSpec: take over when oldest crashes; multi/ClusterSingletonManagerDownedSpec: stop
  // instance when member is downed
  it('is taken over when its node is cut off, which has stopped it before', async () => {
    const { type, lives } = recorded();
    const { proxy, mortal: dying } = await mortal(ground, [type], { nodeName: 'dying' });
    await running(dying, 'echo');
    const others = [await node(ground, [type]), await node(ground, [type])];
    await formed(dying, ...others);
    proxy.mode = 'cut';
    await lived(lives, 2);
    expect([lives[0]!.node, lives[0]!.reason]).toEqual(['dying', 'lease-lost']);
    expectOneAtATime(lives);
    await sees(others[0]!, ...others.map(({ name }) => name));
  });

  // multi/ClusterSingletonManagerSpec: take over when two oldest crash in 3 nodes cluster
  it('is taken over when two of three nodes are cut off at once', async () => {
    const { type, lives } = recorded();
    const dying = [await mortal(ground, [type]), await mortal(ground, [type])];
    await running(dying[0]!.mortal, 'echo');
    const last = await node(ground, [type]);
    await formed(last, ...dying.map(({ mortal: each }) => each));
    for (const { proxy } of dying) proxy.mode = 'cut';
    await eventually(() => lives.at(-1)?.node === last.name, { timeout: PATIENT, lastSeen: () => lives.length });
    await eventually(() => lives.slice(0, -1).every(({ ended }) => ended !== undefined), { timeout: PATIENT });
    expectOneAtATime(lives);
    expect((await running(last, 'echo')).node).toBe(last.name);
  });

  // test/ClusterSingletonRestartSpec, ClusterSingletonRestart2Spec: restarting a node with the same host and port
  it('moves from a node to its successor of the same name by way of another, as if it were new', async () => {
    const { type, lives } = recorded();
    const first = await node(ground, [type], { nodeName: 'same' });
    await running(first, 'echo');
    const second = await node(ground, [type], { nodeName: 'second' });
    await formed(first, second);
    await first.app.close();
    await lived(lives, 2);
    const again = await node(ground, [type], { nodeName: 'same' });
    await formed(second, again);
    expect((await running(again, 'echo')).node).toBe('second');
    await second.app.close();
    await lived(lives, 3);
    expect(lives.map((life) => life.node)).toEqual(['same', 'second', 'same']);
    expectOneAtATime(lives);
    await sees(again, 'same');
  });

  // test/ClusterSingletonLeaseSpec: not start until lease is available; retry trying to get lease if acquire fails
  it('does not start while somebody else has its lease, and does as soon as it is free', async () => {
    const { type, lives } = recorded();
    const lease = ground.keys.lease('echo');
    await ground.server.cli('SET', lease, 'somebody else', 'PX', '60000');
    const booted = await node(ground, [type]);
    await lists(
      booted,
      'a process that waits',
      (list) => list[0]?.state === 'waiting' || list[0]?.state === 'starting',
    );
    expect(lives).toEqual([]);
    await ground.server.cli('DEL', lease);
    await running(booted, 'echo');
    expect(lives).toHaveLength(1);
  });

  // test/ClusterSingletonLeaseSpec: stop singleton if the lease fails periodic check, should try and reacquire lease
  it('is stopped when its lease is gone, and starts again with one that is newer', async () => {
    const { type, lives } = recorded();
    const booted = await node(ground, [type]);
    const ref = await running(booted, 'echo');
    await ground.server.cli('DEL', ground.keys.lease('echo'));
    await running(booted, 'echo', ref);
    expect([lives.length, lives[0]!.reason]).toEqual([2, 'lease-lost']);
    expectOneAtATime(lives);
  });

  // test/ClusterSingletonLeaseSpec: release lease when leaving oldest
  it('gives its lease back when its node leaves', async () => {
    const { type } = recorded();
    const booted = await node(ground, [type]);
    await running(booted, 'echo');
    expect(await ground.server.cli('EXISTS', ground.keys.lease('echo'))).toBe('1');
    await booted.app.close();
    expect(await ground.server.cli('EXISTS', ground.keys.lease('echo'))).toBe('0');
  });

  // multi/ClusterSingletonManagerPreparingForShutdownSpec: not handover when ready for shutdown. There is no word for
  // the end of a whole cluster here: `stop` is it, and holds while the nodes end one after another.
  it('that is stopped is not started by those that are left while all nodes end', async () => {
    const { type, lives } = recorded();
    const nodes = await cluster(ground, 3, [type]);
    await running(nodes[0]!, 'echo');
    await managerOf(nodes[0]!).stop('echo');
    for (const [index, each] of nodes.entries()) {
      await each.app.close();
      const left = nodes.slice(index + 1);
      if (left[0] !== undefined) await sees(left[0], ...left.map(({ name }) => name));
    }
    expect(lives).toHaveLength(1);
  });

  // multi/ClusterSingletonManagerChaosSpec: take over when three oldest nodes crash in 6 nodes cluster
  it('runs once and answers after half of the nodes have gone at once', async () => {
    const nodes = await cluster(ground, 4, [Proxied]);
    await running(nodes[0]!, 'proxied');
    const [owner, others] = await ownerIn(nodes, 'proxied');
    await Promise.all([owner, others[0]!].map(({ app }) => app.close()));
    const left = others.slice(1);
    for (const each of left) expect(await ask(each, 'x')).toMatch(/ got x$/);
    expect(left[0]!.app.get(Membership).state).toBe('up');
    await eventually(() => membersOf(left[0]!).length === 2, { lastSeen: () => membersOf(left[0]!) });
  });
});
