import { NestFactory } from '@nestjs/core';
import { eventually, TestCluster, type TestNode } from 'nestjs-foundation/testing';
import { AppModule } from '../src/app.module.js';

const ask = async ({ url }: TestNode, path: string, method = 'GET') =>
  (await (await fetch(`${url}/prices${path}`, { method })).text()) || 'null';

it('reads a price once on each node, until one of them changes it', async () => {
  await using cluster = await TestCluster.start({
    inProcess: () => NestFactory.create(AppModule, { logger: false }),
    nodes: ['a', 'b'],
  });
  const [a, b] = [cluster.node('a'), cluster.node('b')];
  const price = async (node: TestNode) => JSON.parse(await ask(node, '/tea')) as { price: number; reads: number };
  await cluster.owner('price-list');
  await ask(a, '/tea/3.5', 'PUT');
  const first = await price(b);
  expect(first.price).toBe(3.5);
  expect(await price(b)).toEqual(first); // from memory: the list was not read again

  await ask(a, '/tea/4', 'PUT');
  await eventually(async () => (await price(b)).price === 4);
}, 60_000);
