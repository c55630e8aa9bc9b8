import { NestFactory } from '@nestjs/core';
import { eventually, TestCluster } from 'nestjs-foundation/testing';
import { AppModule } from '../src/app.module.js';

it('is found on the nodes that are there, and called in turn', async () => {
  await using cluster = await TestCluster.start({
    inProcess: () => NestFactory.create(AppModule, { logger: false }),
    nodes: ['a', 'b'],
  });
  const ask = async (path: string, method = 'GET'): Promise<unknown> =>
    (await fetch(`${cluster.node('a').url}/${path}`, { method })).json();
  const found = async () => ((await ask('services')) as { node: string }[]).map(({ node }) => node).sort();

  await eventually(async () => (await found()).join() === 'a,b');
  const receipts = [await ask('checkout/o-1', 'POST'), await ask('checkout/o-1', 'POST')];
  expect(receipts).toContainEqual({ receipt: '20 for o-1, charged on a' });
  expect(receipts).toContainEqual({ receipt: '20 for o-1, charged on b' });

  await cluster.node('b').stop();
  await eventually(async () => (await found()).join() === 'a');
  expect(await ask('checkout/o-2', 'POST')).toEqual({ receipt: '20 for o-2, charged on a' });
}, 60_000);
