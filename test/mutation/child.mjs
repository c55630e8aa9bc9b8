// Runs bundled specs in this process: `node child.mjs FILE…`. Ends with 0 when all tests pass, and at the first that
// fails with 1 and its name on standard output.
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const circus = createRequire(import.meta.resolve('jest'))('jest-circus');
const LONGEST_TEST_MS = 20_000;

function nameOf({ name, parent }) {
  return parent === undefined || parent.name === 'ROOT_DESCRIBE_BLOCK' ? name : `${nameOf(parent)} › ${name}`;
}

/** Which of the files each block at the top is of. */
const blocks = new Map();

function fileOf(test) {
  for (let block = test; block !== undefined; block = block.parent) if (blocks.has(block)) return blocks.get(block);
  return undefined;
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
for (const [index, file] of process.argv.slice(2).entries()) {
  await import(pathToFileURL(file));
  for (const block of circus.getState().rootDescribeBlock.children) if (!blocks.has(block)) blocks.set(block, index);
}
let tests = 0;
circus.addEventHandler(({ name }) => (tests += name === 'test_done' ? 1 : 0));
const { unhandledErrors } = await circus.run();
if (unhandledErrors.length > 0) fail(String(unhandledErrors[0]));
if (tests === 0) fail('no test ran');
writeSync(1, `${tests} tests`);
process.exit(0);
