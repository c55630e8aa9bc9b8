/**
 * Processes of which every node has one: their instances need no lease, and this node's record says how each one is.
 * Used by the supervisor; underneath `LocalRecord.setReplica`.
 */
import type { Lease } from '../../backend/leases/leases.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import { processOf, runsEverywhere } from '../../cluster/slot.names.js';
import type { Clock } from '../../time/clock.js';
import { UnsharedLease } from '../instance/unshared.lease.js';
import { RUNS_FOR_EVER } from '../table/process.entry.js';
import type { ProcessTable, VersionedEntry } from '../table/process.table.js';
import type { LocalPlacement } from './local.placement.js';

/** See the file header. */
export class ReplicaReports {
  #lastEpoch = 0;

  constructor(
    private readonly membership: Pick<ClusterView, 'own' | 'record' | 'clusterNow'>,
    private readonly table: Pick<ProcessTable, 'get'>,
    private readonly placement: Pick<LocalPlacement, 'isWanted' | 'misfit' | 'exclusion'>,
    private readonly clock: Pick<Clock, 'wall'>,
  ) {}

  /** Reports a start; the lease is held at once, because no other node wants it. */
  starting({ name, of = name, after }: VersionedEntry): Lease {
    this.#lastEpoch = Math.max(this.#lastEpoch + 1, after + 1, Math.round(this.membership.clusterNow() * 1000));
    const epoch = this.#lastEpoch;
    const since = this.clock.wall();
    this.membership.record.setReplica(of, { state: 'starting', epoch, since });
    return new UnsharedLease(name, epoch, () =>
      this.membership.record.setReplica(of, { state: 'running', epoch, since }),
    );
  }

  /** After the end of an instance: why this node has none, or nothing. */
  ended(lease: Lease): void {
    if (!(lease instanceof UnsharedLease)) return;
    const entry = this.table.get(lease.name);
    const { status, of = processOf(lease.name) } = entry ?? { status: 'stopped' };
    const error = entry?.error ?? (status === 'once' ? 'it has ended' : `it completed, and ${RUNS_FOR_EVER}`);
    const down = status === 'escalated' ? 'escalated' : 'failed';
    const report = status === 'wanted' || status === 'stopped' || status === 'completed' ? undefined : down;
    const { epoch } = lease;
    this.membership.record.setReplica(of, report && { state: report, epoch, since: this.clock.wall(), error });
  }

  /** A start call reports the result of every node, also of one that does not have the class. */
  unknown(entry: VersionedEntry): void {
    this.#failed(entry, `This node does not have the class ${entry.type}.`);
  }

  /** Says why this node has none, if it is one of the nodes that should have one. */
  excluded(entry: VersionedEntry): void {
    if (!runsEverywhere(entry) || !this.placement.isWanted(entry)) return;
    // A node without the label is none of the nodes that are meant.
    if (this.placement.misfit(entry) !== undefined) return;
    const exclusion = this.placement.exclusion(entry);
    if (exclusion !== undefined)
      this.#failed(entry, `Node "${this.membership.own.name}" does not run it: ${exclusion}.`);
  }

  /** Removes the report of a process that no longer exists; otherwise the record would grow with each name. */
  forget(name: string): void {
    if (this.membership.own.replicas[name] !== undefined) this.membership.record.setReplica(name, undefined);
  }

  #failed({ of, name }: VersionedEntry, error: string): void {
    const known = this.membership.own.replicas[of ?? name];
    if (known?.error !== error) {
      this.membership.record.setReplica(of ?? name, { state: 'failed', epoch: 0, since: this.clock.wall(), error });
    }
  }
}
