// An application that is CommonJS: it requires the package, forms a cluster, and is told when it loads it twice.
import { execFile, fork } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from 'nestjs-foundation/testing';
import { AskedChild } from '../support/asked.child.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';

const APP = resolve(import.meta.dirname, '../apps/common.cjs');

/** Serves the dashboard, asks for the page and for its modules, and prints what came. */
const SERVE = `
  class App {}
  const token = 'a token of sixteen characters';
  const imports = [FoundationModule.forRoot(), FoundationDashboardModule.forRoot({ token })];
  Module({ imports })(App);
  const serve = async () => {
    const app = await NestFactory.create(App, { logger: ['error'] });
    await app.listen(0, '127.0.0.1');
    const ask = async (path) => {
      const answer = await fetch((await app.getUrl()) + path);
      return [answer.status, answer.headers.get('content-type'), (await answer.text()).length];
    };
    const paths = ['', '/page/main.js', '/page/uplot.js', '/page/page.css'];
    console.log(JSON.stringify(await Promise.all(paths.map((path) => ask('/foundation' + path)))));
    await app.close();
  };
  void serve();`;
const NAMES = {
  '{ Module }': '@nestjs/common',
  '{ NestFactory }': '@nestjs/core',
  '{ FoundationModule }': 'nestjs-foundation',
  '{ FoundationDashboardModule }': 'nestjs-foundation/dashboard',
};

describe('the dashboard', () => {
  it('is served from both formats, by the same page', async () => {
    const lines = (line: (names: string, from: string) => string): string =>
      [...Object.entries(NAMES).map(([names, from]) => line(names, from)), SERVE].join('\n');
    const run = async (format: string, text: string): Promise<unknown> => {
      const args = [`--input-type=${format}`, '-e', text];
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: resolve(APP, '../..') });
      return JSON.parse(stdout);
    };
    const [common, module] = await Promise.all([
      run('commonjs', `require('reflect-metadata');${lines((names, from) => `const ${names} = require('${from}');`)}`),
      run('module', `import 'reflect-metadata';${lines((names, from) => `import ${names} from '${from}';`)}`),
    ]);
    expect(common).toEqual(module);
    const [page, main, uplot, other] = common as [number, string, number][];
    expect(page).toEqual([200, 'text/html; charset=utf-8', expect.any(Number)]);
    expect(page![2]).toBeGreaterThan(20_000);
    for (const script of [main, uplot]) expect(script!.slice(0, 2)).toEqual([200, 'text/javascript; charset=utf-8']);
    expect(uplot![2]).toBeGreaterThan(20_000);
    expect(other![0]).toBe(404);
  });
});

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
