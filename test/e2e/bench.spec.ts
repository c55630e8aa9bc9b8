// That the benchmarks still run, end to end and with few of their peers. It looks at no time.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

interface Sample {
  count: number;
  lost?: number;
}
interface Report {
  skipped: Record<string, string>;
  phases: { key: string; samples: Record<string, Sample[]> }[];
}

interface Whole {
  rows: { figure?: number }[];
  samples: Record<string, number[]>;
}
interface Growth {
  services: object[];
}

const MAIN = resolve(import.meta.dirname, '../bench/main.mjs');
let folder: string;

beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'foundation-bench-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function bench(scenario: string, peers: readonly string[], phases: string, env = {}): Promise<Report> {
  const out = join(folder, `${scenario}.json`);
  const args = [MAIN, scenario, '--quick', '--only', peers.join(), '--phases', phases, '--out', out];
  await promisify(execFile)(process.execPath, args, { timeout: 50_000, env: { ...process.env, ...env } });
  return JSON.parse(readFileSync(out, 'utf8')) as Report;
}

describe('The benchmarks', () => {
  it.each([
    ['rpc', ['ioredis', 'foundation-redis'], 'c100-100'],
    ['channels', ['ioredis', 'socket'], 'burst-1000,paced-1000'],
  ])('measure %s', async (scenario, peers, keys) => {
    const { phases, skipped } = await bench(scenario, peers, keys);
    expect(skipped).toEqual({});
    for (const { samples } of phases) {
      for (const peer of peers) {
        expect(samples[peer]?.[0]?.count).toBeGreaterThan(0);
        expect(samples[peer]?.[0]?.lost ?? 0).toBe(0);
      }
    }
  });

  it('say why a nats-server does not run, and go on without it', async () => {
    const server = join(folder, 'nats-server');
    writeFileSync(server, '#!/bin/sh\nexit 3\n', { mode: 0o755 });
    const env = { FOUNDATION_BENCH_NATS_SERVER: server };
    const { skipped, phases } = await bench('channels', ['nats', 'socket'], 'burst-1000', env);
    expect(skipped).toEqual({ nats: `${server} ended with 3 before it was ready` });
    expect(phases[0]?.samples['socket']?.[0]?.count).toBeGreaterThan(0);
  });

  it('take the library of another clone as one more peer', async () => {
    const out = join(folder, 'against.json');
    const peers = 'foundation-direct,foundation-direct-other';
    const against = ['--against', resolve(import.meta.dirname, '../..')];
    const args = [MAIN, 'rpc', '--quick', '--only', peers, '--phases', 'c100-100', '--out', out, ...against];
    await promisify(execFile)(process.execPath, args, { timeout: 50_000 });
    const { phases } = JSON.parse(readFileSync(out, 'utf8')) as Report;
    for (const peer of peers.split(',')) expect(phases[0]?.samples[peer]?.[0]?.count).toBeGreaterThan(0);
  });

  it.each([
    ['sla', ['--phases', 'bytes'], ({ rows }: Whole) => rows.filter(({ figure }) => figure !== undefined), 2],
    ['growth', ['--phases', 'services'], ({ rows }: Whole) => (rows as unknown as Growth).services, 2],
    ['peers', ['--only', 'foundation', '--seconds', '1'], ({ samples }: Whole) => samples.foundation, 1],
  ])(
    'measure %s',
    async (name, args, of, least) => {
      const [out, at] = [join(folder, `${name}.json`), join(folder, `docs/${name}.md`)];
      const command = [MAIN, name, '--quick', ...args, '--out', out, '--report', '--page', at];
      // A figure beyond a limit of the specification ends it with 1, and no test looks at a time.
      await promisify(execFile)(process.execPath, command, { timeout: 140_000 }).catch((error: { code?: unknown }) => {
        // Its message has what it said.
        if (error.code !== 1 || !existsSync(out)) throw error;
      });
      expect(of(JSON.parse(readFileSync(out, 'utf8')) as Whole)!.length).toBeGreaterThanOrEqual(least);
      expect(readFileSync(at, 'utf8')).toContain('its figures mean nothing');
    },
    150_000,
  );

  it('measure nodes that do nothing', async () => {
    const out = join(folder, 'idle.json');
    const args = [MAIN, 'idle', '--quick', '--only', 'redis', '--trace', '--out', out];
    await promisify(execFile)(process.execPath, args, { timeout: 50_000 });
    const { rows } = JSON.parse(readFileSync(out, 'utf8')) as { rows: { transport: string; sent: number }[] };
    expect(rows.map(({ transport }) => transport)).toEqual(['redis', 'none']);
    expect(rows[0]?.sent).toBeGreaterThan(0);
  });
});
