/**
 * The metrics of this node: counted from events, and read from what it knows. For the exporters for Prometheus and
 * OpenTelemetry, or an application's own.
 */
import { Injectable } from '@nestjs/common';
import type { ChannelRuntime } from '../channels/channel.runtime.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { Gate } from '../foreign/gate.js';
import type { Supervisor } from '../processes/supervision/supervisor.js';
import type { ServiceRegistry } from '../services/service.registry.js';
import { countBelow, countOf } from '../telemetry/duration.buckets.js';
import type { FoundationEventName } from '../telemetry/events.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { BoundedLabels } from './bounded.labels.js';
import {
  EVENT_METRICS,
  type EventMetric,
  GAUGE_METRICS,
  type GaugeMetric,
  type Labels,
  WORK_METRICS,
  WORK_SECONDS,
  type WorkMetric,
} from './metric.definitions.js';

/** A value with its labels. */
export interface Figure {
  value: number;
  labels: Labels;
}

/** How long one method, handler or job took, or how often it failed; since this node began. */
export interface WorkFigure {
  labels: Labels;
  /** How often it ran; of a counter, how often it failed. */
  count: number;
  /** How long all of it took, in seconds. */
  sum: number;
  /** By upper bound in seconds, rising: how often it took no longer. What took longer than the last is in `count`. */
  buckets: { le: number; count: number }[];
}

/** A metric of methods, handlers or jobs that can be read. */
export interface WorkMeasure extends WorkMetric {
  read(): WorkFigure[];
}

/** A gauge that can be read. */
export interface Gauge extends GaugeMetric {
  read(): Figure[];
}

/** Injectable. What an exporter needs: the events as figures, and the gauges. No label has more than 101 values. */
@Injectable()
export class FoundationMetrics {
  /** All counters and histograms. */
  readonly counted = EVENT_METRICS;
  /** All gauges. */
  readonly gauges: readonly Gauge[];
  /** How long methods, handlers and jobs took; at most 203 series together. */
  readonly work: readonly WorkMeasure[];
  readonly #labels = new BoundedLabels();

  /** @internal Made by Foundation. */
  constructor(
    private readonly telemetry: Telemetry,
    membership: Pick<ClusterView, 'state' | 'members' | 'latency'>,
    supervisor: Pick<Supervisor, 'hosted'>,
    services: Pick<ServiceRegistry, 'services'>,
    channels: Pick<ChannelRuntime, 'waiting'>,
  ) {
    const read: Record<keyof typeof GAUGE_METRICS, () => Iterable<readonly [Labels, number]>> = {
      up: () => [[{}, membership.state === 'up' ? 1 : 0]],
      members: () => countBy('state', ['up', 'suspect', 'draining'], membership.members(), ({ state }) => state),
      owned: () => [[{}, supervisor.hosted().length]],
      services: () => countBy('status', ['healthy', 'unhealthy'], services.services(), ({ status }) => status),
      waiting: () => Object.entries(channels.waiting()).map(([channel, count]) => [{ channel }, count] as const),
      redis: () => [[{}, membership.latency / 1000]],
    };
    this.work = WORK_METRICS.map((metric) => ({ ...metric, read: () => workOf(metric, telemetry) }));
    this.gauges = Object.entries(GAUGE_METRICS).map(([key, metric]) => ({
      kind: 'gauge',
      ...metric,
      read: () => this.#summed(metric.name, read[key as keyof typeof read]()),
    }));
  }

  /**
   * Calls `add` with everything that events add to a metric from now on; returns the function that stops it.
   *
   * Underneath: `telemetry.attach`, once for each event that is counted. An `add` that throws or rejects is logged,
   * counted (`callback.failed`) and harms nobody.
   *
   * @throws ArgumentError for an `add` that is no function.
   */
  record(add: (metric: EventMetric, figure: Figure) => void): () => void {
    if (typeof add !== 'function') throw new ArgumentError('record', 'add', show(add), 'a function');
    const events = new Map<FoundationEventName, EventMetric[]>();
    for (const metric of this.counted) events.set(metric.event, [...(events.get(metric.event) ?? []), metric]);
    const detach = [...events].map(([event, metrics]) => {
      // That `add` failed at a failure must not be one more to add.
      const gate = new Gate(event === 'callback.failed' ? undefined : this.telemetry);
      return this.telemetry.attach(event, (_event, payload) => {
        for (const metric of metrics) {
          const { value, labels } = metric.read(payload as never);
          gate.tell('FoundationMetrics.record', add, metric, { value, labels: this.#labels.of(metric.name, labels) });
        }
      });
    });
    return () => detach.forEach((each) => each());
  }

  /** Adds up what has the same labels. */
  #summed(name: string, figures: Iterable<readonly [Labels, number]>): Figure[] {
    const sums = new Map<string, Figure>();
    for (const [labels, value] of figures) {
      const bounded = this.#labels.of(name, labels);
      const key = JSON.stringify(bounded);
      sums.set(key, { labels: bounded, value: value + (sums.get(key)?.value ?? 0) });
    }
    return [...sums.values()];
  }
}

function workOf({ kind, work, labels: [of = '', part = ''] }: WorkMetric, { figures }: Telemetry): WorkFigure[] {
  return figures.totals(work).map((total) => ({
    labels: part === '' ? { [of]: total.of } : { [of]: total.of, [part]: total.work },
    count: kind === 'counter' ? total.failed : countOf(total.durations),
    sum: total.sumMs / 1000,
    buckets: WORK_SECONDS.map((le) => ({ le, count: countBelow(total.durations, le * 1000) })),
  }));
}

/** With a zero for each value that is known to exist, so that a series does not vanish. */
function countBy<T>(label: string, known: readonly string[], all: readonly T[], of: (one: T) => string) {
  const counts = new Map(known.map((value) => [value, 0]));
  for (const one of all) counts.set(of(one), (counts.get(of(one)) ?? 0) + 1);
  return [...counts].map(([value, count]) => [{ [label]: value }, count] as const);
}
