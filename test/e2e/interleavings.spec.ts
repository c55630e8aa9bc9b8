// @redis embedded-ok
// Whole clusters in one process, on a simulated Redis, network and clock: a short form of `npm run interleavings`, and
// that the same seed gives the same run, and that bugs which are put back are found.
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

const MAIN = resolve(import.meta.dirname, '../interleavings/main.mjs');
const LIMIT_MS = 180_000;

async function interleavings(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args], { timeout: LIMIT_MS });
  return stdout;
}

/** The same runs each time: a change that breaks one of them is found by its own tests; `npm run` has others. */
const seed = process.env['INTERLEAVINGS_SEED'] ?? '21';

describe('interleavings', () => {
  it.each([
    ['leases', '8'],
    ['cluster', '8'],
  ])(
    'violate no invariant, as far as some seconds go: %s',
    async (level, seconds) => {
      const printed = await interleavings('--level', level, '--runs', '1000', '--seconds', seconds, '--seed', seed);
      expect(printed).toMatch(/^[1-9]\d* runs, \d+ steps/);
    },
    LIMIT_MS,
  );

  it.each([['leases'], ['cluster', '--transport', 'redis'], ['cluster', '--transport', 'direct']])(
    'are the same for the same seed: %s %s %s',
    async (...level) => {
      const run = async (): Promise<string | undefined> =>
        / fingerprint \w+/.exec(await interleavings('--level', ...level, '--runs', '1', '--seed', seed))?.[0];
      const first = await run();
      expect(first).toMatch(/\w/);
      expect(await run()).toBe(first);
    },
    LIMIT_MS,
  );

  it.each(['epochs begin anew', 'released before its instance', 'a consumer had that died', 'what a link has lost'])(
    'find a bug that is put back: %s',
    async (bug) => {
      expect(await interleavings('--bugs', '--bug', bug, '--runs', '100', '--seed', '3')).toMatch(/^found: /);
    },
    LIMIT_MS,
  );
});
