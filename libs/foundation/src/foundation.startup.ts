/**
 * Lets the start of the application wait for the processes that begin on this node, for a time.
 * Called by the lifecycle, last of all.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Log } from './logging/log.js';
import type { NodeParts } from './node.parts.js';

/** How often it is looked whether they run; no question to Redis. */
const LOOK_EVERY_MS = 10;
/** Enough to see which. */
const SHOWN = 5;

/**
 * Resolves when they run, have ended, or have crashed; or when the time is over. What is owned elsewhere is not waited
 * for.
 */
export async function firstProcesses(
  { config, supervisor, table }: Pick<NodeParts, 'config' | 'supervisor' | 'table'>,
  ending: AbortSignal,
): Promise<void> {
  if (config.startupTimeout === 0) return;
  const until = performance.now() + config.startupTimeout;
  let left = supervisor.beginning();
  while ((left === undefined || left.length > 0) && performance.now() < until && !ending.aborted) {
    await sleep(LOOK_EVERY_MS, undefined, { signal: ending }).catch(() => undefined);
    left = supervisor.beginning();
  }
  if (ending.aborted) return;
  const ended = [...table.backingOff(), ...table.escalated()];
  const named = (crashed: boolean): string[] =>
    ended.filter(({ error }) => (error !== undefined) === crashed).map(({ name }) => name);
  say('The application starts while processes of it are still starting: {processes}', left ?? []);
  say('The application starts though processes of it have crashed: {processes}', named(true));
  say(
    'The application starts though processes of it have completed that are to run for ever (restart: "permanent"): {processes}',
    named(false),
  );
}

function say(message: string, names: readonly string[]): void {
  if (names.length === 0) return;
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  new Log().warn(message, { processes: `${names.slice(0, SHOWN).join(', ')}${more}` });
}
