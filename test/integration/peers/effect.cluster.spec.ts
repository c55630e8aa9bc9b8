// What Effect Cluster holds its entities, shards and singletons to, written anew for partitions and singletons. From
// Effect-TS/effect, packages/cluster/test: `sharding` is Sharding.test.ts, and of its folder integration `lifecycle`
// EntityLifecycle.test.ts, `locks` Locks.test.ts, `smoke` Smoke.test.ts.
// Not here: what needs a storage of messages (replies that outlive a caller, streams, workflows), which calls have not.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Callable,
  CallInterruptedError,
  CallRefusedError,
  type FoundationOptions,
  Partitioned,
  type PartitionedRef,
  type ProcessContext,
  type ProcessInfo,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from '../../../libs/foundation/src/testing/eventually.js';
import { type Booted, formed, type Ground, LEASE, MEMBERSHIP, onOwnRedis } from '../fixture.js';
import { cluster, expectOneAtATime, lists, managerOf, mortal, node, PATIENT, recorded, running } from './nodes.js';

const PARTS = 12;
/** What the entities have done, in their order. */
const done: string[] = [];
let builds = 0;
let failing = 0;
/** Each lets something go that waits. */
let gates: (() => void)[] = [];
const gate = (): Promise<void> => new Promise((resolve) => gates.push(resolve));
const openGates = (): void => {
  for (const open of gates.splice(0)) open();
};

@Partitioned({ name: 'entity', partitions: PARTS })
class Entity {
  #ctx!: ProcessContext;
  readonly #values = new Map<string, number>();
  readonly #build = ++builds;
  onProcessStart(ctx: ProcessContext): void {
    this.#ctx = ctx;
  }
  @Callable({ idempotent: true })
  increment(id: string): { value: number; node: string; part: number | undefined; build: number } {
    const value = (this.#values.get(id) ?? 0) + 1;
    this.#values.set(id, value);
    return { value, node: this.#ctx.node, part: this.#ctx.index, build: this.#build };
  }
  @Callable()
  async hold(number: number): Promise<number> {
    done.push(`begins ${number}`);
    await gate();
    done.push(`ends ${number}`);
    return number;
  }
  @Callable()
  note(number: number): void {
    done.push(`notes ${number}`);
  }
  @Callable()
  crash(): void {
    this.#ctx.fail(new Error('a defect'));
    failing++;
  }
}

let ground: Ground;
// Before the nodes are closed, which waits for the calls.
afterEach(openGates);
onOwnRedis((given) => void (ground = given));
beforeEach(() => {
  done.length = 0;
  builds = 0;
  failing = 0;
  gates = [];
});

const refOf = (on: Booted): Promise<PartitionedRef<Entity>> =>
  eventually(() => managerOf(on).lookupPartitioned<Entity>('entity'), { timeout: PATIENT, what: 'The entity' });
/** Waits until all parts run, as this node sees it, and suit. */
const owned = (on: Booted, suits: (list: readonly ProcessInfo[]) => boolean = () => true) =>
  lists(on, 'all parts', (list) => {
    const parts = list.filter(({ name, state }) => name.startsWith('entity') && state === 'running');
    return parts.length === PARTS && suits(parts);
  });
const sees = (expected: number) =>
  eventually(() => done.length === expected, { timeout: PATIENT, what: `${expected} steps`, lastSeen: () => done });
const entities = (size: number, options: FoundationOptions = {}) => cluster(ground, size, [Entity], options);

describe("Effect Cluster's entities", () => {
  // lifecycle: routes by entity id, isolates state; sharding: delivers a message, does not freeze the first caller's
  // context
  it('an id leads to one part, from every node, and each part has a state of its own', async () => {
    const nodes = await entities(3);
    await owned(nodes[0]!);
    for (const id of ['1', '2', '3', '4']) {
      const answers = [];
      for (const each of nodes) answers.push(await (await refOf(each)).for(id).call('increment', id));
      expect(answers.map(({ value }) => value)).toEqual([1, 2, 3]);
      expect(new Set(answers.map(({ node: at, part }) => `${part} ${at}`)).size).toBe(1);
      expect(answers[0]!.part).toBe((await refOf(nodes[0]!)).partitionOf(id));
    }
  });

  // lifecycle: preserves mailbox order
  it('calls of one sender begin in their order', async () => {
    const [a] = (await entities(2)) as [Booted];
    const ref = await refOf(a);
    await owned(a);
    const calls = Array.from({ length: 50 }, (_, at) => ref.for('x').call('note', at));
    await Promise.all(calls);
    expect(done).toEqual(Array.from({ length: 50 }, (_, at) => `notes ${at}`));
  });

  // sharding: MailboxFull for volatile messages; lifecycle: reports mailbox saturation
  it('a call beyond what may wait is refused, and those that wait are answered', async () => {
    const [a] = (await entities(2, { calls: { concurrency: 1, queue: 2 } })) as [Booted];
    await owned(a);
    const ref = (await refOf(a)).for('full');
    const held = [ref.call('hold', 1)];
    await sees(1);
    held.push(ref.call('hold', 2), ref.call('hold', 3));
    const refused = ref.call('hold', 4).catch((error: unknown) => error);
    expect(await refused).toBeInstanceOf(CallRefusedError);
    expect(await refused).toMatchObject({ why: 'busy' });
    let answered = false;
    const all = Promise.all(held).then((values) => ((answered = true), values));
    await eventually(() => (openGates(), answered), { timeout: PATIENT, lastSeen: () => done });
    expect(await all).toEqual([1, 2, 3]);
  });

  // sharding: interrupts. A caller that gives up is told at once; the method goes on, whose outcome nobody knows.
  it('a caller may give up a call that is under way, and the next one is answered', async () => {
    const [a] = (await entities(2)) as [Booted];
    await owned(a);
    const ref = (await refOf(a)).for('1');
    const giveUp = new AbortController();
    const given = ref.with({ signal: giveUp.signal }).call('hold', 1);
    await sees(1);
    giveUp.abort();
    await expect(given).rejects.toMatchObject({ name: expect.stringMatching(/Abort|CallInterrupted/) });
    expect((await ref.call('increment', '1')).value).toBe(1);
    openGates();
    await sees(2);
    expect(done).toEqual(['begins 1', 'ends 1']);
  });

  // sharding: client discard option, client discard with Never
  it('a cast is not waited for, also when its method never ends', async () => {
    const [a] = (await entities(2)) as [Booted];
    await owned(a);
    const ref = (await refOf(a)).for('1');
    expect(await ref.cast('hold', 1)).toBeUndefined();
    await sees(1);
    expect(done).toEqual(['begins 1']);
  });

  // sharding: restart on defect, replays in-flight requests when restarting after a defect; lifecycle: rebuilds an
  // entity after a fatal defect, revives idle entities with fresh state
  // What is under way is not done again here, but waited for: its part ends after it.
  it('a part that crashes is built anew without its state, after what was under way', async () => {
    const [a] = (await entities(2)) as [Booted];
    await owned(a);
    const ref = (await refOf(a)).for('1');
    const { value, build } = await ref.call('increment', '1');
    const held = ref.call('hold', 1);
    await sees(1);
    await ref.cast('crash');
    await eventually(() => failing === 1, { timeout: PATIENT, what: 'The part to fail' });
    openGates();
    expect(await held).toBe(1);
    const again = await eventually(async () => {
      const answer = await ref.call('increment', '1');
      return answer.build === build ? undefined : answer;
    });
    expect([value, again.value]).toEqual([1, 1]);
    expect(again.build).toBeGreaterThan(build);
  });

  // sharding: retries defects when building handlers
  it('what cannot be built at first is tried again, and the calls wait for it', async () => {
    let tries = 0;
    @Singleton({ name: 'late' })
    class Late {
      onProcessStart(): void {
        tries += 1;
        if (tries < 3) throw new Error('not yet');
      }
      @Callable({ idempotent: true })
      ping(): string {
        return 'pong';
      }
    }
    const [a] = (await cluster(ground, 2, [Late])) as [Booted];
    expect(await (await running<Late>(a, 'late')).call('ping')).toBe('pong');
    expect(tries).toBe(3);
  });

  // smoke: rebalances after an abrupt runner death; lifecycle: rebalances on runner addition, graceful stop, and abrupt
  // death
  it('parts move to nodes that join, from one that leaves, and from one that is cut off', async () => {
    const a = await node(ground, [Entity], { nodeName: 'a' });
    await owned(a);
    const { proxy, mortal: b } = await mortal(ground, [Entity], { nodeName: 'b' });
    const c = await node(ground, [Entity], { nodeName: 'c' });
    await formed(a, b, c);
    await owned(a, (parts) => ['b', 'c'].every((name) => parts.some((part) => part.node === name)));
    await c.app.close();
    await owned(a, (parts) => parts.every((part) => part.node !== 'c'));
    proxy.mode = 'cut';
    await owned(a, (parts) => parts.every((part) => part.node === 'a'));
    for (const id of ['1', '2', '3']) expect((await (await refOf(a)).for(id).call('increment', id)).node).toBe('a');
  });
});

describe("Effect Cluster's locks", () => {
  // sharding: interrupts entities and reacquires shards after lock storage recovers; locks: rebuilds a blackholed lock
  // connection and rejoins without split brain
  it('what runs is stopped while Redis does not answer, and runs again once when it does', async () => {
    const { type, lives } = recorded();
    const [a] = (await cluster(ground, 2, [type])) as [Booted];
    const before = await running(a, 'echo');
    ground.server.pause();
    await eventually(() => lives[0]?.ended !== undefined, { timeout: PATIENT, what: 'The end of the first life' });
    ground.server.resume();
    await running(a, 'echo', before);
    expect(lives[0]!.reason).toBe('lease-lost');
    expectOneAtATime(lives);
    expect(lives.filter(({ ended }) => ended === undefined)).toHaveLength(1);
  });

  // locks: keeps peers progressing when a lock query is permanently stuck
  it('a node whose connection is stuck keeps nobody else from going on', async () => {
    const { proxy, mortal: stuck } = await mortal(ground, [Entity], { nodeName: 'stuck' });
    await owned(stuck);
    const a = await node(ground, [Entity], { nodeName: 'a' });
    await formed(stuck, a);
    proxy.mode = 'blackhole';
    await owned(a, (parts) => parts.every((part) => part.node === 'a'));
    expect((await (await refOf(a)).for('1').call('increment', '1')).node).toBe('a');
    proxy.mode = 'ok';
    await formed(stuck, a);
    expect((await (await refOf(stuck)).for('1').call('increment', '1')).value).toBe(2);
  });

  // sharding: scope close finishes while lock storage is unhealthy
  it('a node ends in its time while Redis does not answer', async () => {
    const { type, lives } = recorded();
    const booted = await node(ground, [type], { shutdownTimeout: 2000 });
    await running(booted, 'echo');
    ground.server.pause();
    try {
      await eventually(() => booted.app.close().then(() => true), { timeout: PATIENT, what: 'The end of the node' });
    } finally {
      ground.server.resume();
    }
    expect(lives.map(({ ended }) => ended !== undefined)).toEqual([true]);
  });
});

describe("Effect Cluster's graceful shutdown", () => {
  // sharding: hands shards off before the final releaseAll, stops acquiring shards once shutdown starts
  it('hands everything over while the node is still there, and takes nothing more', async () => {
    const [a, b] = (await entities(2)) as [Booted, Booted];
    await owned(a, (parts) => new Set(parts.map((part) => part.node)).size === 2);
    await managerOf(a).drain();
    await owned(a, (parts) => parts.every((part) => part.node === 'b'));
    const c = await node(ground, [Entity], { nodeName: 'c' });
    await formed(a, b, c);
    await b.app.close();
    await owned(c, (parts) => parts.every((part) => part.node === 'c'));
  });

  // sharding: waits for singleton teardown before releasing its shard
  it('keeps the lease until what holds it has ended', async () => {
    const { type, lives } = recorded({ stopTimeout: 20_000 }, undefined, (life) =>
      life.node === 'a' ? gate() : undefined,
    );
    // Long, so that a busy machine does not cost it.
    const times = { lease: { ...LEASE, ttl: 10_000 }, membership: { ...MEMBERSHIP, ttl: 10_000 } };
    const a = await node(ground, [type], { nodeName: 'a', shutdownTimeout: 25_000, ...times });
    await running(a, 'echo');
    const b = await node(ground, [type], { nodeName: 'b', ...times });
    await formed(a, b);
    const closing = a.app.close();
    await eventually(() => gates.length === 1, { timeout: PATIENT, what: 'The end to begin' });
    // It is renewed meanwhile.
    let before = Infinity;
    await eventually(
      async () => {
        const left = Number(await ground.server.cli('PTTL', ground.keys.lease('echo')));
        const isRenewed = left > before;
        before = left;
        return isRenewed;
      },
      { timeout: PATIENT, what: 'A renewal', lastSeen: () => before },
    );
    expect(lives).toHaveLength(1);
    openGates();
    await closing;
    await eventually(() => lives.length === 2, { timeout: PATIENT, lastSeen: () => lives.length });
    expectOneAtATime(lives);
  });

  // lifecycle: force-interrupts a stuck handler after the graceful termination timeout
  it('does not wait for ever for a method that is stuck, whose caller is told', async () => {
    const [a, b] = (await entities(2, { processes: { stopTimeout: 300, timeout: 10_000 } })) as [Booted, Booted];
    const parts = await owned(a, (each) => new Set(each.map((part) => part.node)).size === 2);
    const ref = await refOf(a);
    const id = Array.from({ length: 100 }, (_, at) => String(at)).find(
      (each) => parts.find((part) => part.name.endsWith(String(ref.partitionOf(each))))?.node === 'b',
    )!;
    const stuck = ref
      .for(id)
      .call('hold', 1)
      .catch((error: unknown) => error);
    await sees(1);
    await b.app.close();
    expect(await stuck).toBeInstanceOf(CallInterruptedError);
    await owned(a, (each) => each.every((part) => part.node === 'a'));
    expect((await ref.for(id).call('increment', id)).node).toBe('a');
  });

  // sharding: does not register an entity built after its shard was released
  it('what was stopped while it started does not run when its start ends', async () => {
    const { type, lives } = recorded({}, () => gate());
    const [a] = (await cluster(ground, 2, [type])) as [Booted];
    await eventually(() => lives.length === 1, { timeout: PATIENT });
    const stopping = managerOf(a).stop('echo');
    await eventually(() => lives[0]!.ctx.signal.aborted, { timeout: PATIENT, what: 'The word to end' });
    openGates();
    await stopping;
    await lists(a, 'a stopped process', (list) => list[0]?.state === 'stopped');
    expect(await managerOf(a).lookupSingleton('echo')).toBeUndefined();
    expect(lives).toHaveLength(1);
  });
});
