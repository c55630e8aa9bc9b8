import { NestFactory } from '@nestjs/core';
import { TestCluster, type TestNode } from 'nestjs-foundation/testing';
import { AppModule } from '../src/app.module.js';

const ask = async ({ url }: TestNode, path: string, method = 'GET') => fetch(`${url}/prices${path}`, { method });

it('is known on every node once the change was answered, unless it is no price', async () => {
  await using cluster = await TestCluster.start({
    inProcess: () => NestFactory.create(AppModule, { logger: false }),
    nodes: ['a', 'b'],
  });
  const [a, b] = [cluster.node('a'), cluster.node('b')];
  expect((await ask(a, '/tea/3.5', 'PUT')).status).toBe(200);
  expect(await (await ask(b, '/tea')).json()).toEqual({ price: 3.5 });

  // Nobody has handled it, and who sent it is told: AcknowledgementError.
  expect((await ask(a, '/tea/cheap', 'PUT')).status).toBe(500);
  expect(await (await ask(b, '/tea')).json()).toEqual({ price: 3.5 });

  const { answers, complete } = (await (await ask(b, '')).json()) as { answers: object[]; complete: boolean };
  expect(answers).toHaveLength(2);
  expect(answers).toEqual(expect.arrayContaining([expect.objectContaining({ node: 'a', value: 1 })]));
  expect(complete).toBe(true);
}, 60_000);
