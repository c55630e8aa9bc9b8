/**
 * `foundation move PROCESS NODE`: a planned hand-over; done when it runs there, or elsewhere because it could not.
 * Called by `run.ts`; underneath `ProcessManager.move`.
 */
import type { Command } from '../command.js';
import { whileObserving } from '../observer.js';
import { tell } from '../terminal.js';

/** Exit code 1 when it runs on another node than requested. */
export const move: Command = async (config, { args: [name = '', node = ''], json }, terminal) => {
  return whileObserving(config, async (observer) => {
    const { node: where, epoch } = await observer.processes.move(name, node);
    const isThere = where === node;
    const line = `${name} runs on ${where} (epoch ${epoch})${isThere ? '' : `; ${node} could not take it`}`;
    tell(terminal, json, { ok: isThere, process: name, node: where, epoch }, line);
    return isThere ? 0 : 1;
  });
};
