// Pure: docs/guarantees/growth.md and its plots, out of the rows of a run.
import { plot } from './plot.mjs';
import { loudly, precise, QUIET, table } from './report.mjs';

/** What is of one node, or of one piece of many, and rises with more than this power of their number, is named. */
const STEEP = 0.25;

/** The power by which `y` grows with `x`: the slope of the least squares of the logarithms. */
export function exponent(points) {
  const logs = points.filter(([x, y]) => x > 0 && y > 0).map(([x, y]) => [Math.log(x), Math.log(y)]);
  if (logs.length < 2) return undefined;
  const mean = (axis) => logs.reduce((sum, each) => sum + each[axis], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  const above = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  const below = logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  return below === 0 ? undefined : above / below;
}

/** Each `[key, heading]` is a column; `by` is what there are more and more of. */
const TABLES = {
  nodes: {
    title: 'Nodes',
    by: 'nodes',
    says: `One singleton, no services. Everything is for one node; Redis itself is for all. "Join" is from the first of them to the last; "churn" is
while one node leaves and joins again every two seconds; "failover" is from a SIGKILL of the owner until the singleton runs elsewhere.`,
    columns: [
      ['joinSeconds', 'join s'],
      ['joinBytes', 'join B out'],
      ['restCommands', 'commands /s'],
      ['restIn', 'B in /s'],
      ['restOut', 'B out /s'],
      ['restCpu', 'CPU %'],
      ['restRedisCpu', 'Redis CPU %'],
      ['churnCommands', 'churn: commands /s'],
      ['churnOut', 'churn: B out /s'],
      ['churnCpu', 'churn: CPU %'],
      ['churnRedisCpu', 'churn: Redis CPU %'],
      ['rssMb', 'MB'],
      ['failoverMs', 'failover ms'],
    ],
    steep: [
      'joinBytes',
      'restCommands',
      'restIn',
      'restOut',
      'restCpu',
      'churnCommands',
      'churnOut',
      'churnCpu',
      'failoverMs',
    ],
  },
  singletons: {
    title: 'Singletons',
    by: 'singletons',
    says: `Three nodes. "Start" is from the join of all until every singleton runs, with the commands and bytes of one singleton; "failover" is from a
SIGKILL of one node until all of its singletons run on the other two.`,
    columns: [
      ['startSeconds', 'start s'],
      ['startCommands', 'start: commands each'],
      ['startBytes', 'start: B each'],
      ['restCommands', 'commands /s, of a node'],
      ['restIn', 'B in /s'],
      ['restOut', 'B out /s'],
      ['restCpu', 'CPU %'],
      ['restRedisCpu', 'Redis CPU %'],
      ['rssMb', 'RSS MB'],
      ['lost', 'lost'],
      ['failoverMs', 'failover ms'],
    ],
    steep: ['startCommands', 'startBytes'],
  },
  services: {
    title: 'Services',
    by: 'services',
    says: `Three nodes; one of them registers all. "Gone" is from its SIGKILL until the others see none.`,
    columns: [
      ['registerSeconds', 'register s'],
      ['registerCommands', 'commands each'],
      ['registerBytes', 'B each'],
      ['heapBytes', 'heap B each, of another node'],
      ['restCommands', 'commands /s, of a node'],
      ['restOut', 'B out /s'],
      ['restCpu', 'CPU %'],
      ['restRedisCpu', 'Redis CPU %'],
      ['goneMs', 'gone ms'],
    ],
    steep: ['registerCommands', 'registerBytes', 'restOut'],
  },
  channels: {
    title: 'Channels and subscribers',
    by: 'subscribers',
    says: `One node sends 1000 messages of 100 B a second, to the channels in turn; each subscriber is a node that listens to all of them. Everything is for
one message, without what the nodes do at rest.`,
    columns: [
      ['channels', 'channels'],
      ['commands', 'commands'],
      ['inBytes', 'B in'],
      ['outBytes', 'B out'],
      ['redisMicros', 'Redis CPU µs'],
      ['senderMicros', 'sender CPU µs'],
    ],
    steep: [],
  },
};

/** Name of the file → SVG. */
export function plotsOf({ rows }) {
  const line = (key, name, list, by) => ({ name, points: list.map((row) => [row[by], row[key]]) });
  const plots = {};
  if (rows.nodes)
    plots['growth-nodes'] = plot({
      ...{ title: 'Redis, bytes out for one node', x: 'nodes', y: 'bytes a second' },
      series: [
        line('restOut', 'at rest', rows.nodes, 'nodes'),
        line('churnOut', 'one restarts every 2 s', rows.nodes, 'nodes'),
      ],
    });
  if (rows.nodes)
    plots['growth-failover'] = plot({
      ...{ title: 'Failover of a singleton, and the join of all', x: 'nodes', y: 'milliseconds' },
      series: [
        line('failoverMs', 'failover', rows.nodes, 'nodes'),
        { name: 'join', points: rows.nodes.map((row) => [row.nodes, row.joinSeconds * 1000]) },
      ],
    });
  if (rows.singletons)
    plots['growth-singletons'] = plot({
      ...{ title: 'Singletons on three nodes', x: 'singletons', y: 'milliseconds' },
      series: [
        { name: 'all run', points: rows.singletons.map((row) => [row.singletons, row.startSeconds * 1000]) },
        line('failoverMs', 'all run again after a SIGKILL', rows.singletons, 'singletons'),
      ],
    });
  if (rows.channels)
    plots['growth-channels'] = plot({
      ...{ title: 'Redis, bytes out for one message', x: 'subscribers', y: 'bytes' },
      series: [...new Set(rows.channels.map((row) => row.channels))].map((count) =>
        line(
          'outBytes',
          `${count} channel${count === 1 ? '' : 's'}`,
          rows.channels.filter((row) => row.channels === count),
          'subscribers',
        ),
      ),
    });
  return plots;
}

/** The Markdown of the page. */
export function growthPage({ rows, about, command, quick, missing }) {
  const noisy = Object.values(rows)
    .flat()
    .some(({ others }) => others > QUIET);
  const plots = Object.keys(plotsOf({ rows }));
  return `# Growth

<!-- Written by \`${command}\`; run that again, and change nothing here. -->

What one more node, singleton, service or subscriber costs, and how far one Redis carries them.

${about.map((line) => `- ${line}`).join('\n')}
- Command: \`${command}\`
${noisy ? '\n**Some rows were taken beside other work on the machine: the last column says how many cores that used.**\n' : ''}${quick ? '\n**Taken with `--quick`: its figures mean nothing.**\n' : ''}${missing.map((line) => `\n**Missing:** ${line}\n`).join('')}
## How far one Redis carries you

${carries(rows)}

${plots.map((name) => `![${ALT[name]}](../images/${name}.svg)`).join('\n\n')}

${Object.entries(TABLES)
  .filter(([key]) => rows[key]?.length > 0)
  .map(([key, one]) => section(one, rows[key]))
  .join('\n\n')}
`;
}

const ALT = {
  'growth-nodes': 'Bytes that Redis sends one node a second, by the number of nodes',
  'growth-failover': 'Time of a failover and of the join of all, by the number of nodes',
  'growth-singletons': 'Time until all singletons run, and run again, by their number',
  'growth-channels': 'Bytes that Redis sends for a message, by subscribers',
};

function carries(rows) {
  const lines = [];
  const last = rows.nodes?.at(-1);
  if (last !== undefined) {
    const half = (50 / last.restRedisCpu) * last.nodes;
    lines.push(
      `- **Nodes at rest.** ${last.nodes} nodes use ${precise(last.restRedisCpu)} % of one core of Redis: each sends ${precise(last.restCommands)} commands a second, those in scripts included. At that rate half a core carries about ${rounded(half)} nodes.`,
      `- **Nodes that come and go.** A change of one node is read by all others, so that what they read in total grows with the nodes, and what one of them reads does not: ${precise(last.churnOut / 1000)} kB a second with ${last.nodes} nodes of which one restarts every two seconds. A deployment that replaces all nodes at once is the square of that: everyone hears of everyone.`,
    );
  }
  const most = rows.singletons?.at(-1);
  if (most !== undefined)
    lines.push(
      `- **Singletons.** ${rounded(most.singletons)} on three nodes use ${precise(most.restRedisCpu)} % of a core of Redis and ${precise(most.restCpu)} % of a core of each node, all of it renewals of leases. They take ${precise(most.startSeconds)} s to start, and ${precise(most.failoverMs / 1000)} s to run again after the loss of a node.`,
    );
  const offered = rows.services?.at(-1);
  if (offered !== undefined)
    lines.push(
      `- **Services.** A service costs ${precise(offered.registerBytes)} B once, and nothing at rest. A lookup never asks Redis.`,
    );
  const widest = rows.channels?.toSorted((a, b) => b.subscribers - a.subscribers)[0];
  if (widest !== undefined)
    lines.push(
      `- **Messages.** Redis copies a message to each node that listens: ${precise(widest.outBytes)} B and ${precise(widest.redisMicros)} µs of its CPU for ${widest.subscribers} subscribers. This is where one Redis ends first.`,
    );
  return `${lines.join('\n')}

And then:

- \`transport: 'direct'\` takes messages and calls off Redis: nodes send them to each other, and Redis keeps membership and leases only
  ([Direct transport](../guides/direct-transport.md)).
- Two applications need no common cluster. Each \`appName\` can have a Redis of its own, and a bridge between them is an ordinary client.
- A longer \`membership.beatEvery\` makes nodes at rest cheaper, in proportion, and the loss of one is noticed later by as much. A longer \`lease.ttl\` does the same
  for singletons and their failover.
- Ten thousand things of one kind are better one partitioned process with as many keys than as many singletons: a lease for each partition
  ([Replicas and partitions](../guides/replicas-and-partitions.md)).
- A Redis Cluster does not spread one application: all keys of an application have one hash tag, since scripts change several of them in one step. Different
  applications lie on different shards.`;
}

function section({ title, by, says, columns, steep }, list) {
  const heads = [by, ...columns.map(([, heading]) => heading), 'cores used by others'];
  const cells = list.map((row) => [String(row[by]), ...columns.map(([key]) => cell(row[key])), loudly(row.others)]);
  const powers = steep.map((key) => [
    columns.find(([own]) => own === key)[1],
    exponent(list.map((row) => [row[by], row[key]])),
  ]);
  const grows = powers.filter(([, power]) => power > STEEP);
  const growth =
    powers.length === 0 || list.length < 3
      ? ''
      : grows.length === 0
        ? `\n\nNone of these figures of one ${singular(by)} grows with the number of ${by}.`
        : `\n\nOf one ${singular(by)}, these grow with the number of ${by}, by its power of: ${grows.map(([name, power]) => `${name} ${power.toFixed(2)}`).join(', ')}.`;
  return `## ${title}\n\n${says}\n\n${table(undefined, heads, cells)}${growth}`;
}

function singular(by) {
  return by === 'nodes' ? 'node' : by.replace(/s$/, '');
}

function cell(value) {
  if (!Number.isFinite(value)) return '–';
  return Math.abs(value) >= 1000 ? rounded(value) : precise(value);
}

/** Three digits that matter, with spaces between thousands. */
function rounded(value) {
  if (!Number.isFinite(value)) return '–';
  return Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 0 }).replaceAll(',', ' ');
}
