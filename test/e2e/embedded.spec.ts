// @redis embedded-ok
// Applications on a machine with no Redis at all: in development one is started for them, in production the start
// fails.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, freePort } from 'nestjs-foundation/testing';
import { NodeProcess } from '../support/node.process.js';
import { ENV } from '../support/node.protocol.js';

/** The server waits for 5 s. */
const GONE_MS = 30_000;

const started = /Started an embedded Redis.*?"?pid"?: *(\d+)/s;
const imitation = 'an imitation for development only';
const listens = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 });
    const done = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', done(true)).once('error', done(false)).once('timeout', done(false));
  });
const runs = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('applications without a Redis', () => {
  let folder: string;
  let port: number;
  const nodes: NodeProcess[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'foundation-e2e-'));
    port = await freePort();
  });
  afterEach(async () => {
    const pids = nodes.flatMap((node) => started.exec(node.log)?.[1] ?? []).map(Number);
    await Promise.all(nodes.splice(0).map((node) => node.destroy()));
    for (const pid of pids) if (runs(pid)) process.kill(pid);
    rmSync(folder, { recursive: true, force: true });
  });

  function start(name: string, env: Record<string, string> = {}): NodeProcess {
    const nothing = { FOUNDATION_REDIS_URL: '', REDIS_URL: '', FOUNDATION_CLUSTER: '', NODE_ENV: '' };
    const own = { FOUNDATION_APP_NAME: 'alone', [ENV.redisPort]: String(port), [ENV.processes]: 'steady' };
    const node = new NodeProcess(name, folder, { ...nothing, ...own, ...env }, nodes.length);
    nodes.push(node);
    return node;
  }

  /** Until each of them sees exactly these members and the same owner. */
  async function cluster(...expected: NodeProcess[]): Promise<string> {
    const names = String(expected.map(({ name }) => name).sort());
    let last: unknown;
    return eventually(
      async () => {
        const views = await Promise.all(
          expected.map(async (node) => ({
            members: String((await node.ask('members')).map(({ name }) => name).sort()),
            owner: (await node.ask('lookup', 'steady'))?.node,
          })),
        );
        last = views;
        const owner = views[0]?.owner;
        return views.every((view) => view.members === names && view.owner === owner) && owner;
      },
      { timeout: 30_000, what: `A cluster of ${names} with one owner`, lastSeen: () => last },
    );
  }

  it('that start at once get one Redis, are one cluster with one owner, and leave nothing behind', async () => {
    const [a, b] = [start('a'), start('b')];
    await Promise.all([a.ready, b.ready]);
    const owner = await cluster(a, b);
    const pids = [a, b].flatMap((node) => started.exec(node.log)?.[1] ?? []).map(Number);
    expect(pids).toHaveLength(1);
    for (const node of [a, b]) expect(node.log).toContain(imitation);
    // Its port has no password.
    expect([await listens('127.0.0.1', port), await listens('127.0.0.2', port)]).toEqual([true, false]);

    // The one that started it may go: the Redis stays with the others.
    const [starter, other] = started.test(a.log) ? [a, b] : [b, a];
    await starter.terminate();
    expect(await cluster(other)).toBe(other.name);
    const late = start('late');
    await late.ready;
    await cluster(other, late);
    expect([owner, started.test(late.log)]).toEqual([expect.stringMatching(/^[ab]$/), false]);

    await Promise.all([other.terminate(), late.terminate()]);
    await eventually(() => !runs(pids[0]!), { timeout: GONE_MS, what: 'The end of the embedded Redis' });
    expect(await listens('127.0.0.1', port)).toBe(false);
  }, 120_000);

  it('have one that lets no browser in', async () => {
    const node = start('a');
    await node.ready;
    await cluster(node);
    const said = (text: string): Promise<string> =>
      new Promise((resolve) => {
        let answer = '';
        const socket = connect({ host: '127.0.0.1', port }, () => socket.write(text));
        socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
        socket.on('error', () => undefined).on('close', () => resolve(answer));
      });
    const set = '*3\r\n$3\r\nSET\r\n$5\r\nowned\r\n$3\r\nyes\r\n';
    for (const head of [
      'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100',
      'POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100',
      'GET /* HTTP/1.1\r\nHost: 127.0.0.1',
      'put /x HTTP/1.1\r\nHost: 127.0.0.1',
      '\r\n\r\nSET owned yes',
      'SET owned yes',
    ]) {
      expect(await said(`${head}\r\n\r\n${set}SET owned yes\r\n`)).toBe('');
    }
    const get = '*2\r\n$3\r\nGET\r\n$5\r\nowned\r\n';
    const client = connect({ host: '127.0.0.1', port });
    const answer = once(client, 'data');
    client.write(get);
    expect(String((await answer)[0])).toBe('$-1\r\n');
    client.destroy();
    await cluster(node);
  }, 120_000);

  it('survive that all of them are killed: the Redis ends all the same', async () => {
    const node = start('a');
    await node.ready;
    await cluster(node);
    const pid = Number(started.exec(node.log)?.[1]);
    await node.kill();
    await eventually(() => !runs(pid), { timeout: GONE_MS, what: 'The end of the embedded Redis' });
  }, 120_000);

  it('do not start in production', async () => {
    await expect(start('a', { NODE_ENV: 'production' }).ready).rejects.toMatchObject({
      name: 'RedisNotFoundError',
      code: 'FOUNDATION_REDIS_NOT_FOUND',
      message: expect.stringContaining(`127.0.0.1:${port}: no answer; an embedded one: only in an application outside`),
    });
    expect(await listens('127.0.0.1', port)).toBe(false);
  }, 60_000);

  it('say that the port is taken by something that is not Redis', async () => {
    const other = createServer((socket) => socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await once(other.listen(0, '127.0.0.1'), 'listening');
    ({ port } = other.address() as AddressInfo);
    try {
      await expect(start('a').ready).rejects.toMatchObject({
        code: 'FOUNDATION_REDIS_NOT_FOUND',
        message: expect.stringContaining(`127.0.0.1:${port} is taken by something that is not Redis`),
      });
    } finally {
      other.close();
    }
  }, 60_000);
});
