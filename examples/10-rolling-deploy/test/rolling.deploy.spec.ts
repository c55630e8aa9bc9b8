import { join } from 'node:path';
import { eventually, TestCluster } from 'nestjs-foundation/testing';

const cwd = join(import.meta.dirname, '..');

it('gives every order a number, one after the other, while all nodes are replaced', async () => {
  const env = ({ index }: { index: number }) => ({ VERSION: index < 2 ? '1' : '2' });
  await using cluster = await TestCluster.start({ cwd, nodes: ['a-1', 'b-1'], env });

  // A load balancer and its only customer: one order after the other, to a node that has not been told to go.
  const balanced = [...cluster.nodes];
  const numbers: number[] = [];
  let isOver = false;
  const orders = (async () => {
    for (let turn = 0; !isOver; turn++) {
      const { url } = balanced[turn % balanced.length]!;
      const response = await fetch(`${url}/orders`, { method: 'POST' });
      expect(response.status).toBe(201);
      numbers.push(((await response.json()) as { number: number }).number);
    }
  })();

  for (const name of ['a', 'b']) {
    balanced.push(await cluster.startNode(`${name}-2`));
    const old = cluster.node(`${name}-1`);
    balanced.splice(balanced.indexOf(old), 1); // readiness says so first
    await old.stop(); // SIGTERM: it hands over, answers what is under way, and leaves
    const before = numbers.length;
    await eventually(() => numbers.length > before + 10);
  }
  isOver = true;
  await orders;
  expect(numbers).toEqual(numbers.map((_, index) => index + 1)); // none twice, none left out
  await cluster.members(['a-2', 'b-2']);
}, 60_000);
