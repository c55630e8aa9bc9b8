/**
 * `foundation top`: the same as `status`, again and again until it is stopped. While Redis is away it says so and goes
 * on. Called by `run.ts`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from '../command.js';
import { complaint } from '../format.js';
import { type Observer, whileObserving } from '../observer.js';
import { snapshotOf } from '../snapshot.js';
import { overviewLines } from '../status.report.js';
import { paint, type Terminal } from '../terminal.js';

/** Where lines cannot be written over, one table after the other; with `json` one value on each line. */
export const top: Command = async (config, { json, interval }, terminal) => {
  return whileObserving(config, async (observer) => {
    const stopped = terminal.stopped();
    while (!stopped.aborted) {
      await show(config.appName, observer, json, terminal);
      await sleep(interval, undefined, { signal: stopped }).catch(() => undefined);
    }
    return 0;
  });
};

async function show(app: string, observer: Observer, json: boolean, terminal: Terminal): Promise<void> {
  try {
    const snapshot = await snapshotOf(app, observer);
    if (json) return terminal.out(JSON.stringify(snapshot));
    draw(overviewLines(snapshot, terminal), terminal);
  } catch (error) {
    if (json) terminal.out(JSON.stringify({ ok: false, error: { message: complaint(error) } }));
    else draw([paint(terminal, 'red', complaint(error))], terminal);
  }
}

function draw(lines: string[], terminal: Terminal): void {
  if (terminal.isInteractive) terminal.redraw(lines.slice(0, (terminal.height ?? Infinity) - 1));
  else for (const line of [...lines, '']) terminal.out(line);
}
