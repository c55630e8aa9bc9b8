/**
 * The metrics of this node in a registry of prom-client, and at `GET /metrics`.
 * Underneath prom-client's Counter, Histogram and Gauge.
 */
import {
  Controller,
  Get,
  HttpStatus,
  Inject,
  Injectable,
  Module,
  type OnModuleDestroy,
  Res,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Counter, Gauge, Histogram, type HistogramConfiguration, type MetricType, Registry } from 'prom-client';
import { FoundationMetrics, type WorkMeasure } from '../metrics/foundation.metrics.js';
import { prometheusName, SECONDS, WORK_SECONDS } from '../metrics/metric.definitions.js';

/** Injectable. Holds the registry. */
@Injectable()
export class FoundationPrometheus implements OnModuleDestroy {
  /**
   * A registry of this application's own. Put what you measure in it (`collectDefaultMetrics({ register: registry })`),
   * or join it to yours with `Registry.merge`.
   */
  readonly registry = new Registry();
  readonly #stop: () => void;

  constructor(@Inject(FoundationMetrics) metrics: FoundationMetrics) {
    const registers = [this.registry];
    const counted = new Map(
      metrics.counted.map((metric) => {
        const options = { name: prometheusName(metric), help: metric.help, labelNames: [...metric.labels], registers };
        const isCounter = metric.kind === 'counter';
        return [metric.name, isCounter ? new Counter(options) : new Histogram({ ...options, buckets: [...SECONDS] })];
      }),
    );
    for (const gauge of metrics.gauges) {
      new Gauge({
        name: prometheusName(gauge),
        help: gauge.help,
        labelNames: [...gauge.labels],
        registers,
        collect() {
          this.reset();
          for (const { labels, value } of gauge.read()) this.set(labels, value);
        },
      });
    }
    for (const work of metrics.work) addWork(this.registry, work);
    this.#stop = metrics.record((metric, { labels, value }) => {
      const target = counted.get(metric.name);
      if (target instanceof Counter) target.inc(labels, value);
      else target?.observe(labels, value);
    });
  }

  /** The text that Prometheus reads. Underneath: `registry.metrics()`. */
  metrics(): Promise<string> {
    return this.registry.metrics();
  }

  /** Stops counting. */
  onModuleDestroy(): void {
    this.#stop();
  }
}

/** Reads a metric that is counted elsewhere whenever Prometheus asks. */
function addWork(registry: Registry, work: WorkMeasure): void {
  const name = prometheusName(work);
  const options = { name, help: work.help, labelNames: [...work.labels], registers: [registry] };
  if (work.kind === 'histogram') return void new WorkHistogram(work, { ...options, buckets: [...WORK_SECONDS] });
  new Counter({
    ...options,
    collect() {
      this.reset();
      for (const { labels, count } of work.read()) this.inc(labels, count);
    },
  });
}

/** prom-client has no histogram that is set: it gives out what `read` says in the place of what it observed. */
class WorkHistogram extends Histogram {
  constructor(
    private readonly work: WorkMeasure,
    private readonly options: HistogramConfiguration<string>,
  ) {
    super(options);
  }

  /** What the registry writes. */
  async getForPromString(): Promise<object> {
    return this.get();
  }

  override get(): ReturnType<Histogram['get']> {
    const { name, help } = this.options;
    const values = this.work
      .read()
      .flatMap(({ labels, count, sum, buckets }) => [
        ...buckets.map(({ le, count: value }) => ({ labels: { ...labels, le }, value, metricName: `${name}_bucket` })),
        { labels: { ...labels, le: '+Inf' }, value: count, metricName: `${name}_bucket` },
        { labels, value: sum, metricName: `${name}_sum` },
        { labels, value: count, metricName: `${name}_count` },
      ]);
    const type = 'histogram' as unknown as MetricType;
    return Promise.resolve({ name, help, type, values, aggregator: 'sum', collect: () => undefined });
  }
}

/**
 * `GET /metrics`, in every version of the application's API, and as it is, whatever interceptors the application has.
 *
 * A global guard guards it too. Mark the class as you mark your own routes: `Public()(FoundationPrometheusController)`.
 */
@Controller({ path: 'metrics', version: VERSION_NEUTRAL })
export class FoundationPrometheusController {
  constructor(
    @Inject(FoundationPrometheus) private readonly prometheus: FoundationPrometheus,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
  ) {}

  @Get()
  async metrics(@Res() response: unknown): Promise<void> {
    const text = await this.prometheus.metrics();
    const { httpAdapter } = this.host;
    httpAdapter.setHeader(response, 'Content-Type', Registry.PROMETHEUS_CONTENT_TYPE);
    httpAdapter.reply(response, text, HttpStatus.OK);
  }
}

/** Import it beside `FoundationModule`. What it says has names of channels, processes and services: keep it inside. */
@Module({
  controllers: [FoundationPrometheusController],
  providers: [FoundationPrometheus],
  exports: [FoundationPrometheus],
})
export class FoundationPrometheusModule {}
