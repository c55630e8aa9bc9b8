/**
 * `foundation status`: the nodes, processes and services of the cluster, and its health.
 * Called by `run.ts`.
 */
import type { Command } from '../command.js';
import { whileObserving } from '../observer.js';
import { snapshotOf } from '../snapshot.js';
import { overviewLines } from '../status.report.js';

/** Exit code 1 for a critical cluster. */
export const status: Command = async (config, { json }, terminal) => {
  return whileObserving(config, async (observer) => {
    const snapshot = await snapshotOf(config.appName, observer);
    if (json) terminal.out(JSON.stringify(snapshot, undefined, 2));
    else for (const line of overviewLines(snapshot, terminal)) terminal.out(line);
    return snapshot.health.status === 'critical' ? 1 : 0;
  });
};
