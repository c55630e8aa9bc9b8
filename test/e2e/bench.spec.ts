// That the benchmarks still run, end to end and with few of their peers. It looks at no time.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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

const MAIN = resolve(import.meta.dirname, '../bench/main.mjs');
let folder: string;

beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'foundation-bench-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function bench(scenario: string, peers: readonly string[], phases: string): Promise<Report> {
  const out = join(folder, `${scenario}.json`);
  const args = [MAIN, scenario, '--quick', '--only', peers.join(), '--phases', phases, '--out', out];
  await promisify(execFile)(process.execPath, args, { timeout: 50_000 });
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
});
