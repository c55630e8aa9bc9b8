// Plays the stale owner all the time: writes with the epochs of instances that have ended, past the guard of their
// contexts, as one does that was frozen in the middle of the call.
import { StaleEpochError } from 'nestjs-foundation';
import type { Journal } from './node.processes.js';

const EVERY_MS = 500;

/** A client that has run the script of `ctx.fenced.set` knows it. */
type Scripted = { foundationFencedSet?(keys: number, ...args: string[]): Promise<string> };

/** The script of `ctx.fenced.set` without the question before it. */
export async function writeUnguarded(clients: readonly unknown[], key: string, epoch: number): Promise<void> {
  const client = (clients as (Scripted | undefined)[]).find((one) => one?.foundationFencedSet !== undefined);
  if (client?.foundationFencedSet === undefined) throw new Error('No client knows the script of ctx.fenced.set');
  const tag = `{foundation:${process.env['FOUNDATION_APP_NAME'] ?? 'app'}}`;
  const keys = [`${tag}:fenced:${key}`, `${tag}:incarnation`];
  const refused = await client.foundationFencedSet(keys.length, ...keys, String(epoch), '60000', 'stale!');
  if (refused !== '') throw new StaleEpochError(key, epoch, Number(refused.split(' ').at(-1)));
}

/** Until the node has left. */
export async function writeAsStale(
  journal: Journal,
  clients: readonly unknown[],
  hasLeft: () => boolean,
): Promise<void> {
  for (let turn = 0; !hasLeft(); turn++) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    const ended = [...journal.contexts.values()].filter(({ signal }) => signal.aborted);
    if (ended.length === 0) continue;
    const { name, epoch } = ended[turn % ended.length]!;
    await journal.write(name, epoch, () => writeUnguarded(clients, name, epoch));
  }
}
