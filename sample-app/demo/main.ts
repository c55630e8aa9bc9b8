/**
 * `npm run demo`: three nodes, one SIGKILL, one takeover, one summary. `--json` prints nothing else on stdout,
 * `--keep` goes on until Ctrl-C. `--open` leaves the kill to a page in a browser. However it ends, what it started ends
 * with it.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { Cluster } from './cluster.js';
import type { DemoNode } from './node.js';
import { openPage } from './open.page.js';
import { type DemoRedis, provideRedis } from './redis.js';
import { tell } from './scenario.js';
import { type Facts, render, summarize, unmet } from './summary.js';
import { Table } from './table.js';
import { monotonicMs } from './until.js';

const SINGLETON = 'price-feed';
const NODES = ['node-a', 'node-b', 'node-c'];

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    open: { type: 'boolean', default: false },
  },
});
if (flags.open && (flags.json || flags.keep)) {
  process.stderr.write('--open shows a page until Ctrl-C, and has no summary: leave out --json and --keep.\n');
  process.exit(2);
}
const table = new Table(flags.json ? process.stderr : process.stdout, SINGLETON);
const appName = `demo-${randomBytes(4).toString('hex')}`;
const parent = process.ppid;
const end = new AbortController();
let keeping = false;
let interruptedAt: number | undefined;
let redis: DemoRedis | undefined;
let cluster: Cluster | undefined;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt(signal));
// For an end that goes past everything below: a second Ctrl-C, or a crash of the demo itself.
process.on('exit', () => cluster?.killNow());

try {
  process.exitCode = (await run()) ? 0 : 1;
} catch (error) {
  process.exitCode = interruptedAt === undefined ? 1 : 130;
  if (interruptedAt === undefined) complain([error instanceof Error ? error.message : String(error)]);
} finally {
  complain(await stopNodes());
  await redis?.close(appName).catch((error: unknown) => complain([`Redis was not cleaned up: ${String(error)}`]));
}

function interrupt(why: string): void {
  // A second one means it, and the listener of `exit` does the rest; but npm may pass on the same Ctrl-C once more.
  if (performance.now() - (interruptedAt ?? Infinity) > 500) process.exit(130);
  if (interruptedAt !== undefined) return;
  interruptedAt = performance.now();
  table.say(`${why}: stopping everything`);
  end.abort(new Error(why));
}

function looked(): void {
  table.draw();
  // SIGTERM ends npm and the shell between it and the demo, which does not pass it on.
  const orphan = process.env['npm_lifecycle_event'] === 'demo' && process.ppid !== parent;
  if (orphan && interruptedAt === undefined) interrupt('npm has gone');
}

/** In the story it is a failure; after it, with `--keep`, it is what the user wants to try. The page has a button. */
function died(node: DemoNode, how: string, log: string): void {
  if (flags.open) return table.say(`${node.name} ended (${how}). The last it wrote:\n${log}`);
  if (!keeping) return end.abort(new Error(`${node.name} ended (${how}). The last it wrote:\n${log}`));
  table.say(`${node.name} ended (${how}); starting it again`);
  if (!end.signal.aborted) node.start();
}

/** Returns whether every expectation was met. */
async function run(): Promise<boolean> {
  redis = await provideRedis((line) => table.say(line));
  const env = { FOUNDATION_APP_NAME: appName, FOUNDATION_REDIS_URL: redis.url, NO_COLOR: '1' };
  cluster = new Cluster(NODES, env, { looked, died });
  if (flags.open) {
    await openPage(cluster, { redis: redis.name, singleton: SINGLETON }, table, end.signal);
    return true;
  }
  const told = await tell(cluster, SINGLETON, table, end.signal);
  const stoppingAt = monotonicMs();
  const problems = [...told.problems];
  if (!flags.keep) {
    table.say('SIGTERM to every node');
    problems.push(...(await stopNodes()));
  }
  const { happenings } = cluster;
  const met = conclude({
    ...told,
    ...{ redis: redis.name, nodes: NODES, singleton: SINGLETON, happenings, stoppingAt, problems },
  });
  if (flags.keep) await keep(cluster);
  return met;
}

/** Prints the summary on stdout and what was not met on stderr. */
function conclude(facts: Facts): boolean {
  const summary = summarize(facts);
  const failures = unmet(facts, summary);
  table.end();
  process.stdout.write(flags.json ? `${JSON.stringify(summary, undefined, 2)}\n` : `\n${render(summary)}\n\n`);
  complain(failures);
  return failures.length === 0;
}

async function keep({ nodes }: Cluster): Promise<void> {
  keeping = true;
  table.say('it goes on until Ctrl-C; kill a node, or ask one:');
  for (const { pid, port } of nodes) table.say(`  kill -9 ${pid}   curl http://127.0.0.1:${port}/status`);
  table.show(nodes);
  if (!end.signal.aborted) await once(end.signal, 'abort');
}

async function stopNodes(): Promise<string[]> {
  const stubborn = (await cluster?.stop()) ?? [];
  table.end();
  return stubborn.map((name) => `${name} did not end on SIGTERM and was killed`);
}

function complain(failures: readonly string[]): void {
  table.end();
  for (const failure of failures) process.stderr.write(`FAILED: ${failure}\n`);
  if (failures.length > 0) process.exitCode = 1;
}
