/**
 * `foundation restart PROCESS`: stops it and starts it again; brings an escalated one back.
 * Called by `run.ts`; underneath `ProcessManager.restart`.
 */
import type { Command } from '../command.js';
import { whileObserving } from '../observer.js';
import { tell } from '../terminal.js';

/** See the file header. */
export const restart: Command = async (config, { args: [name = ''], json }, terminal) => {
  return whileObserving(config, async (observer) => {
    const { name: running, node, epoch } = await observer.processes.restart(name);
    const line = `${running} runs on ${node} (epoch ${epoch})`;
    tell(terminal, json, { ok: true, process: running, node, epoch }, line);
    return 0;
  });
};
