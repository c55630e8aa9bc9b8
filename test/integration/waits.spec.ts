// @redis any-topology
// Nothing waits for itself: what a process does to itself from within, and processes that wait for each other.
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Callable,
  Channel,
  Channels,
  CircularWaitError,
  InjectSingleton,
  type OnProcessStart,
  type OnProcessStop,
  type ProcessContext,
  ProcessManager,
  type Remote,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, formed, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let told: string[] = [];
let begun: string[] = [];

onOwnRedis((ground) => ({ server, appName } = ground));
beforeEach(() => {
  told = [];
  begun = [];
});

/** A wait that lasts fails the test by its time. */
const PATIENT = { calls: { timeout: '10m' }, processes: { stopTimeout: '10m' }, shutdownTimeout: '10m' } as const;

const managerOf = (node: Booted): ProcessManager => node.app.get(ProcessManager);
const runs = (node: Booted, name: string, where: (epoch: number) => boolean = () => true) =>
  eventually(
    async () => {
      const ref = await managerOf(node).lookupSingleton(name);
      return ref !== undefined && where(ref.epoch) ? ref : undefined;
    },
    { what: `${name} to run`, lastSeen: () => managerOf(node).list() },
  );

@Singleton({ name: 'self' })
class Self implements OnProcessStart, OnProcessStop {
  #ctx!: ProcessContext;
  constructor(private readonly processes: ProcessManager) {}

  onProcessStart(ctx: ProcessContext): void {
    this.#ctx = ctx;
  }
  onProcessStop(reason: string): void {
    told.push(reason);
  }
  @Callable()
  async restart(): Promise<number> {
    return (await this.processes.restart('self')).epoch;
  }
  @Callable()
  async stop(): Promise<string> {
    await this.processes.stop(Self);
    return 'told to stop';
  }
  @Callable()
  async move(node: string): Promise<string> {
    return (await this.processes.move('self', node)).node;
  }
  @Callable()
  async drain(): Promise<string> {
    await this.processes.drain();
    return this.#ctx.node;
  }
  @Callable()
  later(): void {
    this.#ctx.run(async () => {
      await this.processes.restart('self');
      told.push('told to restart');
    });
  }
  @Channel('events', { type: 'restart' })
  async onRestart(): Promise<void> {
    await this.processes.restart('self');
    told.push('told to restart');
  }
}

async function two(...providers: Parameters<typeof boot>[2]): Promise<[Booted, Booted]> {
  const nodes = await Promise.all([1, 2].map(() => boot(server.url, appName, providers, PATIENT)));
  await formed(...nodes);
  return nodes as [Booted, Booted];
}

describe('a process that does something to itself from within', () => {
  it('is restarted after the call that did it, whose answer is the instance that ends', async () => {
    const [a] = await two(Self);
    const ref = await runs(a, 'self');
    expect(await ref.call('restart')).toBe(ref.epoch);
    await runs(a, 'self', (epoch) => epoch > ref.epoch);
    expect(told).toEqual(['restart']);
  });

  it('is stopped after the call that did it', async () => {
    const [a] = await two(Self);
    expect(await (await runs(a, 'self')).call('stop')).toBe('told to stop');
    await eventually(async () => (await managerOf(a).lookupSingleton('self')) === undefined, { what: 'it to stop' });
    expect(told).toEqual(['stop']);
  });

  it('moves after the call that did it, and a node drains after the call that began it', async () => {
    const nodes = await two(Self);
    const ref = await runs(nodes[0], 'self');
    const other = nodes.find(({ name }) => name !== ref.node)!;
    expect(await ref.call('move', other.name)).toBe(ref.node);
    const moved = await runs(nodes[0], 'self', (epoch) => epoch > ref.epoch);
    expect(moved.node).toBe(other.name);
    expect(await moved.call('drain')).toBe(other.name);
    const back = await runs(nodes[0], 'self', (epoch) => epoch > moved.epoch);
    expect(back.node).toBe(ref.node);
    expect(told).toEqual(['move', 'shutdown']);
  });

  it.each(['task', 'handler of a message'])('is restarted after the %s that did it', async (what) => {
    const [a] = await two(Self);
    const ref = await runs(a, 'self');
    if (what === 'task') await ref.call('later');
    else await a.app.get(Channels).broadcast('events', {}, { type: 'restart' });
    await runs(a, 'self', (epoch) => epoch > ref.epoch);
    expect(told).toEqual(expect.arrayContaining(['told to restart', 'restart']));
  });

  it('is waited for by whoever else does it, also from a timer that a call left behind', async () => {
    @Singleton({ name: 'timed' })
    class Timed {
      constructor(private readonly processes: ProcessManager) {}
      @Callable()
      arm(): void {
        setTimeout(() => {
          void this.processes.restart('timed').then(({ epoch }) => told.push(String(epoch)));
        }, 50);
      }
    }
    const [a] = await two(Timed);
    const ref = await runs(a, 'timed');
    await ref.call('arm');
    await eventually(() => told.length === 1, { what: 'The restart to be over' });
    expect(Number(told[0])).toBeGreaterThan(ref.epoch);
  });
});

/** In which hook the two call each other, and how they wait. */
let hook: 'start' | 'stop' | 'none' = 'start';
let way: 'call' | 'start' = 'call';

/** What each of them knows of the other one; named after the processes. */
class left {
  @Callable()
  ping(): void {}
}
class right {
  @Callable()
  ping(): void {}
}

async function reach(own: string, other: string, wait: () => Promise<unknown>): Promise<void> {
  begun.push(own);
  // Otherwise one may be over before the other one begins.
  if (hook === 'stop') await eventually(() => begun.length === 2, { what: 'Both to stop' });
  try {
    await wait();
    told.push(`${own} reached ${other}`);
  } catch (error) {
    told.push(error instanceof CircularWaitError ? `${own}: ${error.way.join(' ')}` : `${own}: ${String(error)}`);
  }
}

/** Reaches another one in one of its hooks. */
abstract class Reaching implements OnProcessStart, OnProcessStop {
  protected abstract reach(): Promise<void>;
  async onProcessStart(): Promise<void> {
    if (hook === 'start') await this.reach();
  }
  async onProcessStop(): Promise<void> {
    if (hook === 'stop') await this.reach();
  }
  @Callable()
  ping(): void {}
}

@Singleton({ name: 'left' })
class Left extends Reaching {
  constructor(
    private readonly processes: ProcessManager,
    @InjectSingleton(right) private readonly right: Remote<right>,
  ) {
    super();
  }
  protected reach(): Promise<void> {
    return reach('left', 'right', () => (way === 'call' ? this.right.ping() : this.processes.startSingleton(Right)));
  }
}

@Singleton({ name: 'right' })
class Right extends Reaching {
  constructor(
    private readonly processes: ProcessManager,
    @InjectSingleton(left) private readonly left: Remote<left>,
  ) {
    super();
  }
  protected reach(): Promise<void> {
    return reach('right', 'left', () => (way === 'call' ? this.left.ping() : this.processes.startSingleton(Left)));
  }
}

/** What the asker does in which hook or call, by way of the helper on another node. */
const AT = (at: string) => ({ placement: { labels: { at } } });
class asker {
  @Callable()
  ping(): string {
    return 'pong';
  }
}

@Singleton({ name: 'helper', ...AT('b') })
class Helper {
  constructor(
    private readonly processes: ProcessManager,
    @InjectSingleton(asker) private readonly asker: Remote<asker>,
  ) {}

  @Callable()
  async restart(): Promise<number> {
    return (await this.processes.restart('asker')).epoch;
  }
  @Callable()
  async stop(): Promise<string> {
    await this.processes.stop('asker');
    return 'told to stop';
  }
  @Callable()
  ping(): Promise<string> {
    return this.asker.ping();
  }
}

@Singleton({ name: 'asker', ...AT('a') })
class Asker implements OnProcessStop {
  constructor(@InjectSingleton(Helper) private readonly helper: Remote<Helper>) {}

  @Callable()
  ask(what: 'restart' | 'stop'): Promise<unknown> {
    return this.helper[what]();
  }
  @Callable()
  ping(): string {
    return 'pong';
  }
  async onProcessStop(): Promise<void> {
    if (hook !== 'stop') return;
    told.push(await this.helper.ping().catch((error: unknown) => String(error)));
  }
}

describe('a process that another node works for', () => {
  const apart = async (): Promise<Booted[]> => {
    const nodes = await Promise.all(
      ['a', 'b'].map((at) => boot(server.url, appName, [Asker, Helper], { ...PATIENT, labels: { at } })),
    );
    await formed(...nodes);
    await runs(nodes[0]!, 'helper');
    hook = 'none';
    return nodes;
  };

  it('is restarted, or stopped, after the call that asked for it there', async () => {
    const [a] = await apart();
    const ref = await runs(a!, 'asker');
    expect(await ref.call('ask', 'restart')).toBe(ref.epoch);
    const next = await runs(a!, 'asker', (epoch) => epoch > ref.epoch);
    expect(await next.call('ask', 'stop')).toBe('told to stop');
    await eventually(async () => (await managerOf(a!).lookupSingleton('asker')) === undefined, { what: 'it to stop' });
  });

  it('is not waited for by what its stop hook waits for', async () => {
    const [a] = await apart();
    await runs(a!, 'asker');
    hook = 'stop';
    await managerOf(a!).restart('asker');
    hook = 'none';
    expect(told).toEqual([expect.stringMatching(/CircularWaitError|"asker" waits for itself/)]);
  });
});

describe('processes that wait for each other', () => {
  const circles = (): string[] =>
    told.filter((line) => ['left: left right left', 'right: right left right'].includes(line));

  it.each(['call', 'start'] as const)('are told so in their start hooks (%s)', async (given) => {
    [hook, way] = ['start', given];
    const [a] = await two(Left, Right);
    await runs(a, 'left');
    await runs(a, 'right');
    expect(told).toHaveLength(2);
    // One of them is enough: the other one then reaches it, or was told at the same time.
    expect(circles().length).toBeGreaterThan(0);
    expect(told.filter((line) => line.includes('Error'))).toEqual([]);
  });

  it('are told so in their stop hooks', async () => {
    [hook, way] = ['stop', 'call'];
    const [a, b] = await two(Left, Right);
    await runs(a, 'left');
    await runs(a, 'right');
    // Not stopped for good: where only one of them is told, the other one waits until that one runs again.
    await Promise.all([managerOf(a).restart('left'), managerOf(b).restart('right')]);
    hook = 'none';
    expect(told).toHaveLength(2);
    expect(circles().length).toBeGreaterThan(0);
    expect(told.filter((line) => line.includes('Error'))).toEqual([]);
  });

  it('are told so when it is one that waits for its own start', async () => {
    @Singleton({ name: 'narcissus' })
    class Narcissus implements OnProcessStart {
      constructor(private readonly processes: ProcessManager) {}
      async onProcessStart(): Promise<void> {
        await this.processes.startSingleton(Narcissus).catch((error: unknown) => told.push(String(error)));
      }
    }
    const [a] = await two(Narcissus);
    await runs(a, 'narcissus');
    expect(told).toEqual([expect.stringContaining('"narcissus" waits for itself')]);
  });
});
