// npm run interleavings -- --runs 1000 --seed 7: whole clusters in this process, on a simulated Redis, network and
// clock. A run that violates an invariant is made shorter, printed, and made again by its seed and path.
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { BUGS } from './bugs.mjs';
import { clusters, leaseRuns, NAMES, nodeOptionsOf, planOf, WHOLES } from './plan.mjs';
import { compileParts, simulate, withBug } from './simulation.mjs';

const { values } = parseArgs({
  options: {
    level: { type: 'string', default: 'leases' },
    runs: { type: 'string', default: '100' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    path: { type: 'string' },
    transport: { type: 'string' },
    bug: { type: 'string' },
    bugs: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    'no-shrink': { type: 'boolean', default: false },
  },
});
const SHOWN = 5;
const LEVELS = {
  leases: {
    runsOf: leaseRuns,
    optionsOf: (run) => ({ ...run, nodes: NAMES, processes: ['job', 'mail'], stale: true }),
  },
  cluster: {
    runsOf: clusters,
    optionsOf({ steps, transport, gossip, ...run }) {
      const load = {
        ...{ calls: true, talk: true, cron: true, stale: true },
        ...{ asks: true, durable: true, services: true, config: true },
      };
      const nodeOptions = Object.fromEntries(NAMES.map((name) => [name, nodeOptionsOf(name, { transport, gossip })]));
      return { ...run, nodes: NAMES, nodeOptions, slots: WHOLES, plan: planOf(steps), load };
    },
  },
};
const parts = {};
const partsOf = async (level) => (parts[level] ??= await compileParts(level));

if (values.bugs) process.exitCode = (await findAll()) ? 0 : 1;
else {
  const bug = values.bug === undefined ? undefined : BUGS.find(({ name }) => name.includes(values.bug));
  const level = bug?.level ?? values.level;
  const code = await partsOf(level);
  const found = await check(bug === undefined ? code : withBug(code, bug), { ...values, ...bug, level });
  process.exitCode = found === undefined ? 0 : 1;
}
process.exit();

function isWanted({ name, rare }) {
  return values.bug === undefined ? rare !== true : name.includes(values.bug);
}

async function findAll() {
  let areAllFound = true;
  for (const bug of BUGS.filter(isWanted)) {
    const { level, name } = bug;
    const found = await check(withBug(await partsOf(level), bug), { ...values, ...bug, quiet: true });
    const where = `in ${found.runs} ${found.runs === 1 ? 'run' : 'runs'}, ${found.seconds} s`;
    console.log(
      found.first === undefined ? `NOT FOUND: ${name} (${where})` : `found: ${name} (${where}): ${found.first}`,
    );
    areAllFound &&= found.first !== undefined;
  }
  return areAllFound;
}

/** What was violated, in the shortest run; `undefined` when nothing was. */
async function check(
  code,
  { level, kinds, breaks, transport, runs: count, seconds, seed, path, quiet = false, verbose = false },
) {
  const { runsOf, optionsOf } = LEVELS[level];
  const runs = runsOf({ kinds, transport });
  let [done, steps, ms, fingerprint] = [0, 0, 0, 0];
  let last;
  const property = fc.asyncProperty(runs, async (run) => {
    const outcome = await simulate(code, { ...optionsOf(run), ...(verbose ? { report: console.log } : {}) });
    done += 1;
    steps += outcome.steps;
    ms += outcome.ms;
    fingerprint = (Math.imul(fingerprint, 31) + outcome.trace) >>> 0;
    const counts = (violation) => breaks?.some((what) => violation.startsWith(`${what}:`)) ?? true;
    const violations = outcome.violations.filter(counts);
    if (violations.length === 0) return;
    last = { run, violations };
    throw new Error(violations[0].split('\n')[0]);
  });
  const began = performance.now();
  const given = {
    seed: Number(seed),
    numRuns: Number(count),
    ...(path === undefined ? {} : { path }),
    endOnFailure: quiet || values['no-shrink'],
  };
  const limit = seconds === undefined ? {} : { interruptAfterTimeLimit: Number(seconds) * 1000 };
  let result = await fc.check(property, { ...given, ...limit });
  // On a starved machine no run is over in the time: then one, however long it takes.
  if (result.interrupted && result.numRuns === 0) result = await fc.check(property, { ...given, numRuns: 1 });
  const took = ((performance.now() - began) / 1000).toFixed(1);
  if (!quiet)
    console.log(
      `${done} runs, ${steps} steps, ${(ms / 1000).toFixed(0)} s of a cluster in ${took} s; seed ${seed}, fingerprint ${fingerprint.toString(16)}`,
    );
  if (!result.failed) return quiet ? { runs: done, seconds: took } : undefined;
  if (last === undefined) throw result.errorInstance;
  const { violations } = last;
  const found = { runs: result.numRuns, seconds: took, first: violations[0].split('\n')[0] };
  if (!quiet) {
    console.log(`VIOLATED: npm run interleavings -- --seed ${seed} --path ${result.counterexamplePath}`);
    console.log(JSON.stringify(result.counterexample[0], undefined, 1));
    console.log(violations.slice(0, SHOWN).join('\n'));
  }
  return found;
}
