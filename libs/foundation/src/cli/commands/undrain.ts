/**
 * `foundation undrain NODE`: lets a node that was drained take work again.
 * Called by `run.ts`; underneath `ProcessManager.undrain`.
 */
import type { Command } from '../command.js';
import { whileObserving } from '../observer.js';
import { tell } from '../terminal.js';

/** See the file header. */
export const undrain: Command = async (config, { args: [node = ''], json }, terminal) => {
  return whileObserving(config, async (observer) => {
    await observer.processes.undrain({ node });
    tell(terminal, json, { ok: true, node }, `${node} takes work again`);
    return 0;
  });
};
