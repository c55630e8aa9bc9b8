/**
 * Waits until what a stop has stopped has ended.
 * Used by `process.commands.ts`. Underneath: the owners in Redis, and the row of the process.
 */
import type { Backend } from '../backend/backend.js';
import type { OwnerRecord } from '../backend/leases/leases.js';
import type { FoundationConfig } from '../config/config.js';
import { ProcessTimeoutError } from '../errors/process.errors.js';
import type { ProcessRegistry } from './process.registry.js';
import { type ProcessWaiter, seenLast } from './process.waiter.js';
import { ownershipOf } from './supervision/name.ownership.js';
import { isEnded, type ProcessEntry, type ProcessTable, type VersionedEntry } from './table/process.table.js';

/** What the wait needs. */
export interface StopParts {
  config: Pick<FoundationConfig, 'lease'>;
  backend: Pick<Backend, 'leases'>;
  table: ProcessTable;
  registry: ProcessRegistry;
  waiter: ProcessWaiter;
}

/** What was stopped. */
export interface Stopped {
  /** Its row, as the stop has written it. */
  entry: VersionedEntry;
  /** Itself, or its replicas or partitions. */
  slots: readonly string[];
  /** The epochs of the owners that there were before. */
  epochs: ReadonlyMap<string, number>;
}

/**
 * The row of what is stopped.
 *
 * INVARIANT (I17): that of a single replica or partition counts only with a higher floor than the row of the whole.
 */
export function stoppedRow(current: VersionedEntry, epochs: ReadonlyMap<string, number>): ProcessEntry {
  if (current.of === undefined) return { ...current, status: 'stopped' };
  return { ...current, status: 'stopped', after: Math.max(current.after + 1, ...epochs.values()) };
}

/**
 * Resolves once no node owns it. Who starts it again in the meantime gets another instance, which a stop does not wait
 * for: it is over when none is left of those that there were.
 *
 * @throws ProcessTimeoutError
 */
export async function untilStopped(parts: StopParts, { entry, slots, epochs }: Stopped): Promise<void> {
  const { config, backend, table, registry, waiter } = parts;
  const { name } = entry;
  const { ttl, grace } = config.lease;
  const timeout = entry.options.stopTimeout + ttl + grace + 1000;
  let seen: OwnerRecord[] | undefined;
  const owners = async (): Promise<OwnerRecord[]> => {
    seen = (await registry.owners(slots)).filter((owner) => owner !== undefined);
    return seen;
  };
  const isStartedAgain = (): boolean => {
    const now = table.get(name);
    return now !== undefined && now.version > entry.version && !isEnded(now.status);
  };
  const isOther = (owner: OwnerRecord): boolean => owner.epoch > (epochs.get(owner.name) ?? 0);
  const stopped = await waiter.until(name, timeout, async () => {
    const { state } = await ownershipOf(backend.leases, owners);
    return state === 'free' || (state === 'owned' && isStartedAgain() && seen?.every(isOther)) ? true : undefined;
  });
  if (stopped !== undefined) return;
  const again = isStartedAgain();
  throw new ProcessTimeoutError(
    name,
    'was not released by its owner',
    timeout,
    `${again ? 'Somebody has started it again meanwhile.' : 'It is marked as stopped, and ends when its owner does.'} ${seenLast(seen)}`,
    again ? 'Stop it once more if it is to stay down.' : 'Let onProcessStop and the tasks of ctx.run heed ctx.signal.',
  );
}
