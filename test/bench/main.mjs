// Measures Foundation beside its peers, in one run: npm run bench -- rpc | channels | soak | discovery [--only a,b]
// [--quick] … Prints Markdown, and writes every sample as JSON to --out. Peers take turns in each phase, in reverse
// order every other repetition, so that what else the machine does meets all of them. Nothing here asserts a time.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startBrokers } from './brokers.mjs';
import { channels } from './channels.mjs';
import * as discovery from './discovery.mjs';
import { describeMachine } from './machine.mjs';
import { installed } from './packages.mjs';
import { PEERS, peersOf } from './peers/index.mjs';
import { markdown, medians } from './report.mjs';
import { rpc } from './rpc.mjs';
import { soak } from './soak.mjs';
import { Team } from './team.mjs';

const SCENARIOS = { rpc, channels, soak };
const WARM_UP = 0.3;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    reps: { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string' },
    against: { type: 'string' },
    phases: { type: 'string' },
    fan: { type: 'string', default: '1' },
    out: { type: 'string' },
    profile: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});
const name = positionals[0];
if (name === 'discovery') {
  // Without peers, so without all that follows.
  await discovery.run(values);
  process.exit();
}
const scenario = SCENARIOS[name];
if (scenario === undefined) {
  usage();
  process.exit(name === undefined ? 0 : 2);
}

const isSoak = scenario === soak;
const reps = Number(values.reps ?? (values.quick || isSoak ? 1 : 3));
const seconds = Number(values.seconds ?? (isSoak ? (values.quick ? 6 : 60) : values.quick ? 0.2 : 1));
const fan = scenario === rpc ? 1 : Number(values.fan);
if (values.against !== undefined) PEERS.push(...(await peersOf(values.against)));
const wanted = values.only?.split(',') ?? PEERS.map((peer) => peer.name).filter((each) => !isSoak || isOurs(each));
const asked = values.phases?.split(',');
const phases = scenario
  .phases({ seconds, fan })
  .filter(({ key }) => asked === undefined || asked.some((each) => key === each || key.startsWith(`${each}-`)))
  .map((phase) => ({ ...phase, samples: Object.fromEntries(wanted.map((each) => [each, []])) }));
check(wanted, phases);

const skipped = {};
const teams = [];
const brokers = await startBrokers();
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => (interrupted = true));
try {
  for (const peer of PEERS.filter((each) => wanted.includes(each.name))) await enter(peer);
  for (let rep = 0; rep < reps && !interrupted; rep++) {
    for (const phase of phases) {
      for (const team of rep % 2 === 0 ? [...teams] : [...teams].reverse())
        if (!interrupted) await sample(phase, team, rep);
    }
  }
} finally {
  await Promise.all(teams.map((team) => team.close()));
  await brokers.stop();
}
report();

/** Starts the processes of a peer, or says loudly why it does not take part. */
async function enter(peer) {
  try {
    const refusal = peer.refusal?.();
    if (refusal !== undefined) throw new Error(refusal);
    if (peer.broker === 'nats' && brokers.urls.nats === undefined) throw new Error('no nats-server on the PATH');
    if (peer.packages !== undefined) installed(peer.packages);
  } catch (error) {
    return skip(peer.name, error);
  }
  const profile = values.profile && resolve(values.profile);
  const team = new Team(peer, brokers, { fan, profile });
  try {
    await team.start(scenario.parts);
    teams.push(team);
  } catch (error) {
    await team.close();
    fail(peer.name, error);
  }
}

async function sample(phase, team, rep) {
  const own = team.peer.name;
  try {
    if (!isSoak) await phase.run(team, WARM_UP);
    const one = await phase.run(team);
    phase.samples[own].push(one);
    console.error(
      `${rep + 1}/${reps} ${phase.key} ${own}: ${Math.round((one.count / one.micros) * 1e6)}/s, p50 ${one.latency?.p50 ?? '–'} ms`,
    );
  } catch (error) {
    teams.splice(teams.indexOf(team), 1);
    await team.close();
    fail(own, error);
  }
}

/** It should have worked. */
function fail(own, error) {
  skip(own, error);
  process.exitCode = 1;
}

function skip(own, error) {
  skipped[own] = error.message;
  console.error(`SKIPPED ${own}: ${error.message}`);
}

function report() {
  const titles = Object.fromEntries(
    PEERS.filter((peer) => phases.some(({ samples }) => samples[peer.name]?.length > 0)).map((peer) => [
      peer.name,
      peer.title,
    ]),
  );
  const head = `## ${name}: ${reps} × ${seconds} s, ${fan} receiver${fan > 1 ? 's' : ''}\n\n${describeMachine()}, Redis ${brokers.versions.redis}.`;
  const notes = Object.entries(skipped).map(([own, why]) => `Skipped: ${own}. ${why.split('\n')[0]}`);
  console.log([head, ...notes, markdown(phases, titles)].join('\n\n'));
  const at = new Date().toISOString();
  const out = resolve(values.out ?? join(tmpdir(), `foundation-bench-${name}-${at.replaceAll(/[:.]/g, '-')}.json`));
  const rows = phases.map(({ key, title, samples }) => ({ key, title, medians: medians(samples), samples }));
  const document = {
    scenario: name,
    at,
    machine: describeMachine(),
    versions: versions(),
    reps,
    seconds,
    fan,
    skipped,
    phases: rows,
  };
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, `${JSON.stringify(document, undefined, 2)}\n`);
  console.error(`\nEvery sample: ${out}`);
}

function versions() {
  const manifests = ['nest', 'moleculer', 'nats'].map((folder) => join(import.meta.dirname, folder, 'package.json'));
  const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
  const root = read(join(import.meta.dirname, '../../package.json'));
  return {
    ...brokers.versions,
    root: root.devDependencies.ioredis,
    packages: manifests.map((file) => read(file).dependencies),
  };
}

function check(names, chosen) {
  const known = PEERS.map((peer) => peer.name);
  const unknown = names.filter((each) => !known.includes(each));
  if (unknown.length === 0 && chosen.length > 0 && [reps, seconds, fan].every((number) => number > 0)) return;
  usage();
  process.exit(2);
}

function isOurs(peer) {
  return peer.startsWith('foundation-');
}

function usage() {
  console.log('npm run bench -- SCENARIO [options]\n');
  for (const [key, { about }] of Object.entries({ ...SCENARIOS, discovery }))
    console.log(`  ${key.padEnd(10)} ${about}`);
  console.log(`
  --only     peers, by comma: ${PEERS.map((peer) => peer.name).join(', ')}
  --against  folder of another clone, built: its library takes part as foundation-redis-other, foundation-direct-other
  --phases   phases or kinds of them, by comma, e.g. burst,turn or c1-100
  --reps     repetitions (3; soak 1)     --seconds  of each phase (1; soak 60)
  --fan      receivers of each message (1)
  --quick    one short repetition, to see that all of it works
  --out      file for the JSON; by default in the temporary folder
  --profile  folder for a CPU profile of every process`);
}
