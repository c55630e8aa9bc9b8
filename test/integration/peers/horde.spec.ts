// What Horde holds its supervisor and its registry to, written anew for processes. From derekkraan/horde: `supervisor`
// is test/dynamic_supervisor_test.exs, `registry` test/registry_test.exs, `cluster` test/cluster_test.exs, `partition`
// test/network_partition_test.exs, `local` test/local_cluster_test.exs, `nested` test/nested_supervision_test.exs,
// `mixed` test/mixed_test.exs.
// Not here: match specs, metadata of a registry and the TTL of forwarded starts, which have no counterpart; conflicts
// of names that two clusters bring along when they join, since one Redis is one cluster.
import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  Callable,
  Membership,
  NotReadyError,
  type ProcessContext,
  Singleton,
  UnknownProcessError,
} from 'nestjs-foundation';
import { eventually } from '../../../libs/foundation/src/testing/eventually.js';
import { type Booted, formed, type Ground, onOwnRedis } from '../fixture.js';
import {
  cluster,
  expectOneAtATime,
  lists,
  managerOf,
  meshOf,
  mortal,
  node,
  PATIENT,
  recorded,
  running,
  sees,
} from './nodes.js';

@Injectable()
class Worker {
  #ctx!: ProcessContext;
  onProcessStart(ctx: ProcessContext): void {
    this.#ctx = ctx;
  }
  @Callable()
  say(message: string): string {
    return `${this.#ctx.name} on ${this.#ctx.node}: ${message}`;
  }
  @Callable()
  crash(): void {
    this.#ctx.fail(new Error('asked to'));
  }
  @Callable()
  end(): void {
    this.#ctx.complete();
  }
}

let ground: Ground;
onOwnRedis((given) => void (ground = given));

const start = (on: Booted, count: number, options = {}) =>
  Promise.all(
    Array.from({ length: count }, (_, at) =>
      managerOf(on).startSingleton(Worker, [], { name: `proc_${at}`, ...options }),
    ),
  );
/** Waits until the node sees that so many run, none of them on another node than these. */
const runs = (on: Booted, count: number, ...nodes: Booted[]) =>
  lists(on, `${count} that run on ${nodes.map(({ name }) => name).join()}`, (list) => {
    const names = new Set(nodes.map(({ name }) => name));
    return list.filter((each) => each.state === 'running' && names.has(each.node ?? '')).length === count;
  });

describe("Horde's cluster", () => {
  // cluster: can join supervisor by specifying members, auto cluster membership; registry: three nodes can make a
  // single registry
  it('a node that starts is a member on all, and one that ended on none', async () => {
    const [a, b] = (await cluster(ground, 2)) as [Booted, Booted];
    const c = await node(ground, [], { nodeName: 'c' });
    for (const each of [a, b, c]) await sees(each, 'a', 'b', 'c');
    await b.app.close();
    for (const each of [a, c]) await sees(each, 'a', 'c');
  });

  // supervisor: wait_for_quorum/2
  it('waiting for so many nodes fails in its time while they are fewer, and ends when they are there', async () => {
    const a = await node(ground);
    const ready = (each: Booted, timeout: number) => each.app.get(Membership).whenReady({ minNodes: 2, timeout });
    await expect(ready(a, 100)).rejects.toBeInstanceOf(NotReadyError);
    const waiting = ready(a, PATIENT);
    const b = await node(ground);
    await Promise.all([waiting, ready(b, PATIENT)]);
  });
});

describe("Horde's registry", () => {
  // registry: lookup, has unique registrations, sending message to existing process
  it('a process is found by its name and answers, from every node', async () => {
    const nodes = await cluster(ground, 3, [Worker]);
    const { node: owner } = await managerOf(nodes[0]!).startSingleton(Worker, [], { name: 'carmen' });
    for (const each of nodes) {
      const ref = await running<Worker>(each, 'carmen');
      expect(await ref.call('say', 'Where are you?')).toBe(`carmen on ${owner}: Where are you?`);
    }
  });

  // registry: has unique registrations across processes. supervisor: does not return error when starting same process
  // twice, which gives a second one there; a name is one process here.
  it('a name that is started again, or by three at once, is one process, and everybody gets it', async () => {
    const nodes = await cluster(ground, 3, [Worker]);
    const started = await Promise.all(
      nodes.map((each) => managerOf(each).startSingleton(Worker, [], { name: 'hello' })),
    );
    const again = await managerOf(nodes[1]!).startSingleton(Worker, [], { name: 'hello' });
    expect(new Set([...started, again].map(({ node: owner, epoch }) => `${owner} ${epoch}`)).size).toBe(1);
    expect(nodes.flatMap(({ of }) => of('process.started'))).toHaveLength(1);
  });

  // registry: sending message to non-existing process
  it('a name that nobody runs is not found, and asking for it says so', async () => {
    const [a] = (await cluster(ground, 2, [Worker])) as [Booted];
    expect(await managerOf(a).lookupSingleton('santiago')).toBeUndefined();
    await expect(managerOf(a).restart('santiago')).rejects.toBeInstanceOf(UnknownProcessError);
  });

  // supervisor: starts a process with id that doesn't implement String.Chars
  it.each(['{:proc2, "string"}', 'with blanks', 'zwölf/drei:vier', '🐴', '__proto__', 'constructor'])(
    'a name may be %s',
    async (name) => {
      const [a, b] = (await cluster(ground, 2, [Worker])) as [Booted, Booted];
      await managerOf(a).startSingleton(Worker, [], { name });
      expect(await (await running<Worker>(b, name)).call('say', 'x')).toMatch(/: x$/);
      await managerOf(b).stop(name);
      // A node that has not heard of it yet may take the lease once more, and gives it back before anything starts.
      await lists(b, 'a stopped process', (list) => list[0]?.state === 'stopped');
    },
  );

  // registry: receives :register and :unregister from another node
  it('every node hears what is registered and what is not any more, on its own and on others', async () => {
    const [a, b] = (await cluster(ground, 2)) as [Booted, Booted];
    const handle = await meshOf(b).registerService('task', {});
    const told = (each: Booted) => [each.of('service.registered').length, each.of('service.deregistered').length];
    const tells = (count: [number, number], each: Booted) =>
      eventually(() => told(each).join() === count.join(), { timeout: PATIENT, lastSeen: () => told(each) });
    for (const each of [a, b]) await tells([1, 0], each);
    await handle.deregister();
    for (const each of [a, b]) await tells([1, 1], each);
  });

  // registry: a process exits and is cleaned up
  it('a process that ended is not found any more', async () => {
    const [a, b] = (await cluster(ground, 2, [Worker])) as [Booted, Booted];
    await managerOf(a).startSingleton(Worker, [], { name: 'key', restart: 'temporary' });
    await (await running<Worker>(b, 'key')).cast('end');
    for (const each of [a, b]) {
      await eventually(async () => (await managerOf(each).lookupSingleton('key')) === undefined, { timeout: PATIENT });
    }
  });
});

describe("Horde's supervisor", () => {
  // supervisor: which_children is empty, collects results from all nodes, count_children; processes are started on
  // different nodes
  it('lists nothing at first, then the same on all nodes, and starts on different ones', async () => {
    const nodes = await cluster(ground, 3, [Worker]);
    expect(await managerOf(nodes[0]!).list()).toEqual([]);
    await start(nodes[0]!, 10);
    const listed = await Promise.all(nodes.map((each) => runs(each, 10, ...nodes)));
    const shown = listed.map((list) => list.map(({ name, node: owner }) => `${name} ${owner}`).sort());
    expect(shown[1]).toEqual(shown[0]);
    expect(shown[2]).toEqual(shown[0]);
    expect(new Set(listed[0]!.map(({ node: owner }) => owner)).size).toBeGreaterThan(1);
  });

  // supervisor: terminates the child
  it('ends what another node runs', async () => {
    const [a, b] = (await cluster(ground, 2, [Worker])) as [Booted, Booted];
    const ref = await managerOf(a).startSingleton(Worker, [], { name: 'kill_me' });
    const other = ref.node === a.name ? b : a;
    await managerOf(other).stop('kill_me');
    expect(await managerOf(other).lookupSingleton('kill_me')).toBeUndefined();
    await lists(a, 'a stopped process', (list) => list[0]?.state === 'stopped');
  });

  // supervisor: failed process is restarted; nested: child can restart once
  it('starts a process again that failed', async () => {
    const { type, lives } = recorded({}, (ctx, count) => (count === 1 ? ctx.fail(new Error('x')) : undefined));
    const [a] = (await cluster(ground, 2, [type])) as [Booted];
    await eventually(() => lives.length === 2, { timeout: PATIENT, lastSeen: () => lives.length });
    await running(a, 'echo');
    expectOneAtATime(lives);
  });

  // nested: child is gone after it crashes twice
  it('gives up what fails too often', async () => {
    const { type, lives } = recorded({ maxRestarts: 1 }, (ctx) => ctx.fail(new Error('x')));
    const [a] = (await cluster(ground, 2, [type])) as [Booted];
    await lists(a, 'an escalated process', (list) => list[0]?.state === 'escalated');
    expect(lives).toHaveLength(2);
  });

  // supervisor: temporary task gets removed after exit, transient process gets removed after exit, and does not get
  // removed after failed exit
  it.each([
    ['temporary', 'crash', 'failed'],
    ['temporary', 'end', 'completed'],
    ['transient', 'end', 'completed'],
    ['transient', 'crash', 'running'],
  ] as const)('what is %s, after its %s, is %s', async (restart, end, state) => {
    const [a, b] = (await cluster(ground, 2, [Worker])) as [Booted, Booted];
    const first = await managerOf(a).startSingleton(Worker, [], { name: 'proc', restart });
    await (await running<Worker>(b, 'proc')).cast(end);
    await lists(b, `a ${state} process`, ([info]) =>
      state === 'running' ? (info?.epoch ?? 0) > first.epoch && info?.state === state : info?.state === state,
    );
  });

  // supervisor: can handle :ignore
  it('takes it when a process is done as soon as it starts', async () => {
    @Injectable()
    class Ignoring {
      onProcessStart(ctx: ProcessContext): void {
        ctx.complete();
      }
    }
    const [a] = (await cluster(ground, 2, [Ignoring])) as [Booted];
    const ref = await managerOf(a).startSingleton(Ignoring, [], { name: 'test', restart: 'transient' });
    expect(ref.completed).toBe(true);
    await lists(a, 'a completed process', (list) => list[0]?.state === 'completed');
  });

  // supervisor: many transient processes
  it('runs many short jobs, each once', async () => {
    const done: string[] = [];
    @Injectable()
    class Job {
      onProcessStart(ctx: ProcessContext): void {
        done.push(ctx.name);
        ctx.complete();
      }
    }
    const [a] = (await cluster(ground, 3, [Job])) as [Booted];
    const names = Array.from({ length: 60 }, (_, at) => `job_${at}`);
    await Promise.all(names.map((name) => managerOf(a).startSingleton(Job, [], { name, restart: 'transient' })));
    await lists(a, 'all jobs', (list) => list.length === 60 && list.every(({ state }) => state === 'completed'));
    expect([...done].sort()).toEqual([...names].sort());
  });

  // supervisor: failed horde's processes are taken over by other hordes; registry: a node is removed from the cluster
  it('runs everything of a node that was cut off on the others', async () => {
    const { proxy, mortal: dying } = await mortal(ground, [Worker], { nodeName: 'dying' });
    const others = [await node(ground, [Worker]), await node(ground, [Worker])];
    await formed(dying, ...others);
    await start(others[0]!, 30);
    await runs(others[0]!, 30, dying, ...others);
    proxy.mode = 'cut';
    await sees(others[0]!, ...others.map(({ name }) => name));
    for (const each of others) await runs(each, 30, ...others);
  });

  // supervisor: stopping a node causes supervised processes to shut down; mixed: supervisor and registry together
  it('runs everything of a node that ended on the others, where their names lead', async () => {
    const nodes = await cluster(ground, 3, [Worker]);
    await start(nodes[0]!, 30);
    await runs(nodes[0]!, 30, ...nodes);
    await nodes[0]!.app.close();
    const [b, c] = nodes.slice(1) as [Booted, Booted];
    await runs(b, 30, b, c);
    const answers = await Promise.all(
      Array.from({ length: 30 }, async (_, at) => (await running<Worker>(c, `proc_${at}`)).call('say', 'x')),
    );
    expect(answers.map((answer) => answer.split(' ')[0])).toEqual(answers.map((_, at) => `proc_${at}`));
  });

  // supervisor: stopping a node moves processes over when they are ready
  it('moves each process of a node that ends as soon as that one has ended, and not before', async () => {
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const fast = recorded({ name: 'fast' });
    const slow = recorded({ name: 'slow', stopTimeout: 20_000 }, undefined, () => gate);
    Object.defineProperty(slow.type, 'name', { value: 'SlowEcho' });
    const options = { shutdownTimeout: 25_000 };
    const first = await node(ground, [fast.type, slow.type], options);
    for (const name of ['fast', 'slow']) await running(first, name);
    const second = await node(ground, [fast.type, slow.type], options);
    await formed(first, second);
    const closing = first.app.close();
    await eventually(() => fast.lives.length === 2, { timeout: PATIENT, lastSeen: () => fast.lives.length });
    expect(slow.lives).toHaveLength(1);
    release();
    await eventually(() => slow.lives.length === 2, { timeout: PATIENT, lastSeen: () => slow.lives.length });
    await closing;
    for (const { lives } of [fast, slow]) expectOneAtATime(lives);
    expect((await running(second, 'slow')).node).toBe(second.name);
  });

  // supervisor: processes should redistribute to new member nodes as they are added, should not if it is :passive,
  // should only redistribute on member :down
  it.each([
    ['on-join', 'moves some of them to a node that joins'],
    ['off', 'leaves them where they are when a node joins, and moves them when theirs ends'],
  ] as const)('with rebalance %s %s', async (rebalance, _what) => {
    const types = Array.from({ length: 6 }, (_, at) => {
      @Singleton({ name: `proc_${at}`, rebalance })
      class Balanced {}
      Object.defineProperty(Balanced, 'name', { value: `Balanced${at}` });
      return Balanced;
    });
    const a = await node(ground, types, { nodeName: 'a' });
    await runs(a, 6, a);
    const b = await node(ground, types, { nodeName: 'b' });
    await formed(a, b);
    if (rebalance === 'on-join') {
      await lists(a, 'a process on b', (list) => list.some((each) => each.state === 'running' && each.node === 'b'));
      await runs(a, 6, a, b);
      return;
    }
    await runs(b, 6, a);
    await a.app.close();
    await runs(b, 6, b);
  });

  // partition: recovers as expected in case of network partition; local: a heal after a netsplit should ensure the
  // process keeps running
  it('has one process after a partition has healed, known on both sides', async () => {
    const { type, lives } = recorded();
    const { proxy, mortal: away } = await mortal(ground, [type], { nodeName: 'away' });
    await running(away, 'echo');
    const here = await node(ground, [type], { nodeName: 'here' });
    await formed(away, here);
    proxy.mode = 'blackhole';
    await eventually(() => lives.length === 2, { timeout: PATIENT, lastSeen: () => lives.length });
    proxy.mode = 'ok';
    for (const each of [away, here]) await sees(each, 'away', 'here');
    const refs = [];
    for (const each of [away, here]) {
      await lists(each, 'what runs here', ([info]) => info?.state === 'running' && info.node === 'here');
      refs.push(await running(each, 'echo'));
    }
    expect(refs[0]!.epoch).toBe(refs[1]!.epoch);
    expect(lives.filter(({ ended }) => ended === undefined)).toHaveLength(1);
    expectOneAtATime(lives);
  });
});
