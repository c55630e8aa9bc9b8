// @redis embedded-ok
// What users give, over the whole public API: a process without a handler for unhandled rejections survives all of it.
// A new callback of the public API is added to the table in the application by hand: nothing finds it by itself.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type RedisServer, startRedis } from '../support/redis-server.js';

const APP = join(import.meta.dirname, '../../dist/test/apps/hostile.js');

interface Survival {
  answer: string;
  told: string[];
  failures: number;
  event: number;
  row: number;
  report: number;
  error: number;
  places: { callbacks: string[]; values: string[] };
}

async function survive(env: Record<string, string>): Promise<Survival> {
  const child = spawn(process.execPath, [APP], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let [said, complained] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complained += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect({ code, complained }).toEqual({ code: 0, complained: '' });
  return JSON.parse(said.trim().split('\n').at(-1)!) as Survival;
}

function expectUnharmed({ answer, told, failures, event, row, report, error }: Survival): void {
  expect(told).toEqual([]);
  expect(answer).toBe('well');
  expect(failures).toBeGreaterThan(30);
  // Events, rows, reports in the record of the node and errors of calls, in characters of JSON: what was thrown had
  // five million.
  expect(event).toBeLessThan(4000);
  expect(row).toBeLessThan(4000);
  expect(report).toBeLessThan(4000);
  expect(error).toBeLessThan(8000);
}

describe('what users give', () => {
  let redis: RedisServer | undefined;

  afterEach(() => redis?.stop());

  it('ends no process, is told, and grows no record', async () => {
    expectUnharmed(await survive({}));
  }, 240_000);

  it('ends no node of a cluster, is told, and grows no record', async () => {
    redis = await startRedis();
    expectUnharmed(await survive({ HOSTILE_REDIS: redis.url }));
  }, 240_000);
});
