// Writes docs/reference/metrics.md from src/metrics/metric.definitions.ts; with --check only says whether it is up to
// date.
import { code, keep, table, valuesOf } from './docs.pages.mjs';

const source = 'metrics/metric.definitions.ts';
const { EVENT_METRICS, GAUGE_METRICS, prometheusName, SECONDS, WORK_METRICS, WORK_SECONDS } = await valuesOf(source);

const rowOf = (metric) => [
  code(prometheusName(metric)),
  code(`foundation.${metric.name}`),
  metric.labels.map(code).join(', '),
  metric.help + (metric.event === undefined ? '' : ` (${code(metric.event)})`),
];
const section = (title, about, metrics) => `## ${title}

${about}

${table(['Prometheus', 'OpenTelemetry', 'labels', 'what it is'], metrics.map(rowOf))}
`;
const ofKind = (kind) => EVENT_METRICS.filter((metric) => metric.kind === kind);
const gauges = Object.values(GAUGE_METRICS).map((metric) => ({ kind: 'gauge', ...metric }));

await keep(
  'docs/reference/metrics.md',
  'docs:metrics',
  `# Metrics

<!-- Written by \`npm run docs:metrics\` from libs/foundation/src/${source}; change that file, not this one. -->

Every metric of a node. \`FoundationPrometheusModule\` serves them at \`GET /metrics\`, \`FoundationOpenTelemetryModule\` gives them to your
meter, and \`FoundationMetrics\` to anything else: see [Telemetry](../guides/telemetry.md). Times are seconds, sizes are bytes. No label has
more than 100 values; what comes later counts as \`other\`.

${section('Counters', 'Each counts the [event](events.md) in brackets.', ofKind('counter'))}
${section('Histograms', `The upper bounds are ${SECONDS.join(', ')} seconds.`, ofKind('histogram'))}
${section('Gauges', 'Read when the exporter asks.', gauges)}
## Methods, handlers and jobs

Since the node began, read when Prometheus asks; OpenTelemetry has no histograms that are read, and has spans of the same. A node has 200
series of them, and one \`other\` of each kind for the rest. The upper bounds are ${WORK_SECONDS.join(', ')} seconds.

${table(
  ['Prometheus', 'kind', 'labels', 'what it is'],
  WORK_METRICS.map((metric) => [
    code(prometheusName(metric)),
    metric.kind,
    metric.labels.map(code).join(', '),
    metric.help,
  ]),
)}
`,
);
