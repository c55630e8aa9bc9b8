// One run of a scenario: starts brokers and the processes of each peer, lets them take turns in each phase, in reverse
// order every other repetition, so that what else the machine does meets all of them, and gives back a document of
// every sample. What could not be measured is in it too: peers that do not take part, phases that failed.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { nodeOf } from '../node.programs.mjs';
import { startBrokers } from './brokers.mjs';
import { channels } from './channels.mjs';
import { rate } from './figures.mjs';
import { levels } from './levels.mjs';
import { machine } from './machine.mjs';
import { installed } from './packages.mjs';
import { PEERS, peersOf } from './peers/index.mjs';
import { medians } from './report.mjs';
import { rpc } from './rpc.mjs';
import { soak } from './soak.mjs';
import { Team } from './team.mjs';
import { AGAIN, QUICK } from './warmth.mjs';

export const SCENARIOS = { rpc, channels, levels, soak };
/** A peer whose phases fail this often takes no further part. */
const MOST_FAILURES = 2;

let interrupted = false;

/** From then on every run ends after the sample that it is at. */
export function interrupt() {
  interrupted = true;
}

/** `name` of a scenario; the rest is as the command line says it. */
export async function run(name, options) {
  const plan = await planOf(name, options);
  const { peers, phases, reps } = plan;
  const skipped = {};
  const failed = [];
  const teams = new Map();
  const brokers = await startBrokers({ needsNats: peers.some((peer) => peer.broker === 'nats') });
  try {
    for (const peer of peers) await enter(peer);
    for (let rep = 0; rep < reps; rep++) {
      for (const phase of phases) {
        for (const own of rep % 2 === 0 ? [...teams.keys()] : [...teams.keys()].reverse()) {
          if (!interrupted) await sample(phase, own, rep);
        }
      }
    }
  } finally {
    await Promise.all([...teams.values()].map((team) => team.close()));
    await brokers.stop();
  }
  return document();

  async function enter(peer) {
    try {
      const refusal = peer.refusal?.() ?? brokers.absent[peer.broker];
      if (refusal !== undefined) throw new Error(refusal);
      if (peer.packages !== undefined) installed(peer.packages);
    } catch (error) {
      return skip(peer.name, error);
    }
    await start(peer).catch((error) => fail(peer.name, 'start', error));
  }

  async function start(peer) {
    const team = new Team(peer, brokers, { ...plan, profile: options.profile && resolve(options.profile) });
    try {
      await team.start(SCENARIOS[name].parts);
    } catch (error) {
      await team.close();
      throw error;
    }
    teams.set(peer.name, team);
  }

  async function sample(phase, own, rep) {
    const team = teams.get(own);
    try {
      await phase.warm?.(team, rep > 0 ? AGAIN : options.quick ? QUICK : 1);
      const one = await phase.run(team);
      phase.samples[own].push(one);
      console.error(
        `${rep + 1}/${reps} ${phase.key} ${own}: ${Math.round(rate(one))}/s, p50 ${one.latency?.p50 ?? '–'} ms`,
      );
    } catch (error) {
      fail(own, phase.key, error);
      teams.delete(own);
      await team.close();
      // Its processes may be in any state, so the phases that are left get new ones.
      const failures = failed.filter(({ peer }) => peer === own).length;
      if (failures < MOST_FAILURES) await start(team.peer).catch((again) => fail(own, 'start', again));
    }
  }

  /** It should have worked. */
  function fail(own, phase, error) {
    failed.push({ peer: own, phase, why: firstLine(error) });
    process.exitCode = 1;
    console.error(`FAILED ${own}, ${phase}: ${error.message}`);
  }

  function skip(own, error) {
    skipped[own] = firstLine(error);
    console.error(`SKIPPED ${own}: ${error.message}`);
  }

  function document() {
    return {
      scenario: name,
      about: SCENARIOS[name].about,
      at: new Date().toISOString(),
      commit: commitOf(join(import.meta.dirname, '../..')),
      against: options.against && commitOf(options.against),
      machine: machine(),
      node: plan.node,
      versions: versions(brokers),
      reps,
      seconds: plan.seconds,
      fan: plan.fan,
      quick: options.quick === true,
      interrupted,
      titles: Object.fromEntries(peers.map((peer) => [peer.name, peer.title])),
      skipped,
      failed,
      phases: phases.map(({ key, title, columns, better, samples }) => ({
        ...{ key, title, columns, better, medians: medians(samples), samples },
      })),
    };
  }
}

/** Throws what is wrong with the options. */
async function planOf(name, options) {
  const isSoak = name === 'soak';
  const number = (key, otherwise) => {
    const value = Number(options[key] ?? otherwise);
    if (value > 0) return value;
    throw new Error(`--${key} ${options[key]} is not a number above 0`);
  };
  const known = [...PEERS, ...(options.against === undefined ? [] : await peersOf(options.against))];
  const wanted =
    options.only?.split(',') ??
    known.map((peer) => peer.name).filter((own) => !isSoak || own.startsWith('foundation-'));
  const unknown = wanted.filter((own) => !known.some((peer) => peer.name === own));
  if (unknown.length > 0) throw new Error(`There is no peer ${unknown.join(', ')}`);
  const seconds = number('seconds', isSoak ? (options.quick ? 6 : 60) : options.quick ? 0.2 : 1);
  const fan = name === 'rpc' ? 1 : number('fan', 1);
  const asked = options.phases?.split(',');
  const phases = SCENARIOS[name]
    .phases({ seconds, fan })
    .filter(({ key }) => asked === undefined || asked.some((each) => key === each || key.startsWith(`${each}-`)));
  if (phases.length === 0) throw new Error(`${name} has no phase ${options.phases}`);
  const { program, version } = programOf(options.node);
  return {
    ...{ seconds, fan, program, node: version },
    reps: number('reps', options.quick || isSoak ? 1 : 3),
    peers: known.filter((peer) => wanted.includes(peer.name)),
    phases: phases.map((phase) => ({ ...phase, samples: Object.fromEntries(wanted.map((own) => [own, []])) })),
  };
}

/** The Node that the processes of the peers run on; this one by default. */
export function programOf(wanted) {
  if (wanted === undefined) return { program: process.execPath, version: process.version };
  const folder = join(tmpdir(), 'foundation-bench-node');
  mkdirSync(folder, { recursive: true });
  const program = join(nodeOf(wanted, folder), 'node');
  return { program, version: execFileSync(program, ['--version'], { encoding: 'utf8' }).trim() };
}

function versions(brokers) {
  const read = (...path) => JSON.parse(readFileSync(join(import.meta.dirname, ...path), 'utf8'));
  const { version, dependencies, devDependencies } = read('../../package.json');
  const { ioredis, bullmq, '@nestjs/core': nest } = dependencies;
  return {
    foundation: version,
    ...brokers.versions,
    packages: { ioredis, bullmq, redlock: devDependencies.redlock, '@nestjs/core': nest },
    peers: Object.fromEntries(
      ['nest', 'moleculer', 'nats'].map((folder) => [folder, read(folder, 'package.json').dependencies]),
    ),
  };
}

/** Also says when the folder holds what no commit does. */
function commitOf(folder) {
  const git = (...args) => execFileSync('git', ['-C', folder, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    const changes = git('status', '--porcelain', '--untracked-files=no', '--', ':!docs/guarantees/benchmarks.md');
    return `${git('rev-parse', '--short', 'HEAD')}${changes === '' ? '' : ', with changes that are not committed'}`;
  } catch {
    return 'unknown';
  }
}

function firstLine({ message }) {
  return message.split('\n')[0];
}
