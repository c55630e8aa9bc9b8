/**
 * The figures of this node as metrics of OpenTelemetry, and its messages and calls as spans.
 * Used by the application through the entry `nestjs-foundation/opentelemetry`; underneath `@opentelemetry/api`.
 */
import { Inject, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { type Counter, type Histogram, metrics } from '@opentelemetry/api';
import { VERSION } from '../cluster/version.js';
import { FoundationMetrics } from '../metrics/foundation.metrics.js';
import { type EventMetric, type GaugeMetric, SECONDS } from '../metrics/metric.definitions.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { OpenTelemetryTracing } from './opentelemetry.tracing.js';

/**
 * Injectable. From its creation on there are spans, and their contexts go with messages and calls.
 *
 * It takes the global providers, so start the SDK of OpenTelemetry before the application is created. Without an SDK
 * all of it does nothing.
 */
@Injectable()
export class FoundationOpenTelemetry implements OnModuleDestroy {
  readonly #stop: () => void;

  constructor(
    @Inject(Telemetry) private readonly telemetry: Telemetry,
    @Inject(FoundationMetrics) figures: FoundationMetrics,
  ) {
    telemetry.tracing = new OpenTelemetryTracing();
    const meter = metrics.getMeter('nestjs-foundation', VERSION);
    const counters = new Map<string, Counter>();
    const histograms = new Map<string, Histogram>();
    for (const metric of figures.counted) {
      if (metric.kind === 'counter') counters.set(metric.name, meter.createCounter(...of(metric)));
      else {
        const [name, options] = of(metric);
        const advice = { explicitBucketBoundaries: [...SECONDS] };
        histograms.set(metric.name, meter.createHistogram(name, { ...options, advice }));
      }
    }
    const detach = figures.record(({ name }, { value, labels }) => {
      counters.get(name)?.add(value, { ...labels });
      histograms.get(name)?.record(value, { ...labels });
    });
    const gauges = figures.gauges.map((gauge) => {
      const observable = meter.createObservableGauge(...of(gauge));
      const observe: Parameters<typeof observable.addCallback>[0] = (result) => {
        for (const { value, labels } of gauge.read()) result.observe(value, { ...labels });
      };
      observable.addCallback(observe);
      return () => observable.removeCallback(observe);
    });
    this.#stop = () => [detach, ...gauges].forEach((each) => each());
  }

  /** Measures and traces no more. */
  onModuleDestroy(): void {
    this.telemetry.tracing = undefined;
    this.#stop();
  }
}

/** Import it beside `FoundationModule`. */
@Module({ providers: [FoundationOpenTelemetry], exports: [FoundationOpenTelemetry] })
export class FoundationOpenTelemetryModule {}

function of({ name, help, unit }: EventMetric | GaugeMetric): [string, { description: string; unit?: string }] {
  return [`foundation.${name}`, { description: help, ...(unit === undefined ? {} : { unit }) }];
}
