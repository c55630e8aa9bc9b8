// An application in one file, as esbuild makes it, run where there is no node_modules: what of the package is read from
// files or loaded late has to be in it, and what the bundler changes has to be said.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { build, type BuildOptions, type Format, transform } from 'esbuild';
import { eventually, freePort } from 'nestjs-foundation/testing';
import { type RedisServer, startServer } from '../support/redis-server.js';

const ROOT = resolve(import.meta.dirname, '../..');
const ENTRY = join(ROOT, 'dist/test/apps/bundled.js');
const START_MS = 30_000;
/** CommonJS in an ES module: what express and Nest ask for. */
const REQUIRE = [
  `import { createRequire as requireFrom } from 'node:module';`,
  'const require = requireFrom(import.meta.url);',
  'const [__filename, __dirname] = [import.meta.filename, import.meta.dirname];',
].join('\n');
/** Packages that Nest asks for and lives without. */
const EXTERNAL = ['@nestjs/websockets', '@nestjs/microservices', 'class-transformer'];
/** What a user has to install, and what this application asks for: all the others are optional, and missing. */
const INSTALLED = [
  ...['@nestjs/common', '@nestjs/core', '@nestjs/platform-express', 'class-validator', 'reflect-metadata', 'rxjs'],
  ...['bullmq', 'ioredis', 'prom-client', 'redlock'],
];
const RENAMED = /names as a minifier gives them.*classes: [\w$]+, [\w$]+/;

describe('a bundled application', () => {
  let folder: string;
  let redis: RedisServer;
  let child: ChildProcess | undefined;
  let log = '';

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'foundation-bundle-'));
    redis = await startServer();
  });
  afterEach(async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  });
  afterAll(async () => {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function run(name: string, options: BuildOptions): Promise<{ url: string; told: Record<string, unknown> }> {
    const isModule = options.format !== 'cjs';
    const outfile = join(folder, `${name}.${isModule ? 'mjs' : 'cjs'}`);
    const { warnings } = await build({
      ...(options.stdin === undefined && { entryPoints: [ENTRY] }),
      ...(isModule && { banner: { js: REQUIRE } }),
      ...{ bundle: true, platform: 'node', format: 'esm', tsconfigRaw: '{}', outfile },
      ...{ external: EXTERNAL.flatMap((each) => [each, `${each}/*`]), logLevel: 'silent', ...options },
    });
    expect(warnings.filter(({ location }) => location?.file.includes('foundation') === true)).toEqual([]);
    const port = await freePort();
    const env = {
      ...{ PATH: process.env['PATH'] ?? '', PORT: String(port), NO_COLOR: '1', NODE_ENV: 'production' },
      ...{ FOUNDATION_REDIS_URL: redis.url, FOUNDATION_APP_NAME: `bundle-${name}` },
    };
    log = '';
    child = spawn(process.execPath, [outfile], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout!.on('data', (chunk: Buffer) => (log += String(chunk)));
    child.stderr!.on('data', (chunk: Buffer) => (log += String(chunk)));
    const ended = once(child, 'exit').then(() =>
      Promise.reject(new Error(`The bundle has ended: ${log.slice(-3000)}`)),
    );
    ended.catch(() => undefined);
    const answer = eventually(() => /^BUNDLED (.*)$/m.exec(log)?.[1], {
      ...{ timeout: START_MS, what: 'The bundle to start', lastSeen: () => log.slice(-3000) },
    });
    answer.catch(() => undefined);
    const told = await Promise.race<string>([answer, ended]);
    return { url: `http://127.0.0.1:${port}`, told: JSON.parse(told) as Record<string, unknown> };
  }

  it('has its dashboard, its metrics and the names of its processes in the one file', async () => {
    const { url, told } = await run('kept', { minify: true, keepNames: true });
    expect(told).toEqual({ total: 42, names: ['Ledger', 'named'] });
    const page = await fetch(`${url}/foundation`);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<title>')]);
    const script = await fetch(`${url}/foundation/page/main.js`);
    expect([script.status, await script.text()]).toEqual([200, expect.stringContaining("from './dom.js'")]);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('foundation_');
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    expect(log).not.toMatch(RENAMED);
  });

  it('says that its classes have lost their names, and what keeps them', async () => {
    const { told } = await run('minified', { minify: true });
    expect(told).toMatchObject({ total: 42, names: expect.arrayContaining(['named']) });
    expect(told['names']).not.toContain('Ledger');
    expect(log).toMatch(RENAMED);
    expect(log).toContain('docs/guides/bundlers.md');
  });

  // CommonJS is what Nest 11 makes; then the package is required.
  it.each<Format>(['esm', 'cjs'])('is made and runs where no optional package is installed: %s', async (format) => {
    const app = join(folder, `app-${format}`);
    const packages = join(app, 'node_modules');
    cpSync(join(ROOT, 'dist/libs/foundation'), join(packages, 'nestjs-foundation'), { recursive: true });
    for (const name of INSTALLED) {
      mkdirSync(dirname(join(packages, name)), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules', name), join(packages, name));
    }
    const { code } = await transform(readFileSync(ENTRY, 'utf8'), { format, keepNames: true, tsconfigRaw: '{}' });
    const { told } = await run(`bare-${format}`, {
      ...{ stdin: { contents: code, resolveDir: app }, format, keepNames: true },
      external: EXTERNAL.filter((name) => name !== 'class-transformer'),
    });
    expect(told).toEqual({ total: 42, names: ['Ledger', 'named'] });
  });
});
