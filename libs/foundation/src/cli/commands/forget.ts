/**
 * `foundation forget PROCESS`: removes the rows of a process that no node declares any longer.
 * Called by `run.ts`; underneath `ProcessManager.forget`.
 */
import type { Command } from '../command.js';
import { whileObserving } from '../observer.js';
import { tell } from '../terminal.js';

/** See the file header. */
export const forget: Command = async (config, { args: [name = ''], json }, terminal) => {
  return whileObserving(config, async (observer) => {
    await observer.processes.forget(name);
    tell(terminal, json, { ok: true, process: name }, `${name} is forgotten`);
    return 0;
  });
};
