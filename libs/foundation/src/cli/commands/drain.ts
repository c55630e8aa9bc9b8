/**
 * `foundation drain NODE`: moves everything that the node owns to others; done when nothing of it runs there.
 * Called by `run.ts`; underneath `ProcessManager.drain`.
 */
import type { Command } from '../command.js';
import { whileObserving } from '../observer.js';
import { tell } from '../terminal.js';

/** See the file header. */
export const drain: Command = async (config, { args: [node = ''], json }, terminal) => {
  return whileObserving(config, async (observer) => {
    await observer.processes.drain({ node });
    const line = `${node} owns nothing and takes nothing new, until you undrain it`;
    tell(terminal, json, { ok: true, node }, line);
    return 0;
  });
};
