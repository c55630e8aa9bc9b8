/**
 * `foundation top`: what `status` shows and how often methods, handlers and jobs run, again and again until it is
 * stopped, or once. While Redis is away it says so and goes on. Called by `run.ts`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from '../command.js';
import { complaint } from '../format.js';
import { type Observer, whileObserving } from '../observer.js';
import { snapshotWithWork } from '../snapshot.js';
import { overviewLines } from '../status.report.js';
import { paint, type Terminal } from '../terminal.js';
import { workLines } from '../work.report.js';

/** Where lines cannot be written over, one table after the other; with `json` one value on each line. */
export const top: Command = async (config, { json, interval, once }, terminal) => {
  return whileObserving(config, async (observer) => {
    const stopped = terminal.stopped();
    while (!stopped.aborted) {
      const isShown = await show(config.appName, observer, json, terminal, once);
      if (once) return isShown ? 0 : 1;
      await sleep(interval, undefined, { signal: stopped }).catch(() => undefined);
    }
    return 0;
  });
};

/** False where Redis did not answer, which is shown. */
async function show(
  app: string,
  observer: Observer,
  json: boolean,
  terminal: Terminal,
  once: boolean,
): Promise<boolean> {
  try {
    const snapshot = await snapshotWithWork(app, observer);
    if (json) terminal.out(JSON.stringify(snapshot));
    else draw([...overviewLines(snapshot, terminal), ...workLines(snapshot, terminal)], terminal, once);
    return true;
  } catch (error) {
    if (json) terminal.out(JSON.stringify({ ok: false, error: { message: complaint(error) } }));
    else draw([paint(terminal, 'red', complaint(error))], terminal, once);
    return false;
  }
}

function draw(lines: string[], terminal: Terminal, once: boolean): void {
  if (terminal.isInteractive && !once) terminal.redraw(lines.slice(0, (terminal.height ?? Infinity) - 1));
  else for (const line of once ? lines : [...lines, '']) terminal.out(line);
}
