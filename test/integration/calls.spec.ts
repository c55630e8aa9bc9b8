// @redis any-topology
// Remote calls between nodes: applications in this process, each a node of a cluster on real Redis.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  Callable,
  CallInterruptedError,
  CallRefusedError,
  CallTimeoutError,
  InjectSingleton,
  Membership,
  type ProcessContext,
  ProcessManager,
  type ProcessRef,
  type Remote,
  RemoteError,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { keysOf } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, formed, onOwnRedis } from './fixture.js';

let calls: { method: string; node: string }[] = [];
let release: (() => void)[] = [];

@Singleton({ name: 'ledger' })
class Ledger {
  #ctx!: ProcessContext;
  #total = 0;

  onProcessStart(ctx: ProcessContext): void {
    this.#ctx = ctx;
  }

  @Callable()
  add(amount: number): { total: number; node: string } {
    calls.push({ method: 'add', node: this.#ctx.node });
    this.#total += amount;
    return { total: this.#total, node: this.#ctx.node };
  }

  @Callable()
  nothing(): void {}

  @Callable()
  echo(value: unknown): unknown {
    return value;
  }

  @Callable()
  fail(): never {
    throw Object.assign(new TypeError('no such account'), { code: 'E_ACCOUNT' });
  }

  @Callable()
  async hang(): Promise<void> {
    calls.push({ method: 'hang', node: this.#ctx.node });
    await new Promise<void>((resolve) => release.push(resolve));
  }

  @Callable({ idempotent: true })
  async hangOnce(): Promise<string> {
    calls.push({ method: 'hangOnce', node: this.#ctx.node });
    if (calls.filter(({ method }) => method === 'hangOnce').length === 1) {
      await new Promise<void>((resolve) => release.push(resolve));
    }
    return this.#ctx.node;
  }

  @Callable({ timeout: 150 })
  async slow(): Promise<void> {
    await new Promise<void>((resolve) => release.push(resolve));
  }

  @Callable()
  break(): void {
    this.#ctx.fail(new Error('broken'));
  }

  secret(): string {
    return 'not for others';
  }
}

@Injectable()
class Shop {
  constructor(@InjectSingleton(Ledger) readonly ledger: Remote<Ledger>) {}
}

let server: RedisServer;
let appName: string;

// Before the nodes are closed, which waits for the calls.
afterEach(() => {
  for (const let_go of release) let_go();
});
onOwnRedis((ground) => ({ server, appName } = ground));
beforeEach(() => {
  calls = [];
  release = [];
});

async function cluster(size = 2, options: Parameters<typeof boot>[3] = {}): Promise<Booted[]> {
  const nodes = await Promise.all(
    Array.from({ length: size }, () => boot(server.url, appName, [Ledger, Shop], options)),
  );
  await formed(...nodes);
  return nodes;
}

const managerOf = (node: Booted): ProcessManager => node.app.get(ProcessManager);
const refOf = (node: Booted): Promise<ProcessRef<Ledger>> =>
  eventually(() => managerOf(node).lookupSingleton(Ledger), { what: 'The ledger to run' });

/** The owner, and a node that is not. */
async function sides(nodes: readonly Booted[]): Promise<{ owner: Booted; other: Booted; ref: ProcessRef<Ledger> }> {
  const ref = await refOf(nodes[0]!);
  const owner = nodes.find(({ name }) => name === ref.node)!;
  const other = nodes.find(({ name }) => name !== ref.node)!;
  return { owner, other, ref: await refOf(other) };
}

describe('a call', () => {
  it('reaches the owner from every node, also by injection, and brings the result back', async () => {
    const { owner, other, ref } = await sides(await cluster());
    expect(await ref.call('add', 2)).toEqual({ total: 2, node: owner.name });
    expect(await other.app.get(Shop).ledger.add(3)).toEqual({ total: 5, node: owner.name });
    expect(await owner.app.get(Shop).ledger.add(1)).toEqual({ total: 6, node: owner.name });
    expect(await ref.remote.nothing()).toBeUndefined();
  });

  it('copies arguments and results, so that both sides see the same whether or not they share a process', async () => {
    const { owner, other } = await sides(await cluster());
    const value = { nested: [1, { two: 2 }] };
    for (const node of [owner, other]) {
      const result = await node.app.get(Shop).ledger.echo(value);
      expect(result).toEqual(value);
      expect(result).not.toBe(value);
    }
  });

  it('carries an error with name, message and code, and no stack of the other node', async () => {
    const { owner, ref } = await sides(await cluster());
    const error = await ref.remote.fail().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ name: 'TypeError', message: 'no such account', code: 'E_ACCOUNT' });
    expect((error as RemoteError).subject).toEqual({ processName: 'ledger', method: 'fail', node: owner.name });
    expect((error as RemoteError).stack).not.toContain('Ledger.fail');
  });

  it('is refused for a method without the mark, for an inherited one and for the hooks, with and without the class', async () => {
    const { other, ref } = await sides(await cluster());
    const untyped = (await managerOf(other).lookupSingleton<Record<string, () => unknown>>('ledger'))!;
    for (const method of ['secret', 'constructor', 'toString', 'onProcessStart', '__proto__', 'missing']) {
      await expect(ref.call(method as 'add', 1)).rejects.toThrow(CallRefusedError);
      await expect(untyped.call(method)).rejects.toMatchObject({ why: 'not-callable' });
    }
  });

  it('finds the new owner after a move, with a ref from before', async () => {
    const nodes = await cluster(3);
    const { owner, other, ref } = await sides(nodes);
    await ref.call('add', 1);
    const moved = await managerOf(owner).move('ledger', other.name);
    expect(moved.node).toBe(other.name);
    expect(moved.epoch).toBeGreaterThan(ref.epoch);
    expect(await ref.call('add', 1)).toEqual({ total: 1, node: other.name });
  });

  it.each(['redis', 'direct'] as const)('never fails because a node leaves in order, over %s', async (transport) => {
    const direct = { transport, security: { cookie: 'a cookie that is long enough' } } as const;
    const nodes = await cluster(3, transport === 'direct' ? direct : {});
    const { owner, ref } = await sides(nodes);
    const failed: unknown[] = [];
    let isOver = false;
    let count = 0;
    const caller = async (): Promise<void> => {
      while (!isOver && failed.length === 0) {
        await ref.call('nothing').catch((error: unknown) => failed.push(error));
        count += 1;
      }
    };
    const callers = Promise.all(Array.from({ length: 8 }, caller));
    await owner.app.close();
    const after = count;
    await eventually(() => count > after + 100 || failed.length > 0, { lastSeen: () => count - after });
    isOver = true;
    await callers;
    expect(failed).toEqual([]);
  });

  it('waits for an owner while there is none, and is refused at once by what a command stopped', async () => {
    const [node, other] = await cluster(2);
    const ref = await refOf(node!);
    await ref.call('add', 1);
    const restarting = managerOf(other!).restart('ledger');
    expect(await ref.with({ timeout: '10m' }).call('add', 1)).toMatchObject({ total: expect.any(Number) });
    await restarting;
    await managerOf(other!).stop('ledger');
    for (const caller of [ref, await refOf(other!).catch(() => ref)]) {
      const refused = caller.with({ timeout: '10m' }).call('add', 1);
      await expect(refused).rejects.toMatchObject({ why: 'not-running' });
      await expect(refused).rejects.toThrow('It is stopped; restart("ledger") starts it again.');
    }
    await managerOf(other!).restart('ledger');
    expect(await ref.call('add', 1)).toMatchObject({ total: 1 });
  });

  it('ends with its timeout or its signal, and the outcome is said to be unknown', async () => {
    const { ref } = await sides(await cluster());
    await expect(ref.with({ timeout: 100 }).call('hang')).rejects.toThrow(CallTimeoutError);
    const abort = new AbortController();
    const call = ref.with({ signal: abort.signal }).call('hang');
    await eventually(() => calls.length === 2, { what: 'The second call to arrive' });
    abort.abort(new Error('changed my mind'));
    await expect(call).rejects.toThrow('changed my mind');
    await expect(ref.with({ timeout: 0 }).call('hang')).rejects.toMatchObject({ code: 'FOUNDATION_ARGUMENT' });
  });

  it('is interrupted when its node leaves, and is sent again only when the method is idempotent', async () => {
    const nodes = await cluster(3, { shutdownTimeout: 1000, processes: { stopTimeout: 100 } });
    const { owner, ref } = await sides(nodes);
    const once = ref.call('hang');
    const again = ref.call('hangOnce');
    const outcomes = Promise.allSettled([once, again]);
    await eventually(() => calls.length === 2, { what: 'Both calls to arrive' });
    await owner.app.close();
    const [interrupted, repeated] = await outcomes;
    expect(interrupted).toMatchObject({ status: 'rejected' });
    expect((interrupted as PromiseRejectedResult).reason).toBeInstanceOf(CallInterruptedError);
    expect(repeated).toMatchObject({ status: 'fulfilled' });
    expect(calls.filter(({ method }) => method === 'hang')).toHaveLength(1);
    expect(calls.filter(({ method }) => method === 'hangOnce')).toHaveLength(2);
  });

  it('is interrupted when its instance has crashed, and does not wait for its time', async () => {
    const nodes = await cluster(2, { calls: { timeout: '10m' }, processes: { stopTimeout: '2s' } });
    for (const caller of nodes) {
      calls.length = 0;
      const ref = await refOf(caller);
      const outcomes = Promise.allSettled([ref.call('hang'), ref.call('hangOnce')]);
      await eventually(() => calls.length === 2, { what: 'Both calls to arrive' });
      await ref.call('break');
      const [interrupted, repeated] = await outcomes;
      expect((interrupted as PromiseRejectedResult).reason).toBeInstanceOf(CallInterruptedError);
      expect(repeated).toMatchObject({ status: 'fulfilled' });
      expect(calls.map(({ method }) => method)).toEqual(['hang', 'hangOnce', 'hangOnce']);
    }
  });

  it('has the idempotence and the time of the method, also from a node that does not have the class', async () => {
    const nodes = await cluster(2, { shutdownTimeout: 1000, processes: { stopTimeout: 100 } });
    const stranger = await boot(server.url, appName, []);
    await formed(...nodes, stranger);
    const { owner } = await sides(nodes);
    const named = await managerOf(stranger).lookupSingleton('ledger');
    await expect(named!.call('slow')).rejects.toMatchObject({ timeoutMs: 150 });
    const again = named!.call('hangOnce');
    await eventually(() => calls.length === 1, { what: 'The call to arrive' });
    const [answer] = await Promise.all([again, owner.app.close()]);
    expect(answer).not.toBe(owner.name);
    expect(calls.map(({ method }) => method)).toEqual(['hangOnce', 'hangOnce']);
  });

  it('is refused when too many wait, and those that wait are served', async () => {
    const { ref } = await sides(await cluster(2, { calls: { concurrency: 2, queue: 1 } }));
    const held = [ref.call('hang'), ref.call('hang')];
    await eventually(() => calls.length === 2, { what: 'Two calls to run' });
    const third = ref.call('add', 1);
    await expect(
      eventually(
        async () =>
          (await ref
            .with({ timeout: 300 })
            .call('add', 1)
            .catch((error: unknown) => error)) as object,
      ),
    ).resolves.toMatchObject({ why: 'busy' });
    for (const let_go of release) let_go();
    await Promise.all(held);
    expect(await third).toMatchObject({ total: 1 });
  });

  it('refuses arguments that JSON cannot write or that are too large, and a result that is', async () => {
    const { ref } = await sides(await cluster(2, { channels: { maxMessageBytes: 2048 } }));
    await expect(ref.call('echo', 1n)).rejects.toMatchObject({ code: 'FOUNDATION_ARGUMENT' });
    await expect(ref.call('echo', 'x'.repeat(3000))).rejects.toMatchObject({ code: 'FOUNDATION_ARGUMENT' });
    await expect(ref.call('echo', 'x'.repeat(1500))).resolves.toHaveLength(1500);
  });
});

describe('a cast', () => {
  it('arrives once and is not waited for', async () => {
    const { ref } = await sides(await cluster());
    await ref.cast('add', 5);
    await eventually(() => calls.length === 1, { what: 'The cast to arrive' });
    expect(await ref.call('add', 1)).toMatchObject({ total: 6 });
  });
});

describe('an inbox', () => {
  it('drops what is no call, and neither stops working nor lets a stale epoch through', async () => {
    const nodes = await cluster();
    const { owner, ref } = await sides(nodes);
    const inbox = keysOf(appName).inbox(owner.app.get(Membership).self.bootId);
    const stale = {
      v: 1,
      kind: 'call',
      id: 'x',
      from: '',
      process: 'ledger',
      epoch: 1,
      method: 'add',
      args: [1],
      timeout: 99,
    };
    const junk = ['{', '[]', '[null,1,"x"]', '{"v":9}', '{"v":1,"kind":"call","id":"x"}', '{"__proto__":{"a":1}}'];
    for (const text of [...junk, JSON.stringify(stale)]) await server.cli('PUBLISH', inbox, text);
    expect(await ref.call('add', 1)).toMatchObject({ total: 1 });
    expect(owner.of('message.dropped').length).toBeGreaterThanOrEqual(5);
  });
});
