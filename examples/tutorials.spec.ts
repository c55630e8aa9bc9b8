// The log lines in docs/tutorials are lines that the nodes of the examples print.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, TestCluster } from 'nestjs-foundation/testing';

const here = import.meta.dirname;

/** What a line says, without the process, the time, names of nodes and numbers. */
const kindOf = (line: string) =>
  line
    .replace(/^.*?(?=(LOG|WARN|ERROR) \[)/, '')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z|clusterId: [\w-]+|(node-)?\d+/g, '*')
    .replace(/…$/, '');

/** The kinds of lines that a page shows and no node has printed. */
function missing(page: string, { nodes }: TestCluster) {
  const shown = readFileSync(join(here, '../docs/tutorials', page), 'utf8').match(/^node-\d \| \[Nest\].*$/gm) ?? [];
  const printed = nodes.flatMap(({ log }) => log.split('\n').map(kindOf));
  const kinds = [...new Set(shown.map(kindOf))];
  expect(kinds.length).toBeGreaterThan(3);
  return kinds.filter((kind) => !printed.some((line) => line.startsWith(kind)));
}

it('are those of a cron job that fires once', async () => {
  await using cluster = await TestCluster.start({ cwd: join(here, '01-cron-once') });
  const first = await cluster.owner('cron:newsletter');
  await eventually(() => first.log.includes('Sent'));
  await first.kill();
  const second = await cluster.owner('cron:newsletter', { not: first });
  await eventually(() => second.log.includes('is down'));
  await second.stop();
  await eventually(() => missing('cron-once.md', cluster).length === 0, {
    lastSeen: () => missing('cron-once.md', cluster),
  });
}, 60_000);

it('are those of state that survives a release', async () => {
  await using cluster = await TestCluster.start({ cwd: join(here, '04-partitions'), nodes: 2 });
  await cluster.owner('carts/0');
  const third = await cluster.startNode();
  await eventually(() => third.log.includes('before on node-'), { timeout: 20_000 });
  await (await cluster.owner('carts/0')).stop();
  await eventually(() => missing('carts.md', cluster).length === 0, { lastSeen: () => missing('carts.md', cluster) });
}, 60_000);
