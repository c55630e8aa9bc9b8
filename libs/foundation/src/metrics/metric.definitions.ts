/**
 * Pure: what is measured, as tables: what events count up, and what a node has at the moment.
 * Read by the exporters, so that all of them have the same figures under the same names.
 */
import { processOf } from '../cluster/slot.names.js';
import type { FoundationEventName, FoundationEvents } from '../telemetry/events.js';
import type { WorkKind } from '../telemetry/figures.report.js';

/** What a figure is about: a few words with few values each. */
export type Labels = Readonly<Record<string, string>>;

/** What the metrics have in common. */
interface Described {
  /**
   * With dots, as OpenTelemetry has it: `messages.sent` becomes `foundation.messages.sent` and
   * `foundation_messages_sent_total`.
   */
  name: string;
  help: string;
  /** The names of the labels. */
  labels: readonly string[];
  /** Seconds or bytes; a number of things without it. */
  unit?: 's' | 'By';
}

/** A metric that events make. */
export interface EventMetric extends Described {
  kind: 'counter' | 'histogram';
  event: FoundationEventName;
  /** What an event adds. */
  read(payload: never): { value: number; labels: Labels };
}

/** A metric that is read when somebody asks. */
export interface GaugeMetric extends Described {
  kind: 'gauge';
}

/**
 * A histogram of how long methods, handlers or jobs took, or a counter of those that failed: read when somebody asks,
 * since an event for each of them would cost more than the recording.
 */
export interface WorkMetric extends Described {
  kind: 'counter' | 'histogram';
  work: WorkKind;
}

/** Upper bounds in seconds: a message takes under a millisecond, a handler that is far behind takes seconds. */
export const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

type Read<E extends FoundationEventName> = (payload: FoundationEvents[E]) => string | number | undefined;

interface Reading<E extends FoundationEventName> extends Pick<Described, 'unit'> {
  /** What is `undefined` for an event is a label that this event does not have. */
  labels?: Record<string, Read<E>>;
  value?: (payload: FoundationEvents[E]) => number;
}

function metric<E extends FoundationEventName>(
  kind: EventMetric['kind'],
  event: E,
  name: string,
  help: string,
  { labels = {}, value = () => 1, unit }: Reading<E> = {},
): EventMetric {
  const read = (payload: FoundationEvents[E]): { value: number; labels: Labels } => ({
    value: value(payload),
    labels: Object.fromEntries(
      Object.entries(labels).flatMap(([label, of]) => {
        const read = of(payload);
        return read === undefined ? [] : [[label, String(read)]];
      }),
    ),
  });
  return { kind, event, name, help, labels: Object.keys(labels), read, ...(unit === undefined ? {} : { unit }) };
}

const counter = <E extends FoundationEventName>(event: E, name: string, help: string, reading?: Reading<E>) =>
  metric('counter', event, name, help, reading);

const channel = ({ channel: name }: { channel: string }): string => name;
const reason = ({ reason: name }: { reason: string }): string => name;
/** A partition or a replica counts as its process. */
const processName = ({ name }: { name: string }): string => processOf(name);

const job = ({ job: name }: { job: string }): string => name;

/** What events make. */
export const EVENT_METRICS: readonly EventMetric[] = [
  counter('cluster.node_joined', 'cluster.joins', 'Nodes that joined, as this node saw it'),
  counter('cluster.node_left', 'cluster.leaves', 'Nodes that left, as this node saw it', { labels: { reason } }),
  counter('cluster.isolated', 'cluster.isolations', 'Times that this node could not reach Redis'),
  counter('cluster.data_loss', 'cluster.data_losses', 'Times that Redis lost its data'),
  counter('cluster.row_refused', 'cluster.rows.refused', 'Rows in Redis that were ignored here', {
    labels: { table: ({ table }) => table, reason },
    value: ({ count }) => count,
  }),
  counter('lease.lost', 'leases.lost', 'Leases that ended before they were released', { labels: { reason } }),
  counter('process.started', 'process.starts', 'Instances that were started here', {
    labels: { process: processName },
  }),
  counter('process.crashed', 'process.crashes', 'Instances that failed here', { labels: { process: processName } }),
  counter('process.escalated', 'process.escalations', 'Processes that ended too often and stay down', {
    labels: { process: processName },
  }),
  counter(
    'process.end_unrecorded',
    'process.ends.unrecorded',
    'Exits that Redis did not record before the lease was lost',
    {
      labels: { process: processName },
    },
  ),
  counter('process.handoff_lost', 'process.handoffs.lost', 'Hand-over states that did not reach the next instance', {
    labels: { process: processName },
  }),
  counter('cron.started', 'cron.runs', 'Runs of cluster-wide cron jobs that began here', {
    labels: { job, cause: ({ cause }) => cause },
  }),
  counter('cron.ended', 'cron.ends', 'Runs of cluster-wide cron jobs that ended here', {
    labels: { job, outcome: ({ outcome }) => outcome },
  }),
  counter('cron.missed', 'cron.missed', 'Times of cron jobs that no node could run', {
    labels: { job },
    value: ({ count }) => count,
  }),
  counter('cron.skipped', 'cron.skipped', 'Times of cron jobs that came while the run before went on', {
    labels: { job },
  }),
  counter('cron.interrupted', 'cron.interrupted', 'Runs of cron jobs whose owner ended before them', {
    labels: { job },
  }),
  metric('histogram', 'process.started', 'process.start.duration', 'Time that onProcessStart took', {
    unit: 's',
    value: ({ startMs }) => startMs / 1000,
  }),
  counter('service.health_changed', 'service.health.changes', 'Services that became healthy or unhealthy', {
    labels: { service: ({ name }) => name, status: ({ status }) => status },
  }),
  counter('message.sent', 'messages.sent', 'Messages that left this node', { labels: { channel } }),
  counter(
    'message.sent',
    'messages.sent.size',
    'Bytes of the messages that left this node: of JSON, or as they were packed',
    {
      unit: 'By',
      labels: { channel },
      value: ({ size }) => size,
    },
  ),
  counter('message.received', 'messages.received', 'Messages that reached the subscriptions of this node', {
    labels: { channel },
  }),
  metric(
    'histogram',
    'message.received',
    'message.latency',
    'Time from broadcast to here, by the clocks of both nodes',
    {
      unit: 's',
      labels: { channel },
      value: ({ latency }) => latency / 1000,
    },
  ),
  counter('message.dropped', 'messages.dropped', 'Messages that were not delivered here', {
    labels: { channel, reason, priority: ({ priority }) => priority },
    value: ({ count }) => count,
  }),
  counter('message.gap', 'messages.missed', 'Messages that were lost on their way to this node', {
    labels: { channel },
    value: ({ missing }) => (missing === undefined ? 0 : missing.last - missing.first + 1),
  }),
  counter('message.invalid', 'messages.invalid', 'Messages that were not what their payload class says', {
    labels: { channel },
  }),
  counter('message.handler_failed', 'messages.failed', 'Messages whose handler threw', { labels: { channel } }),
  counter('message.dead_letter', 'messages.dead', 'Messages of durable channels that became dead letters', {
    labels: { channel },
  }),
  counter('message.not_safe', 'messages.not_safe', 'Messages of durable channels that were not acknowledged as safe', {
    labels: { channel },
  }),
  counter('callback.failed', 'callbacks.failed', 'Functions of the application that threw, rejected or took too long', {
    labels: { callback: ({ callback }) => callback },
  }),
  counter('transport.link_failed', 'links.failed', 'Attempts to link with another node that failed'),
  counter('transport.refused', 'links.refused', 'Connections and letters that were rejected'),
  counter('transport.dropped', 'links.dropped', 'Texts that were dropped because too much waited for a node', {
    labels: { lane: ({ lane }) => lane },
  }),
];

/** The state of a node at the moment. */
export const GAUGE_METRICS = {
  up: { name: 'node.up', help: '1 while this node is a member that takes work', labels: [] },
  members: { name: 'cluster.members', help: 'Members that this node sees', labels: ['state'] },
  owned: { name: 'processes.owned', help: 'Instances of singletons, replicas and partitions on this node', labels: [] },
  services: { name: 'services', help: 'Instances of services that this node knows', labels: ['status'] },
  waiting: {
    name: 'messages.waiting',
    help: 'The backlog of the handlers of this node, in messages',
    labels: ['channel'],
  },
  redis: { name: 'redis.latency', help: 'Time that Redis took to answer the last heartbeat', labels: [], unit: 's' },
} as const satisfies Record<string, Omit<GaugeMetric, 'kind'>>;

/** What methods, handlers and jobs took, since this node began. A partition and a replica count as their process. */
export const WORK_METRICS: readonly WorkMetric[] = [
  {
    ...{ kind: 'histogram', work: 'call', name: 'call.duration', unit: 's', labels: ['process', 'method'] },
    help: 'Time that a @Callable method took here, with what Nest puts around it',
  },
  {
    ...{ kind: 'counter', work: 'call', name: 'calls.failed', labels: ['process', 'method'] },
    help: 'Calls of @Callable methods that threw or rejected here',
  },
  {
    ...{ kind: 'histogram', work: 'handler', name: 'handler.duration', unit: 's', labels: ['channel', 'handler'] },
    help: 'Time that a handler took for one message',
  },
  {
    ...{ kind: 'histogram', work: 'job', name: 'cron.duration', unit: 's', labels: ['job'] },
    help: 'Time that a run of a cluster-wide cron job took here',
  },
];

/** Upper bounds in seconds of what {@link WORK_METRICS} measure: powers of two of a millisecond, as it is counted. */
export const WORK_SECONDS: readonly number[] = Array.from({ length: 19 }, (_, index) => 2 ** (index - 2) / 1000);

/** `messages.sent.size` in bytes → `foundation_messages_sent_size_bytes_total`, as Prometheus' naming practices ask. */
export function prometheusName({ name, kind, unit }: EventMetric | GaugeMetric | WorkMetric): string {
  const suffix = { s: '_seconds', By: '_bytes' }[unit as string] ?? '';
  return `foundation_${name.replaceAll('.', '_')}${suffix}${kind === 'counter' ? '_total' : ''}`;
}
