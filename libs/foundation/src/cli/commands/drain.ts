/**
 * `foundation drain NODE`: moves everything that the node owns to others; done when nothing of it runs there.
 * Called by `run.ts`; underneath `ProcessManager.drain`.
 */
import type { FoundationConfig } from '../../config/config.js';
import { whileObserving } from '../observer.js';
import { tell, type Terminal } from '../terminal.js';

/** Resolves with the exit code. */
export async function drain(
  config: FoundationConfig,
  [node = '']: readonly string[],
  json: boolean,
  terminal: Terminal,
): Promise<number> {
  return whileObserving(config, async (observer) => {
    await observer.processes.drain({ node });
    const line = `${node} owns nothing any more and takes nothing new; end its process to have it back`;
    tell(terminal, json, { ok: true, node }, line);
    return 0;
  });
}
