// Runs bundled specs in this process: `node child.mjs FILE…`. Ends with 0 when all tests pass, and at the first that
// fails with 1 and its name on standard output.
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const circus = createRequire(import.meta.resolve('jest'))('jest-circus');
const LONGEST_TEST_MS = 20_000;

/** Which of the files each block at the top is of. */
const blocks = new Map();

function fileOf(test) {
  for (let block = test; block !== undefined; block = block.parent) if (blocks.has(block)) return blocks.get(block);
  return undefined;
}

/** In a block of its own, so that what a file has before each of its tests is not before those of the others. */
async function declare(file, index) {
  const root = circus.getState().rootDescribeBlock;
  const before = Object.fromEntries(['children', 'hooks', 'tests'].map((part) => [part, root[part].length]));
  await import(pathToFileURL(file));
  const made = Object.entries(before).map(([part, count]) => [part, root[part].splice(count)]);
  circus.describe(file, () => undefined);
  const block = root.children.at(-1);
  for (const [part, list] of made) {
    block[part].push(...list);
    for (const each of list) each.parent = block;
  }
  blocks.set(block, index);
}

function nameOf({ name, parent }) {
  return blocks.has(parent) || parent === undefined ? name : `${nameOf(parent)} › ${name}`;
}

function fail(what) {
  writeSync(1, what);
  process.exit(1);
}

process.on('uncaughtException', (error) => fail(`thrown: ${error?.message}`));
process.on('unhandledRejection', (error) => fail(`rejected: ${error?.message}`));
circus.addEventHandler((event) => {
  if (event.name === 'test_done' && event.test.errors.length > 0) {
    if (process.env.MUTATION_SHOW) console.error(event.test.errors[0]);
    const [error] = [event.test.errors[0]].flat();
    const isLate = String(error?.message ?? error).startsWith('Exceeded timeout');
    fail(`${fileOf(event.test)} ${isLate ? 'late: ' : ''}${nameOf(event.test)}`);
  }
  if (event.name === 'error') fail(String(event.error?.message));
  if (event.name === 'hook_failure') fail(`${event.hook.type}: ${String(event.error?.message ?? event.error)}`);
});
circus.setState({ ...circus.getState(), testTimeout: LONGEST_TEST_MS });
for (const [index, file] of process.argv.slice(2).entries()) await declare(file, index);
let tests = 0;
circus.addEventHandler(({ name }) => (tests += name === 'test_done' ? 1 : 0));
const { unhandledErrors } = await circus.run();
if (unhandledErrors.length > 0) fail(String(unhandledErrors[0]));
if (tests === 0) fail('no test ran');
writeSync(1, `${tests} tests`);
process.exit(0);
