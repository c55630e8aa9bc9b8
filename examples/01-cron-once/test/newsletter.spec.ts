import { join } from 'node:path';
import { Test } from '@nestjs/testing';
import { CronJobs } from 'nestjs-foundation';
import { eventually, FoundationTestingModule, ManualClock, TestCluster } from 'nestjs-foundation/testing';
import { AppModule } from '../src/app.module.js';

const cwd = join(import.meta.dirname, '..');

/** How often each newsletter was sent, by all nodes together; the dead ones, too. */
function sent({ nodes }: TestCluster) {
  const times = nodes.flatMap(({ log }) => [...log.matchAll(/Sent the newsletter of (\S+)/g)].map(([, time]) => time!));
  return new Map([...new Set(times)].map((time) => [time, times.filter((each) => each === time).length]));
}

const twice = (cluster: TestCluster) => [...sent(cluster)].filter(([, count]) => count > 1);

// `failing`: it fails, as it should. Each newsletter is sent by each node.
it.failing(
  'is sent once by @Cron',
  async () => {
    await using cluster = await TestCluster.start({ cwd, entry: 'src/before/main.ts', nodes: 2 });
    await eventually(() => sent(cluster).size >= 3);
    expect(twice(cluster)).toEqual([]);
  },
  60_000,
);

it('is sent once by @ClusterCron, also when the node that sends it is killed', async () => {
  await using cluster = await TestCluster.start({ cwd, nodes: 3 });
  await eventually(() => sent(cluster).size >= 3);

  const owner = await cluster.owner('cron:newsletter');
  await owner.kill();
  const next = await cluster.owner('cron:newsletter', { not: owner });
  await eventually(() => next.log.includes('Sent'));

  expect(twice(cluster)).toEqual([]);
  await cluster.assertSingleOwner('cron:newsletter');
}, 60_000);

// Without a cluster, without a Redis, and without a wait: the test moves the clock.
it('is sent each second', async () => {
  const module = await Test.createTestingModule({ imports: [AppModule, FoundationTestingModule.forRoot()] }).compile();
  const app = await module.createNestApplication({ logger: false }).init();
  await module.get(ManualClock).advance('5s');
  const [job] = await module.get(CronJobs).list();
  expect(job!.counts).toMatchObject({ fired: 5, missed: 0 });
  await app.close();
});
