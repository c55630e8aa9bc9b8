// Starts that go wrong: what waiting cannot mend ends the start, what it can does not. And no secret in any text.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import {
  Channel,
  Channels,
  FoundationError,
  FoundationTools,
  Membership,
  NotReadyError,
  ProcessManager,
  RedisRefusedError,
  RedisUnavailableError,
  ServiceMesh,
  Singleton,
  UnknownChannelError,
} from 'nestjs-foundation';
import { aclRule } from '../../libs/foundation/src/backend/redis/redis.acl.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { type RedisServerOptions, startRedis } from '../support/redis-server.js';
import { secret } from '../support/secrets.js';
import { boot, CapturedLog, closeAll, closeLater, freshName, settle } from './fixture.js';

const PASSWORD = secret('p4ss-w0rd!/very secret');
let log: CapturedLog;

/** Other specs run in this process, too: only what a test of this one adds is its own. */
const open = (what: string): number => process.getActiveResourcesInfo().filter((kind) => kind === what).length;
const sockets = (): number => open('TCPSocketWrap');
let before = 0;

beforeEach(() => {
  log = CapturedLog.install();
  before = sockets();
});
afterEach(async () => {
  await closeAll();
  // Nothing of what a test does may stay open, or this file would not end by itself.
  await eventually(() => sockets() <= before, { timeout: 5000, lastSeen: sockets });
});

async function server(options: RedisServerOptions = {}) {
  const redis = await startRedis(options);
  closeLater(() => redis.stop());
  return redis;
}

/** Everything an error can show: its text, its stack, its properties, hidden ones too, and those of its causes. */
const textOf = (error: unknown): string => inspect(error, { depth: 20, showHidden: true, maxStringLength: null });

function expectNoSecret(...texts: string[]): void {
  for (const text of [...log.lines, ...texts]) {
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), 'p4ss-w0rd']) expect(text).not.toContain(secret);
  }
}

const errorOf = (booted: Promise<unknown>) =>
  booted.then(
    () => {
      throw new Error('The application has started');
    },
    (error: FoundationError) => error,
  );

describe('A Redis that refuses', () => {
  it('a wrong password ends the start, with advice and without the password', async () => {
    const redis = await server({ password: 'the right one' });
    const url = `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${redis.port}`;
    const error = await errorOf(boot(url, freshName(), []));
    expect(error).toBeInstanceOf(RedisRefusedError);
    expect(error.message).toContain(`127.0.0.1:${redis.port}`);
    expect(error.message).toMatch(/WRONGPASS.*Correct the user name and password/s);
    expectNoSecret(textOf(error));
  });

  it('a missing password ends the start', async () => {
    const redis = await server({ password: PASSWORD });
    const error = await errorOf(boot(`redis://127.0.0.1:${redis.port}`, freshName(), []));
    expect(error).toBeInstanceOf(RedisRefusedError);
    expect(error.message).toContain('NOAUTH');
    expectNoSecret(textOf(error));
  });

  it('a database that does not exist ends the start', async () => {
    const redis = await server();
    const error = await errorOf(boot({ url: redis.url, db: 999 }, freshName(), []));
    expect(error).toBeInstanceOf(RedisRefusedError);
  });

  it('an old version ends the start', async () => {
    const old = await oldRedis();
    const error = await errorOf(boot(`redis://127.0.0.1:${old}`, freshName(), []));
    expect(error).toBeInstanceOf(RedisRefusedError);
    expect(error.message).toMatch(/version 5\.0.*Redis 6\.2 or newer/s);
  });

  it.each(['zadd', 'hgetall', 'info', 'subscribe', 'evalsha'])(
    'a user without %s ends the start, which names it',
    async (command) => {
      const redis = await server();
      await redis.cli('ACL', 'SETUSER', 'less', 'on', '>word', ...aclRule('*'), `-${command}`);
      const error = await errorOf(boot(redis.adminUrl.replace(/:\/\/.*@/, '://less:word@'), freshName(), []));
      expect(error).toBeInstanceOf(RedisRefusedError);
      expect(error.message).toContain(`NOPERM: ${command.toUpperCase()}`);
      expect(error.message).toContain('npx foundation doctor');
    },
  );

  it('a right that is taken away later is named by what needs it, and the node is not ended by it', async () => {
    @Singleton({ name: 'feed' })
    class Feed {}
    const redis = await server();
    await redis.cli('ACL', 'SETUSER', 'less', 'on', '>word', ...aclRule('*'));
    const node = await boot(redis.adminUrl.replace(/:\/\/.*@/, '://less:word@'), freshName(), [Feed]);
    await redis.cli('ACL', 'SETUSER', 'less', '-publish', '-hset');
    const failures = [
      await errorOf(node.app.get(Channels).broadcast('events', 1)),
      await errorOf(node.app.get(ServiceMesh).registerService('tills', {})),
    ];
    for (const failure of failures) expect(failure).toBeInstanceOf(RedisRefusedError);
    expect(failures.map(({ message }) => /NOPERM: (\w+)/.exec(message)?.[1])).toEqual(['PUBLISH', 'HSET']);
    await redis.cli('ACL', 'SETUSER', 'less', '+publish', '+hset');
    await node.app.get(ServiceMesh).registerService('tills', {});
  });

  it('leaves no connection open', async () => {
    const redis = await server({ password: PASSWORD });
    const clients = async () =>
      (await redis.cli('CLIENT', 'LIST')).split('\n').filter((line) => line.includes('foundation:'));
    await errorOf(boot(`redis://:wrong@127.0.0.1:${redis.port}`, freshName(), []));
    await eventually(async () => (await clients()).length === 0);
  });
});

describe('A Redis that is not there', () => {
  it('does not keep the application from starting; the node joins once Redis is up', async () => {
    const first = await server({ password: PASSWORD });
    const { port, url } = first;
    await first.stop();
    @Singleton({ name: 'feed' })
    class Feed {}
    const appName = freshName();
    const node = await boot(url, appName, [Feed]);
    const membership = node.app.get(Membership);
    expect(membership.state).toBe('joining');
    const notReady = await membership.whenReady({ timeout: 100 }).catch((error: unknown) => error);
    expect(notReady).toBeInstanceOf(NotReadyError);
    const calls = [
      node.app.get(ProcessManager).lookupSingleton('feed'),
      node.app.get(ProcessManager).stop('feed'),
      node.app.get(Channels).broadcast('events', 1),
    ];
    const failed = await Promise.all(calls.map((call) => call.catch((error: unknown) => error)));
    for (const error of failed) expect(error).toBeInstanceOf(FoundationError);
    expect(failed[0]).toBeInstanceOf(NotReadyError);
    expect(failed[2]).toBeInstanceOf(RedisUnavailableError);
    expect(log.lines.some((line) => line.includes('Could not join the cluster; retrying in the background'))).toBe(
      true,
    );
    expectNoSecret(textOf(notReady), ...failed.map(textOf));

    const second = await server({ password: PASSWORD, port });
    await settle(second, appName);
    await membership.whenReady();
    await eventually(() => node.app.get(ProcessManager).lookupSingleton('feed'));
    const heard: unknown[] = [];
    await node.app.get(Channels).subscribe('events', (message) => void heard.push(message));
    await node.app.get(Channels).broadcast('events', 'at last');
    await eventually(() => heard.includes('at last'));
    expectNoSecret();
  });

  it('keeps the subscriptions that were made meanwhile', async () => {
    const first = await server();
    const { port, url } = first;
    await first.stop();
    const heard: unknown[] = [];
    const appName = freshName();
    const node = await boot(url, appName, []);
    await node.app.get(Channels).subscribe('events', (message) => void heard.push(message));
    await server({ port });
    await node.app.get(Membership).whenReady();
    const other = await boot(url, appName, []);
    await eventually(async () => {
      await other.app.get(Channels).broadcast('events', 'x');
      return heard.length > 0;
    });
  });

  it('can be closed while it is not there', async () => {
    const first = await server();
    const { url } = first;
    await first.stop();
    const node = await boot(url, freshName(), []);
    const began = performance.now();
    await node.app.close();
    expect(performance.now() - began).toBeLessThan(8000);
  });

  it('does not hide an error of the declarations', async () => {
    class Listener {
      @Channel('evnets')
      hear(): void {}
    }
    const error = await errorOf(boot('redis://127.0.0.1:1', freshName(), [Listener]));
    expect(error).toBeInstanceOf(UnknownChannelError);
  });
});

describe('Secrets', () => {
  it('are in no log line of a whole life, and in no error', async () => {
    const redis = await server({ password: PASSWORD });
    const node = await boot(redis.url, freshName(), []);
    await node.app.get(Membership).whenReady();
    const errors = [
      await node.app.get(ProcessManager).stop('nobody').catch(textOf),
      await node.app.get(Channels).broadcast('nobody', 1).catch(textOf),
    ];
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal');
    await eventually(() => node.app.get<Redis>(FoundationTools.leases).status === 'ready');
    await node.app.close();
    expect(log.lines.length).toBeGreaterThan(0);
    expectNoSecret(...(errors as string[]));
  });

  it('are in no log line when they are given by parts', async () => {
    const redis = await server({ password: PASSWORD });
    const node = await boot({ host: '127.0.0.1', port: redis.port, password: PASSWORD }, freshName(), []);
    await node.app.get(Membership).whenReady();
    await node.app.close();
    expectNoSecret();
  });
});

/** Answers like a Redis 5: just enough of the protocol for a client to connect and to ask for INFO. */
async function oldRedis(): Promise<number> {
  const info = '# Server\r\nredis_version:5.0.14\r\nredis_mode:standalone\r\nloading:0\r\nrole:master\r\n';
  const sockets = new Set<Socket>();
  const old: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (
        let command = /^\*(\d+)\r\n((?:\$\d+\r\n[^\r]*\r\n)*)/.exec(text);
        command;
        command = /^\*(\d+)\r\n((?:\$\d+\r\n[^\r]*\r\n)*)/.exec(text)
      ) {
        const parts = command[2]!.split('\r\n').filter((_, index) => index % 2 === 1);
        if (parts.length < Number(command[1])) return;
        text = text.slice(command[0].length);
        const name = parts[0]!.toLowerCase();
        if (name === 'info') socket.write(`$${info.length}\r\n${info}\r\n`);
        else if (['client', 'select', 'auth'].includes(name)) socket.write('+OK\r\n');
        else if (name === 'ping') socket.write('+PONG\r\n');
        else socket.write(`-ERR unknown command \`${name}\`\r\n`);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(old, 'listening');
  closeLater(async () => {
    for (const socket of sockets) socket.destroy();
    old.close();
    await once(old, 'close');
  });
  return (old.address() as AddressInfo).port;
}

describe('An application that is closed', () => {
  it('leaves no timer that would keep its process', async () => {
    const redis = await server();
    const timers = (): number => open('Timeout');
    const own = timers();
    const appName = freshName();
    const booted = await boot(redis.url, appName, []);
    await settle(redis, appName);
    await booted.app.get(Membership).whenReady();
    await booted.app.close();
    // ioredis keeps one of two seconds for a client that is told to disconnect when it has ended already.
    await eventually(() => timers() <= own, { timeout: 1500, lastSeen: timers });
  });
});

// So that the last test does not leave its log to what Jest loads next.
afterEach(() => void Logger.overrideLogger(false));
