import { join } from 'node:path';
import { eventually, TestCluster, type TestNode } from 'nestjs-foundation/testing';

const cwd = join(import.meta.dirname, '..');
const ORDERS = Array.from({ length: 20 }, (_, index) => index + 1);

const billedBy = ({ log }: TestNode) => [...log.matchAll(/Billed order (\d+)/g)].map(([, id]) => Number(id));

it('bills every order, although a node is killed in the midst of them', async () => {
  await using cluster = await TestCluster.start({ cwd, nodes: ['a', 'b'] });
  const place = (id: number) => fetch(`${cluster.node('b').url}/orders/${id}`, { method: 'POST' });
  await Promise.all(ORDERS.map(place)); // Redis has all of them
  await eventually(() => billedBy(cluster.node('a')).length > 0);
  await cluster.node('a').kill();

  const billed = () => new Set(cluster.nodes.flatMap(billedBy));
  await eventually(() => billed().size === ORDERS.length, { timeout: 30_000, lastSeen: () => [...billed()] });
}, 60_000);
