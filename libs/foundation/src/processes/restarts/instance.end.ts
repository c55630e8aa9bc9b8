/**
 * One end of an instance on its way into the table: what follows it is decided once, written until Redis has it.
 * Made by `restart.decisions.ts`; underneath the table, and BullMQ for the delay of a restart.
 */
import type { Backend } from '../../backend/backend.js';
import type { Lease } from '../../backend/leases/leases.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import { Log } from '../../logging/log.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { clockOf } from '../../time/clock.js';
import type { ProcessSpec } from '../declaration/process.specification.js';
import type { InstanceExit } from '../instance/instance.js';
import { stayingDown } from '../table/process.entry.js';
import { isEnded, type ProcessEntry, type ProcessTable, type VersionedEntry } from '../table/process.table.js';
import { decide, type Decision, type Ending, isLast } from './restart.policy.js';

/** After this many ends in the window the node is avoided, where the last one was a crash. */
const AVOID_AFTER = 3;

/** Something that this node knows of a process and Redis has not taken down yet. */
export interface Fact {
  readonly name: string;
  readonly lease: Lease;
  /** Writes it, or finds that it was written; rejects when Redis does not say, and may be called again. */
  record(): Promise<void>;
}

/** What follows an end; decided once, so that every try writes the same. */
interface Verdict {
  decision: Decision;
  crashes: number;
  next: Partial<ProcessEntry>;
}

/** True for the row of a temporary process that was marked as started by the owner with this epoch. */
export function isMarkOf({ status, after }: VersionedEntry, epoch: number): boolean {
  return status === 'once' && after === epoch - 1;
}

/** What an end needs to be recorded. */
export interface EndParts {
  readonly backend: Backend;
  readonly membership: ClusterView;
  readonly table: ProcessTable;
  readonly telemetry: Telemetry;
  readonly spec: ProcessSpec;
  readonly lease: Lease;
  readonly exit: InstanceExit;
  /** Without an error it is no crash. */
  readonly failure: { error: string | undefined; stack: string | undefined };
}

/** A crash or a completion on its way into the table. */
export class End implements Fact {
  readonly name: string;
  readonly #logger = new Log();
  readonly #epoch: number;
  readonly #ending: Ending;
  #verdict: Verdict | undefined;
  #recorded = false;
  readonly lease: Lease;

  constructor(private readonly parts: EndParts) {
    const { spec, lease, exit } = parts;
    this.lease = lease;
    this.name = spec.name;
    this.#epoch = lease.epoch;
    this.#ending = exit.reason === 'crash' ? 'crash' : 'complete';
  }

  /** True once the row says it; what may be missing then is the job of the restart. */
  get recorded(): boolean {
    return this.#recorded;
  }

  async record(): Promise<void> {
    // A node that owns it since decides for itself; our late decision must not stop it.
    if (!this.lease.isHeld() && (await this.#isOwnedSince())) {
      this.#logger.warn('Process "{process}" was run again before its end could be recorded', {
        process: this.name,
        epoch: this.#epoch,
        ended: this.#ending,
      });
      return;
    }
    this.#verdict ??= await this.#decide();
    if (!this.#recorded && !(await this.#put(this.#verdict))) return;
    this.#recorded = true;
    await this.#follow(this.#verdict);
  }

  /** By the last epoch that was minted, because an owner may have come and gone. A reclaim of our own is none. */
  async #isOwnedSince(): Promise<boolean> {
    return (await this.parts.backend.leases.lastEpoch(this.name)) > Math.max(this.#epoch, this.lease.epoch);
  }

  async #decide(): Promise<Verdict> {
    const { name, options } = this.parts.spec;
    // Counted once for each epoch, however often this runs; where nothing follows, the count is not needed, and it
    // would be a question and a key for each short job.
    const crashes = isLast(options.restart, this.#ending)
      ? 0
      : await this.parts.backend.restarts.crashed(name, this.#epoch, options.maxSeconds * 1000);
    // A process that a call started and that never came up is reported to the caller, not tried again.
    const firstStart =
      !this.parts.exit.started && this.#ending === 'crash' && this.parts.table.get(name)?.confirmed === false;
    const facts = {
      policy: options.restart,
      ending: this.#ending,
      crashes,
      random: clockOf(this.parts.backend).random(),
      ...options,
    };
    const decision: Decision = firstStart ? { action: 'leave' } : decide(facts);
    return { decision, crashes, next: this.#next(decision) };
  }

  #next(decision: Decision): Partial<ProcessEntry> {
    switch (decision.action) {
      case 'restart':
        return { status: 'backing-off', retryAt: Math.round(this.parts.membership.clusterNow() + decision.delayMs) };
      case 'escalate':
        return { status: 'escalated' };
      case 'leave':
        return { status: this.#ending === 'crash' ? 'failed' : 'completed' };
    }
  }

  /**
   * INVARIANT (I6): one decision per epoch; another node that stopped or restarted it in between has decided already. A
   * row that says what we decided, for our epoch, is our own: its write succeeded and only the answer was lost.
   *
   * @returns false when another node has decided.
   */
  async #put({ next, crashes }: Verdict): Promise<boolean> {
    const epoch = this.#epoch;
    const { error, stack } = this.parts.failure;
    let recorded = false;
    await this.parts.table.change(this.name, (current) => {
      if (current === undefined) return undefined;
      recorded = current.after === epoch && current.status === next.status && current.retryAt === next.retryAt;
      if (isEnded(current.status) || current.after >= epoch) return undefined;
      recorded = true;
      const { avoid: _avoid, retryAt: _retryAt, error: _error, stack: _stack, ...rest } = current;
      return {
        ...rest,
        ...next,
        after: epoch,
        ranOn: this.parts.membership.self.name,
        // It has come up, whether or not that could be written at the time.
        ...(this.parts.exit.started ? { confirmed: true } : {}),
        ...(error === undefined
          ? {}
          : { error, ...(stack === undefined ? {} : { stack }), crashes: (current.crashes ?? 0) + 1 }),
        ...(error !== undefined && crashes >= AVOID_AFTER ? { avoid: this.parts.membership.self.name } : {}),
      };
    });
    return recorded;
  }

  async #follow({ decision, crashes, next }: Verdict): Promise<void> {
    const { name, options } = this.parts.spec;
    const node = this.parts.membership.self.name;
    const epoch = this.#epoch;
    if (decision.action === 'restart') {
      const delayMs = Math.min(decision.delayMs, Math.max(0, (next.retryAt ?? 0) - this.parts.membership.clusterNow()));
      // At most one job for each epoch, however often this runs.
      await this.parts.backend.restarts.schedule(name, epoch, Math.round(delayMs));
      this.parts.telemetry.emit('process.restart_scheduled', { name, node, epoch, delayMs: decision.delayMs, crashes });
    } else if (decision.action === 'escalate') {
      this.parts.telemetry.emit('process.escalated', { name, node, epoch, crashes });
      const { error } = this.parts.failure;
      const { how, remedy } = stayingDown(error);
      const { maxRestarts, maxSeconds } = options;
      const many = error === undefined ? { ends: crashes } : { error, crashes };
      const details = { process: name, ...many, maxRestarts, maxSeconds };
      this.#logger.error(`Process "${name}" ${how}; ${remedy}, call restart("${name}")`, details);
    }
  }
}
