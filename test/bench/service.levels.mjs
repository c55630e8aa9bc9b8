// Pure: the rows of the seed's tables, what a run reached of them, and docs/guarantees/service-levels.md.
import { median, rate } from './figures.mjs';
import { loudly, precise, QUIET, table } from './report.mjs';

const FORMATION = 'Formation of a cluster';
const LATENCY = 'Latency of a message';
const THROUGHPUT = 'Throughput of a channel';
const MEMORY = 'Memory';
const CPU = 'CPU';
const NETWORK = 'Network';

const formation = (nodes, seed, worst, ours) => [
  { key: `formation-${nodes}`, group: FORMATION, title: `${nodes} nodes, median`, unit: 's', seed, ours },
  { key: `formation-${nodes}-worst`, group: FORMATION, title: `${nodes} nodes, worst`, unit: 's', seed: worst },
];
const latencies = (kind, seed, p99, ours, ourP99) =>
  ['redis', 'direct'].flatMap((transport) => [
    {
      ...{ key: `latency-${kind}-${transport}-avg`, group: LATENCY, title: `\`${kind}\`, ${transport}, average` },
      ...{ unit: 'ms', seed, ours },
    },
    {
      ...{ key: `latency-${kind}-${transport}-p99`, group: LATENCY, title: `\`${kind}\`, ${transport}, p99` },
      ...{ unit: 'ms', seed: p99, ours: ourP99 },
    },
  ]);
const throughputs = (kind, seed) =>
  ['redis', 'direct'].map((transport) => ({
    ...{ key: `throughput-${kind}-${transport}`, group: THROUGHPUT, title: `\`${kind}\`, ${transport}` },
    ...{ unit: 'a second', seed, isLeast: true },
  }));

/** `seed` is the limit of the seed and `ours` the target of this library; `isLeast` where more is better. */
export const LEVELS = [
  ...formation(5, 10, 15, 2),
  ...formation(20, 30, 45, 4),
  ...formation(100, 120, 180, 10),
  ...latencies('control', 5, 20, 1, 8),
  ...latencies('events', 10, 50),
  ...latencies('telemetry', 50, 200),
  ...latencies('data', 100, 500),
  ...throughputs('control', 1000),
  ...throughputs('events', 5000),
  ...throughputs('data', 10_000),
  { key: 'memory-core', group: MEMORY, title: 'the core, of a node', unit: 'MB', seed: 50, ours: 25 },
  { key: 'memory-service', group: MEMORY, title: 'a service, on its own node', unit: 'kB', seed: 1000 },
  { key: 'memory-service-other', group: MEMORY, title: 'a service, on another node', unit: 'kB', seed: 1000 },
  {
    key: 'memory-channel',
    group: MEMORY,
    title: 'a channel that a node listens to and sends to',
    unit: 'kB',
    seed: 10_000,
  },
  {
    key: 'cpu-idle-redis',
    group: CPU,
    title: 'a node that does nothing, redis',
    unit: '% of a core',
    seed: 1,
    ours: 0.3,
  },
  {
    key: 'cpu-idle-direct',
    group: CPU,
    title: 'a node that does nothing, direct',
    unit: '% of a core',
    seed: 1,
    ours: 0.3,
  },
  {
    key: 'cpu-messaging-redis',
    group: CPU,
    title: 'messages, more than raw ioredis, redis',
    unit: '% of a core',
    seed: 5,
  },
  {
    key: 'cpu-messaging-direct',
    group: CPU,
    title: 'messages, more than raw ioredis, direct',
    unit: '% of a core',
    seed: 5,
  },
  { key: 'cpu-formation', group: CPU, title: 'a member while 19 others join', unit: '% of a core', seed: 30 },
  { key: 'cpu-formation-seconds', group: CPU, title: 'for how long', unit: 's', seed: 60 },
  { key: 'bytes-control', group: NETWORK, title: 'a control message of 100 B', unit: 'B', seed: 1000 },
  { key: 'bytes-heartbeat', group: NETWORK, title: 'heartbeats of 20 nodes, a pair', unit: 'B a second', seed: 100 },
  { key: 'bytes-discovery', group: NETWORK, title: 'a lookup of a service', unit: 'B', seed: 10_000, ours: 0 },
];

/** Figures by key out of the document of the scenario `levels`. */
export function figuresOf({ phases = [] }) {
  const figures = {};
  const of = (key, name) => phases.find((phase) => phase.key === key)?.samples[name] ?? [];
  for (const transport of ['redis', 'direct']) {
    const own = `foundation-${transport}`;
    for (const kind of ['control', 'events', 'telemetry', 'data']) {
      const list = of(`latency-${kind}`, own);
      const others = median(list.map((one) => one.others));
      const lost = list.reduce((sum, one) => sum + one.lost, 0);
      for (const q of ['avg', 'p99'])
        figures[`latency-${kind}-${transport}-${q}`] = {
          ...{ figure: median(list.map(({ latency }) => latency?.[q])), n: list.length, others },
          ...(lost > 0 ? { note: `${lost} lost` } : {}),
        };
      const bulk = of(`throughput-${kind}`, own);
      figures[`throughput-${kind}-${transport}`] = {
        figure: median(bulk.map((one) => rate(one))),
        n: bulk.length,
        others: median(bulk.map((one) => one.others)),
      };
    }
    const [ours, raw] = [own, 'ioredis'].map((name) => of('cpu-events', name).map(percent));
    const bursts = [own, 'ioredis'].map((name) => median(of('throughput-events', name).map(cpuOf)));
    figures[`cpu-messaging-${transport}`] = {
      figure: median(ours) - median(raw),
      n: ours.length,
      others: median(of('cpu-events', own).map((one) => one.others)),
      note: `${precise(median(ours))} against ${precise(median(raw))} at 1000 a second; ${precise(bursts[0])} against ${precise(bursts[1])} µs a message in bursts`,
    };
  }
  return figures;
}

/** Each row with what was reached: `isMet` by the seed's limit, `isOurs` by our own; or `why` there is no figure. */
export function judged(figures) {
  return LEVELS.map((level) => {
    const found = figures[level.key] ?? {};
    if (!Number.isFinite(found.figure)) return { ...level, why: found.why ?? 'not measured' };
    const within = (limit) => (level.isLeast ? found.figure > limit : found.figure < limit);
    return {
      ...level,
      ...found,
      isMet: within(level.seed),
      ...(level.ours === undefined ? {} : { isOurs: level.ours === found.figure || within(level.ours) }),
      isQuiet: !(found.others > QUIET),
    };
  });
}

/** Whether a row is beyond the limit of the seed, or has no figure. */
export function isBeyond(rows) {
  return rows.some(({ isMet }) => isMet !== true);
}

/** The Markdown of the page. */
export function servicePage({ rows, about, command, quick, missing = [] }) {
  const groups = [...new Set(rows.map(({ group }) => group))];
  const met = rows.filter(({ isMet }) => isMet).length;
  const noisy = rows.filter(({ isQuiet }) => isQuiet === false).length;
  const beside =
    noisy === 0
      ? ''
      : ` **${noisy} rows were taken beside other work on the machine; they are bold in the last column.**`;
  return `# Service levels

<!-- Written by \`${command}\`; run that again, and change nothing here. -->

The specification that Foundation began with sets limits. Each of them is a row here, with what this library reached and, where it has one, its own
target. ${met} of ${rows.length} are within the limits of the specification.${beside}

${about.map((line) => `- ${line}`).join('\n')}
- Command: \`${command}\`

${quick ? '**Taken with `--quick`: this shows that everything runs; its figures mean nothing.**\n\n' : ''}${missing.map((line) => `**Missing:** ${line}\n\n`).join('')}${groups.map((group) => section(group, rows)).join('\n\n')}
`;
}

function section(group, rows) {
  const cells = rows
    .filter((row) => row.group === group)
    .map((row) => [
      row.title,
      limit(row, row.seed),
      row.ours === undefined ? '–' : limit(row, row.ours),
      row.why === undefined ? `${precise(row.figure)} ${row.unit}` : '–',
      verdict(row),
      row.n === undefined ? '–' : String(row.n),
      loudly(row.others),
    ]);
  const heads = ['', 'limit', 'our target', 'reached', '', 'samples', 'cores used by others'];
  const notes = rows
    .filter((row) => row.group === group && row.note !== undefined)
    .map(({ title, note }) => `- ${title}: ${note}.`);
  return [
    `## ${group}`,
    HOW[group],
    table(undefined, heads, cells),
    ...(notes.length > 0 ? [notes.join('\n')] : []),
  ].join('\n\n');
}

function limit({ unit, isLeast }, value) {
  if (value === 0) return `0 ${unit}`;
  return `${isLeast ? '>' : '<'} ${precise(value)} ${unit}`;
}

function verdict({ why, isMet, isOurs }) {
  if (why !== undefined) return `**not measured**: ${why}`;
  if (!isMet) return '**beyond the limit**';
  return isOurs === false ? 'met, our target **missed**' : 'met';
}

const HOW = {
  [FORMATION]: `From the moment that all are told to start, with Node and Nest loaded, until the last one sees all. Up to 5 nodes have a process each; more
share five processes. The limit of the p99 is held against the worst of the runs.`,
  [LATENCY]: `From \`broadcast()\` in one process to the handler in another, 1 kB, 1000 messages a second.`,
  [THROUGHPUT]: 'Messages of 1 kB in bursts, from one process to one other, each of them handled.',
  [MEMORY]: `The core is the RSS of a node with two singletons over \`redis\`, less that of the same Nest application without Foundation. A service and a channel are
the growth of the heap after a collection, of 1000 services and 200 channels.`,
  [CPU]: `Idle is what a node adds to the same Nest application without Foundation. Messages are the CPU of sender and receiver at 1000 messages of 1 kB a
second for 20 s, after 5 s of the same, less that of bare ioredis: in the first seconds V8 compiles. A member that others join is measured from the
first of them to the last.`,
  [NETWORK]: `By the counters of Redis. A message is what its sender writes. Heartbeats are what idle nodes send to say that they live, and all that idle
nodes are answered, divided by the pairs of nodes. A lookup is what 10,000 of them among 1000 services added to an idle cluster.`,
};

/** All processes of a peer, as % of a core. */
function percent(one) {
  return ((one.cpu.sender + one.cpu.receivers) / one.micros) * 100;
}

function cpuOf(one) {
  return (one.cpu.sender + one.cpu.receivers) / one.count;
}
