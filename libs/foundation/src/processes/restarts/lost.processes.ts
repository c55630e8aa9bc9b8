/**
 * Finds temporary processes that ended without a word: they were started, and nobody owns them.
 * Used by `restart.decisions.ts` at each sweep.
 */
import type { Leases } from '../../backend/leases/leases.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import type { ProcessTable, VersionedEntry } from '../table/process.table.js';

/** How long a temporary process whose node died is listed as lost. */
const KEEP_LOST_MS = 10 * 60_000;
/** And how many of them; when there are more they go sooner. */
const MAX_LOST = 1000;
const LEAST_LOST_MS = 60_000;
/** How many started temporary processes are looked for with each sweep. */
const LOOKED_FOR_AT_ONCE = 500;

/** See the file header. */
export class LostProcesses {
  /** Those that were seen without an owner, and when first. */
  readonly #since = new Map<string, number>();
  #from = 0;

  constructor(
    private readonly table: ProcessTable,
    private readonly membership: Pick<ClusterView, 'clusterNow'>,
    private readonly leases: Pick<Leases, 'owners'>,
  ) {}

  /**
   * Temporary processes that were started and have had no owner for a while: their node died. They are listed as `lost`
   * for as long as ended ones are, then their entries go.
   */
  async find(): Promise<VersionedEntry[]> {
    const started = this.table.startedOnce();
    const now = this.membership.clusterNow();
    for (const name of this.#since.keys()) if (this.table.get(name)?.status !== 'once') this.#since.delete(name);
    // In turns, because those that run on are checked as well.
    const asked = started.slice(this.#from, this.#from + LOOKED_FOR_AT_ONCE);
    this.#from = this.#from + asked.length < started.length ? this.#from + asked.length : 0;
    const owners = await this.leases.owners(asked.map(({ name }) => name));
    for (const [index, { name }] of asked.entries()) {
      if (owners[index] !== undefined) this.#since.delete(name);
      else if (!this.#since.has(name)) this.#since.set(name, now);
    }
    const keep = this.#since.size > MAX_LOST ? LEAST_LOST_MS : KEEP_LOST_MS;
    return asked.filter(({ name }) => now - (this.#since.get(name) ?? now) >= keep);
  }
}
