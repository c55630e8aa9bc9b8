// One question to all nodes: who answers, who does not, and why not. On real Redis; deaths in processes of their own.
import { afterEach, describe, expect, it } from '@jest/globals';
import { type CanActivate, ForbiddenException, Injectable, UseGuards, UseInterceptors } from '@nestjs/common';
import { IsInt } from 'class-validator';
import {
  ArgumentError,
  Callable,
  CallRefusedError,
  Channel,
  Channels,
  type FoundationOptions,
  LimitError,
  MessageError,
  Partitioned,
  ProcessManager,
  Singleton,
  UnknownChannelError,
  UnknownProcessError,
} from 'nestjs-foundation';
import { map } from 'rxjs';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { TestCluster } from '../support/cluster.js';
import { ENV } from '../support/node.protocol.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, formed, onOwnRedis, type Provider } from './fixture.js';

let server: RedisServer;
let appName: string;

onOwnRedis((ground) => ({ server, appName } = ground));

const bootNode = (providers: Provider[] = [], options: FoundationOptions = {}) =>
  boot(server.url, appName, providers, options);
const channelsOf = ({ app }: Booted) => app.get(Channels);
const manager = ({ app }: Booted) => app.get(ProcessManager);

/** Until the node knows that so many nodes listen. */
const listened = (node: Booted, channel: string, count: number) =>
  eventually(
    async () => (await channelsOf(node).gather(channel, 'anybody?', { timeout: 5000 })).answers.length === count,
    {
      what: `${count} nodes that answer on ${channel}`,
    },
  );

class Numbered {
  @IsInt() id!: number;
}

class Nobody implements CanActivate {
  canActivate(): boolean {
    throw new ForbiddenException('not you');
  }
}

const doubled = {
  intercept: (_: unknown, next: { handle: () => import('rxjs').Observable<number> }) =>
    next.handle().pipe(map((n) => 2 * n)),
};

describe('A gather', () => {
  it('has what the handlers of every node return, after JSON, those of this one included', async () => {
    const [a, b] = [await bootNode(), await bootNode()];
    const answer = (node: Booted) => () => ({ node: node.name, at: new Date(0), none: undefined });
    await channelsOf(a).subscribe('control', answer(a));
    await channelsOf(b).subscribe('control', answer(b));
    await formed(a, b);
    await listened(a, 'control', 2);
    const gathered = await channelsOf(a).gather('control', 'who?', { timeout: 5000 });
    const value = (node: Booted) => ({ node: node.name, value: { node: node.name, at: '1970-01-01T00:00:00.000Z' } });
    expect(gathered.answers.sort((x, y) => (x.node < y.node ? -1 : 1))).toEqual([value(a), value(b)]);
    expect(gathered).toMatchObject({ missing: [], complete: true });
    expect(a.of('message.gathered').at(-1)).toMatchObject({
      channel: 'control',
      answers: 2,
      missing: 0,
      complete: true,
    });
  });

  it('never rejects because of a node: each that fails is missing, with the reason', async () => {
    @Injectable()
    class Handlers {
      @Channel('control', { type: 'guarded' })
      @UseGuards(Nobody)
      guarded(): number {
        return 1;
      }
      @Channel('control', { type: 'doubled' })
      @UseInterceptors(doubled)
      doubled(): number {
        return 21;
      }
      @Channel('control', { type: 'numbered', payload: Numbered })
      numbered({ id }: Numbered): number {
        return id;
      }
      @Channel('control', { type: 'wrong' })
      wrong(message: string): unknown {
        if (message === 'BigInt') return 1n;
        if (message === 'large') return 'x'.repeat(2_000_000);
        throw new Error('x'.repeat(100_000));
      }
    }
    const [a, b] = [await bootNode(), await bootNode([Handlers])];
    await formed(a, b);
    const ask = (type: string, message: unknown) => channelsOf(a).gather('control', message, { type, timeout: 10_000 });
    await eventually(async () => (await ask('doubled', 0)).answers.length === 1);
    expect((await ask('doubled', 0)).answers).toEqual([{ node: b.name, value: 42 }]);
    expect((await ask('numbered', { id: 7 })).answers).toEqual([{ node: b.name, value: 7 }]);
    const missing = async (type: string, message: unknown) => (await ask(type, message)).missing;
    expect(await missing('numbered', { id: 'x' })).toMatchObject([{ node: b.name, reason: 'invalid-payload' }]);
    expect(await missing('guarded', 0)).toMatchObject([
      { reason: 'failed', message: expect.stringContaining('not you') },
    ]);
    expect(await missing('wrong', 'BigInt')).toMatchObject([{ reason: 'failed' }]);
    expect(await missing('wrong', 'large')).toMatchObject([
      { reason: 'failed', message: expect.stringContaining('channels.maxMessageBytes') },
    ]);
    const [failed] = await missing('wrong', '');
    expect(failed!.reason).toBe('failed');
    expect(failed!.message!.length).toBeLessThan(1100);
    // Nobody takes this type.
    expect(await ask('unheard of', 0)).toEqual({ answers: [], missing: [], complete: true });
  });

  it('asks one member of a group', async () => {
    const nodes = [await bootNode(), await bootNode(), await bootNode()];
    for (const node of nodes) await channelsOf(node).subscribe('control', () => node.name, { group: 'workers' });
    await formed(...nodes);
    const [a] = nodes as [Booted];
    const seen = new Set<unknown>();
    await eventually(async () => {
      const { answers, complete } = await channelsOf(a).gather('control', 'next', { timeout: 5000 });
      if (complete) for (const { value } of answers) seen.add(value);
      expect(answers.length).toBeLessThanOrEqual(1);
      return seen.size === 3;
    });
  });

  it('resolves with the first answers that are enough', async () => {
    const [a, b] = [await bootNode(), await bootNode()];
    await channelsOf(a).subscribe('control', () => 'quick');
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    await channelsOf(b).subscribe('control', async (message) => (message === 'slow' ? released : undefined), {
      concurrency: 10,
    });
    await formed(a, b);
    await listened(a, 'control', 2);
    const { answers, missing, complete } = await channelsOf(a).gather('control', 'slow', { timeout: 60_000, min: 1 });
    release();
    expect(answers).toEqual([{ node: a.name, value: 'quick' }]);
    expect(missing).toEqual([{ node: b.name, reason: 'not-awaited' }]);
    expect(complete).toBe(false);
  });

  it('refuses what is wrong with a clear error, and rejects with the reason of its signal', async () => {
    const a = await bootNode([], { channels: { names: { kept: { durable: true } } } });
    await channelsOf(a).subscribe('control', () => new Promise(() => undefined), { concurrency: 2000 });
    const ask = (options: object, channel = 'control', message: unknown = 1) =>
      channelsOf(a).gather(channel, message, options);
    for (const wrong of [{ timeout: 0 }, { timeout: -1 }, { timeout: '2 fortnights' }, { min: 0 }, { min: 1.5 }]) {
      await expect(ask(wrong)).rejects.toBeInstanceOf(ArgumentError);
    }
    for (const wrong of [{ signal: {} }, { quorum: 2 }, { group: 'x' }, null, 5]) {
      await expect(ask(wrong as object)).rejects.toBeInstanceOf(ArgumentError);
    }
    await expect(ask({}, 'kept')).rejects.toThrow(/durable/);
    await expect(ask({}, 'undeclared')).rejects.toBeInstanceOf(UnknownChannelError);
    await expect(ask({}, 'control', 1n)).rejects.toBeInstanceOf(MessageError);
    await expect(ask({}, 'control', 'x'.repeat(2_000_000))).rejects.toBeInstanceOf(MessageError);
    await expect(ask({ signal: AbortSignal.abort('no') })).rejects.toBe('no');
    const abort = new AbortController();
    const asked = ask({ signal: abort.signal, timeout: 60_000 });
    abort.abort('enough');
    await expect(asked).rejects.toBe('enough');
    const many = Array.from({ length: 1000 }, () => ask({ timeout: 60_000 }));
    await expect(ask({})).rejects.toBeInstanceOf(LimitError);
    await a.app.close();
    for (const { missing } of await Promise.all(many)) expect(missing).toEqual([{ node: a.name, reason: 'closing' }]);
    await expect(ask({})).rejects.toMatchObject({ code: 'FOUNDATION_NOT_READY' });
  });

  it('is there without a cluster', async () => {
    const a = await boot(undefined, appName, [], { cluster: false });
    await channelsOf(a).subscribe('control', (message) => message);
    const { answers, complete } = await channelsOf(a).gather('control', { a: 1 });
    expect({ answers, complete }).toEqual({ answers: [{ node: a.name, value: { a: 1 } }], complete: true });
  });
});

@Partitioned({ name: 'sums', partitions: 5 })
class Sums {
  @Callable()
  add(a: number, b: number): number {
    return a + b;
  }
  @Callable()
  fail(): void {
    throw new Error('on purpose');
  }
  secret(): void {}
}

@Singleton({ name: 'alone' })
class Alone {
  @Callable()
  here(): string {
    return 'here';
  }
}

describe('All of a process', () => {
  it('answer by name, each replica and partition with its node', async () => {
    const [a, b] = [await bootNode([Sums, Alone]), await bootNode([Sums, Alone])];
    await formed(a, b);
    const { answers, missing, complete } = await manager(a).all(Sums).with({ timeout: 20_000 }).call('add', 1, 2);
    expect(missing).toEqual([]);
    expect(complete).toBe(true);
    expect(answers.map(({ process: name, value }) => [name, value]).sort()).toEqual(
      [0, 1, 2, 3, 4].map((index) => [`sums/${index}`, 3]),
    );
    const names = [a.name, b.name];
    for (const { node } of answers) expect(names).toContain(node);
    const alone = await manager(b).all(Alone).with({ timeout: 20_000 }).call('here');
    expect(alone).toMatchObject({ answers: [{ process: 'alone', value: 'here' }], complete: true });
    const byName = await manager(b).all('sums/3').with({ timeout: 20_000 }).call('add', 2, 2);
    expect(byName.answers).toMatchObject([{ process: 'sums/3', value: 4 }]);
  });

  it('are missing with the reason where the method throws, and refused where it is none', async () => {
    const a = await bootNode([Sums]);
    const sums = manager(a).all(Sums).with({ timeout: 20_000 });
    const { missing, answers } = await sums.call('fail');
    expect(answers).toEqual([]);
    expect(missing).toHaveLength(5);
    expect(missing[0]).toEqual({ node: a.name, process: 'sums/0', reason: 'failed', message: 'on purpose' });
    await expect(sums.call('secret')).rejects.toBeInstanceOf(CallRefusedError);
    const byName = manager(a).all('sums').with({ timeout: 20_000 });
    expect((await byName.call('nothing')).missing).toMatchObject(
      Array.from({ length: 5 }, () => ({ reason: 'refused' })),
    );
    await expect(byName.call('add', 1n)).rejects.toBeInstanceOf(ArgumentError);
    await expect(byName.call(5 as never)).rejects.toBeInstanceOf(ArgumentError);
    await expect(manager(a).all('unknown').call('x')).rejects.toBeInstanceOf(UnknownProcessError);
    expect(() => manager(a).all('')).toThrow(ArgumentError);
    expect(() => byName.with({ timeout: 0 })).toThrow(ArgumentError);
    await expect(byName.with({ signal: AbortSignal.abort('no') }).call('add')).rejects.toBe('no');
    await manager(a).stop('sums');
    expect(await byName.call('add')).toEqual({ answers: [], missing: [], complete: true });
  });
});

describe.each([['redis'], ['direct']])('Nodes that die while they are waited for, over %s', (transport) => {
  let cluster: TestCluster;
  afterEach(() => cluster.close());

  it('are left at once when they are killed, and late when they are frozen', async () => {
    const options = JSON.stringify({ membership: { beatEvery: 250, ttl: 2000 }, transport });
    cluster = await TestCluster.open({ env: { [ENV.gather]: '1', [ENV.quiet]: '1', [ENV.options]: options } });
    const [a, b, c] = await cluster.start(['a', 'b', 'c']);
    await cluster.members(['a', 'b', 'c']);
    const all = async (count: number) =>
      eventually(async () => {
        const [one, two, parts] = await Promise.all([
          a!.ask('gather', {}, { timeout: 10_000 }),
          a!.ask('gatherAll', 'everywhere', {}, { timeout: 10_000 }),
          a!.ask('gatherAll', 'parts', {}, { timeout: 10_000 }),
        ]);
        return one.answers.length === count && two.answers.length === count && parts.answers.length === 4;
      });
    await all(3);
    const failing = await a!.ask('gather', { fails: 'b' }, { timeout: 10_000 });
    expect(failing.missing).toMatchObject([
      { node: 'b', reason: 'failed', message: expect.stringContaining('b fails') },
    ]);
    expect(failing.answers).toHaveLength(2);

    // Frozen for less than it takes to be removed.
    await b!.freeze();
    const late = await a!.ask('gather', {}, { timeout: 700 });
    expect(late.missing).toEqual([{ node: 'b', reason: 'timeout' }]);
    expect(late.answers.map(({ node }) => node).sort()).toEqual(['a', 'c']);
    const lateReplica = await a!.ask('gatherAll', 'everywhere', {}, { timeout: 300 });
    expect(lateReplica.missing).toEqual([{ node: 'b', process: 'everywhere@b', reason: 'timeout' }]);
    b!.thaw();
    await cluster.members(['a', 'b', 'c']);
    await all(3);

    // Killed, long before the timeout.
    const began = performance.now();
    const asked = a!.ask('gather', { takesMs: 500 }, { timeout: 100_000 });
    const askedReplicas = a!.ask('gatherAll', 'everywhere', { takesMs: 500 }, { timeout: 100_000 });
    const askedParts = a!.ask('gatherAll', 'parts', { takesMs: 1000 }, { timeout: 100_000 });
    await eventually(() => performance.now() - began > 250);
    await c!.kill();
    const [killed, replicas, parts] = [await asked, await askedReplicas, await askedParts];
    expect(killed.missing).toEqual([{ node: 'c', reason: 'left' }]);
    expect(killed.answers.map(({ node }) => node).sort()).toEqual(['a', 'b']);
    expect(replicas.missing).toEqual([{ node: 'c', process: 'everywhere@c', reason: 'left' }]);
    expect(replicas.answers).toHaveLength(2);
    for (const each of parts.missing) expect(each).toMatchObject({ node: 'c', reason: 'left' });
    expect(parts.answers.length + parts.missing.length).toBe(4);
    expect(performance.now() - began).toBeLessThan(40_000);
    await all(2);
  });
});
