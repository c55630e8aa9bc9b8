// The real prom-client, in a real application without a cluster, and over HTTP.
import 'reflect-metadata';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplication, Logger } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Callable } from '../calls/callable.decorator.js';
import { Channels } from '../channels/channels.js';
import { FoundationModule } from '../foundation.module.js';
import { Singleton } from '../processes/declaration/process.decorators.js';
import { ProcessManager } from '../processes/process.manager.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { eventually } from '../testing/eventually.js';
import { FoundationPrometheus, FoundationPrometheusModule } from './index.js';

@Singleton({ name: 'clock' })
class Clock {
  @Callable()
  tick(fails: boolean): string {
    if (fails) throw new Error('it failed');
    return 'tock';
  }
}

let app: INestApplication;

beforeEach(async () => {
  Logger.overrideLogger(false);
  const imports = [FoundationModule.forRoot(), FoundationPrometheusModule];
  app = (await Test.createTestingModule({ imports, providers: [Clock] }).compile()).createNestApplication();
  await app.listen(0, '127.0.0.1');
});
afterEach(() => app.close());

async function scrape(): Promise<{ body: string; type: string | undefined }> {
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  const [response] = (await once(get({ port, host: '127.0.0.1', path: '/metrics' }), 'response')) as [IncomingMessage];
  return { body: await text(response), type: response.headers['content-type'] };
}

describe('FoundationPrometheusModule', () => {
  it('has how long methods and handlers took, in rising buckets, and how often they failed', async () => {
    const clock = await eventually(() => app.get(ProcessManager).lookupSingleton(Clock));
    await clock.call('tick', false);
    await clock.call('tick', false);
    await expect(clock.call('tick', true)).rejects.toThrow('it failed');
    let isDone = false;
    await app.get(Channels).subscribe('events', function onEvent() {
      isDone = true;
    });
    await app.get(Channels).broadcast('events', 'hello');
    await eventually(() => isDone);
    await eventually(async () => (await scrape()).body.includes('foundation_handler_duration_seconds_count'));
    const lines = (await scrape()).body.split('\n');
    for (const line of [
      '# TYPE foundation_call_duration_seconds histogram',
      'foundation_call_duration_seconds_count{process="clock",method="tick"} 3',
      'foundation_call_duration_seconds_bucket{process="clock",method="tick",le="+Inf"} 3',
      '# TYPE foundation_calls_failed_total counter',
      'foundation_calls_failed_total{process="clock",method="tick"} 1',
      'foundation_handler_duration_seconds_count{channel="events",handler="onEvent"} 1',
      '# TYPE foundation_cron_duration_seconds histogram',
    ]) {
      expect(lines).toContain(line);
    }
    const buckets = lines.filter((line) => line.startsWith('foundation_call_duration_seconds_bucket'));
    const counts = buckets.map((line) => Number(line.split(' ')[1]));
    expect(counts).toHaveLength(20);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(buckets.every((line) => /le="(\d+(\.\d+)?|\+Inf)"/.test(line))).toBe(true);
    const json = await app.get(FoundationPrometheus).registry.getMetricsAsJSON();
    const metric = json.find(({ name }) => name === 'foundation_call_duration_seconds');
    expect(metric).toMatchObject({ type: 'histogram', aggregator: 'sum' });
  });

  it('answers GET /metrics with counters, histograms and gauges', async () => {
    const heard: unknown[] = [];
    const channels = app.get(Channels);
    await channels.subscribe('events', (message) => void heard.push(message));
    await channels.broadcast('events', 'hello');
    await eventually(() => heard.length === 1);
    const { body, type } = await scrape();
    expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
    const lines = body.split('\n');
    for (const line of [
      '# TYPE foundation_messages_sent_total counter',
      'foundation_messages_sent_total{channel="events"} 1',
      'foundation_messages_sent_size_bytes_total{channel="events"} 7',
      'foundation_messages_received_total{channel="events"} 1',
      '# TYPE foundation_message_latency_seconds histogram',
      'foundation_message_latency_seconds_count{channel="events"} 1',
      'foundation_process_starts_total{process="clock"} 1',
      '# TYPE foundation_processes_owned gauge',
      'foundation_processes_owned 1',
      'foundation_node_up 1',
      'foundation_cluster_members{state="up"} 1',
      'foundation_messages_waiting{channel="events"} 0',
    ]) {
      expect(lines).toContain(line);
    }
  });

  it('has a bounded number of series', async () => {
    for (let index = 0; index < 1000; index += 1) {
      app.get(Telemetry).emit('process.crashed', { name: `report-${index}`, node: 'n', epoch: 1, error: 'x' });
    }
    const series = (await scrape()).body
      .split('\n')
      .filter((line) => line.startsWith('foundation_process_crashes_total{'));
    expect(series).toHaveLength(101);
    expect(series).toContain('foundation_process_crashes_total{process="other"} 900');
  });

  it('has a registry of its own, and stops counting once it is closed', async () => {
    const { registry } = app.get(FoundationPrometheus);
    const telemetry = app.get(Telemetry);
    await app.close();
    expect(telemetry.wants('message.sent')).toBe(false);
    expect(registry.getSingleMetric('foundation_messages_sent_total')).toBeDefined();
  });
});
