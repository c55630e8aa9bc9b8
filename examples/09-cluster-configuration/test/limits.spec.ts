import { NestFactory } from '@nestjs/core';
import { eventually, TestCluster, type TestNode } from 'nestjs-foundation/testing';
import { AppModule } from '../src/app.module.js';

const limitAt = async ({ url }: TestNode) => ((await (await fetch(`${url}/limit`)).json()) as { limit: number }).limit;
const set = ({ url }: TestNode, limit: number) => fetch(`${url}/limit/${limit}`, { method: 'PUT' });

it('is the same on all nodes, those that join later included, or refused', async () => {
  await using cluster = await TestCluster.start({
    inProcess: () => NestFactory.create(AppModule, { logger: false }),
    nodes: ['a', 'b'],
  });
  const [a, b] = [cluster.node('a'), cluster.node('b')];
  expect(await limitAt(b)).toBe(5); // the default

  expect((await set(a, 9)).status).toBe(200);
  await eventually(async () => (await limitAt(b)) === 9);
  expect(await limitAt(await cluster.startNode('c'))).toBe(9);

  expect((await set(b, 0)).status).toBe(400); // the schema wants 1 at least
  expect(await limitAt(a)).toBe(9);
}, 60_000);
