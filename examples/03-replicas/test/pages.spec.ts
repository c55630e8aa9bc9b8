import { NestFactory } from '@nestjs/core';
import { eventually, TestCluster } from 'nestjs-foundation/testing';
import { AppModule } from '../src/app.module.js';

it('has a cache on every node, those that join later included, and two crawlers', async () => {
  await using cluster = await TestCluster.start({
    inProcess: () => NestFactory.create(AppModule, { logger: false }),
    nodes: ['a', 'b'],
  });
  const ask = async (path: string, method = 'GET'): Promise<unknown> =>
    (await fetch(`${cluster.node('a').url}/${path}`, { method })).json();

  const nodes = async () => Object.keys((await ask('cached')) as object).length;
  await eventually(async () => (await nodes()) === 2); // each node has started its own
  expect(await ask('pages/start', 'PUT')).toEqual({ kept: expect.arrayContaining(['a', 'b']), missing: [] });
  expect(await ask('cached')).toEqual({ a: 1, b: 1 });

  await cluster.startNode('c');
  await eventually(async () => (await nodes()) === 3);
  expect(await ask('cached')).toEqual({ a: 1, b: 1, c: 0 }); // a new replica begins empty
  expect(await ask('crawlers')).toHaveLength(2);
}, 60_000);
