import { join } from 'node:path';
import { Test } from '@nestjs/testing';
import {
  eventually,
  FoundationTestingModule,
  ManualClock,
  TestCluster,
  type TestNode,
} from 'nestjs-foundation/testing';
import { AppModule } from '../src/app.module.js';
import { Bank } from '../src/bank.js';
import { OrdersController } from '../src/orders.controller.js';

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

// Without a cluster, without a Redis, and without a wait: the test moves the clock.
it('bills an order again when the bank was closed, after `retryAfter`', async () => {
  const asked: number[] = [];
  const bank = {
    async bill(id: number) {
      asked.push(id);
      if (asked.length === 1) throw new Error('The bank is closed');
    },
  };
  const module = await Test.createTestingModule({ imports: [AppModule, FoundationTestingModule.forRoot()] })
    .overrideProvider(Bank)
    .useValue(bank)
    .compile();
  const app = await module.createNestApplication({ logger: false }).init();
  await module.get(OrdersController).place('7');
  await module.get(ManualClock).advance('2s');
  expect(asked).toEqual([7, 7]);
  await app.close();
});
