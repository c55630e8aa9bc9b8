/**
 * `foundation move PROCESS NODE`: a planned hand-over; done when it runs there, or elsewhere because it could not.
 * Called by `run.ts`; underneath `ProcessManager.move`.
 */
import type { FoundationConfig } from '../../config/config.js';
import { whileObserving } from '../observer.js';
import { tell, type Terminal } from '../terminal.js';

/** Resolves with the exit code: 1 when it runs on another node than was asked for. */
export async function move(
  config: FoundationConfig,
  [name = '', node = '']: readonly string[],
  json: boolean,
  terminal: Terminal,
): Promise<number> {
  return whileObserving(config, async (observer) => {
    const { node: where, epoch } = await observer.processes.move(name, node);
    const isThere = where === node;
    const line = `${name} runs on ${where} (epoch ${epoch})${isThere ? '' : `; ${node} could not take it`}`;
    tell(terminal, json, { ok: isThere, process: name, node: where, epoch }, line);
    return isThere ? 0 : 1;
  });
}
