/**
 * `foundation forget PROCESS`: removes the rows of a process that no node declares any more.
 * Called by `run.ts`; underneath `ProcessManager.forget`.
 */
import type { FoundationConfig } from '../../config/config.js';
import { whileObserving } from '../observer.js';
import { tell, type Terminal } from '../terminal.js';

/** Resolves with the exit code. */
export async function forget(
  config: FoundationConfig,
  [name = '']: readonly string[],
  json: boolean,
  terminal: Terminal,
): Promise<number> {
  return whileObserving(config, async (observer) => {
    await observer.processes.forget(name);
    tell(terminal, json, { ok: true, process: name }, `${name} is forgotten`);
    return 0;
  });
}
