// Every snippet of the documentation compiles against the package as it is published, and what is marked `run` runs.
// @redis embedded-ok
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { modulesOf, outputOf } from '../snippets/modules.mjs';
import { fencesOfPages, placeOf, ROOT } from '../snippets/pages.mjs';
import { missingLines, runModule, runShell, startModule } from '../snippets/run.mjs';
import { type RedisServer, startRedis } from '../support/redis-server.js';

const fences = fencesOfPages();
const modules = modulesOf(fences).filter(({ isRun }) => isRun);
const shells = fences.filter(({ language, words }) => language === 'sh' && words.includes('run'));

describe('the snippets of the documentation', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
    // As `npm run docs:snippets`: a program of its own, since the compiler keeps its memory.
    execFileSync(process.execPath, [join(ROOT, 'test/snippets/main.mjs')], { cwd: ROOT, encoding: 'utf8' });
  }, 120_000);
  afterAll(() => redis.stop());

  const environment = (name: string) => ({
    FOUNDATION_REDIS_URL: redis.url,
    FOUNDATION_APP_NAME: name.replaceAll(/[^a-z]+/g, '-'),
    PORT: '0',
    NO_COLOR: '1',
  });

  it('are there to be run', () => expect(modules.length).toBeGreaterThan(0));

  it('would be told of: what ends with an error, and a command that does', async () => {
    await expect(runModule({ name: 'none' }, {})).rejects.toThrow('ended with 1');
    const command = { text: 'redis-cli NOTHING' };
    await expect(runShell(command, {}, { redisUrl: redis.adminUrl })).rejects.toThrow('ended with 1');
  });

  it.each(modules)('run: $page, line $line', async (module) => {
    const expected = outputOf(module, fences);
    const output = await runModule({ ...module, expected }, environment(module.name));
    expect(missingLines(expected ?? '', output)).toEqual([]);
  });

  // The shop of the pages: three nodes of the example in README, as `FOUNDATION_APP_NAME=shop`.
  describe('beside the shop', () => {
    const nodes: { stop(): Promise<string> }[] = [];
    const shop = () => ({ ...environment('shop'), FOUNDATION_APP_NAME: 'shop' });
    beforeAll(async () => {
      const example = modules.find(({ page }) => page === 'README.md')!;
      const start = (name: string) => startModule(example, { ...shop(), FOUNDATION_NODE_NAME: name });
      nodes.push(...(await Promise.all(['shop-1', 'shop-2', 'shop-3'].map(start))));
    });
    afterAll(() => Promise.all(nodes.map((node) => node.stop())));

    it.each(shells.map((fence) => [placeOf(fence), fence] as const))('run: %s', async (_place, fence) => {
      if (redis.embedded) return; // it has no ACL and is asked by no redis-cli
      const redisUrl = redis.adminUrl.replace('://:', '://default:'); // redis-cli needs a name before the password
      await expect(runShell(fence, shop(), { redisUrl })).resolves.toEqual(expect.any(String));
    });
  });
});
