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
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { FoundationMetrics } from '../metrics/foundation.metrics.js';
import { prometheusName, SECONDS } from '../metrics/metric.definitions.js';

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
