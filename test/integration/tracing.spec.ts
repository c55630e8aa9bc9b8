// Traces and metrics through real channels and calls, with the real SDK of OpenTelemetry: two applications on Redis.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { context, metrics, type Span, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Redis } from 'ioredis';
import {
  Callable,
  Channels,
  Membership,
  ProcessManager,
  readTraceContext,
  type RecordedSpan,
  ServiceMesh,
  Singleton,
  SpanRecorder,
  Telemetry,
} from 'nestjs-foundation';
import { FoundationOpenTelemetry } from 'nestjs-foundation/opentelemetry';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, closeLater, formed, onOwnRedis } from './fixture.js';

const spans = new InMemorySpanExporter();
const figures = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: figures, exportIntervalMillis: 3_600_000 });
const meters = new MeterProvider({ readers: [reader] });
const contexts = new AsyncLocalStorageContextManager();

beforeAll(() => {
  context.setGlobalContextManager(contexts.enable());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));
  metrics.setGlobalMeterProvider(meters);
});
afterAll(async () => {
  await meters.shutdown();
  for (const api of [context, trace, metrics]) api.disable();
});
beforeEach(() => spans.reset());

@Singleton({ name: 'ledger' })
class Ledger {
  @Callable()
  add(amount: number): number {
    if (amount < 0) throw new Error('no such amount');
    return amount;
  }
}

class Till {
  @Callable()
  charge(): string | undefined {
    return trace.getActiveSpan()?.spanContext().traceId;
  }
}

let server: RedisServer;
let appName: string;
let keys: Keys;
onOwnRedis((ground) => ({ server, appName, keys } = ground));

const channels = { names: { payments: { durable: true } } };
const start = (providers: object[]): Promise<Booted> =>
  boot(server.url, appName, [FoundationOpenTelemetry, ...providers] as never, { channels });
const all = () => spans.getFinishedSpans();
const named = (name: string) => all().filter((span) => span.name === name);
const inSpan = <T>(work: (span: Span) => Promise<T>): Promise<T> =>
  trace.getTracer('test').startActiveSpan('order', async (span) => {
    try {
      return await work(span);
    } finally {
      span.end();
    }
  });
const lastSeen = () => all().map(({ name, attributes }) => [name, attributes]);

describe('A trace', () => {
  it.each(['events', 'payments'])('goes with a message on %s to the handlers of all nodes', async (channel) => {
    const [a, b] = [await start([]), await start([])];
    await formed(a, b);
    const seen: (string | undefined)[] = [];
    for (const [index, node] of [a, b].entries()) {
      const handler = async () => {
        await Promise.resolve();
        seen.push(trace.getActiveSpan()?.spanContext().traceId);
      };
      const group = channel === 'payments' ? { group: `g${index}` } : {};
      await node.app.get(Channels).subscribe(channel, handler, group);
    }
    const traceId = await inSpan(async (span) => {
      await a.app.get(Channels).broadcast(channel, { id: 7 }, { type: 'order.placed' });
      return span.spanContext().traceId;
    });
    await eventually(() => named(`process ${channel}`).length === 2, { what: 'Two handlers', lastSeen });
    expect(seen).toEqual([traceId, traceId]);
    const [publish] = named(`publish ${channel}`);
    const [order] = named('order');
    expect(publish!.parentSpanContext?.spanId).toBe(order!.spanContext().spanId);
    for (const process of named(`process ${channel}`)) {
      expect(process.parentSpanContext?.spanId).toBe(publish!.spanContext().spanId);
      expect(process.attributes).toMatchObject({
        'messaging.system': 'foundation',
        'messaging.destination.name': channel,
        'foundation.message.from': a.name,
        'foundation.message.type': 'order.placed',
      });
    }
  });

  it('goes with a call to the process, and with one to a service; errors are noted on both sides', async () => {
    const [a, b] = [await start([Ledger]), await start([Ledger])];
    await formed(a, b);
    const ref = await eventually(() => a.app.get(ProcessManager).lookupSingleton<Ledger>('ledger'));
    const caller = ref.node === a.name ? b : a;
    const ledger = await eventually(() => caller.app.get(ProcessManager).lookupSingleton<Ledger>('ledger'));
    const traceId = await inSpan(async (span) => {
      expect(await ledger.call('add', 3)).toBe(3);
      return span.spanContext().traceId;
    });
    const sides = named('ledger/add');
    expect(sides.map((span) => span.spanContext().traceId)).toEqual([traceId, traceId]);
    const [atOwner, atCaller] = sides;
    expect(atOwner!.parentSpanContext).toMatchObject({ spanId: atCaller!.spanContext().spanId, isRemote: true });

    spans.reset();
    await expect(ledger.call('add', -1)).rejects.toThrow('no such amount');
    await eventually(() => named('ledger/add').length === 2, { lastSeen });
    expect(named('ledger/add').map(({ status }) => status.code)).toEqual([2, 2]);

    await a.app.get(ServiceMesh).registerService('till', new Till());
    const mesh = b.app.get(ServiceMesh);
    await eventually(async () => (await mesh.discoverServices({ name: 'till' })).length === 1);
    const [charged, expected] = await inSpan(async (span) => [
      await mesh.call('till', 'charge', []),
      span.spanContext().traceId,
    ]);
    expect(charged).toBe(expected);
  });

  it('begins anew where a message brings none, or one that is none; the message is handled all the same', async () => {
    const node = await start([]);
    const traces: (string | undefined)[] = [];
    const handler = () => void traces.push(trace.getActiveSpan()?.spanContext().traceId);
    await node.app.get(Channels).subscribe('events', handler);
    const client = new Redis(server.adminUrl);
    closeLater(async () => void (await client.quit()));
    const good = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const bodies = [
      { b: 1, p: good, s: 'vendor=x' },
      { b: 2, p: `${good}x` },
      { b: 3, p: { traceparent: good }, s: 'a=b' },
      { b: 4 },
      { b: 5, p: good, s: 'no state' },
    ];
    const head = { v: 2, from: 'stranger', boot: 'boot-1', seq: 1, at: Date.now() };
    await client.publish(keys.channel('events'), JSON.stringify([head, ...bodies]));
    await eventually(() => traces.length === bodies.length, { lastSeen: () => traces });
    const [first, second, third, fourth, fifth] = traces;
    expect([first, fifth]).toEqual(Array(2).fill('0af7651916cd43dd8448eb211c80319c'));
    expect(new Set([first, second, third, fourth]).size).toBe(4);
    const states = named('process events').map((span) => span.spanContext().traceState?.serialize());
    expect(states).toEqual(['vendor=x', undefined, undefined, undefined, undefined]);
  });

  it('is not carried by an application that does not want it, and ends with the one that does', async () => {
    const traced = await start([]);
    const plain = await boot(server.url, appName, [], { channels, transport: { kind: 'redis', format: 'json' } });
    await formed(traced, plain);
    expect(plain.app.get(Telemetry).tracing).toBeUndefined();
    const texts: string[] = [];
    const client = new Redis(server.adminUrl);
    closeLater(async () => void (await client.quit()));
    await client.subscribe(keys.channel('events'));
    client.on('message', (_channel, text) => texts.push(text));
    await inSpan(() => plain.app.get(Channels).broadcast('events', 'plain'));
    await inSpan(() => traced.app.get(Channels).broadcast('events', 'traced'));
    await eventually(() => texts.length === 2, { lastSeen: () => texts });
    expect(texts[0]).not.toContain('"p":');
    expect(texts[1]).toContain('"p":"00-');
    const telemetry = traced.app.get(Telemetry);
    await traced.app.close();
    expect(telemetry.tracing).toBeUndefined();
  });
});

describe('A SpanRecorder', () => {
  const record = (node: Booted): RecordedSpan[] => {
    const recorded: RecordedSpan[] = [];
    const telemetry = node.app.get(Telemetry);
    const now = () => node.app.get(Membership).clusterNow();
    telemetry.tracing = new SpanRecorder({ keep: (span) => recorded.push(span), tracing: telemetry.tracing, now });
    return recorded;
  };

  it('records messages and calls of all nodes without OpenTelemetry, and what is told of a job', async () => {
    const providers = [Ledger] as never;
    const [a, b] = [
      await boot(server.url, appName, providers, { channels }),
      await boot(server.url, appName, providers, { channels }),
    ];
    await formed(a, b);
    const [ofA, ofB] = [record(a), record(b)];
    const ref = await eventually(() => a.app.get(ProcessManager).lookupSingleton<Ledger>('ledger'));
    const [caller, ofCaller, ofOwner] = ref.node === a.name ? [b, ofB, ofA] : [a, ofA, ofB];
    const handled: unknown[] = [];
    for (const node of [a, b])
      await node.app.get(Channels).subscribe('events', (message) => void handled.push(message));
    const ledger = await eventually(() => caller.app.get(ProcessManager).lookupSingleton<Ledger>('ledger'));
    const telemetry = caller.app.get(Telemetry);

    await caller.app.get(Channels).broadcast('events', 'outside of every trace');
    await eventually(() => handled.length === 2);
    const job = await telemetry.span({ kind: 'internal', name: 'order' }, async () => {
      await ledger.call('add', 3);
      await caller.app.get(Channels).broadcast('events', 'placed');
      return telemetry.span({ kind: 'producer', name: 'publish invoices' }, () => ({ trace: telemetry.carry() }));
    });
    await eventually(() => handled.length === 4);
    // What a queue does with it: the other process reads its own copy.
    const parent = readTraceContext(JSON.parse(JSON.stringify(job)).trace);
    const worker = (caller === a ? b : a).app.get(Telemetry);
    worker.span({ kind: 'consumer', name: 'process invoices', parent }, () => undefined);

    const [order, ...others] = ofCaller as [RecordedSpan, ...RecordedSpan[]];
    expect(order).toMatchObject({ name: 'order', kind: 'internal' });
    const all = [...ofCaller, ...ofOwner];
    expect(new Set(all.map(({ traceId }) => traceId)).size).toBe(1);
    const spanOf = (name: string, kind: string) => all.find((span) => span.name === name && span.kind === kind)!;
    expect(others.filter(({ parentId }) => parentId === order.spanId).map(({ name }) => name)).toEqual([
      'ledger/add',
      'publish events',
      'publish invoices',
    ]);
    expect(spanOf('ledger/add', 'server').parentId).toBe(spanOf('ledger/add', 'client').spanId);
    expect(spanOf('process invoices', 'consumer').parentId).toBe(spanOf('publish invoices', 'producer').spanId);
    expect(all.filter(({ name }) => name === 'process events').map(({ parentId }) => parentId)).toEqual(
      Array(2).fill(spanOf('publish events', 'producer').spanId),
    );
    expect(all.filter(({ end, start }) => end === undefined || end < start)).toEqual([]);
  });

  it('takes the ids of OpenTelemetry where that is there', async () => {
    const node = await start([]);
    const recorded = record(node);
    const heard: unknown[] = [];
    await node.app.get(Channels).subscribe('events', (message) => void heard.push(message));
    await inSpan(() => node.app.get(Channels).broadcast('events', 'hello'));
    await eventually(() => named('process events').length === 1, { lastSeen });
    expect(recorded.map(({ name, traceId, spanId, parentId }) => [name, traceId, spanId, parentId])).toEqual(
      [named('publish events')[0]!, named('process events')[0]!].map((span) => [
        span.name,
        span.spanContext().traceId,
        span.spanContext().spanId,
        span.parentSpanContext!.spanId,
      ]),
    );
  });
});

describe('Metrics', () => {
  it('are counters, histograms and gauges of the meter', async () => {
    const node = await start([Ledger]);
    const heard: unknown[] = [];
    await node.app.get(Channels).subscribe('events', (message) => void heard.push(message));
    await node.app.get(Channels).broadcast('events', 'hello');
    await eventually(() => heard.length === 1);
    await eventually(() => node.of('process.started').length === 1);
    figures.reset();
    await reader.forceFlush();
    const exported = new Map(
      figures
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics.filter(({ scope }) => scope.name === 'nestjs-foundation'))
        .flatMap((scope) => scope.metrics)
        .map((metric) => [metric.descriptor.name, metric] as const),
    );
    const points = (name: string) => exported.get(`foundation.${name}`)!.dataPoints;
    expect(points('messages.sent')).toContainEqual(expect.objectContaining({ attributes: { channel: 'events' } }));
    expect(exported.get('foundation.message.latency')!.descriptor).toMatchObject({ unit: 's' });
    expect(points('processes.owned')).toEqual([expect.objectContaining({ value: 1 })]);
    expect(points('cluster.members')).toContainEqual(
      expect.objectContaining({ attributes: { state: 'up' }, value: 1 }),
    );
  });
});
