// @redis any-topology
// Hand-over, placement and drain over several applications in this process, on real Redis.
import { describe, expect, it } from '@jest/globals';
import {
  ArgumentError,
  Callable,
  Channel,
  Channels,
  Membership,
  Partitioned,
  type ProcessContext,
  ProcessManager,
  type ProcessRef,
  Replicated,
  Singleton,
  UnknownProcessError,
} from 'nestjs-foundation';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { keysOf } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, CapturedLog, formed, onOwnRedis, type Provider } from './fixture.js';

@Singleton({ name: 'counter', handoff: true })
class Counter {
  #count = 0;
  #ctx!: ProcessContext;
  onProcessStart(ctx: ProcessContext): void {
    this.#ctx = ctx;
    this.#count = typeof ctx.handoff === 'number' ? ctx.handoff : 0;
  }
  onHandoff(): number {
    return this.#count;
  }
  @Callable()
  add(amount: number): number {
    this.#count += amount;
    return this.#count;
  }
  @Callable()
  crash(): void {
    this.#ctx.fail(new Error('asked to'));
  }
}

@Singleton({ name: 'huge', handoff: true })
class Huge {
  inherited: unknown;
  onProcessStart(ctx: ProcessContext): void {
    this.inherited = ctx.handoff;
  }
  onHandoff(): string {
    return 'x'.repeat(2 * 1024 * 1024);
  }
  @Callable()
  has(): boolean {
    return this.inherited !== undefined;
  }
}

@Singleton({ name: 'labelled', placement: { labels: { role: 'worker' } } })
class Labelled {}

@Singleton({ name: 'one' })
class One {}

@Singleton({ name: 'other' })
class Other {}

let server: RedisServer;
let appName: string;
let log: CapturedLog;

onOwnRedis((ground) => ({ server, appName, log } = ground));

type Options = Parameters<typeof boot>[3];

async function cluster(providers: Provider[], ...options: Options[]): Promise<Booted[]> {
  const defaults: Options = { processes: { timeout: 5000, backoff: { base: 10, cap: 50 } } };
  const nodes = await Promise.all(
    options.map((each) => boot(server.url, appName, providers, { ...defaults, ...each })),
  );
  await formed(...nodes);
  return nodes;
}

const managerOf = (node: Booted): ProcessManager => node.app.get(ProcessManager);
const runningOn = <T>(node: Booted, name: string): Promise<ProcessRef<T>> =>
  eventually(() => managerOf(node).lookupSingleton<T>(name), { what: `"${name}" to run` });

describe('a hand-off', () => {
  it('gives the next instance the state of the last one on a move, a restart and a drain', async () => {
    const nodes = await cluster([Counter], {}, {}, {});
    const first = await runningOn<Counter>(nodes[0]!, 'counter');
    expect(await first.call('add', 5)).toBe(5);
    const target = nodes.find(({ name }) => name !== first.node)!;
    const moved = await managerOf(nodes[0]!).move<Counter>('counter', target.name);
    expect(moved.node).toBe(target.name);
    expect(await moved.call('add', 1)).toBe(6);
    const restarted = await managerOf(nodes[0]!).restart<Counter>('counter');
    expect(await restarted.call('add', 1)).toBe(7);
    const owner = nodes.find(({ name }) => name === restarted.node)!;
    const caller = nodes.find((node) => node !== owner)!;
    await owner.app.close();
    const after = await eventually(async () => {
      const ref = await managerOf(caller).lookupSingleton<Counter>('counter');
      return ref !== undefined && ref.node !== owner.name ? ref : undefined;
    });
    expect(await after.call('add', 1)).toBe(8);
  });

  it('is not made after a crash, and an old one is not taken twice', async () => {
    const [node] = await cluster([Counter], {});
    const ref = await runningOn<Counter>(node!, 'counter');
    await ref.call('add', 5);
    const restarted = await managerOf(node!).restart<Counter>('counter');
    expect(await restarted.call('add', 1)).toBe(6);
    await restarted.cast('crash');
    const again = await eventually(async () => {
      const found = await managerOf(node!).lookupSingleton<Counter>('counter');
      return found !== undefined && found.epoch > restarted.epoch ? found : undefined;
    });
    expect(await again.call('add', 1)).toBe(1);
  });

  it('that is too large is dropped with a warning, and the process starts without it', async () => {
    const [node] = await cluster([Huge], {});
    await runningOn(node!, 'huge');
    const ref = await managerOf(node!).restart<Huge>('huge');
    expect(await ref.call('has')).toBe(false);
    expect(log.lines.join('\n')).toContain('onHandoff failed');
  });
});

describe('a move', () => {
  it.each(['events', 'orders'])('waits for the handler that is under way on "%s"', async (channel) => {
    const steps: string[] = [];
    let end!: () => void;
    const gate = new Promise<void>((resolve) => (end = resolve));
    @Singleton({ name: 'hearing' })
    class Hearing {
      #node = '';
      onProcessStart({ node }: ProcessContext): void {
        this.#node = node;
        steps.push(`${node} starts`);
      }
      onProcessStop(): void {
        steps.push(`${this.#node} stops`);
      }
      @Channel(channel, { group: 'hearing' })
      async hear(message: unknown): Promise<void> {
        steps.push(`${this.#node} begins ${String(message)}`);
        await gate;
        steps.push(`${this.#node} ends ${String(message)}`);
      }
    }
    const channels = { names: { orders: { durable: true } } };
    const [a, b] = (await cluster([Hearing], { channels }, { channels })) as [Booted, Booted];
    const { node } = await runningOn(a, 'hearing');
    const other = node === a.name ? b : a;
    // A member of a group is heard of a moment after it subscribes.
    await eventually(async () => {
      await a.app.get(Channels).broadcast(channel, 1);
      return steps.includes(`${node} begins 1`);
    });
    const moving = managerOf(a).move('hearing', other.name);
    await eventually(() => steps.includes(`${node} stops`));
    const before = Date.now();
    await eventually(() => Date.now() > before + 500);
    expect(steps).toEqual([`${node} starts`, `${node} begins 1`, `${node} stops`]);
    end();
    expect((await moving).node).toBe(other.name);
    const moved = steps.indexOf(`${other.name} starts`);
    expect(steps.slice(0, moved)).toEqual([`${node} starts`, `${node} begins 1`, `${node} stops`, `${node} ends 1`]);
    expect(steps.slice(moved).filter((step) => step.startsWith(node))).toEqual([]);
  });

  it('to a node that cannot run it is refused with the reason, and nothing happens', async () => {
    const nodes = await cluster([One], {}, {});
    const ref = await runningOn(nodes[0]!, 'one');
    const manager = managerOf(nodes[0]!);
    await expect(manager.move('one', 'nowhere')).rejects.toThrow(ArgumentError);
    await expect(manager.move('unknown', nodes[0]!.name)).rejects.toThrow(UnknownProcessError);
    expect((await manager.move('one', ref.node)).epoch).toBe(ref.epoch);
  });
});

describe('a process that has ended', () => {
  it.each<[state: string, restart: 'permanent' | 'transient' | 'temporary', end: 'stop' | 'complete' | 'fail']>([
    ['stopped', 'permanent', 'stop'],
    ['completed', 'transient', 'complete'],
    ['failed', 'temporary', 'fail'],
  ])('is not begun by a move: %s', async (state, restart, end) => {
    const begun: string[] = [];
    class Job {
      onProcessStart(ctx: ProcessContext): void {
        begun.push(ctx.node);
        if (end === 'complete') ctx.run(() => Promise.resolve(ctx.complete()));
        if (end === 'fail') ctx.run(() => Promise.reject(new Error('it failed')));
      }
    }
    const [a, b] = (await cluster([Job], {}, {})) as [Booted, Booted];
    const starting = managerOf(a).startSingleton(Job, [], { name: 'job', restart });
    await (end === 'fail' ? starting.catch(() => undefined) : starting);
    if (end === 'stop') await managerOf(a).stop('job');
    const seen = async () => (await managerOf(b).list()).find(({ name }) => name === 'job')?.state;
    await eventually(async () => (await seen()) === state, { what: 'The end', lastSeen: seen });
    for (const { name } of [a, b]) {
      await expect(managerOf(b).move('job', name)).rejects.toThrow(new RegExp(`\\(it (is|has) ${state}\\)`));
    }
    expect([await seen(), begun.length]).toEqual([state, 1]);
    await managerOf(b)
      .restart('job')
      .catch(() => undefined);
    expect(begun.length).toBe(2);
  });

  it.each([
    ['a partition', 'parts/1'],
    ['a replica', 'copies#1'],
  ])('stays down as %s of what runs, until it is restarted', async (_what, slot) => {
    @Partitioned({ name: 'parts', partitions: 3 })
    class Parts {}
    @Replicated({ name: 'copies', replicas: 2 })
    class Copies {}
    const [a, b] = (await cluster([Parts, Copies], {}, {})) as [Booted, Booted];
    const stateOf = async (name: string) => (await managerOf(b).list()).find((each) => each.name === name)?.state;
    const others = ['parts/0', 'parts/1', 'parts/2', 'copies#0', 'copies#1'].filter((name) => name !== slot);
    const run = async (...names: string[]) =>
      (await Promise.all(names.map(stateOf))).every((state) => state === 'running');
    await eventually(() => run(slot, ...others), { what: 'All of them' });
    await managerOf(a).stop(slot);
    expect(await stateOf(slot)).toBe('stopped');
    expect(await run(...others)).toBe(true);
    for (const { name } of [a, b]) await expect(managerOf(a).move(slot, name)).rejects.toThrow(/it is stopped/);
    await managerOf(b).restart(slot);
    await eventually(() => run(slot, ...others), { what: 'It again' });
  });

  it('stays down when a move comes while its stop is under way', async () => {
    const [a, b] = (await cluster([One], {}, {})) as [Booted, Booted];
    for (let round = 0; round < 5; round++) {
      const { node } = await runningOn(a, 'one');
      const stop = managerOf(a).stop('one');
      const row = keysOf(appName).processes;
      await eventually(async () => (await server.cli('HGET', row, 'one')).includes('"stopped"'));
      const move = managerOf(b).move('one', node === a.name ? b.name : a.name);
      await expect(move).rejects.toThrow(/it is stopped/);
      await stop;
      expect((await managerOf(b).list()).find(({ name }) => name === 'one')).toMatchObject({ state: 'stopped' });
      await managerOf(b).restart('one');
    }
  });
});

describe('a process that this node has not heard of yet', () => {
  it('is looked for in Redis before it is called unknown', async () => {
    const [node] = await cluster([One], {});
    await runningOn(node!, 'one');
    const { processes, processVersions } = keysOf(appName);
    // As another node writes it; the hint that goes with it is what may come late.
    for (const name of ['late', 'later']) {
      const row = JSON.parse(await server.cli('HGET', processes, 'one')) as object;
      await server.cli('HSET', processes, name, JSON.stringify({ ...row, name }));
      const [, newest] = (await server.cli('ZREVRANGE', processVersions, '0', '0', 'WITHSCORES')).split('\n');
      await server.cli('ZADD', processVersions, String(Number(newest) + 1), name);
      if (name === 'late') expect((await managerOf(node!).move(name, node!.name)).node).toBe(node!.name);
      else await managerOf(node!).stop(name);
    }
    await expect(managerOf(node!).restart('never')).rejects.toThrow(UnknownProcessError);
  });
});

describe('placement', () => {
  it('keeps to the labels, and explains itself', async () => {
    const [plain, worker] = await cluster(
      [Labelled],
      { nodeName: 'plain' },
      { nodeName: 'worker', labels: { role: 'worker' } },
    );
    expect((await runningOn(plain!, 'labelled')).node).toBe('worker');
    const candidates = managerOf(worker!).explainPlacement('labelled');
    expect(candidates.map(({ node, excluded }) => [node, excluded])).toEqual([
      ['worker', false],
      ['plain', true],
    ]);
    expect(candidates[1]!.reason).toContain('role=worker');
    await expect(managerOf(plain!).move('labelled', 'plain')).rejects.toThrow('role=worker');
  });

  it('respects the capacity of a node', async () => {
    const nodes = await cluster([One, Other], { nodeName: 'full', capacity: 0 }, { nodeName: 'free' });
    expect((await runningOn(nodes[0]!, 'one')).node).toBe('free');
    expect((await runningOn(nodes[0]!, 'other')).node).toBe('free');
  });
});

describe('a drain', () => {
  it('moves everything away, and the node stays a member that takes nothing', async () => {
    const nodes = await cluster([One, Other, Counter], {}, {});
    for (const name of ['one', 'other', 'counter']) await runningOn(nodes[0]!, name);
    const leaving = nodes[0]!;
    const staying = nodes[1]!;
    await managerOf(leaving).drain();
    for (const name of ['one', 'other', 'counter']) {
      await eventually(async () => (await managerOf(staying).lookupSingleton(name))?.node === staying.name, {
        what: `"${name}" to run on the node that stays`,
      });
    }
    const member = staying.app
      .get(Membership)
      .members()
      .find(({ name }) => name === leaving.name);
    expect(member?.state).toBe('draining');
    expect(
      managerOf(staying)
        .explainPlacement('one')
        .find(({ node }) => node === leaving.name)?.excluded,
    ).toBe(true);
  });
});
