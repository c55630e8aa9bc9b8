// What a stranger who reaches Redis, but has another cookie or none, can do: applications in this process, on real
// Redis.
import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import {
  Callable,
  CallRefusedError,
  Channels,
  CookieMismatchError,
  DuplicateNodeError,
  type FoundationOptions,
  Membership,
  type ProcessContext,
  ProcessManager,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import type { MessageDropReason } from '../../libs/foundation/src/telemetry/events.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import { PACKED_VERSION } from '../../libs/foundation/src/wire/packed.format.js';
import type { RedisServer } from '../support/redis-server.js';
import { secret } from '../support/secrets.js';
import { boot, type Booted, type CapturedLog, closeLater, formed, onOwnRedis, type Provider } from './fixture.js';

@Singleton({ name: 'counter' })
class Counter {
  #count = 0;
  @Callable()
  add(): number {
    return ++this.#count;
  }
  @Callable()
  keysOf(value: object): string[] {
    return Object.keys(Object.assign({}, value));
  }
  reset(): void {
    this.#count = 0;
  }
}

class Job {
  #ctx!: ProcessContext;
  onProcessStart(ctx: ProcessContext): void {
    this.#ctx = ctx;
  }
  @Callable()
  done(): void {
    this.#ctx.complete();
  }
}

const TEST_COOKIE = secret('the cookie of the security spec');
const SECURED: FoundationOptions = { security: { cookie: TEST_COOKIE } };

let server: RedisServer;
let appName: string;
let keys: Keys;
let log: CapturedLog;
onOwnRedis((ground) => ({ server, appName, keys, log } = ground));

const node = (options: FoundationOptions = SECURED, providers: Provider[] = [Counter]): Promise<Booted> =>
  boot(server.url, appName, providers, options);

/** A client of somebody who has the password of Redis, and no cookie. */
function stranger(): Redis {
  const client = new Redis(server.adminUrl);
  closeLater(() => client.quit());
  return client;
}

const dropped = ({ of }: Booted, ...reasons: MessageDropReason[]): number =>
  of('message.dropped')
    .filter((event) => reasons.includes(event.reason))
    .reduce((sum, { count }) => sum + count, 0);

describe('nodes with the same cookie', () => {
  it('form a cluster, own, call, send, offer and keep durable messages', async () => {
    const options = { ...SECURED, channels: { names: { orders: { durable: true } } } };
    const [one, other] = [await node(options), await node(options)];
    await formed(one, other);
    const heard: unknown[] = [];
    await other.app.get(Channels).subscribe('events', (message) => void heard.push(message));
    await other.app.get(Channels).subscribe('orders', (message) => void heard.push(message), { group: 'g' });
    await one.app.get(Channels).broadcast('events', { plain: true });
    await one.app.get(Channels).broadcast('orders', { durable: true });
    await eventually(() => heard.length === 2, { lastSeen: () => heard });
    expect(heard).toEqual(expect.arrayContaining([{ plain: true }, { durable: true }]));
    for (const { app } of [one, other]) {
      const ref = await app.get(ProcessManager).startSingleton(Counter, []);
      await ref.call('add');
    }
    expect(await (await one.app.get(ProcessManager).lookupSingleton(Counter))?.call('add')).toBe(3);
    await one.app.get(ServiceMesh).registerService('tills', {});
    await eventually(async () => (await other.app.get(ServiceMesh).discoverServices({ name: 'tills' })).length === 1);
    expect(await one.app.get(Channels).replay('orders', () => undefined, { from: '0' })).toBe(1);
  });

  it('have nothing in Redis that anybody could take for theirs, nor the cookie', async () => {
    await formed(await node(), await node());
    const client = stranger();
    const records = Object.values(await client.hgetall(keys.nodes));
    const rows = Object.values(await client.hgetall(keys.processes));
    expect(records).toHaveLength(2);
    for (const record of records) expect(record).toMatch(/^\S+ \d+ ~[\w-]{43}\{/);
    for (const row of rows) expect(row).toMatch(/^~[\w-]{43}\{/);
    expect([...records, ...rows, await client.get(keys.seal)].join()).not.toContain(TEST_COOKIE);
  });
});

describe('a node with another cookie, or none', () => {
  for (const [what, options] of [
    ['another cookie', { security: { cookie: 'not the cookie of the others' } }],
    ['no cookie', {}],
  ] as const) {
    it(`cannot join with ${what}, and is named with its host`, async () => {
      const one = await node();
      await expect(node(options)).rejects.toThrow(CookieMismatchError);
      await eventually(() => log.lines.some((line) => /different or missing cookie.*"node":.*"host":/.test(line)), {
        lastSeen: () => log.lines.slice(-5),
      });
      expect(one.app.get(Membership).members()).toHaveLength(1);
      const counter = await eventually(() => one.app.get(ProcessManager).lookupSingleton(Counter));
      expect(await counter.call('add')).toBe(1);
    });
  }

  it('cannot join nodes that have none either', async () => {
    await node({});
    await expect(node()).rejects.toThrow(CookieMismatchError);
  });

  it('decides nothing once the others are gone', async () => {
    const first = await node({});
    await first.app.close();
    const next = await node();
    expect(next.app.get(Membership).members()).toHaveLength(1);
    // What they wrote of the process is not believed, and does not stand in the way.
    const ref = await next.app.get(ProcessManager).startSingleton(Counter, []);
    expect(await ref.call('add')).toBe(1);
  });
});

describe('a stranger who writes into Redis', () => {
  it('is not seen as a node, whatever name it takes', async () => {
    const [one, other] = [await node(), await node()];
    await formed(one, other);
    const client = stranger();
    const [theirs = ''] = await client.hmget(keys.nodes, other.name);
    const forged = JSON.stringify({ name: 'mallory', bootId: 'b0', host: 'evil\nhost', classes: ['Counter'] });
    const { time } = { time: Date.now() };
    await client.zadd(keys.beats, time, 'mallory', time, 'copy');
    await client.hset(keys.nodes, 'mallory', `b0 ${time} ${forged}`, 'copy', theirs ?? '');
    await client.incr(keys.view);
    await client.publish(keys.hints, '{"t":"view"}');
    await eventually(() => log.lines.some((line) => line.includes('mallory') && line.includes('not a member')), {
      lastSeen: () => log.lines.slice(-5),
    });
    await eventually(() => log.lines.some((line) => line.includes('copy') && line.includes('not a member')));
    expect(
      one.app
        .get(Membership)
        .members()
        .map(({ name }) => name)
        .sort(),
    ).toEqual([one.name, other.name].sort());
    // What it says is shown so that it cannot begin a line of its own.
    expect(log.lines.join('')).not.toContain('evil\nhost');
  });

  it.each(['another boot id', 'its own boot id'])(
    'takes no node out by writing in the place of its record, under %s',
    async (whose) => {
      const [one, other] = [await node(), await node()];
      await formed(one, other);
      const counter = await eventually(() => one.app.get(ProcessManager).lookupSingleton(Counter));
      const owner = counter.node === one.name ? one : other;
      const client = stranger();
      const bootId = whose === 'another boot id' ? 'mallory' : owner.app.get(Membership).self.bootId;
      const isOurs = async (): Promise<boolean> => /^\S+ \d+ ~/.test((await client.hget(keys.nodes, owner.name)) ?? '');
      for (let time = 0; time < 3; time++) {
        const forged = JSON.stringify({ name: owner.name, bootId, host: 'evil', classes: [], load: time });
        await client.hset(keys.nodes, owner.name, `${bootId} ${Date.now()} ${forged}`);
        await client.incr(keys.view);
        await client.publish(keys.hints, '{"t":"view"}');
        await eventually(isOurs, { lastSeen: () => log.lines.slice(-5) });
      }
      expect(await counter.call('add')).toBe(1);
      for (const each of [one, other]) {
        for (const event of ['cluster.node_left', 'cluster.name_taken', 'lease.lost', 'process.stopped'] as const)
          expect(each.of(event)).toEqual([]);
        await eventually(() => each.app.get(Membership).members().length === 2);
      }
    },
  );

  it('puts nothing into an error that moves a cursor or begins a line', async () => {
    const client = stranger();
    const time = Date.now();
    const beats = setInterval(() => void client.zadd(keys.beats, Date.now(), 'till'), 100);
    closeLater(async () => clearInterval(beats));
    await client.zadd(keys.beats, time, 'till');
    await client.hset(keys.nodes, 'till', `\u001b[2J\u009bevil ${time} {}`);
    const refused = await node({ ...SECURED, nodeName: 'till' }).catch((error: unknown) => error as Error);
    expect(refused).toBeInstanceOf(DuplicateNodeError);
    expect((refused as Error).message).toContain('evil');
    // eslint-disable-next-line no-control-regex -- what must not be there
    expect((refused as Error).message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });

  it('fills nothing and stops nobody with what is large', async () => {
    const [one, other] = [await node(), await node()];
    await formed(one, other);
    const heard: unknown[] = [];
    await other.app.get(Channels).subscribe('events', (message) => void heard.push(message));
    const client = stranger();
    for (const topic of [keys.channel('events'), keys.hints]) {
      await client.publish(topic, `~${'x'.repeat(8 * 1024 * 1024)}`);
      await client.publish(topic, `[${'['.repeat(1024 * 1024)}`);
    }
    await eventually(() => dropped(other, 'too-large') === 2 && dropped(other, 'bad-signature') >= 1, {
      lastSeen: () => other.of('message.dropped'),
    });
    await one.app.get(Channels).broadcast('events', 'on time');
    await eventually(() => heard.length === 1);
    expect(heard).toEqual(['on time']);
    expect(other.app.get(Membership).members()).toHaveLength(2);
    expect(log.lines.every((line) => line.length < 2000)).toBe(true);
  });

  it('starts no process and offers no service', async () => {
    const one = await node();
    const client = stranger();
    const row = JSON.stringify({ name: 'mine', kind: 'singleton', type: 'Counter' });
    for (const [rows, versions] of [
      [keys.processes, keys.processVersions],
      [keys.services, keys.serviceVersions],
    ] as const) {
      await client.hset(rows, 'mine', row);
      await client.zadd(versions, Date.now() * 1000 + 1e9, 'mine');
    }
    await client.publish(keys.hints, '{"t":"table"}');
    await client.publish(keys.hints, '{"t":"services"}');
    await eventually(
      () => log.lines.filter((line) => line.includes('is not signed') && line.includes('mine')).length > 0,
    );
    expect((await one.app.get(ProcessManager).list()).map(({ name }) => name)).toEqual(['counter']);
    expect(await one.app.get(ServiceMesh).discoverServices()).toEqual([]);
  });

  /** Writes in the place of a row, as a node with another cookie would. */
  async function overwrite(client: Redis, what: 'table' | 'services', key: string): Promise<string> {
    const [rows, versions] =
      what === 'table' ? [keys.processes, keys.processVersions] : [keys.services, keys.serviceVersions];
    const [, newest] = (await client.zrevrange(versions, 0, 0, 'WITHSCORES')) as [string, string];
    await client.hset(rows, key, JSON.stringify({ name: key, kind: 'singleton', type: 'Counter', status: 'stopped' }));
    await client.zadd(versions, Math.max(Number(newest) + 1, Date.now() * 1000), key);
    await client.publish(keys.hints, JSON.stringify({ t: what }));
    return rows;
  }
  const refused = ({ of }: Booted, table: string): number =>
    of('cluster.row_refused').filter((event) => event.table === table && event.reason === 'bad-signature').length;

  it('stops nothing and takes no name away by writing in the place of a row, which is written back', async () => {
    const [one, other] = [await node(), await node()];
    await formed(one, other);
    const counter = await eventually(() => one.app.get(ProcessManager).lookupSingleton(Counter));
    expect(await counter.call('add')).toBe(1);
    const client = stranger();
    const rows = await overwrite(client, 'table', 'counter');
    // One of them is enough: it writes back what was there, maybe before the other has looked.
    await eventually(() => [one, other].some((each) => refused(each, 'processes') > 0), {
      lastSeen: () => log.lines.slice(-5),
    });
    await eventually(async () => (await client.hget(rows, 'counter'))?.startsWith('~'));
    // From here on the stranger has the last word for a while, and it changes nothing: not with beats, either.
    const beats = async (): Promise<number> =>
      Number((await client.zrevrange(keys.beats, 0, 0, 'WITHSCORES'))[1] ?? NaN);
    await overwrite(client, 'table', 'counter');
    const from = await beats();
    await eventually(async () => (await beats()) > from + 1500);
    expect(await client.hget(rows, 'counter')).not.toMatch(/^~/);
    expect(await counter.call('add')).toBe(2);
    for (const { app, of } of [one, other]) {
      expect(of('process.stopped')).toEqual([]);
      const [listed] = await app.get(ProcessManager).list();
      expect(listed).toMatchObject({ name: 'counter', state: 'running' });
    }
    expect(log.lines.some((line) => /is not signed.*"entry":.*counter.*"reason":"bad-signature"/.test(line))).toBe(
      true,
    );
    // What the others decide goes over it.
    await other.app.get(ProcessManager).stop('counter');
    await eventually(() => [one, other].some(({ of }) => of('process.stopped').length === 1));
    expect(await client.hget(rows, 'counter')).toMatch(/^~.*"status":"stopped"/);
  });

  it('can remove rows, which looks as if a node did: the process stops, and a service is written again', async () => {
    // Declared, it would begin anew.
    const one = await node(SECURED, [Job]);
    await one.app.get(ProcessManager).startSingleton(Job, [], { name: 'job' });
    const { instanceId } = await one.app.get(ServiceMesh).registerService('tills', {});
    const client = stranger();
    for (const [rows, versions, key] of [
      [keys.processes, keys.processVersions, 'job'],
      [keys.services, keys.serviceVersions, instanceId],
    ] as const) {
      await client.hdel(rows, key);
      await client.zadd(versions, Date.now() * 1000 + 1e6, key);
    }
    for (const t of ['table', 'services']) await client.publish(keys.hints, JSON.stringify({ t }));
    await eventually(() => one.of('process.stopped').length === 1);
    await eventually(async () => (await client.hget(keys.services, instanceId))?.startsWith('~'));
    expect(await one.app.get(ServiceMesh).discoverServices({ name: 'tills' })).toHaveLength(1);
  });

  it('does not make an end forgotten by writing in the place of a row', async () => {
    const one = await node(SECURED, [Counter, Job]);
    const manager = one.app.get(ProcessManager);
    const job = await manager.startSingleton(Job, [], { name: 'job', restart: 'transient' });
    const client = stranger();
    const rows = await overwrite(client, 'table', 'job');
    // Written back once; the second time it stays.
    await eventually(async () => (await client.hget(rows, 'job'))?.startsWith('~'));
    await overwrite(client, 'table', 'job');
    await eventually(() => refused(one, 'processes') >= 2);
    await job.call('done');
    await eventually(async () => /^~.*"status":"completed"/.test((await client.hget(rows, 'job')) ?? ''), {
      lastSeen: () => log.lines.slice(-5),
    });
    expect(one.of('process.started').filter(({ name }) => name === 'job')).toHaveLength(1);
  });

  it('takes back no service by writing in the place of its row', async () => {
    const [one, other] = [await node(SECURED, []), await node(SECURED, [])];
    await formed(one, other);
    const found = (booted: Booted) => booted.app.get(ServiceMesh).discoverServices({ name: 'tills' });
    const { instanceId } = await one.app.get(ServiceMesh).registerService('tills', {});
    await eventually(async () => (await found(other)).length === 1);
    const client = stranger();
    const rows = await overwrite(client, 'services', instanceId);
    await eventually(() => [one, other].some((each) => refused(each, 'services') > 0));
    await eventually(async () => (await client.hget(rows, instanceId))?.startsWith('~'));
    const before = [one, other].map((each) => refused(each, 'services'));
    await overwrite(client, 'services', instanceId);
    await eventually(() => [one, other].every((each, n) => refused(each, 'services') > before[n]!), {
      lastSeen: () => [before, log.lines.slice(-5)],
    });
    for (const each of [one, other]) {
      expect(await found(each)).toHaveLength(1);
      expect(each.of('service.deregistered')).toEqual([]);
    }
    // Taken back, it goes, whatever lies there.
    await one.app.get(ServiceMesh).deregisterService({ name: 'tills', instanceId });
    await eventually(async () => (await found(other)).length === 0);
    expect(await client.hget(rows, instanceId)).toBeNull();
  });

  it('sends nothing, changes nothing and plays nothing again', async () => {
    const [one, other] = [await node(), await node()];
    await formed(one, other);
    const heard: unknown[] = [];
    await other.app.get(Channels).subscribe('events', (message) => void heard.push(message));
    const client = stranger();
    const topic = keys.channel('events');
    const tapped: Buffer[] = [];
    const tap = stranger();
    tap.on('messageBuffer', (_topic, bytes: Buffer) => tapped.push(bytes));
    await tap.subscribe(topic);
    await one.app.get(Channels).broadcast('events', { amount: 1 });
    await eventually(() => heard.length === 1 && tapped.length === 1);
    const [sent = Buffer.alloc(0)] = tapped;
    await client.publish(topic, sent);
    await eventually(() => dropped(other, 'replayed') === 1, { lastSeen: () => other.of('message.dropped') });
    const changed = Buffer.from(sent);
    changed[sent.length - 1] = 9;
    for (const forged of [changed, sent.subarray(sent.indexOf(PACKED_VERSION)), 'x', '~']) {
      await client.publish(topic, forged);
    }
    await client.publish(keys.channel('control'), sent);
    await eventually(() => dropped(other, 'bad-signature') === 4, { lastSeen: () => other.of('message.dropped') });
    await one.app.get(Channels).broadcast('events', { amount: 2 });
    await eventually(() => heard.length === 2);
    expect(heard).toEqual([{ amount: 1 }, { amount: 2 }]);
  });

  it('calls nothing, and does not make a call happen again', async () => {
    const one = await node(SECURED, []);
    const other = await node();
    await formed(one, other);
    const ref = await other.app.get(ProcessManager).startSingleton(Counter, []);
    const { bootId } = other.app.get(Membership).self;
    const tapped: Buffer[] = [];
    const tap = stranger();
    tap.on('messageBuffer', (_topic, bytes: Buffer) => tapped.push(bytes));
    await tap.subscribe(keys.inbox(bootId));
    const far = await one.app.get(ProcessManager).lookupSingleton(Counter);
    expect(await far?.call('add')).toBe(1);
    await eventually(() => tapped.length > 0);
    const client = stranger();
    for (const bytes of [tapped[0]!, tapped[0]!.subarray(tapped[0]!.indexOf(PACKED_VERSION))]) {
      expect(await client.publish(keys.inbox(bootId), bytes)).toBe(2);
    }
    await eventually(() => dropped(other, 'replayed', 'bad-signature') === 2);
    expect(await ref.call('add')).toBe(2);
  });

  it('puts nothing before the handlers of a durable channel', async () => {
    const options = { ...SECURED, channels: { names: { orders: { durable: true } } } };
    const one = await node(options);
    const heard: unknown[] = [];
    await one.app.get(Channels).subscribe('orders', (message) => void heard.push(message), { group: 'g' });
    await stranger().xadd(keys.stream('orders'), '*', 'm', '[{"v":2,"from":"n","boot":"b","seq":1,"at":1},{"b":666}]');
    await one.app.get(Channels).broadcast('orders', 'mine');
    await eventually(() => heard.length > 0);
    expect(heard).toEqual(['mine']);
    await eventually(async () => (await stranger().xlen(keys.deadLetters('orders'))) === 1);
    expect(log.lines.some((line) => line.includes('Rejected a message in Redis that is not signed'))).toBe(true);
  });
});

describe('a stranger who copies the entries of a durable channel', () => {
  const options: FoundationOptions = {
    ...SECURED,
    channels: { names: { orders: { durable: { retryAfter: 200, maxDeliveries: 3 } } } },
  };
  const droppedOf = (booted: Booted) => booted.of('message.dropped').map(({ reason, count }) => `${count} ${reason}`);

  /** Nodes that share a group, and what their handlers were given. */
  async function members(count: number): Promise<{ nodes: Booted[]; heard: { message: unknown; id?: string }[] }> {
    const nodes: Booted[] = [];
    for (let at = 0; at < count; at++) nodes.push(await node(options));
    await formed(...nodes);
    const heard: { message: unknown; id?: string }[] = [];
    for (const { app } of nodes)
      await app
        .get(Channels)
        .subscribe('orders', (message, { id }) => void heard.push({ message, ...(id === undefined ? {} : { id }) }), {
          group: 'g',
        });
    return { nodes, heard };
  }
  const lastEntry = async (client: Redis): Promise<{ id: string; text: string }> => {
    const [[id, [, text]]] = (await client.xrevrange(keys.stream('orders'), '+', '-', 'COUNT', 1)) as [
      [string, [string, string]],
    ];
    return { id, text };
  };

  it('plays none a second time, whichever member of the group is given the copy', async () => {
    const { nodes, heard } = await members(2);
    const client = stranger();
    await nodes[0]!.app.get(Channels).broadcast('orders', { amount: 12 });
    await eventually(() => heard.length === 1);
    const { text } = await lastEntry(client);
    for (let copy = 0; copy < 40; copy++) await client.xadd(keys.stream('orders'), '*', 'm', text);
    await nodes[1]!.app.get(Channels).broadcast('orders', 'last');
    await eventually(() => heard.some(({ message }) => message === 'last'), { lastSeen: () => heard });
    await eventually(async () => ((await client.xpending(keys.stream('orders'), 'g')) as [number])[0] === 0, {
      lastSeen: () => nodes.map(droppedOf),
    });
    expect(heard.map(({ message }) => message)).toEqual([{ amount: 12 }, 'last']);
    expect(log.lines.some((line) => line.includes('came a second time; it is not handled again'))).toBe(true);
    const replayed: unknown[] = [];
    const count = await nodes[0]!.app
      .get(Channels)
      .replay('orders', (message) => void replayed.push(message), { from: '0' });
    expect([count, replayed]).toEqual([2, [{ amount: 12 }, 'last']]);
  });

  it('plays none a second time after it took the memory of the group away, and that is told', async () => {
    const { nodes, heard } = await members(1);
    const client = stranger();
    await nodes[0]!.app.get(Channels).broadcast('orders', 'once');
    await eventually(() => heard.length === 1);
    const { text } = await lastEntry(client);
    await eventually(async () => (await client.keys(`${keys.tag}:played:*`)).length === 1);
    await client.del(await client.keys(`${keys.tag}:played:*`));
    await client.xadd(keys.stream('orders'), '*', 'm', text);
    await eventually(() => droppedOf(nodes[0]!).some((line) => line.includes('replayed')), {
      lastSeen: () => droppedOf(nodes[0]!),
    });
    expect(heard).toHaveLength(1);
    expect(log.lines.some((line) => line.includes('somebody took it away'))).toBe(true);
  });

  it('plays none in an entry of another time: it becomes a dead letter', async () => {
    const { nodes, heard } = await members(1);
    const client = stranger();
    await nodes[0]!.app.get(Channels).broadcast('orders', 'mine');
    await eventually(() => heard.length === 1);
    const { id, text } = await lastEntry(client);
    await client.del(await client.keys(`${keys.tag}:played:*`));
    await client.xadd(keys.stream('orders'), `${Number(id.split('-')[0]) + 301_000}-0`, 'm', text);
    await eventually(async () => (await client.xlen(keys.deadLetters('orders'))) === 1);
    expect(heard).toHaveLength(1);
    // The ids of the stream are five minutes ahead from here on, as after a clock of Redis that was, and nothing is
    // lost by that.
    for (const message of ['first', 'second']) await nodes[0]!.app.get(Channels).broadcast('orders', message);
    await eventually(() => heard.length === 3, { lastSeen: () => [heard, droppedOf(nodes[0]!)] });
    expect(heard.map(({ message }) => message)).toEqual(['mine', 'first', 'second']);
    // The first of them once more, with the time of the stream.
    expect(await client.xlen(keys.deadLetters('orders'))).toBe(2);
  });

  it('does not keep a message from coming again whose handler failed', async () => {
    const one = await node(options);
    const ids: (string | undefined)[] = [];
    await one.app.get(Channels).subscribe(
      'orders',
      (_message, { id }) => {
        ids.push(id);
        if (ids.length < 3) throw new Error('not yet');
      },
      { group: 'g' },
    );
    await one.app.get(Channels).broadcast('orders', 'again');
    await eventually(() => ids.length === 3, { lastSeen: () => ids });
    expect(new Set(ids).size).toBe(1);
    expect(await stranger().xlen(keys.deadLetters('orders'))).toBe(0);
  });
});

// What one with the cookie can do by mistake, or because it was taken over, is not everything either.
describe.each<[string, FoundationOptions]>([
  ['redis', SECURED],
  ['direct', { ...SECURED, transport: { kind: 'direct', host: '127.0.0.1' } }],
])('a node of the cluster, over %s', (kind, options) => {
  async function pair(): Promise<[Booted, Booted]> {
    const both: [Booted, Booted] = [await node(options), await node(options)];
    await formed(...both);
    if (kind === 'direct') await eventually(() => both.every(({ of }) => of('transport.link_up').length === 1));
    await both[0].app.get(ProcessManager).startSingleton(Counter, []);
    return both;
  }
  const poison = (): object =>
    JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":1}') as object;

  it('reaches no prototype, by messages or by calls', async () => {
    const [one, other] = await pair();
    const heard: object[] = [];
    for (const { app } of [one, other])
      await app.get(Channels).subscribe('events', (message) => void heard.push(Object.assign({}, message)));
    await one.app.get(Channels).broadcast('events', poison());
    await eventually(() => heard.length === 2);
    const refs = await Promise.all([one, other].map(({ app }) => app.get(ProcessManager).lookupSingleton(Counter)));
    const seen = await Promise.all(refs.map((ref) => ref!.call('keysOf', poison()).catch(String)));
    expect([heard[1], ({} as Record<string, unknown>)['polluted']]).toEqual([{ a: 1, constructor: {} }, undefined]);
    expect(seen).toEqual([
      ['constructor', 'a'],
      ['constructor', 'a'],
    ]);
  });

  it('calls nothing that is not marked, on either node', async () => {
    const [one, other] = await pair();
    for (const { app } of [one, other]) {
      const ref = await app.get(ProcessManager).lookupSingleton<Record<string, () => unknown>>('counter');
      for (const method of ['reset', 'constructor', '__proto__', 'toString', 'onProcessStart', 'hasOwnProperty'])
        await expect(ref!.call(method)).rejects.toBeInstanceOf(CallRefusedError);
    }
  });
});
