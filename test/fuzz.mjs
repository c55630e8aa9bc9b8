// npm run fuzz -- --seconds 600 --seed 7: the fuzz suites of test/unit and test/integration, so long each, with the
// slowest of each reader and the longest turn of a node.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '120' }, seed: { type: 'string' } },
});
const seed = values.seed ?? String(Math.floor(Math.random() * 2 ** 31));
console.log(`Seed ${seed}, ${values.seconds} s`);
const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    'node_modules/.bin/jest',
    '--testPathPatterns',
    '(unit|integration)/fuzz',
    '--selectProjects',
    'unit',
    'integration',
  ],
  {
    stdio: 'inherit',
    env: { ...process.env, FOUNDATION_FUZZ_SECONDS: values.seconds, FOUNDATION_FUZZ_SEED: seed },
  },
);
process.exitCode = status ?? 1;
