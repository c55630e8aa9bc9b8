// The built program as a child process, against nodes that are processes of their own.
import { execFile, spawn } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { eventually } from 'nestjs-foundation/testing';
import { COOKIE, TestCluster } from '../support/cluster.js';
import { requireNoLeak } from '../support/secrets.js';

const PACKAGE = resolve(import.meta.dirname, '../../dist/libs/foundation');
const { bin } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as { bin: Record<string, string> };
const PROGRAM = join(PACKAGE, bin['foundation']!);

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

describe('the program foundation', () => {
  let cluster: TestCluster;
  afterEach(() => cluster?.close());

  const environment = () => ({
    ...process.env,
    FOUNDATION_REDIS_URL: cluster.redis.url,
    FOUNDATION_APP_NAME: 'e2e',
    FOUNDATION_COOKIE: COOKIE,
  });
  async function foundation(...argv: string[]): Promise<Ran> {
    const options = { env: environment(), timeout: 40_000 };
    const ran = await promisify(execFile)(PROGRAM, argv, options).then(
      (output) => ({ code: 0, ...output }),
      (error: Ran) => error,
    );
    const { code, stdout, stderr } = ran;
    requireNoLeak([stdout, stderr], `foundation ${argv.join(' ')}`);
    return { code, stdout, stderr };
  }

  it('looks at a cluster, moves, drains, and is never seen by a node', async () => {
    accessSync(PROGRAM, constants.X_OK);
    cluster = await TestCluster.open();
    await cluster.start(['a', 'b']);
    await cluster.members(['a', 'b']);
    const { node } = await cluster.owner('steady');
    const other = node === 'a' ? 'b' : 'a';

    const status = await foundation('status');
    expect(status).toMatchObject({ code: 0, stderr: '' });
    expect(status.stdout).toMatch(new RegExp(`^steady +singleton +running +${node} `, 'm'));
    const doctor = JSON.parse((await foundation('doctor', '--json')).stdout) as { ok: boolean };
    expect(doctor).toMatchObject({ ok: true, counts: { failed: 0 } });

    expect(await foundation('move', 'steady', other)).toMatchObject({ code: 0, stderr: '' });
    expect((await cluster.owner('steady')).node).toBe(other);
    expect(await foundation('drain', other)).toMatchObject({ code: 0, stderr: '' });
    await cluster.owner('steady', { not: other });

    const names = new Set(cluster.events({ event: 'cluster.node_joined' }).map(({ payload }) => payload['node']));
    expect(names).toEqual(new Set(['a', 'b']));
    expect(cluster.violations()).toEqual([]);
  });

  it('exits with 1 when Redis is away and with 2 when it is not understood', async () => {
    cluster = await TestCluster.open();
    await cluster.redis.kill();
    expect(await foundation('status')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('ECONNREFUSED'),
    });
    expect((await foundation('doctor')).code).toBe(1);
    expect(await foundation('nonsense')).toMatchObject({ code: 2, stdout: '' });
    expect(await foundation('--version')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });

  it('ends top in order on SIGINT', async () => {
    cluster = await TestCluster.open();
    const top = spawn(PROGRAM, ['top', '--interval', '0.2'], { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    top.stdout.on('data', (chunk: Buffer) => (out += String(chunk)));
    const ended = new Promise((done) => top.once('exit', (code, signal) => done(signal ?? code)));
    await eventually(() => out.includes('e2e: critical, 0 nodes'), { lastSeen: () => out });
    top.kill('SIGINT');
    expect(await ended).toBe(0);
  });
});
