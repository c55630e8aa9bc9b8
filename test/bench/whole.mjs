// Everything in one go: all scenarios, fan-out, and once more on another Node. What cannot run is said, and the rest
// runs.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programOf, run } from './run.mjs';

const OTHER_NODE = '24';
const IDLE = join(import.meta.dirname, 'idle.mjs');

/** `title` becomes a heading; the rest goes to the scenario. */
function partsOf({ quick, node }) {
  const [first, ...more] = node === undefined ? nodes() : node.split(',');
  const on = (version, parts) => parts.map((part) => ({ ...part, key: `${part.key} ${version}`, node: version }));
  return [
    ...on(first, [
      { key: 'channels', title: 'Channels', scenario: 'channels' },
      { key: 'calls', title: 'Calls', scenario: 'rpc' },
      // Bulk and latency of the size in the middle; each phase has four processes of each peer.
      {
        key: 'fan-out',
        title: 'Fan-out to 3',
        scenario: 'channels',
        fan: 3,
        phases: 'burst-1000,paced-1000',
        reps: quick ? 1 : 2,
      },
      { key: 'soak', title: 'Soak', scenario: 'soak', whole: true },
      { key: 'idle', title: 'Idle', scenario: 'idle', whole: true },
    ]),
    ...more.flatMap((version) =>
      on(version, [
        {
          key: 'channels',
          title: 'Channels',
          scenario: 'channels',
          ...(quick ? { phases: 'burst-1000' } : { reps: 2, seconds: 0.7 }),
        },
        {
          key: 'calls',
          title: 'Calls',
          scenario: 'rpc',
          ...(quick ? { phases: 'c100-100' } : { reps: 2, seconds: 0.7 }),
        },
      ]),
    ),
  ];
}

export const about = 'rpc, channels, soak, idle, fan-out to 3, and channels and calls once more on another Node';

/** Documents of what ran, and `wanted` of all that should have. */
export async function runAll(values) {
  const began = performance.now();
  const documents = [];
  const wanted = [];
  for (const part of partsOf(values)) {
    const { key, title, whole, ...own } = part;
    const entry = { key, title: `${title}, Node.js ${part.node}` };
    wanted.push(entry);
    console.error(`\n${entry.title}`);
    try {
      // What was asked of all must not ask for phases that this part has not.
      const options = { ...pick(values, ['quick', 'against', 'only', 'profile', 'reps', 'seconds']), ...own };
      if (whole) for (const each of ['reps', 'seconds', 'only']) delete options[each];
      const program = programOf(part.node);
      const document = part.scenario === 'idle' ? idle(options, program) : await run(part.scenario, options);
      documents.push({ ...document, part: key, title });
    } catch (error) {
      entry.why = error.message.split('\n')[0];
      process.exitCode = 1;
      console.error(`FAILED ${entry.title}: ${error.message}`);
    }
  }
  const minutes = Number(((performance.now() - began) / 60_000).toFixed(1));
  return { documents, wanted, minutes };
}

/** On this Node and, where this is an older one, on the newest that the library is for. */
function nodes() {
  const [own] = process.versions.node.split('.');
  return own === OTHER_NODE ? [own] : [own, OTHER_NODE];
}

/** It has no peers, and a report of its own: a process of its own gives us the file. */
export function idle({ quick, against, seconds }, { program, version }) {
  if (!existsSync(IDLE)) throw new Error('this checkout has no idle.mjs');
  const folder = mkdtempSync(join(tmpdir(), 'foundation-bench-idle-'));
  const out = join(folder, 'idle.json');
  const args = [join(import.meta.dirname, 'main.mjs'), 'idle', '--out', out];
  try {
    const more = [
      ...(quick ? ['--quick'] : []),
      ...(against === undefined ? [] : ['--against', against]),
      ...(seconds === undefined ? [] : ['--seconds', seconds]),
    ];
    const { status } = spawnSync(program, [...args, ...more], { stdio: ['ignore', 2, 2] });
    if (status !== 0) throw new Error(`idle.mjs ended with ${status}`);
    return { ...JSON.parse(readFileSync(out, 'utf8')), node: version, quick: quick === true };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function pick(from, keys) {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]));
}
