/**
 * The state that an instance leaves to the next one on a planned move, and takes from the one before it.
 * Used by the instance. Underneath: `Lease.leave` and `Lease.inherit`.
 */
import type { Lease } from '../../backend/leases/leases.js';
import { describe, isA } from '../../errors/describe.js';
import { Log } from '../../logging/log.js';
import type { HandoffLossReason } from '../../telemetry/events.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { type Clock, clockOf, pauseFor } from '../../time/clock.js';
import { within } from '../../time/timeout.js';
import { parseJson } from '../../wire/json.js';
import type { OnProcessHandoff, StopReason } from '../declaration/process.context.js';
import type { ProcessSpec } from '../declaration/process.specification.js';

/** The ends after which another instance goes on where this one stopped. */
const PLANNED: ReadonlySet<StopReason> = new Set(['move', 'shutdown', 'restart']);
const MAX_HANDOFF = 1024 * 1024;
/** A Redis that is away costs the lease before this is over; a Redis that refuses does not keep the process down. */
const INHERIT_MS = 6000;
const HANDOFF_RETRY_MS = 100;

/** Why a state was not left. */
class HandoffLost extends Error {
  constructor(
    readonly reason: HandoffLossReason,
    message: string,
  ) {
    super(message);
  }
}

/** How an instance ended. */
export interface InstanceLife {
  reason: StopReason;
  clean: boolean;
  /** The user's object. */
  target: object | undefined;
  /** True once `onProcessStart` was called. */
  hookCalled: boolean;
  /** True once it has returned. */
  started: boolean;
}

/** See the file header. */
export class StateHandoff {
  readonly #logger = new Log();
  /** What was taken from the last instance, as it was left. */
  #taken: string | undefined;

  constructor(
    private readonly spec: ProcessSpec,
    private readonly lease: Lease,
    private readonly deps: { telemetry: Telemetry; node: string; clock?: Clock },
  ) {}

  /** What the last instance left; `undefined` when there is none, or it cannot be read. */
  async inherit(mayGoOn: () => boolean): Promise<unknown> {
    if (!this.spec.handoff) return undefined;
    try {
      const state = await this.#takeState(mayGoOn);
      this.#taken = state;
      return state === undefined ? undefined : parseJson(state);
    } catch (error) {
      this.#lost('unreadable', error);
      return undefined;
    }
  }

  /** INVARIANT (I19): left under the lease, after user code has ended, so that a stale owner leaves nothing. */
  async leave(life: InstanceLife): Promise<void> {
    if (!this.spec.handoff) return;
    try {
      const state = await this.#stateToLeave(life);
      if (state === undefined) return;
      if (Buffer.byteLength(state) > MAX_HANDOFF) {
        throw new HandoffLost('too-large', `it has more than ${MAX_HANDOFF} bytes`);
      }
      await this.#leaveState(state);
    } catch (error) {
      this.#lost(isA(error, HandoffLost) ? error.reason : 'lease-lost', error);
    }
  }

  /**
   * INVARIANT (I19): a state that was left is taken by the very next instance or by none. One that started without it,
   * because Redis did not answer, would leave it to its successor, which would go on from what was true long before. So
   * the query is retried until the lease is lost; then no user code has run. That the answer was lost costs nothing:
   * Redis gives it to the same owner again.
   */
  async #takeState(mayGoOn: () => boolean): Promise<string | undefined> {
    const clock = clockOf(this.deps);
    const until = clock.now() + INHERIT_MS;
    for (;;) {
      try {
        return await this.lease.inherit();
      } catch (error) {
        if (clock.now() >= until || !mayGoOn()) throw error;
        await pauseFor(clock, HANDOFF_RETRY_MS);
      }
    }
  }

  async #stateToLeave({ reason, clean, target, hookCalled, started }: InstanceLife): Promise<string | undefined> {
    if (!started) {
      if (this.#taken === undefined || reason === 'stop') return undefined;
      // No user code has seen what was taken, so it is still that of the next instance.
      if (!hookCalled && clean) return this.#taken;
      throw new HandoffLost('ended-in-start', 'the instance that had taken the state was ended in its start');
    }
    if (!PLANNED.has(reason)) return undefined;
    const hook = (target as Partial<OnProcessHandoff> | undefined)?.onHandoff;
    if (typeof hook !== 'function') return undefined;
    if (!clean) throw new HandoffLost('not-stopped', 'it did not stop in its time');
    if (!this.lease.isHeld()) throw new HandoffLost('lease-lost', 'the lease was lost while the instance stopped');
    const ms = this.spec.options.stopTimeout;
    const late = `it took longer than ${ms} ms`;
    try {
      return JSON.stringify(await within(ms, Promise.resolve(hook.call(target)), late, clockOf(this.deps)));
    } catch (error) {
      const text = describe(error);
      throw new HandoffLost(text === late ? 'hook-timeout' : 'hook-failed', text);
    }
  }

  /** Tried until the lease is lost: it is written for this owner however often, and only while it is the owner. */
  async #leaveState(state: string): Promise<void> {
    for (;;) {
      try {
        return await this.lease.leave(state);
      } catch (error) {
        if (!this.lease.isHeld()) throw error;
        await pauseFor(clockOf(this.deps), HANDOFF_RETRY_MS);
      }
    }
  }

  #lost(reason: HandoffLossReason, cause: unknown): void {
    const { name } = this.spec;
    const [node, epoch, error] = [this.deps.node, this.lease.epoch, describe(cause)];
    const message =
      reason === 'unreadable'
        ? 'What the last instance left was not readable; this one starts without it'
        : 'onHandoff failed, or its state was not left; the next instance starts without one';
    this.#logger.warn(message, { process: name, reason, error });
    this.deps.telemetry.emit('process.handoff_lost', { name, node, epoch, reason, error });
  }
}
