// Pure: docs/guarantees/benchmarks.md out of the documents of a run. First the targets, then what is missing and what
// was noisy, then all tables.
import { loudly, markdown, missing, noisy, precise, QUIET, table } from './report.mjs';
import { reached } from './targets.mjs';

/** `wanted` names everything that was to run, `{ key, title, why? }`: what has no document is said, with the reason. */
export function page({ documents, wanted, minutes }) {
  const first = documents.find(({ versions }) => versions !== undefined);
  const groups = new Map();
  for (const document of documents) groups.set(document.node, [...(groups.get(document.node) ?? []), document]);
  return `# Benchmarks

<!-- Written by \`npm run bench -- all --report\`; run that again, and change nothing here. -->

${first === undefined ? 'Nothing was measured beside peers.' : about(first, documents, minutes)}

${quickly(documents)}## Targets

${[...groups].map(([node, some], index) => targets(node, some, index === 0)).join('\n\n')}

${HOW_TARGETS}

## Not on quiet cores

${loud(documents)}

## Missing

${absent(documents, wanted)}

${documents.map(section).join('\n\n')}
`;
}

const HOW_TARGETS = `A ratio is taken in each repetition against the best of the named peers, and its median is the figure; the range is that of the
repetitions. A figure of which a part was taken beside more than ${QUIET} cores of other work is marked **noisy**. What the targets are of, and how
to run this, says CONTRIBUTING.md.`;

function about({ machine, versions, commit, against }, documents, minutes) {
  const { cores, model, kernel, gigabytes } = machine;
  const list = (of) => Object.entries(of).map(([name, version]) => `${name} ${version}`);
  const nodes = [...new Set(documents.map(({ node }) => node))];
  const nats = documents.map((each) => each.versions?.nats).find(Boolean);
  const peers = [
    ...new Map(Object.values(versions.peers).flatMap((of) => list(of).map((each) => [each, each]))).values(),
  ];
  return `- Taken ${documents.map(({ at }) => at.slice(0, 16).replace('T', ' ')).sort()[0]} UTC at commit ${commit}, in ${minutes} minutes${against ? `; "other" is commit ${against}` : ''}
- Machine: ${cores} cores, ${model}; ${kernel}; ${gigabytes} GB of memory; everything on 127.0.0.1
- Node.js ${nodes.join(' and ')}; Redis ${versions.redis}; nats-server ${nats ?? 'none'}
- Foundation ${versions.foundation} with ${list(versions.packages).join(', ')}
- Peers: ${peers.join(', ')}`;
}

function quickly(documents) {
  if (!documents.some(({ quick }) => quick)) return '';
  return '**Taken with `--quick`: this shows that everything runs; its figures mean nothing.**\n\n';
}

function targets(node, documents, isFirst) {
  const all = reached(documents);
  // The later ones have less to do; what the first one lacks is missing.
  const rows = all.filter(({ scenario }) => isFirst || documents.some((document) => document.scenario === scenario));
  const met = rows.filter(({ isMet }) => isMet).length;
  const cells = rows.map(({ row, wanted, figure, range, best, absent: away = [], isMet, isQuiet, others, why }) => [
    row,
    wanted,
    why === undefined ? `${precise(figure)}${best === undefined ? '' : ` (${best})`}` : '–',
    range !== undefined && range[0] !== range[1] ? range.map(precise).join(' to ') : '–',
    why === undefined
      ? `${isMet ? 'met' : '**missed**'}${isQuiet ? '' : ', **noisy**'}${away.length > 0 ? `, without ${away.join(', ')}` : ''}`
      : `**not measured**: ${why}`,
    why === undefined ? loudly(others) : '–',
  ]);
  const heads = ['', 'target', 'figure', 'range', '', 'cores used by others'];
  const rest = all.length === rows.length ? '' : `; ${all.length - rows.length} more were not measured on it`;
  return `### Node.js ${node}: ${met} of ${rows.length} met${rest}\n\n${table(undefined, heads, cells)}`;
}

function loud(documents) {
  const list = documents.flatMap((document) => {
    if (document.scenario === 'idle') {
      return document.others > QUIET ? [`- ${nameOf(document)}: ${document.others.toFixed(1)}`] : [];
    }
    const found = noisy(document);
    return document.phases.flatMap(({ key, samples }) => {
      const here = found.filter((one) => one.key === key).map(({ others }) => others);
      const measured = Object.values(samples).filter((list) => list.length > 0).length;
      if (here.length === 0) return [];
      return [
        `- ${nameOf(document)}, ${key}: ${here.length} of ${measured} peers, up to ${Math.max(...here).toFixed(1)}`,
      ];
    });
  });
  if (list.length === 0) return `Nothing: others never used more than ${QUIET} cores.`;
  return `**BEWARE: these were taken while others used more than ${QUIET} cores of the machine; do not quote them.**\n\n${list.join('\n')}`;
}

function absent(documents, wanted) {
  const ran = new Set(documents.map(({ part }) => part));
  const list = [
    ...wanted
      .filter(({ key }) => !ran.has(key))
      .map(({ title, why }) => `- ${title} did not run: ${why ?? 'the run ended before'}.`),
    ...documents
      .filter(({ scenario }) => scenario !== 'idle')
      .flatMap((document) => missing(document).map((sentence) => `- ${nameOf(document)}: ${sentence}`)),
  ];
  return list.length === 0 ? 'Nothing.' : list.join('\n');
}

function section(document) {
  if (document.scenario === 'idle') return `## ${nameOf(document)}\n\n${idle(document)}`;
  const { reps, seconds, fan, about: says } = document;
  const how = `${reps} × ${seconds} s, ${fan} receiver${fan > 1 ? 's' : ''}${fan > 1 ? ': more processes than cores, so they wait for each other' : ''}`;
  return `## ${nameOf(document)}\n\n${says[0].toUpperCase()}${says.slice(1)}. ${how}.\n\n${markdown(document)}`;
}

/** What idle.mjs measures is no phase of peers. */
function idle({ rows, seconds, others }) {
  const none = rows.find(({ transport }) => transport === 'none');
  const cells = rows.map(({ title, transport, cpuPercent, turns, switches, sent, executed, rssMb }) => [
    transport === 'none' ? 'an empty Nest application' : `a node, ${transport}${title === 'here' ? '' : `, ${title}`}`,
    ...[cpuPercent, cpuPercent - none.cpuPercent, turns, switches].map(precise),
    ...(transport === 'none' ? [undefined, undefined] : [sent, executed]).map(precise),
    precise(rssMb),
    loudly(others),
  ]);
  const heads = [
    '',
    'CPU % of a core',
    'added %',
    'turns a second',
    'switches a second',
    'commands sent a second',
    'run by Redis, in scripts too',
    'RSS MB',
  ];
  return `${Math.round(seconds)} s; medians of the nodes of a cluster.\n\n${table(undefined, [...heads, 'cores used by others'], cells)}`;
}

function nameOf({ title, node }) {
  return `${title}, Node.js ${node}`;
}
