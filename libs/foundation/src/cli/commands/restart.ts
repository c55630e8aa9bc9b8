/**
 * `foundation restart PROCESS`: stops it and starts it anew; brings an escalated one back.
 * Called by `run.ts`; underneath `ProcessManager.restart`.
 */
import type { FoundationConfig } from '../../config/config.js';
import { whileObserving } from '../observer.js';
import { tell, type Terminal } from '../terminal.js';

/** Resolves with the exit code. */
export async function restart(
  config: FoundationConfig,
  [name = '']: readonly string[],
  json: boolean,
  terminal: Terminal,
): Promise<number> {
  return whileObserving(config, async (observer) => {
    const { name: running, node, epoch } = await observer.processes.restart(name);
    const line = `${running} runs on ${node} (epoch ${epoch})`;
    tell(terminal, json, { ok: true, process: running, node, epoch }, line);
    return 0;
  });
}
