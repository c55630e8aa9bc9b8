import { join } from 'node:path';
import { eventually, TestCluster, type TestNode } from 'nestjs-foundation/testing';
import { type Price, PriceFeed } from '../src/price.feed.js';

const cwd = join(import.meta.dirname, '..');

const priceAt = async ({ url }: TestNode) => (await (await fetch(`${url}/price`)).json()) as Price;

it('makes prices on one node for all, whatever happens to that one', async () => {
  await using cluster = await TestCluster.start({ cwd, nodes: 3 });
  const first = await cluster.owner(PriceFeed);
  for (const node of cluster.nodes) await eventually(async () => (await priceAt(node)).node === first.name);

  await first.kill();
  const second = await cluster.owner(PriceFeed, { not: first });
  const { epoch } = await eventually(async () => {
    const price = await priceAt(second);
    return price.node === second.name && price;
  });

  // Frozen for longer than its lease, and back again: it owns nothing then, and its late prices are older ones.
  await second.freeze();
  const third = await cluster.owner(PriceFeed, { not: second });
  second.thaw();
  await eventually(async () => (await priceAt(second)).node === third.name);
  expect((await priceAt(second)).epoch).toBeGreaterThan(epoch);
  await cluster.assertSingleOwner(PriceFeed);
}, 60_000);
