// The API of Foundation 1.x over several nodes: what it shares, adds up and finds while one of them is killed.
import { afterEach, describe, expect, it } from '@jest/globals';
import { eventually } from 'nestjs-foundation/testing';
import { TestCluster } from '../support/cluster.js';
import type { NodeProcess } from '../support/node.process.js';
import { ENV } from '../support/node.protocol.js';

const RATE = ['ai', 'planning', 'sampling_rate'];
type Answer = { ok: boolean; value: Record<string, unknown> & unknown[]; error?: { code: number } };

const on = (node: NodeProcess, service: string, method: string, ...args: unknown[]) =>
  node.ask('v1', service, method, ...args) as Promise<Answer>;
const rateOf = async (node: NodeProcess) => (await on(node, 'config', 'get', RATE)).value as unknown;
const goesBy = (nodes: readonly NodeProcess[], rate: number) =>
  eventually(async () => (await Promise.all(nodes.map(rateOf))).every((each) => each === rate), {
    what: `all go by ${rate}`,
  });
const storeOn = async (node: NodeProcess, correlationId: string, data: unknown) => {
  const made = await on(node, 'events', 'newEvent', 'order', data, { correlationId });
  // A Date is a text after the way through the channel of the child process.
  return on(node, 'events', 'store', { ...made.value, wallTime: null });
};
const correlated = (node: NodeProcess, correlationId: string, timeout = 10_000) =>
  on(node, 'events', 'getByCorrelationClusterWide', correlationId, { timeout });
const dataOf = ({ value }: Answer) => (value['events'] as { data: unknown }[]).map(({ data }) => data);

describe.each([['redis'], ['direct']])('Foundation 1.x on three nodes, over %s', (transport) => {
  let cluster: TestCluster;
  afterEach(() => cluster.close());

  const open = async () => {
    const options = JSON.stringify({ membership: { beatEvery: 250, ttl: 2000 }, transport });
    cluster = await TestCluster.open({ env: { [ENV.v1]: '1', [ENV.quiet]: '1', [ENV.options]: options } });
    const nodes = await cluster.start(['a', 'b', 'c']);
    await cluster.members(['a', 'b', 'c']);
    // Until each knows of the others that they answer.
    await eventually(async () => {
      const all = await Promise.all(nodes.map((node) => on(node, 'telemetry', 'getMetricsClusterWide', ['vm'])));
      return all.every(({ value }) => JSON.stringify(value['metrics']).includes('"count":3'));
    });
    return nodes as [NodeProcess, NodeProcess, NodeProcess];
  };

  it('sets a value everywhere, also while a node is killed, and keeps it over a restart of all', async () => {
    const [a, b, c] = await open();
    expect((await on(a, 'config', 'setClusterWide', RATE, 0.7)).ok).toBe(true);
    await goesBy([a, b, c], 0.7);
    for (const node of [a, b, c]) {
      expect(await on(node, 'config', 'heard')).toEqual([{ type: 'config_updated', path: RATE, value: 0.7 }]);
    }
    // A plain call stays on its node.
    await on(b, 'config', 'update', RATE, 0.1);
    expect([await rateOf(a), await rateOf(b), await rateOf(c)]).toEqual([0.7, 0.1, 0.7]);

    // All or none: what a node refuses, and what is no path, changes nothing anywhere.
    const refused = [
      await on(a, 'config', 'setClusterWide', RATE, 5),
      await on(a, 'config', 'setClusterWide', ['__proto__', 'polluted'], 1),
      await on(a, 'config', 'setClusterWide', ['ai', 'model'], 'other'),
      await on(a, 'config', 'setClusterWide', RATE, 0.2, { quorum: 4, timeout: 500 }),
    ];
    expect(refused.map(({ error }) => error?.code)).toEqual([1004, 1000, 1401, 4201]);
    expect([await rateOf(a), await rateOf(b), await rateOf(c)]).toEqual([0.7, 0.1, 0.7]);

    const setting = on(a, 'config', 'setClusterWide', RATE, 0.6, { timeout: 20_000 });
    await c.kill();
    expect((await setting).ok).toBe(true);
    await goesBy([a, b], 0.6);
    const [d] = await cluster.start(['d']);
    await goesBy([d!], 0.6);
    await on(b, 'config', 'reset');
    expect(await rateOf(b)).toBe(0.6);

    await Promise.all([a, b, d!].map((node) => node.kill()));
    const [e] = await cluster.start(['e']);
    await goesBy([e!], 0.6);
  });

  it('finds the events of a request on all nodes, and says which node is missing', async () => {
    const [a, b, c] = await open();
    for (const [index, node] of [a, b, c].entries()) await storeOn(node, 'req-1', index);
    await storeOn(b, 'req-2', 'other');
    const all = await correlated(a, 'req-1');
    expect(dataOf(all)).toEqual([0, 1, 2]);
    expect(all.value).toMatchObject({ missing: [], complete: true });
    // The plain call knows its node only.
    expect(((await on(a, 'events', 'getByCorrelation', 'req-1')).value as unknown[]).length).toBe(1);
    await eventually(async () => (await a.ask('received')).length >= 4, { what: 'All events on the channel' });

    await c.freeze();
    const partial = await correlated(a, 'req-1', 700);
    expect(dataOf(partial)).toEqual([0, 1]);
    expect(partial.value).toMatchObject({ missing: [{ node: 'c', reason: 'timeout' }], complete: false });
    const asked = correlated(b, 'req-1', 100_000);
    await c.kill();
    const killed = await asked;
    expect(dataOf(killed)).toEqual([0, 1]);
    expect(killed.value).toMatchObject({ missing: [{ node: 'c', reason: 'left' }], complete: false });
    await cluster.members(['a', 'b']);
    expect((await correlated(a, 'req-1')).value).toMatchObject({ missing: [], complete: true });
  });

  it('adds up metrics and merges histograms of all nodes', async () => {
    const [a, b, c] = await open();
    for (const [index, node] of [a, b, c].entries()) {
      for (let ms = 1; ms <= 100; ms += 1) {
        await on(node, 'telemetry', 'emitHistogram', ['shop', 'latency'], 100 * index + ms);
      }
      await on(node, 'telemetry', 'emitCounter', ['shop', 'sales'], 10 * (index + 1), {});
      await on(node, 'telemetry', 'emitGauge', ['shop', 'queue'], index, {});
    }
    const { value } = await on(b, 'telemetry', 'getMetricsClusterWide', ['shop']);
    type Figures = Record<'count' | 'sum' | 'min' | 'max' | 'p50' | 'p99', number>;
    type Shop = Record<'latency' | 'sales' | 'queue', { count: number; measurements: Record<string, Figures> }>;
    const { latency, sales, queue } = (value['metrics'] as { shop: Shop }).shop;
    const histogram = latency.measurements['histogram']!;
    expect(histogram).toMatchObject({ count: 300, sum: 45_150, min: 1, max: 300 });
    expect(Math.abs(histogram.p50 - 150)).toBeLessThanOrEqual(2);
    expect(Math.abs(histogram.p99 - 297)).toBeLessThanOrEqual(3);
    expect(sales).toMatchObject({ count: 3, measurements: { counter: { count: 3, sum: 60, min: 10, max: 30 } } });
    expect(queue.measurements['gauge']).toMatchObject({ count: 3, min: 0, max: 2 });

    await c.kill();
    await cluster.members(['a', 'b']);
    const after = await on(a, 'telemetry', 'getMetricsClusterWide', ['shop'], { timeout: 10_000 });
    expect(after.value).toMatchObject({
      metrics: { shop: { latency: { count: 200, measurements: { histogram: { max: 200 } } } } },
      ...{ missing: [], complete: true },
    });
  });

  it('finds and calls services of all nodes by namespace, and none of a node that is killed', async () => {
    const [a, b, c] = await open();
    for (const node of [a, c]) {
      expect((await on(node, 'registry', 'registerClusterWide', 'production', 'billing', 'BILLING')).ok).toBe(true);
    }
    await on(c, 'registry', 'registerClusterWide', { test: 'run-1' }, 'billing', 'BILLING');
    const nodesOf = async (...place: unknown[]) => {
      const found = await on(b, 'registry', 'lookupClusterWide', ...place);
      return found.ok
        ? (found.value as unknown as { node: string }[]).map(({ node }) => node).sort()
        : found.error?.code;
    };
    await eventually(async () => String(await nodesOf('production', 'billing')) === 'a,c');
    await eventually(async () => String(await nodesOf({ test: 'run-1' }, 'billing')) === 'c');
    expect((await on(b, 'registry', 'lookup', 'production', 'billing')).error?.code).toBe(5001);
    expect(await on(b, 'registry', 'listServicesClusterWide', 'production')).toEqual(['billing']);

    await c.kill();
    await cluster.members(['a', 'b']);
    await eventually(async () => String(await nodesOf('production', 'billing')) === 'a');
    expect(await nodesOf({ test: 'run-1' }, 'billing')).toBe(5001);
    const called = on(b, 'registry', 'callClusterWide', 'production', 'billing', 'price', [2]);
    expect(await called).toMatchObject({ amount: 10, pid: a.pid });
  });
});
