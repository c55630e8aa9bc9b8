/**
 * `foundation wait --ready 3 --for 60s`: until so many nodes are ready and everything that is wanted runs.
 * Called by `run.ts`; for the pipelines that deploy an application.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { machineClock } from '../../time/clock.js';
import { awaitCluster, whyAway } from '../awaited.cluster.js';
import type { Command } from '../command.js';
import { count, duration } from '../format.js';
import { whileObserving } from '../observer.js';
import { printable, tell } from '../terminal.js';

const RETRY_MS = 250;

/** Exit code 1 when something is missing at the end of the time; the last line says what. */
export const wait: Command = async (config, { json, ready, forMs }, terminal) => {
  const signal = terminal.stopped();
  const until = machineClock.monotonic() + forMs;
  const changed = (missing: readonly string[]): void => {
    if (!json) terminal.out(printable(`Waiting: ${missing.join('; ')}`));
  };
  const leftMs = (): number => Math.max(1, until - machineClock.monotonic());
  const observed = async (): Promise<number> =>
    whileObserving(config, async (observer) => {
      const awaited = { ready, forMs: leftMs(), changed, signal };
      const { missing, snapshot } = await awaitCluster(config.appName, observer, awaited, machineClock);
      const { nodes = [], processes = [] } = snapshot ?? {};
      const running = processes.filter(({ state }) => state === 'running').length;
      const waitedMs = Math.round(forMs - (until - machineClock.monotonic()));
      const isThere = missing.length === 0;
      const line = isThere
        ? `${count(nodes.length, 'node')}, ${count(running, 'process', 'processes')} running`
        : `Not ready after ${duration(waitedMs)}: ${missing.join('; ')}`;
      tell(terminal, json, { ok: isThere, nodes: nodes.length, running, waitedMs, missing }, line);
      return isThere ? 0 : 1;
    });
  for (let told = ''; ;) {
    try {
      return await observed();
    } catch (error) {
      // A Redis that starts beside the application, or fails over, is there soon.
      const why = whyAway(error);
      if (signal.aborted || leftMs() <= RETRY_MS) throw error;
      if (why !== told) changed([why]);
      told = why;
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
};
