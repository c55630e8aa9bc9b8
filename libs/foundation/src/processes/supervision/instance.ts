/**
 * One running thing: created, started, ended, stopped, always in this order and each step once.
 * Made by the supervisor for each lease it wins; knows the lease, not the cluster.
 */
import { setMaxListeners } from 'node:events';
import type { Lease, Leases } from '../../backend/leases/leases.js';
import { indexOf } from '../../cluster/slot.names.js';
import { describe, isA } from '../../errors/describe.js';
import { LimitError } from '../../errors/limit.errors.js';
import { ProcessStartError, ProcessTimeoutError } from '../../errors/process.errors.js';
import { unattended } from '../../foreign/gate.js';
import { Log } from '../../logging/log.js';
import type { HandoffLossReason } from '../../telemetry/events.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { within } from '../../time/timeout.js';
import { parseJson } from '../../wire/json.js';
import type {
  OnProcessHandoff,
  OnProcessStart,
  OnProcessStop,
  ProcessContext,
  StopReason,
} from '../process.context.js';
import type { ProcessSpec } from '../process.specification.js';
import { fencedEffects } from './fenced.effects.js';

/** How an instance ended. `clean` is false when user code was still running at the end of its time. */
export interface InstanceExit {
  reason: StopReason;
  started: boolean;
  clean: boolean;
  error?: unknown;
}

/** What an instance needs from outside. */
export interface InstanceDeps {
  create(): Promise<object>;
  leases: Pick<Leases, 'fencedSet' | 'fencedDelete'>;
  telemetry: Telemetry;
  node: string;
  /** Called once the start is over, with the user's object; returns what is to be undone before the stop. */
  started(target: object): Promise<() => Promise<void>>;
}

/** The ends after which another instance goes on where this one stopped. */
const PLANNED: ReadonlySet<StopReason> = new Set(['move', 'shutdown', 'restart']);
const MAX_HANDOFF = 1024 * 1024;
/** So many tasks of `ctx.run` and calls may be under way in one instance. */
export const MAX_TASKS = 100_000;
/** A Redis that is away costs the lease before this is over; a Redis that refuses does not keep the process down. */
const INHERIT_MS = 6000;
const HANDOFF_RETRY_MS = 100;

interface End {
  reason: StopReason;
  error?: unknown;
}

/** Why a state was not left. */
class HandoffLost extends Error {
  constructor(
    readonly reason: HandoffLossReason,
    message: string,
  ) {
    super(message);
  }
}

/** See the file header. */
export class Instance {
  readonly #abort = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  readonly #logger = new Log();
  /** The epoch it began with. That of its lease may have risen since, but it is no new instance for that. */
  readonly firstEpoch: number;
  readonly #ended: Promise<End>;
  #resolveEnded!: (end: End) => void;
  #end: End | undefined;
  #target: object | undefined;
  #hookCalled = false;
  #startedAt: number | undefined;
  #inherited: unknown;
  /** What was taken from the last instance, as it was left. */
  #taken: string | undefined;
  #undo: (() => Promise<void>) | undefined;

  constructor(
    readonly spec: ProcessSpec,
    readonly lease: Lease,
    private readonly deps: InstanceDeps,
  ) {
    this.firstEpoch = lease.epoch;
    // User code may listen to it as often as it likes: Node would warn of a leak from the eleventh on.
    setMaxListeners(0, this.#abort.signal);
    this.#ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    // INVARIANT (I1): user code hears of the loss in the same turn as the fence, not after some await of ours.
    const onLost = (): void => {
      this.#finish({ reason: 'lease-lost', error: lease.signal.reason });
      this.#abort.abort(lease.signal.reason);
    };
    if (lease.signal.aborted) onLost();
    else lease.signal.addEventListener('abort', onLost, { once: true });
  }

  /** True once `onProcessStart` has returned, until the instance must end. */
  get running(): boolean {
    return this.#startedAt !== undefined && this.#end === undefined;
  }

  /** The user's object while calls may reach it: started, not stopping, and owned. */
  get target(): object | undefined {
    return this.running && this.lease.isHeld() ? this.#target : undefined;
  }

  /**
   * Carries out a call, or the handler of a message, on the user's object.
   *
   * INVARIANT (I1): that is user code, so the end of the instance waits for it as it does for a task; otherwise it
   * would go on beside the next owner once the lease is given back.
   */
  call<T>(work: () => T | Promise<T>): Promise<T> {
    // Begun in this turn, in which the caller has seen that the instance runs.
    const result = (async () => work())();
    const done = (): void => void this.#tasks.delete(running);
    const running: Promise<void> = result.then(done, done);
    this.#tasks.add(running);
    return result;
  }

  /** Asks it to end; `run` returns once it has. */
  stop(reason: StopReason): void {
    this.#finish({ reason });
  }

  /** The whole life. Never rejects; when it returns, no user code of this instance runs, unless `clean` is false. */
  async run(): Promise<InstanceExit> {
    const { name, options } = this.spec;
    const ids = { name, node: this.deps.node };
    this.deps.telemetry.emit('process.starting', { ...ids, epoch: this.lease.epoch });
    const began = performance.now();
    const starting = this.#start();
    const attached = starting.then(() => this.#attach(began));
    attached.catch((error: unknown) => this.#finish({ reason: 'crash', error }));
    const timer = options.timeout === 'infinity' ? undefined : setTimeout(() => this.#startTimedOut(), options.timeout);
    const exit = await this.#ended;
    clearTimeout(timer);
    this.#abort.abort(exit.error ?? new Error(`Process "${name}" is stopped (${exit.reason}).`));
    // Not awaited: what hangs here is our own clean-up, and the stop of user code must not wait for it. Handlers of
    // messages are among the calls, and none begins any more.
    unattended('detaching a stopped process', this.#detach(attached));
    const clean = await this.#stop(exit.reason, starting);
    await this.#handOff(exit.reason, clean);
    this.deps.telemetry.emit('process.stopped', { ...ids, epoch: this.lease.epoch, reason: exit.reason, clean });
    return { ...exit, clean, started: this.#startedAt !== undefined };
  }

  /** The first end counts. */
  #finish(end: End): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#resolveEnded(end);
  }

  /** INVARIANT (I1): asked before each step into user code, so that none begins for an owner that is one no more. */
  #mayGoOn(): boolean {
    return this.#end === undefined && this.lease.isHeld();
  }

  async #start(): Promise<void> {
    const { name } = this.spec;
    try {
      this.#target = await this.deps.create();
    } catch (error) {
      const reason = `its class could not be instantiated: ${describe(error)}`;
      throw new ProcessStartError(name, this.deps.node, reason, error);
    }
    this.#inherited = await this.#inherit();
    if (!this.#mayGoOn()) return;
    this.#hookCalled = true;
    try {
      const hook = (this.#target as Partial<OnProcessStart>).onProcessStart;
      if (typeof hook === 'function') await hook.call(this.#target, this.#context());
    } catch (error) {
      throw new ProcessStartError(name, this.deps.node, `onProcessStart failed: ${describe(error)}`, error);
    }
  }

  async #attach(began: number): Promise<void> {
    if (this.#target === undefined || !this.#mayGoOn()) return;
    this.#startedAt = performance.now();
    const { name } = this.spec;
    const startMs = Math.round(this.#startedAt - began);
    this.deps.telemetry.emit('process.started', { name, node: this.deps.node, epoch: this.lease.epoch, startMs });
    this.#undo = await this.deps.started(this.#target);
  }

  async #detach(attached: Promise<void>): Promise<void> {
    await attached.catch(() => undefined);
    await this.#undo?.().catch((error: unknown) => {
      this.#logger.warn('Something of a stopped process was not detached', {
        process: this.spec.name,
        error: describe(error),
      });
    });
  }

  #startTimedOut(): void {
    if (this.#startedAt !== undefined) return;
    const { name, options } = this.spec;
    const error = new ProcessTimeoutError(
      name,
      'did not finish onProcessStart',
      options.timeout as number,
      'Its start was given up and its signal aborted.',
      'Let onProcessStart return and go on in ctx.run, or raise "timeout".',
    );
    this.#finish({ reason: 'crash', error });
  }

  /** True when the start, the tasks, the calls and the stop hook have all settled within `stopTimeout`. */
  async #stop(reason: StopReason, starting: Promise<void>): Promise<boolean> {
    const { name, options } = this.spec;
    const everything = this.#settled(starting, this.#stopHook(reason)).then(() => true);
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), options.stopTimeout).unref();
    });
    const clean = await Promise.race([everything, limit]);
    clearTimeout(timer);
    if (!clean) {
      this.#logger.error(
        'A process did not stop in its time; its lease is left to expire. Let its work heed ctx.signal',
        { process: name, stopTimeout: options.stopTimeout },
      );
    }
    return clean;
  }

  /** Tasks may begin others while they end, and a late start may begin some. */
  async #settled(starting: Promise<void>, stopping: Promise<void>): Promise<void> {
    await Promise.allSettled([starting, stopping]);
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks);
  }

  async #stopHook(reason: StopReason): Promise<void> {
    if (!this.#hookCalled) return;
    try {
      const hook = (this.#target as Partial<OnProcessStop> | undefined)?.onProcessStop;
      if (typeof hook === 'function') await hook.call(this.#target, reason);
    } catch (error) {
      this.#logger.warn('onProcessStop failed; the stop goes on', { process: this.spec.name, error: describe(error) });
    }
  }

  async #inherit(): Promise<unknown> {
    if (!this.spec.handoff) return undefined;
    try {
      const state = await this.#takeState();
      this.#taken = state;
      return state === undefined ? undefined : parseJson(state);
    } catch (error) {
      this.#handoffLost('unreadable', error);
      return undefined;
    }
  }

  /**
   * INVARIANT (I19): a state that was left is taken by the very next instance or by none. One that started without it,
   * because Redis did not answer, would leave it to its successor, which would go on from what was true long before. So
   * it is asked again until the lease is lost; then no user code has run. That the answer was lost costs nothing: Redis
   * gives it to the same owner again.
   */
  async #takeState(): Promise<string | undefined> {
    const until = performance.now() + INHERIT_MS;
    for (;;) {
      try {
        return await this.lease.inherit();
      } catch (error) {
        if (performance.now() >= until || !this.#mayGoOn()) throw error;
        await new Promise((resolve) => setTimeout(resolve, HANDOFF_RETRY_MS));
      }
    }
  }

  /** INVARIANT (I19): left under the lease, after user code has ended, so that a stale owner leaves nothing. */
  async #handOff(reason: StopReason, clean: boolean): Promise<void> {
    if (!this.spec.handoff) return;
    try {
      const state = await this.#stateToLeave(reason, clean);
      if (state === undefined) return;
      if (Buffer.byteLength(state) > MAX_HANDOFF) {
        throw new HandoffLost('too-large', `it has more than ${MAX_HANDOFF} bytes`);
      }
      await this.#leaveState(state);
    } catch (error) {
      this.#handoffLost(isA(error, HandoffLost) ? error.reason : 'lease-lost', error);
    }
  }

  async #stateToLeave(reason: StopReason, clean: boolean): Promise<string | undefined> {
    if (this.#startedAt === undefined) {
      if (this.#taken === undefined || reason === 'stop') return undefined;
      // No user code has seen what was taken, so it is still that of the next instance.
      if (!this.#hookCalled && clean) return this.#taken;
      throw new HandoffLost('ended-in-start', 'the instance that had taken the state was ended in its start');
    }
    if (!PLANNED.has(reason)) return undefined;
    const hook = (this.#target as Partial<OnProcessHandoff> | undefined)?.onHandoff;
    if (typeof hook !== 'function') return undefined;
    if (!clean) throw new HandoffLost('not-stopped', 'it did not stop in its time');
    if (!this.lease.isHeld()) throw new HandoffLost('lease-lost', 'the lease was lost while the instance stopped');
    const ms = this.spec.options.stopTimeout;
    const late = `it took longer than ${ms} ms`;
    try {
      return JSON.stringify(await within(ms, Promise.resolve(hook.call(this.#target)), late));
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
        await new Promise((resolve) => setTimeout(resolve, HANDOFF_RETRY_MS));
      }
    }
  }

  #handoffLost(reason: HandoffLossReason, cause: unknown): void {
    const { name } = this.spec;
    const [node, epoch, error] = [this.deps.node, this.lease.epoch, describe(cause)];
    const message =
      reason === 'unreadable'
        ? 'What the last instance left was not readable; this one starts without it'
        : 'onHandoff failed, or its state was not left; the next instance starts without one';
    this.#logger.warn(message, { process: name, reason, error });
    this.deps.telemetry.emit('process.handoff_lost', { name, node, epoch, reason, error });
  }

  #context(): ProcessContext {
    const { spec, lease, deps } = this;
    const isOwner = (): boolean => this.#mayGoOn();
    const fenced = fencedEffects({ ...deps, name: spec.name, lease });
    return {
      name: spec.name,
      args: structuredClone(spec.args),
      index: indexOf(spec.name),
      handoff: this.#inherited,
      node: deps.node,
      get epoch() {
        return lease.epoch;
      },
      signal: this.#abort.signal,
      isOwner,
      run: (task) => this.#runTask(task),
      fail: (error) => this.#finish({ reason: 'crash', error }),
      complete: () => this.#finish({ reason: 'complete' }),
      fenced,
    };
  }

  #runTask(task: (signal: AbortSignal) => Promise<void>): void {
    if (this.#tasks.size >= MAX_TASKS) throw new LimitError('ctx.run', `tasks of "${this.spec.name}"`, MAX_TASKS);
    const { signal } = this.#abort;
    const running: Promise<void> = Promise.resolve()
      .then(() => task(signal))
      .catch((error: unknown) => {
        // After the abort a rejection is the ordinary way out of an await that heeds the signal.
        if (!signal.aborted) this.#finish({ reason: 'crash', error });
      })
      .finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }
}
