import { NestFactory } from '@nestjs/core';
import { TestCluster, type TestNode } from 'nestjs-foundation/testing';
import { AppModule } from '../src/app.module.js';
import { Ledger } from '../src/ledger.js';

const pay = async ({ url }: TestNode, body: object) => {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/accounts`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, ...((await response.json()) as { balance?: number; message?: string }) };
};

it('is called from every node, wherever it runs', async () => {
  await using cluster = await TestCluster.start({
    inProcess: () => NestFactory.create(AppModule, { logger: false }),
    nodes: 3,
  });
  for (const node of cluster.nodes) await pay(node, { account: 'ada', amount: 7 });
  expect(await cluster.singleton(Ledger).balance('ada')).toBe(21);

  const wrong = await pay(cluster.nodes[0]!, { account: 'ada', amount: -1 });
  expect(wrong).toMatchObject({ status: 400, message: expect.stringContaining('amount') });
  expect(await cluster.singleton(Ledger).balance('ada')).toBe(21);
}, 60_000);

// No cluster, no Redis: a process class is a class.
it('adds up', () => {
  const ledger = new Ledger();
  ledger.pay({ account: 'ada', amount: 2 });
  expect(ledger.pay({ account: 'ada', amount: 3 })).toBe(5);
  expect(ledger.balance('bob')).toBe(0);
});
