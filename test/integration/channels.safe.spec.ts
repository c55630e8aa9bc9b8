// Durable channels that acknowledge a message once it is on disk, or in a replica. What needs WAITAOF runs where the
// Redis of the tests is 7.2 or newer, or Valkey; elsewhere that it is refused.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Channels, type FoundationOptions, MessageNotSafeError } from 'nestjs-foundation';
import { FoundationTransport } from 'nestjs-foundation/outbox';
import { serverFacts } from '../../libs/foundation/src/backend/redis/redis.info.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { type Keys, keysOf } from '../../libs/foundation/src/wire/keys.js';
import { type RedisServer, type RedisServerOptions, startServer } from '../support/redis-server.js';
import { type RedisTopology, startTopology } from '../support/redis-topology.js';
import { REDIS_PASSWORD } from '../support/secrets.js';
import { boot, type Booted, CapturedLog, closeAll, freshName, settle } from './fixture.js';

const Transport = FoundationTransport('orders');
const server = (options: RedisServerOptions) => startServer({ password: REDIS_PASSWORD, minimal: true, ...options });
const channels = (acknowledge: unknown, acknowledgeTimeout = 5000): FoundationOptions['channels'] => ({
  names: { orders: { durable: { acknowledge, acknowledgeTimeout } as object }, plain: { durable: true } },
});

const publish = (node: Booted, message: unknown, channel = 'orders') =>
  node.app.get(Channels).broadcast(channel, message);
/** What became of it: `safe`, or the error. */
const outcome = (sent: Promise<void>) =>
  sent.then(
    () => 'safe' as const,
    (error: unknown) => error as MessageNotSafeError,
  );
async function kept(node: Booted): Promise<unknown[]> {
  const messages: unknown[] = [];
  await node.app.get(Channels).replay('orders', (message) => void messages.push(message), { from: '0' });
  return messages;
}

let appName: string;
let keys: Keys;
let log: CapturedLog;
beforeEach(() => {
  log = CapturedLog.install();
  appName = freshName('safe');
  keys = keysOf(appName);
});

describe('A durable channel that waits for a replica', () => {
  let primary: RedisServer;
  let replica: RedisServer;

  const calls = async (command: string) =>
    Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await primary.cli('INFO', 'commandstats'))?.[1] ?? 0);
  const inReplica = async () => Number(await replica.cli('XLEN', keys.stream('orders')));
  const waiting = async () =>
    (await primary.cli('CLIENT', 'LIST')).split('\n').find((one) => / cmd=wait /.test(one) && / flags=\w*b/.test(one));
  const linked = () =>
    eventually(async () => (await replica.cli('INFO', 'replication')).includes('master_link_status:up'), {
      timeout: 20_000,
      what: 'A replica that has caught up',
    });
  const bootNode = (timeout?: number) =>
    boot(primary.url, appName, [Transport], { channels: channels({ replicas: 1 }, timeout) });

  beforeAll(async () => {
    primary = await server({ needs: { acknowledge: ['replicas'] } });
    const args = ['--replicaof', '127.0.0.1', String(primary.port), '--masterauth', REDIS_PASSWORD];
    replica = await server({ args });
    await linked();
  });
  afterAll(async () => {
    await primary.stop();
    await replica.stop();
  });
  beforeEach(() => settle(primary, appName));
  afterEach(async () => {
    replica.resume();
    await closeAll();
  });

  it('has the message there when broadcast resolves', async () => {
    const node = await bootNode();
    for (let message = 1; message <= 20; message++) {
      await publish(node, message);
      expect(await inReplica()).toBe(message);
    }
    expect(await kept(node)).toHaveLength(20);
  });

  it('waits once for all that is in flight', async () => {
    const node = await bootNode();
    const before = await calls('wait');
    await Promise.all(Array.from({ length: 300 }, (_, message) => publish(node, message)));
    expect(await inReplica()).toBe(300);
    expect((await calls('wait')) - before).toBeLessThan(100);
    expect(await kept(node)).toEqual(Array.from({ length: 300 }, (_, message) => message));
  });

  it('rejects in time while the replica hangs, delivers all the same, and goes on when it is back', async () => {
    const node = await bootNode(1000);
    const heard: unknown[] = [];
    await node.app.get(Channels).subscribe('orders', (message) => void heard.push(message), { group: 'a', from: '0' });
    await publish(node, 'before');
    replica.pause();
    const began = performance.now();
    const late = [1, 2, 3].map((message) => outcome(publish(node, message)));
    // Nobody else waits for that replica.
    await publish(node, 'other', 'plain');
    expect(performance.now() - began).toBeLessThan(1000);
    for (const error of await Promise.all(late)) {
      expect(error).toBeInstanceOf(MessageNotSafeError);
      expect(error).toMatchObject({
        ...{ code: 'FOUNDATION_MESSAGE_NOT_SAFE', tool: 'redis WAIT', channel: 'orders' },
        ...{ isKept: true, acknowledge: { replicas: 1 } },
        message: expect.stringContaining('delivered like any other'),
      });
    }
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(node.of('message.not_safe')).toHaveLength(3);
    expect(node.of('message.not_safe')[0]).toMatchObject({ channel: 'orders', kept: true });
    await eventually(() => heard.length === 4);
    replica.resume();
    await linked();
    await eventually(async () => (await outcome(publish(node, 'after'))) === 'safe', { timeout: 20_000 });
  });

  it('says how many replicas had it', async () => {
    const node = await boot(primary.url, appName, [], { channels: channels({ replicas: 2 }, 1000) });
    expect(log.lines.join('\n')).toMatch(
      /warn .*fewer replicas than durable channels wait for.*"asked":2,"connected":1/,
    );
    const error = await outcome(publish(node, 1));
    expect(error).toMatchObject({
      reached: 1,
      message: expect.stringContaining('1 of 2 replicas had it within 1000 ms'),
    });
  });

  it('asks once more when the connection was lost that waited', async () => {
    const node = await bootNode(10_000);
    await publish(node, 'first');
    replica.pause();
    const sent = outcome(publish(node, 'cut'));
    const line = await eventually(waiting, { what: 'A client that waits' });
    await primary.cli('CLIENT', 'KILL', 'ID', /id=(\d+)/.exec(line)![1]!);
    replica.resume();
    expect(await sent).toBe('safe');
    expect(await kept(node)).toEqual(['first', 'cut']);
  });

  it('does not say that a message is safe which Redis has lost meanwhile', async () => {
    const node = await bootNode(20_000);
    await publish(node, 'first');
    replica.pause();
    const sent = outcome(publish(node, 'lost'));
    await eventually(waiting, { what: 'A client that waits' });
    await primary.kill();
    // Without persistence it comes back empty, as a replica does that has not heard of the message.
    await primary.restart();
    replica.resume();
    const error = await sent;
    expect(error).toMatchObject({ isKept: false, message: expect.stringContaining('no longer in the stream') });
    expect(node.of('message.not_safe')).toMatchObject([{ kept: false }]);
    await linked();
  });

  it('ends with its node', async () => {
    const node = await bootNode(20_000);
    await publish(node, 'first');
    replica.pause();
    const sent = outcome(publish(node, 'last'));
    await eventually(waiting, { what: 'A client that waits' });
    await node.app.close();
    expect(await sent).toMatchObject({ isKept: true, message: expect.stringContaining('this node left') });
  });

  it('keeps one message of an outbox that publishes it until it is safe', async () => {
    const node = await bootNode(500);
    const message = { id: 'one', topic: 'placed', payload: 1 };
    const transport = node.app.get(Transport);
    await transport.publish({ ...message, id: 'zero' });
    replica.pause();
    expect(await outcome(transport.publish(message))).toBeInstanceOf(MessageNotSafeError);
    // It is there, and that is not enough.
    expect(await outcome(transport.publish(message))).toBeInstanceOf(MessageNotSafeError);
    replica.resume();
    await linked();
    await eventually(async () => (await outcome(transport.publish(message))) === 'safe', { timeout: 20_000 });
    expect(await inReplica()).toBe(2);
    expect(await kept(node)).toHaveLength(2);
  });

  it('refuses to start for a Redis user that may not ask', async () => {
    await primary.cli('ACL', 'SETUSER', 'node', '-wait');
    try {
      await expect(bootNode()).rejects.toMatchObject({
        code: 'FOUNDATION_REDIS_REFUSED',
        message: expect.stringMatching(/NOPERM.*Give its user \+wait/s),
      });
    } finally {
      await primary.cli('ACL', 'SETUSER', 'node', '+wait');
      await primary.cli('ACL', 'LOG', 'RESET');
    }
  });
});

describe.each(['sentinel', 'cluster'])('A durable channel that waits for a replica, over a %s', (kind) => {
  let topology: RedisTopology;
  beforeAll(async () => void (topology = await startTopology(kind)));
  afterAll(() => topology.stop());
  afterEach(closeAll);

  it('loses nothing that was acknowledged in a failover', async () => {
    await settle(topology, appName);
    const node = await boot(topology.url, appName, [], { channels: channels({ replicas: 1 }, 500) });
    const safe: unknown[] = [];
    let isOver = false;
    const sending = (async () => {
      for (let message = 0; !isOver; message++) {
        const sent = await publish(node, message).then(
          () => true,
          () => false,
        );
        if (sent) safe.push(message);
        // While Redis is away they fail at once, and nothing else would have a turn.
        else await new Promise(setImmediate);
      }
    })();
    await eventually(() => safe.length > 50, { what: 'Messages in a replica' });
    await topology.failOver(keys.stream('orders'));
    // The new primary has no replica, so nothing is acknowledged any longer.
    const error = await eventually(
      async () => {
        const last = await outcome(publish(node, 'alone'));
        return last instanceof MessageNotSafeError && last.reached === 0 ? last : undefined;
      },
      { timeout: 30_000, what: 'A message in the new primary alone' },
    );
    isOver = true;
    await sending;
    expect(error).toMatchObject({ isKept: true });
    expect(await kept(node)).toEqual(expect.arrayContaining(safe));
  });
});

describe('A durable channel that waits for the disk', () => {
  let redis: RedisServer;
  const args = ['--appendonly', 'yes', '--appendfsync', 'everysec'];
  let knows: boolean;
  const bootNode = (timeout?: number, more: FoundationOptions = {}) =>
    boot(redis.url, appName, [], { channels: channels('fsync', timeout), ...more });

  beforeAll(async () => {
    const probe = await startServer({ args });
    const { version = '0' } = serverFacts(await probe.cli('INFO', 'server'));
    await probe.stop();
    const [major = 0, minor = 0] = version.split('.').map(Number);
    knows = major > 7 || (major === 7 && minor >= 2);
    redis = await server({ args, needs: { acknowledge: knows ? ['fsync'] : [] } });
  });
  afterAll(() => redis.stop());
  beforeEach(() => settle(redis, appName));
  afterEach(closeAll);

  it('is refused by a Redis that does not know WAITAOF, and has its messages after a crash of one that does', async () => {
    if (!knows) {
      await expect(bootNode()).rejects.toMatchObject({
        code: 'FOUNDATION_REDIS_REFUSED',
        message: expect.stringMatching(/unknown command.*needs Redis 7\.2 or newer, or Valkey/s),
      });
      return;
    }
    const node = await bootNode();
    await Promise.all(Array.from({ length: 200 }, (_, message) => publish(node, message)));
    await redis.kill();
    await redis.restart();
    await eventually(async () => (await kept(node).catch(() => [])).length === 200, { timeout: 20_000 });
    await eventually(async () => (await outcome(publish(node, 'after'))) === 'safe', { timeout: 20_000 });
  });

  it('rejects what is not on disk in time, and goes on when it is', async () => {
    if (!knows) return expect((await redis.cli('COMMAND', 'INFO', 'WAITAOF')).trim()).toBe('');
    const node = await bootNode(1000);
    await publish(node, 'first');
    // Then Redis leaves it to the system when it writes, and knows of nothing that it is on disk.
    await redis.cli('CONFIG', 'SET', 'appendfsync', 'no');
    const error = await outcome(publish(node, 'unsure'));
    expect(error).toMatchObject({ tool: 'redis WAITAOF', isKept: true, reached: 0 });
    expect(error).toMatchObject({ message: expect.stringMatching(/not on disk within 1000 ms.*appendfsync/s) });
    await redis.cli('CONFIG', 'SET', 'appendfsync', 'everysec');
    await eventually(async () => (await outcome(publish(node, 'sure'))) === 'safe', { timeout: 20_000 });
    return expect((await kept(node)).slice(0, 2)).toEqual(['first', 'unsure']);
  });

  it('is refused at start without appendonly, and when it is switched off later', async () => {
    if (!knows) return expect(await redis.cli('CONFIG', 'GET', 'appendonly')).toContain('yes');
    const node = await bootNode();
    await publish(node, 'first');
    await redis.cli('CONFIG', 'SET', 'appendonly', 'no');
    try {
      const error = await outcome(publish(node, 'unsure'));
      expect(error).toMatchObject({
        isKept: true,
        message: expect.stringMatching(/Redis refused.*needs appendonly yes/s),
      });
      await expect(bootNode()).rejects.toMatchObject({
        code: 'FOUNDATION_REDIS_REFUSED',
        message: expect.stringContaining('needs appendonly yes'),
      });
    } finally {
      await redis.cli('CONFIG', 'SET', 'appendonly', 'yes');
    }
    return expect(await kept(node)).toEqual(['first', 'unsure']);
  });

  it('says so at the start when WAITAOF answers at once', async () => {
    if (!knows) return expect(await redis.cli('CONFIG', 'GET', 'appendfsync')).toContain('everysec');
    const early = /warn .*WAITAOF answers at once.*redis\/redis#13793/;
    await redis.cli('CONFIG', 'SET', 'appendfsync', 'no');
    await bootNode(1000);
    expect(log.lines.join('\n')).not.toMatch(early);
    await redis.cli('CONFIG', 'SET', 'appendfsync', 'always');
    const node = await bootNode();
    await publish(node, 'sure');
    await redis.cli('CONFIG', 'SET', 'appendfsync', 'everysec');
    expect(await redis.cli('KEYS', '*:probe')).toBe('');
    return expect(log.lines.join('\n')).toMatch(early);
  });

  it('says that one process has only its memory', async () => {
    const node = await bootNode(undefined, { cluster: false });
    await publish(node, 1);
    expect(await kept(node)).toEqual([1]);
    expect(log.lines.join('\n')).toMatch(/warn .*acknowledge messages from the memory of this process/);
  });
});
