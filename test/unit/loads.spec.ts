// Without a cluster nothing but Nest is loaded: shown in a process of its own, because Jest has loaded everything.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

interface Loaded {
  packages: string[];
  sources: string[];
  processes: unknown;
}

/** Each child compiles the sources, beside other specs on a busy machine. */
const PATIENCE_MS = 240_000;
const main = join(import.meta.dirname, 'loads/main.mjs');
const TOOLS = ['ioredis', 'redlock', 'bullmq'];
const OPTIONAL = /^(prom-client|@opentelemetry\/.*|@nestjs\/terminus|socket\.io|@nestjs\/platform-socket\.io)$/;
let folder: string;

beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'foundation-loads-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** With an environment of its own, so that nothing configures the child but the arguments of `forRoot`. */
async function loadedBy(name: string, args: unknown[], env: NodeJS.ProcessEnv = {}): Promise<Loaded> {
  const child = await promisify(execFile)(process.execPath, [main, JSON.stringify(args), join(folder, name)], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    timeout: PATIENCE_MS,
  });
  return JSON.parse(child.stdout) as Loaded;
}

const toolsIn = ({ packages }: Loaded) => TOOLS.filter((tool) => packages.includes(tool));

describe('What is loaded', () => {
  it(
    'is nothing of Redis without a cluster, and all of it with one',
    async () => {
      // The second child shows that the first one would have been caught.
      const [alone, clustered] = await Promise.all([
        loadedBy('alone', [], { REDIS_URL: 'redis://127.0.0.1:1' }),
        loadedBy('clustered', [{ cluster: true, redis: 'redis://127.0.0.1:1' }]),
      ]);
      expect(alone.processes).toEqual([]);
      expect(alone.packages).toContain('@nestjs/core');
      expect(alone.sources).toContain('backend/local.backend.ts');
      expect(toolsIn(alone)).toEqual([]);
      expect(alone.sources.filter((file) => /redis|redlock|bullmq/.test(file))).toEqual([]);

      expect(toolsIn(clustered)).toEqual(TOOLS);
      // Only what the application imports from their entries loads these.
      for (const { packages } of [alone, clustered]) expect(packages.filter((name) => OPTIONAL.test(name))).toEqual([]);
      expect(clustered.sources).toContain('backend/redis.backend.ts');
    },
    PATIENCE_MS,
  );
});
