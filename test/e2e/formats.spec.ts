// An application that is CommonJS: it requires the package, forms a cluster, and is told when it loads it twice.
import { fork } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from 'nestjs-foundation/testing';
import { AskedChild } from '../support/asked.child.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';

const APP = resolve(import.meta.dirname, '../apps/common.cjs');

describe('an application that is CommonJS', () => {
  let server: RedisServer;
  let nodes: AskedChild[];
  beforeAll(async () => {
    server = await startRedis();
    nodes = ['a', 'b'].map(
      (name) => new AskedChild(name, fork(APP, [server.url, 'common', name], { silent: true, execArgv: [] })),
    );
    await Promise.all(nodes.map(({ ready }) => ready));
  });
  afterAll(async () => {
    for (const { child } of nodes) child.kill('SIGKILL');
    await server.stop();
  });

  it('forms a cluster, calls, hears, and takes over from a node that is killed', async () => {
    const [a, b] = nodes as [AskedChild, AskedChild];
    for (const node of nodes) await eventually(async () => (await node.ask('members')) === 2);
    let price: unknown;
    await eventually(async () => /^EUR from [ab]$/.test(String((price = await a.ask('price', 'EUR')))), {
      lastSeen: () => price,
    });
    expect(await b.ask('price', 'EUR')).toBe(price);
    await a.ask('say');
    await eventually(async () => String(await b.ask('heard')) === 'a');
    const [owner, other] = price === 'EUR from a' ? [a, b] : [b, a];
    owner.child.kill('SIGKILL');
    await eventually(async () => (await other.ask('price', 'USD')) === `USD from ${other.name}`);
    expect(nodes.map(({ output }) => output).join('')).not.toContain('more than once');
    // The last one: it loads the other format as well.
    expect(await other.ask('formats')).toBe('two');
    await eventually(() => /loaded more than once.*dist\/cjs\/.* and .*dist\/foundation/.test(other.output), {
      lastSeen: () => other.output,
    });
  });
});
