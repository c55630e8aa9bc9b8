/**
 * `foundation wait --ready 3 --for 60s`: until so many nodes are ready and everything that is wanted runs.
 * Called by `run.ts`; for the pipelines that deploy an application.
 */
import { machineClock } from '../../time/clock.js';
import { awaitCluster } from '../awaited.cluster.js';
import type { Command } from '../command.js';
import { count, duration } from '../format.js';
import { whileObserving } from '../observer.js';
import { printable, tell } from '../terminal.js';

/** Exit code 1 when something is missing at the end of the time; the last line says what. */
export const wait: Command = async (config, { json, ready, forMs }, terminal) => {
  return whileObserving(config, async (observer) => {
    const changed = (missing: readonly string[]): void => {
      if (!json) terminal.out(printable(`Waiting: ${missing.join('; ')}`));
    };
    const awaited = { ready, forMs, changed, signal: terminal.stopped() };
    const { missing, waitedMs, snapshot } = await awaitCluster(config.appName, observer, awaited, machineClock);
    const running = snapshot.processes.filter(({ state }) => state === 'running').length;
    const isThere = missing.length === 0;
    const line = isThere
      ? `${count(snapshot.nodes.length, 'node')}, ${count(running, 'process', 'processes')} running`
      : `Not ready after ${duration(waitedMs)}: ${missing.join('; ')}`;
    tell(terminal, json, { ok: isThere, nodes: snapshot.nodes.length, running, waitedMs, missing }, line);
    return isThere ? 0 : 1;
  });
};
