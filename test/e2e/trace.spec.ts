// The end-to-end test of the specification, on the sample application in three processes: what a request did on all
// nodes is collected by a singleton, whose node is killed half-way.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { eventually } from 'nestjs-foundation/testing';
import type { TraceData } from '../../sample-app/src/trace/trace.js';
import type { StartedTrace } from '../../sample-app/src/trace/traces.js';
import { findChromium, startChromium } from '../support/browser.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { SampleNode } from '../support/sample.node.js';
import { requireNoLeak, secret } from '../support/secrets.js';

const NAMES = ['a', 'b', 'c'];
const APP_NAME = 'trace';
const TOKEN = secret('the token of the dashboard with the traces');
const chromium = findChromium();
const ENOUGH = { timeout: 30_000 };
/** What the rule allows a message on its way; see `trace.ts`. */
const ON_ITS_WAY_MS = 1000;

describe('the trace of the sample application', () => {
  let redis: RedisServer;
  let client: Redis;
  let invoices: Queue;
  const nodes = new Map<string, SampleNode>();
  const all: SampleNode[] = [];

  beforeAll(async () => {
    // Its own keys and jobs are beside those of Foundation, so not with the rights of a node alone.
    redis = await startRedis({ minimal: false });
    client = new Redis(redis.adminUrl, { maxRetriesPerRequest: null });
    invoices = new Queue('invoices', { connection: client, prefix: `{${APP_NAME}}` });
    NAMES.forEach(start);
    await formed(NAMES);
  }, 60_000);

  afterAll(async () => {
    await invoices?.close();
    client?.disconnect();
    await Promise.all(all.map((node) => node.end('SIGTERM')));
    await redis?.stop();
    requireNoLeak(
      all.flatMap(({ output }) => output.split('\n')),
      'the output of the sample application',
    );
  }, 60_000);

  function start(name: string): SampleNode {
    const node = new SampleNode(name, {
      FOUNDATION_APP_NAME: APP_NAME,
      FOUNDATION_REDIS_URL: redis.url,
      FOUNDATION_DASHBOARD_TOKEN: TOKEN,
    });
    all.push(node);
    nodes.set(name, node);
    return node;
  }

  interface Status {
    members: { name: string; state: string }[];
    processes: { name: string; node?: string; state: string }[];
  }

  /** Until these nodes agree that they are the cluster, and every process runs. */
  async function formed(names: string[]): Promise<void> {
    let last: unknown;
    const isFormed = async (name: string): Promise<boolean> => {
      const { body } = await nodes.get(name)!.ask<Status>('GET', '/status');
      last = body;
      const up = body.members.filter(({ state }) => state === 'up').map((member) => member.name);
      return up.join() === names.join() && body.processes.every(({ state }) => state === 'running');
    };
    await eventually(async () => (await Promise.all(names.map(isFormed))).every(Boolean), {
      ...ENOUGH,
      what: `A cluster of ${names.join()}`,
      lastSeen: () => last,
    });
  }

  async function ownerOf(process: string, asked: string): Promise<string> {
    const { body } = await nodes.get(asked)!.ask<Status>('GET', '/status');
    return body.processes.find(({ name }) => name === process)!.node!;
  }

  const others = (name: string): string[] => NAMES.filter((other) => other !== name);

  async function startDistributedTrace(on: string): Promise<StartedTrace> {
    const { status, body } = await nodes.get(on)!.ask<StartedTrace>('POST', '/traces');
    expect(status).toBe(201);
    return body;
  }

  async function placeOrder(on: string, { traceparent }: StartedTrace): Promise<void> {
    const { status } = await nodes.get(on)!.ask('POST', '/orders', { traceparent }, { item: 'a lamp' });
    expect(status).toBe(201);
  }

  /** Asked until it is as wanted. */
  async function traceData(
    on: string,
    { id }: StartedTrace,
    what: string,
    isIt: (data: TraceData) => boolean,
  ): Promise<TraceData> {
    let last: unknown;
    return eventually(
      async () => {
        const { status, body } = await nodes.get(on)!.ask<TraceData>('GET', `/traces/${id}`);
        last = body;
        return status === 200 && isIt(body) ? body : undefined;
      },
      { ...ENOUGH, what: `A trace that ${what}`, lastSeen: () => JSON.stringify(last) },
    );
  }

  const lastOf = ({ spans }: TraceData): number =>
    Math.max(...spans.map(({ start, end = Infinity }) => Math.max(start, end)));
  const isOnlyQueued = ({ reasons }: TraceData): boolean =>
    reasons.length === 1 && reasons[0]!.includes('has not been handled');
  /** The rule for one that dies: it has reported after everything that could have reached it. */
  const isReported = (data: TraceData): boolean => data.reports.every(({ at }) => at > lastOf(data) + ON_ITS_WAY_MS);

  it('elixir_scope distributed debugging workflow', async () => {
    await invoices.pause();
    const coordinator = await ownerOf('trace-coordinator', 'a');
    const desk = await ownerOf('order-desk', 'a');
    const entry = NAMES.find((name) => name !== desk && name !== coordinator)!;
    const trace = await startDistributedTrace(entry);
    expect(trace.nodes).toEqual(NAMES);
    await placeOrder(entry, trace);

    // Half-way: every node has heard of the order, and the job waits in the queue.
    const half = await traceData(entry, trace, 'waits for its job', (data) => isOnlyQueued(data) && isReported(data));
    expect(half.nodes).toEqual(NAMES);
    await nodes.get(coordinator)!.end('SIGKILL');
    const survivors = others(coordinator);
    await formed(survivors);
    expect(survivors).toContain(await ownerOf('trace-coordinator', entry));
    const after = await traceData(entry, trace, 'waits for its job with the next coordinator', isOnlyQueued);
    expect(after.spans).toEqual(half.spans);

    await invoices.resume();
    const data = await traceData(entry, trace, 'is complete', ({ complete }) => complete);
    expect(data.nodes).toEqual(NAMES);
    expect(data.reasons).toEqual([]);
    expect(data.spans.map(({ id }) => id)).toEqual(expect.arrayContaining(half.spans.map(({ id }) => id)));

    // HTTP → a call to another node → a message to all → a job: each knows the one before.
    const spanOf = (name: string, kind?: string) =>
      data.spans.find((span) => span.name === name && (kind === undefined || span.kind === kind))!;
    const [request, asked, answered] = [
      spanOf('POST /orders'),
      spanOf('order-desk/place', 'client'),
      spanOf('order-desk/place', 'server'),
    ];
    expect(trace.traceparent.split('-')[2]).toBe(request.parent);
    expect([request.node, asked.parent, asked.node]).toEqual([entry, request.id, entry]);
    expect([answered.parent, answered.node]).toEqual([asked.id, desk]);
    const heard = data.spans.filter(({ name }) => name === 'process events');
    expect(new Set(heard.map(({ parent }) => parent))).toEqual(new Set([spanOf('publish events').id]));
    expect([...new Set(heard.map(({ node }) => node))].sort()).toEqual(NAMES);
    expect(heard.map(({ id }) => id)).toContain(spanOf('publish invoices').parent);
    const printed = spanOf('process invoices');
    expect(printed.parent).toBe(spanOf('publish invoices').id);
    expect(survivors).toContain(printed.node);

    start(coordinator);
    await formed(NAMES);
    // The same name is another life, which has nothing of it; what is known does not change.
    expect((await traceData(entry, trace, 'is complete still', ({ complete }) => complete)).spans).toEqual(data.spans);
  }, 120_000);

  (chromium === undefined ? it.skip : it)(
    'is drawn as a time-line by the dashboard',
    async () => {
      const trace = await startDistributedTrace('a');
      await placeOrder('b', trace);
      const { spans } = await traceData(
        'c',
        trace,
        'is complete',
        ({ complete, spans }) => complete && spans.length > 1,
      );
      const browser = await startChromium(chromium!);
      try {
        const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
        const complaints: string[] = [];
        page.on('pageerror', (error) => complaints.push(error.message));
        page.on('console', (message) => {
          if (message.type() === 'error' && !message.text().startsWith('Failed to load'))
            complaints.push(message.text());
        });
        await page.goto(`http://127.0.0.1:${await nodes.get('a')!.listening()}/foundation`);
        await page.getByLabel('Access token').fill(TOKEN);
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.getByRole('link', { name: trace.id }).click();
        const state = page.locator('#trace-state');
        await state.filter({ hasText: /^complete$/ }).waitFor(ENOUGH);
        const lines = page.locator('#span-list > li');
        expect(await lines.count()).toBe(spans.length);
        for (const text of ['POST /orders', 'order-desk/place', 'process invoices'])
          await lines.filter({ hasText: text }).first().waitFor(ENOUGH);
        // A line opens, and stays open over the updates.
        await lines.nth(1).getByRole('button').click();
        await lines.nth(1).getByText('Parent').waitFor(ENOUGH);
        await page.setViewportSize({ width: 375, height: 812 });
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
        await page.getByRole('link', { name: 'Cluster' }).click();
        await page.locator('#trace').waitFor({ state: 'hidden', ...ENOUGH });
        expect(complaints).toEqual([]);
      } finally {
        await browser.close();
      }
    },
    60_000,
  );

  it('is not complete when a node dies with what it had not reported', async () => {
    const coordinator = await ownerOf('trace-coordinator', 'a');
    const [entry, victim] = others(coordinator) as [string, string];
    const trace = await startDistributedTrace(entry);
    await placeOrder(entry, trace);
    await nodes.get(victim)!.end('SIGKILL');
    const isLost = ({ reasons }: TraceData): boolean => reasons.some((reason) => reason.startsWith(`${victim} died`));
    const data = await traceData(entry, trace, 'says what is lost', isLost);
    expect(data.complete).toBe(false);
    start(victim);
    await formed(NAMES);
    expect((await traceData(entry, trace, 'is answered', () => true)).complete).toBe(false);
  }, 120_000);

  it('is not complete while a node does not answer, and is when it does', async () => {
    const coordinator = await ownerOf('trace-coordinator', 'a');
    const [entry, frozen] = others(coordinator) as [string, string];
    const trace = await startDistributedTrace(entry);
    nodes.get(frozen)!.freeze();
    const data = await traceData(entry, trace, 'says who is silent', ({ complete }) => !complete);
    expect(data.reasons.join()).toContain(frozen);
    nodes.get(frozen)!.thaw();
    await formed(NAMES);
    await placeOrder(entry, trace);
    await traceData(entry, trace, 'is complete', ({ complete, spans }) => complete && spans.length > 1);
  }, 120_000);

  it.each(["'; DROP TABLE traces", '../..', '__proto__', '0'.repeat(32), 'A'.repeat(32), 'a'.repeat(8000)])(
    'refuses what is not a trace id (%#)',
    async (id) => {
      const { status, body } = await nodes.get('a')!.ask('GET', `/traces/${encodeURIComponent(id)}`);
      expect([status, body]).toEqual([
        400,
        expect.objectContaining({ message: expect.stringContaining('Not a trace id') }),
      ]);
      for (const path of ['/traces', '/orders']) {
        const traceparent = `00-${id}-b7ad6b7169203331-01`;
        expect((await nodes.get('a')!.ask('POST', path, { traceparent })).status).toBe(400);
      }
    },
  );

  it('begins a trace once that is begun twice, and knows none that was not begun', async () => {
    const id = '0af7651916cd43dd8448eb211c80319c';
    const traceparent = `00-${id}-b7ad6b7169203331-00`;
    expect((await nodes.get('a')!.ask('GET', `/traces/${id}`)).status).toBe(404);
    const [first, second] = await Promise.all(
      ['a', 'b'].map((name) => nodes.get(name)!.ask<StartedTrace>('POST', '/traces', { traceparent })),
    );
    expect(first!.body).toMatchObject({ id, traceparent: traceparent.replace(/00$/, '01') });
    expect(second!.body).toEqual(first!.body);
    expect((await nodes.get('c')!.ask<TraceData>('GET', `/traces/${id}`)).body).toMatchObject({ id, complete: true });
  });
});
