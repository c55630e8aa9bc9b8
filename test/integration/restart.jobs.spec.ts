// What anybody may have put into the queue of the restarts: no job ends the worker, or keeps the jobs after it.
import { expect, it } from '@jest/globals';
import { Queue } from 'bullmq';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { QUEUE_NAME } from '../../libs/foundation/src/backend/restarts/bullmq.restarts.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { backendOn, closeLater, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, keys } = ground));

/** Texts in the place of the data of a job; most are no JSON, or no restart. */
const data = fc.oneof(
  fc.json(),
  fc.string(),
  fc.constantFrom('', '{', 'null', '[]', '"a"', '{"name":1,"epoch":"x"}', '{"__proto__":{"polluted":1}}'),
  fc.record({ name: fc.string(), epoch: fc.oneof(fc.integer(), fc.double()) }).map((value) => JSON.stringify(value)),
);

it('are done or moved to failed, whatever their data are, and those that follow are done', async () => {
  const bench = await backendOn(server, appName);
  const restarted: [string, number][] = [];
  const client = new Redis(server.adminUrl, { maxRetriesPerRequest: null });
  const queue = new Queue(QUEUE_NAME, { connection: client, prefix: keys.tag, skipMetasUpdate: true });
  closeLater(async () => {
    await queue.close();
    await client.quit();
  });
  const texts = fc.sample(data, { numRuns: 60, seed: 7 });
  for (const [index, text] of texts.entries()) {
    const name = index % 3 === 0 ? `x${index}` : 'restart';
    const job = await queue.add(name, {}, { jobId: `job_${index}`, attempts: 1 });
    await client.hset(`${keys.tag}:${QUEUE_NAME}:${job.id}`, 'data', text);
  }
  await bench.backend.restarts.open({
    restart: (name, epoch) => {
      restarted.push([name, epoch]);
      return Promise.resolve();
    },
    sweep: () => Promise.resolve(),
  });
  await bench.backend.restarts.schedule('feed', 7, 0);
  await eventually(() => restarted.some(([name, epoch]) => name === 'feed' && epoch === 7), {
    ...{ timeout: 30_000, what: 'The restart after them' },
    lastSeen: async () => ({ restarted, counts: await queue.getJobCounts() }),
  });
  for (const [name, epoch] of restarted) {
    expect([typeof name, Number.isSafeInteger(epoch)]).toEqual(['string', true]);
  }
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  expect(await queue.getWaitingCount()).toBe(0);
});
