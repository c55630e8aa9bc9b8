/**
 * The last check before an instance starts: whether it is still what its lease was won for. Marks temporary processes.
 * Called by the host. Underneath: the process table, read or written under the lease.
 */
import type { ClusterView } from '../../cluster/cluster.view.js';
import { sameSpec } from '../declaration/process.specification.js';
import type { Instance } from '../instance/instance.js';
import { givesWay } from '../placement/placement.moves.js';
import { isMarkOf } from '../restarts/instance.end.js';
import type { RestartDecisions } from '../restarts/restart.decisions.js';
import type { ProcessEntry, ProcessTable, VersionedEntry } from '../table/process.table.js';
import type { LocalPlacement } from './local.placement.js';

/** What the check needs. */
export interface StartConfirmationParts {
  membership: Pick<ClusterView, 'clusterNow' | 'members' | 'self'>;
  table: Pick<ProcessTable, 'get' | 'sync' | 'change'>;
  placement: Pick<LocalPlacement, 'mayRun'>;
  endings: Pick<RestartDecisions, 'underLease' | 'unmark'>;
  /** The process belongs to another node for a moment. */
  givesWay: (name: string) => void;
}

/** See the file header. */
export class StartConfirmation {
  constructor(private readonly parts: StartConfirmationParts) {}

  /** INVARIANT (I13): a temporary process is marked as started, under its lease, before it starts. */
  async confirm(seen: VersionedEntry, instance: Instance): Promise<boolean> {
    const isMarked = seen.options.restart === 'temporary';
    // INVARIANT (I13): the mark is written only over the row that was read, so it needs no query before it. A part has
    // a row of its own, and the status of its process is in another one.
    if (!isMarked || seen.of !== undefined) await this.parts.table.sync();
    if (!this.#mayStart(seen, instance)) return false;
    return !isMarked || this.#mark(seen, instance);
  }

  /** Whether it is still what the lease was won for, by what is known now. */
  #mayStart(seen: VersionedEntry, { firstEpoch, lease }: Instance): boolean {
    const { table, placement, membership } = this.parts;
    const entry = table.get(seen.name);
    if (entry === undefined || !placement.mayRun(entry) || !sameSpec(entry, seen)) return false;
    // INVARIANT (I18): a restart or a move that came before the start is not undone by it; a mark would say that it may
    // run.
    if (firstEpoch <= entry.after) return false;
    const ageMs = membership.clusterNow() - entry.version / 1000;
    const taken = { self: membership.self.name, before: lease.before, ageMs };
    if (!givesWay(entry, membership.members(), taken)) return true;
    this.parts.givesWay(entry.name);
    return false;
  }

  /** A mark that is there already is our own: its write succeeded and only the answer was lost. */
  async #mark(seen: VersionedEntry, instance: Instance): Promise<boolean> {
    const { table, endings } = this.parts;
    const { name } = seen;
    const { lease } = instance;
    const { epoch } = lease;
    let [marked, unsure] = [false, false];
    const record = async (): Promise<void> => {
      let isSent = false;
      // Called again with what another node wrote in between.
      const mark = (current?: VersionedEntry): ProcessEntry | undefined => {
        marked = current !== undefined && (isMarkOf(current, epoch) || this.#mayStart(seen, instance));
        isSent = marked && current?.status === 'wanted';
        return isSent && current !== undefined ? { ...current, status: 'once', after: epoch - 1 } : undefined;
      };
      try {
        await table.change(name, mark);
      } catch (error) {
        unsure ||= isSent;
        throw error;
      }
    };
    if ((await endings.underLease({ name, lease, record })) && marked && lease.isHeld()) return true;
    if (marked || unsure) endings.unmark(name, lease);
    return false;
  }
}
