/**
 * What follows the end of an instance: a restart after a delay, escalation, or nothing; and that none is forgotten.
 * Called by the supervisor; underneath the table, and BullMQ for the delay.
 */
import type { Membership } from '../cluster/membership.js';
import { ProcessStartError, describe } from '../errors.js';
import { Log } from '../telemetry/log.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { Engine } from '../tools/engine.js';
import type { Instance, InstanceExit } from './instance.js';
import { isEnded, type ProcessEntry, type ProcessTable, type VersionedEntry } from './process.table.js';
import { decide, type Ending } from './restart.policy.js';
import type { ProcessSpec } from './spec.js';

/** After so many crashes in the window the node is avoided. */
const AVOID_AFTER = 3;
/** A restart that is this late was forgotten: its job was lost with the data of Redis. */
const FORGOTTEN_AFTER_MS = 5000;

/** See the file header. */
export class Endings {
  readonly #logger = new Log();
  #sweepLost = false;

  constructor(
    private readonly engine: Engine,
    private readonly membership: Membership,
    private readonly table: ProcessTable,
    private readonly telemetry: Telemetry,
  ) {
    membership.listen({
      dataLoss: () => (this.#sweepLost = true),
      beat: () => void this.#putSweepBack(),
    });
  }

  /** Records, while the lease is still held, what is to follow a crash or a completion. */
  async settle(instance: Instance, exit: InstanceExit): Promise<void> {
    if (exit.reason !== 'crash' && exit.reason !== 'complete') return;
    const { spec, lease } = instance;
    const { name } = spec;
    const { epoch } = lease;
    const node = this.membership.self.name;
    const cause = exit.error instanceof ProcessStartError ? exit.error.reason : describe(exit.error);
    const error = exit.reason === 'crash' ? cause : undefined;
    if (error !== undefined) {
      this.telemetry.emit('process.crashed', { name, node, epoch, error });
      this.#logger.error('A process crashed', { process: name, node, epoch, error });
    }
    try {
      // Whoever owns it since decides for itself; a late word of ours must not stop it.
      if (!lease.isHeld() && (await this.#isOwnedSince(name, epoch))) return;
      await this.#record(spec, epoch, exit, error);
    } catch (failure) {
      // Redis is away: the entry stays "wanted", and whoever gets the lease next starts it.
      this.#logger.warn('The end of a process was not recorded', { process: name, error: describe(failure) });
    }
  }

  async #isOwnedSince(name: string, epoch: number): Promise<boolean> {
    const [owner] = await this.engine.leases.owners([name]);
    return owner !== undefined && owner.epoch > epoch;
  }

  async #record(spec: ProcessSpec, epoch: number, exit: InstanceExit, error: string | undefined): Promise<void> {
    const { name, options } = spec;
    const node = this.membership.self.name;
    const ending: Ending = exit.reason === 'crash' ? 'crash' : 'complete';
    const crashes = await this.engine.restarts.crashed(name, epoch, options.maxSeconds * 1000);
    // A process that a call started and that never came up is reported to the caller, not tried again.
    const firstStart = !exit.started && ending === 'crash' && this.table.get(name)?.confirmed === false;
    const decision = firstStart
      ? { action: 'leave' as const }
      : decide({ policy: options.restart, ending, crashes, random: Math.random(), ...options });
    const next = ((): Partial<ProcessEntry> => {
      switch (decision.action) {
        case 'restart':
          return { status: 'backing-off', retryAt: Math.round(this.membership.clusterNow() + decision.delayMs) };
        case 'escalate':
          return { status: 'escalated' };
        case 'leave':
          return { status: ending === 'crash' ? 'failed' : 'completed' };
      }
    })();
    let recorded = false;
    await this.table.change(name, (current) => {
      recorded = current !== undefined && !isEnded(current.status) && current.after < epoch;
      if (!recorded || current === undefined) return undefined;
      const { avoid: _avoid, retryAt: _retryAt, error: _error, ...rest } = current;
      return {
        ...rest,
        ...next,
        after: epoch,
        ...(error === undefined ? {} : { error, crashes: (current.crashes ?? 0) + 1 }),
        ...(crashes >= AVOID_AFTER ? { avoid: node } : {}),
      };
    });
    // INVARIANT (I6): one decision per epoch; whoever else stopped or restarted it in between has decided already.
    if (!recorded) return;
    if (decision.action === 'restart') {
      await this.engine.restarts.schedule(name, epoch, decision.delayMs);
      this.telemetry.emit('process.restart_scheduled', { name, node, epoch, delayMs: decision.delayMs, crashes });
    } else if (decision.action === 'escalate') {
      this.telemetry.emit('process.escalated', { name, node, epoch, crashes });
      this.#logger.error(
        `A process crashed too often and stays down; after correcting the cause call restart("${name}")`,
        { process: name, crashes, maxRestarts: options.maxRestarts, maxSeconds: options.maxSeconds },
      );
    }
  }

  /** A restart job is due, on whichever node took it. Does nothing unless the process still waits for this very one. */
  async restart(name: string, epoch: number): Promise<void> {
    await this.table.sync();
    await this.table.change(name, (current) => {
      if (current?.status !== 'backing-off' || current.after !== epoch) return undefined;
      const { retryAt: _retryAt, ...rest } = current;
      return { ...rest, status: 'wanted' };
    });
  }

  async #putSweepBack(): Promise<void> {
    if (!this.#sweepLost) return;
    this.#sweepLost = false;
    await this.engine.restarts.ensureSweep().catch(() => (this.#sweepLost = true));
  }

  async sweep(): Promise<void> {
    await this.table.sync();
    for (const slot of this.table.slots()) this.remind(slot);
    await this.table.prune();
  }

  /** A restart whose job was lost is done by whoever notices. */
  remind({ name, status, after, retryAt = 0 }: VersionedEntry): void {
    if (status !== 'backing-off' || retryAt + FORGOTTEN_AFTER_MS > this.membership.clusterNow()) return;
    void this.restart(name, after).catch(() => undefined);
  }
}
