import { describe, expect, it } from '@jest/globals';
import { Telemetry } from '../telemetry/telemetry.js';
import { BoundedLabels, MAX_VALUES, OTHER } from './bounded.labels.js';
import { type Figure, FoundationMetrics } from './foundation.metrics.js';
import { EVENT_METRICS, GAUGE_METRICS } from './metric.definitions.js';

type Parts = ConstructorParameters<typeof FoundationMetrics>;

function metricsOver(telemetry: Telemetry, waiting: Record<string, number> = {}) {
  const members = [{ state: 'up' }, { state: 'up' }, { state: 'suspect' }] as unknown as ReturnType<
    Parts[1]['members']
  >;
  const services = [{ status: 'healthy' }] as unknown as ReturnType<Parts[3]['services']>;
  return new FoundationMetrics(
    telemetry,
    { state: 'up', members: () => members, latency: 4 },
    { hosted: () => [{ name: 'a', epoch: 1, running: true }] },
    { services: () => services },
    { waiting: () => waiting },
  );
}

function recorded(telemetry: Telemetry) {
  const figures: [string, Figure][] = [];
  const stop = metricsOver(telemetry).record((metric, figure) => figures.push([metric.name, figure]));
  const of = (name: string) => figures.filter(([each]) => each === name).map(([, figure]) => figure);
  return { figures, of, stop };
}

describe('FoundationMetrics', () => {
  it('makes figures of events, in seconds and bytes, until it is stopped', () => {
    const telemetry = new Telemetry();
    const { of, figures, stop } = recorded(telemetry);
    telemetry.emit('message.sent', { channel: 'events', size: 120 });
    telemetry.emit('message.received', { channel: 'events', from: 'a', latency: 3 });
    telemetry.emit('message.dropped', { channel: 'data', reason: 'duplicate', count: 7 });
    telemetry.emit('cluster.node_left', { node: 'a', bootId: '1', reason: 'timeout' });
    expect(of('messages.sent')).toEqual([{ value: 1, labels: { channel: 'events' } }]);
    expect(of('messages.sent.size')).toEqual([{ value: 120, labels: { channel: 'events' } }]);
    expect(of('message.latency')).toEqual([{ value: 0.003, labels: { channel: 'events' } }]);
    expect(of('messages.dropped')).toEqual([{ value: 7, labels: { channel: 'data', reason: 'duplicate' } }]);
    expect(of('cluster.leaves')).toEqual([{ value: 1, labels: { reason: 'timeout' } }]);
    const before = figures.length;
    stop();
    telemetry.emit('message.sent', { channel: 'events', size: 120 });
    expect(figures).toHaveLength(before);
    expect(telemetry.wants('message.sent')).toBe(false);
  });

  it('counts a partition and a replica as their process', () => {
    const telemetry = new Telemetry();
    const { of } = recorded(telemetry);
    for (const name of ['accounts#0', 'accounts#63', 'accounts']) {
      telemetry.emit('process.crashed', { name, node: 'n', epoch: 1, error: 'x' });
    }
    expect(of('process.crashes').map(({ labels }) => labels)).toEqual(Array(3).fill({ process: 'accounts' }));
  });

  it('has as many series as it is allowed to, however many processes there are', () => {
    const telemetry = new Telemetry();
    const { of } = recorded(telemetry);
    for (let index = 0; index < 5000; index += 1) {
      telemetry.emit('process.crashed', { name: `report-${index}`, node: 'n', epoch: 1, error: 'x' });
    }
    const names = of('process.crashes').map(({ labels }) => labels['process']!);
    expect(names).toHaveLength(5000);
    expect(new Set(names).size).toBe(MAX_VALUES + 1);
    expect(names[MAX_VALUES - 1]).toBe(`report-${MAX_VALUES - 1}`);
    expect(new Set(names.slice(MAX_VALUES))).toEqual(new Set([OTHER]));
    telemetry.emit('process.crashed', { name: 'report-3', node: 'n', epoch: 1, error: 'x' });
    expect(of('process.crashes').at(-1)!.labels).toEqual({ process: 'report-3' });
  });

  it('reads the gauges, and adds up what has become one value', () => {
    const waiting = Object.fromEntries(Array.from({ length: MAX_VALUES + 50 }, (_, index) => [`channel-${index}`, 2]));
    const { gauges } = metricsOver(new Telemetry(), waiting);
    const read = (name: string) => gauges.find((gauge) => gauge.name === name)!.read();
    expect(gauges.map(({ name }) => name)).toEqual(Object.values(GAUGE_METRICS).map(({ name }) => name));
    expect(read('node.up')).toEqual([{ labels: {}, value: 1 }]);
    expect(read('processes.owned')).toEqual([{ labels: {}, value: 1 }]);
    expect(read('redis.latency')).toEqual([{ labels: {}, value: 0.004 }]);
    expect(read('cluster.members')).toEqual([
      { labels: { state: 'up' }, value: 2 },
      { labels: { state: 'suspect' }, value: 1 },
      { labels: { state: 'draining' }, value: 0 },
    ]);
    expect(read('services')).toContainEqual({ labels: { status: 'unhealthy' }, value: 0 });
    const queues = read('messages.waiting');
    expect(queues).toHaveLength(MAX_VALUES + 1);
    expect(queues.at(-1)).toEqual({ labels: { channel: OTHER }, value: 100 });
  });

  it('has one description for each name', () => {
    const names = [...EVENT_METRICS, ...Object.values(GAUGE_METRICS)].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('BoundedLabels', () => {
  it('keeps metrics and labels apart, and cuts long values', () => {
    const labels = new BoundedLabels(1);
    expect(labels.of('a', { x: '1', y: '2' })).toEqual({ x: '1', y: '2' });
    expect(labels.of('a', { x: '2', y: '2' })).toEqual({ x: OTHER, y: '2' });
    expect(labels.of('b', { x: 'x'.repeat(1000) })).toEqual({ x: 'x'.repeat(200) });
  });
});
