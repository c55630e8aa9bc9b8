/**
 * Processes that a release declared and that no node declares any longer: they are shown as orphaned, and their rows go
 * after a while. Called by the sweep; underneath rows of the process table, and the records of the members.
 */
import type { NodeRecord } from '../../backend/directory/directory.js';
import type { Leases } from '../../backend/leases/leases.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import { declaredBy } from '../../cluster/compatibility.js';
import { runsEverywhere, slotNames } from '../../cluster/slot.names.js';
import { Log } from '../../logging/log.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { ProcessTable, VersionedEntry } from './process.table.js';

/**
 * True for an entry of a declared process that no node declares. What a call has started belongs to no
 * declarations, and any node may have its class.
 */
export function isOrphan(
  { declared, of, name, type }: Pick<VersionedEntry, 'declared' | 'of' | 'name' | 'type'>,
  isDeclared: ReturnType<typeof declaredBy>,
): boolean {
  return declared && !isDeclared({ name: of ?? name, type });
}

/** See the file header. */
export class Orphans {
  readonly #logger = new Log();
  readonly #repeated = new ThrottledLog();

  constructor(
    private readonly membership: Pick<ClusterView, 'records' | 'state' | 'clusterNow'>,
    private readonly table: Pick<ProcessTable, 'processes' | 'changeAll' | 'forget' | 'isMending'>,
    private readonly leases: Pick<Leases, 'owners'>,
    /** Milliseconds from when no node declares it. */
    private readonly forgetAfter: number,
  ) {}

  /**
   * Notes in the row since when no node declares a process, so that the time counts whichever node sweeps and through
   * restarts; takes the note back when one declares it again, and removes the rows whose time is over.
   *
   * INVARIANT (I9): the note is a version of the row, and at least a minute old when the row goes, see `LEAST_KEPT_MS`:
   * a node that restores the row after a loss of data knows the note, too.
   */
  async sweep(): Promise<void> {
    // Who is cut off does not know who declares what, nor what the table says.
    if (this.membership.state !== 'up' || this.table.isMending) return;
    const isDeclared = declaredBy(this.membership.records());
    const now = this.membership.clusterNow();
    const isNoted = ({ orphanedAt }: VersionedEntry): boolean => orphanedAt !== undefined && orphanedAt <= now;
    const declared = this.table.processes().filter((entry) => entry.declared || entry.orphanedAt !== undefined);
    const [orphans, others] = [
      declared.filter((entry) => isOrphan(entry, isDeclared)),
      declared.filter((entry) => !isOrphan(entry, isDeclared)),
    ];
    const fresh = orphans.filter((entry) => !isNoted(entry)).map(({ name }) => name);
    const back = others.filter(({ orphanedAt }) => orphanedAt !== undefined).map(({ name }) => name);
    await this.table.changeAll(fresh, (_name, current) =>
      current === undefined || isNoted(current) ? undefined : { ...current, orphanedAt: now },
    );
    await this.table.changeAll(back, (_name, current) => {
      if (current?.orphanedAt === undefined) return undefined;
      const { orphanedAt: _orphanedAt, ...rest } = current;
      return rest;
    });
    for (const process of fresh) this.#repeated.warn('No node declares a process any longer', { process }, process);
    for (const entry of orphans) {
      if (!isNoted(entry) || now - (entry.orphanedAt ?? now) < this.forgetAfter || (await this.#isOwned(entry)))
        continue;
      if (await this.table.forget(entry)) {
        this.#logger.log('Forgot a process that no node declares any longer', { process: entry.name });
      }
    }
  }

  async #isOwned(entry: VersionedEntry): Promise<boolean> {
    if (runsEverywhere(entry)) return false;
    const owners = await this.leases.owners(slotNames(entry, ''));
    return owners.some((owner) => owner !== undefined);
  }
}

/** The nodes that declare it, in words. */
export function declaring(name: string, records: readonly NodeRecord[]): string {
  const nodes = records.filter(({ declares }) => declares === undefined || Object.hasOwn(declares, name));
  const names = nodes.slice(0, 3).map((node) => node.name);
  return `${names.join(', ')}${nodes.length > 3 ? ', …' : ''} ${nodes.length === 1 ? 'declares' : 'declare'}`;
}
