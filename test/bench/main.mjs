// Measures Foundation beside its peers, in one run: npm run bench -- all, or one of what it lists without a word
// [--only a,b] [--quick] … Prints Markdown, and writes every sample as JSON to --out. Nothing here asserts a time.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import * as codec from './codec.mjs';
import * as discovery from './discovery.mjs';
import * as durable from './durable.mjs';
import * as growth from './growth.mjs';
import * as idle from './idle.mjs';
import { describeMachine } from './machine.mjs';
import { page } from './page.mjs';
import { PEERS } from './peers/index.mjs';
import { markdown, missing } from './report.mjs';
import { interrupt, run, SCENARIOS } from './run.mjs';
import * as sla from './sla.mjs';
import * as peers from './takeover.mjs';
import { about as aboutAll, runAll } from './whole.mjs';

const PAGE = resolve(import.meta.dirname, '../../docs/guarantees/benchmarks.md');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    reps: { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string' },
    against: { type: 'string' },
    node: { type: 'string' },
    phases: { type: 'string' },
    fan: { type: 'string' },
    out: { type: 'string' },
    profile: { type: 'string' },
    report: { type: 'boolean', default: false },
    page: { type: 'string' },
    trace: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
});
const [name, ...more] = positionals;
const WITHOUT_PEERS = { codec, discovery, durable, growth, idle, peers, sla };
// These end at once, and their children with them; a run of peers ends after the sample that it is at.
const stop = name in WITHOUT_PEERS ? () => process.exit(1) : interrupt;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop);

if (name in WITHOUT_PEERS) {
  await WITHOUT_PEERS[name].run(values);
  process.exit();
} else if (name === 'all') {
  const whole = await runAll(values);
  for (const document of whole.documents.filter(({ phases }) => phases !== undefined)) print(document);
  save(whole);
  if (values.report) await write(whole);
} else if (name === 'page') {
  await write(JSON.parse(readFileSync(more[0], 'utf8')));
} else if (name in SCENARIOS) {
  const documents = [];
  for (const node of values.node?.split(',') ?? [undefined]) {
    documents.push(await run(name, { ...values, node }));
    print(documents.at(-1));
  }
  save(documents.length === 1 ? documents[0] : { documents });
} else {
  usage();
  process.exitCode = name === undefined ? 0 : 2;
}

function print(document) {
  const { scenario, reps, seconds, fan, node, versions } = document;
  const head = `## ${scenario}: ${reps} × ${seconds} s, ${fan} receiver${fan > 1 ? 's' : ''}\n\n${describeMachine(node)}, Redis ${versions.redis}.`;
  console.log([head, ...missing(document), markdown(document)].join('\n\n'));
}

function save(document) {
  const at = new Date().toISOString().replaceAll(/[:.]/g, '-');
  const out = resolve(values.out ?? join(tmpdir(), `foundation-bench-${name}-${at}.json`));
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, `${JSON.stringify(document, undefined, 2)}\n`);
  console.error(`\nEvery sample: ${out}`);
}

async function write(whole) {
  const file = resolve(values.page ?? PAGE);
  const text = await format(page(whole), { ...(await resolveConfig(PAGE)), parser: 'markdown' });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.error(`Written: ${file}`);
}

function usage() {
  const all = { ...SCENARIOS, ...WITHOUT_PEERS, all: { about: aboutAll } };
  console.log('npm run bench -- SCENARIO [options]\n');
  for (const [key, { about }] of Object.entries(all)) console.log(`  ${key.padEnd(10)} ${about}`);
  console.log(`
  --only     peers, by comma: ${PEERS.map((peer) => peer.name).join(', ')}
  --against  folder of another clone, built: its library takes part as foundation-redis-other, foundation-direct-other
  --node     versions of Node for the processes of the peers, by comma, e.g. 20,24; by default the one that runs this
  --phases   phases or kinds of them, by comma, e.g. burst,turn or c1-100
  --reps     repetitions (3; soak 1)     --seconds  of each phase (1; soak 60)
  --fan      receivers of each message (1)
  --quick    one short repetition, to see that all of it works
  --out      file for the JSON; by default in the temporary folder
  --report   all: writes docs/guarantees/benchmarks.md, or the file of --page. \`page FILE\` writes it out of a JSON of all
  --profile  folder for a CPU profile of every process
  --trace    idle: which timers fire`);
}
