/**
 * Notices that a temporary process which callers wait for is lost: it was started, and no node has it any more.
 * Used by `process.waiter.ts`. Underneath: the row of the process and its lease.
 */
import type { Leases, OwnerRecord } from '../backend/leases/leases.js';
import { ProcessLostError } from '../errors/process.errors.js';
import { ownershipOf } from './supervision/name.ownership.js';
import type { ProcessTable, VersionedEntry } from './table/process.table.js';

/**
 * In heartbeats: by then a node that is alive has written what it kept while Redis was away, an end or that it never
 * began.
 */
const PATIENCE_BEATS = 3;

/** What it needs. */
export interface ProcessLossParts {
  leases: Pick<Leases, 'grace'>;
  table: Pick<ProcessTable, 'get' | 'sync'>;
  owner: (name: string) => Promise<OwnerRecord | undefined>;
  beatEvery: number;
  now: () => number;
}

/** One wait; see the file header. */
export class ProcessLoss {
  /** By name: the row that said so without an owner, since when, and when last. */
  readonly #since = new Map<string, { version: number; at: number; seenAt: number }>();

  constructor(private readonly parts: ProcessLossParts) {}

  /**
   * Call it with each row that is waited for and its owner.
   *
   * @throws ProcessLostError
   */
  async check({ name, status, version }: VersionedEntry, owner: OwnerRecord | undefined): Promise<void> {
    const { now, beatEvery, table } = this.parts;
    const isAlone = status === 'once' && owner === undefined;
    const known = this.#since.get(name);
    if (!isAlone) return void this.#since.delete(name);
    // While Redis was away nobody could write what has become of it, so the time begins anew.
    if (known?.version !== version || now() - known.seenAt > PATIENCE_BEATS * beatEvery) {
      return void this.#since.set(name, { version, at: now(), seenAt: now() });
    }
    known.seenAt = now();
    if (now() - known.at < PATIENCE_BEATS * beatEvery) return;
    // INVARIANT (I13): an end is recorded before the lease is released, so the owner is queried before the row is read.
    const { state } = await ownershipOf(this.parts.leases, async () => [await this.parts.owner(name)]);
    if (state !== 'free') return;
    await table.sync();
    const entry = table.get(name);
    if (entry?.status === 'once' && entry.version === version) throw new ProcessLostError(name);
  }
}
