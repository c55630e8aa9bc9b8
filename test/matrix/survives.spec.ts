// Copied into a real application by test/matrix.mjs: a test of a user, with `npm test` and without a build.
import { TestCluster } from 'nestjs-foundation/testing';

/** As `nest g singleton` makes it. */
interface PriceFeed {
  whereabouts(): string;
}

it('my singleton survives a kill', async () => {
  await using cluster = await TestCluster.start({ nodes: 3 });
  const owner = await cluster.owner('price-feed');
  await owner.kill();
  const next = await cluster.owner('price-feed');
  expect(next.name).not.toBe(owner.name);
  expect(await cluster.singleton<PriceFeed>('price-feed').whereabouts()).toBe(next.name);
  await cluster.assertSingleOwner('price-feed');
}, 60_000);
