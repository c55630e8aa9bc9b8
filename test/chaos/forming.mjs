// Nodes that form a cluster, several in a process, begun at once when Node and Nest have been loaded everywhere.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { historyNow } from 'nestjs-foundation/testing';
import { msBetween } from '../../dist/test/support/history.time.js';

/**
 * Milliseconds from the start of the first until the last one sees all. `work` runs beside the formed cluster, which is
 * killed then. `more` are nodes that others started.
 */
export async function form({ redis, appName, total, processes, more = 0 }, work = () => undefined) {
  const counts = Array.from({ length: processes }, (_, index) => Math.floor((total + index) / processes));
  const children = counts.map((count, index) =>
    fork(join(import.meta.dirname, 'formation.child.mjs'), [
      JSON.stringify({ redis: redis.url, appName, prefix: `p${index}`, count, total: total + more }),
    ]),
  );
  try {
    // Node and Nest have been loaded by then, which is what most of a start is.
    await Promise.all(children.map((child) => once(child, 'message')));
    const began = historyNow();
    for (const child of children) child.send('form');
    const ends = await Promise.all(children.map((child) => once(child, 'message')));
    const last = ends.map(([at]) => at).reduce((a, b) => (a > b ? a : b));
    const formedMs = Math.round(msBetween(began, last));
    await work(formedMs);
    return formedMs;
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}
