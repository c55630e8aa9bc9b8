/**
 * One running thing: created, started, ended, stopped, always in this order and each step once.
 * Made by the supervisor for each lease it wins; knows the lease, not the cluster.
 */
import { setMaxListeners } from 'node:events';
import type { Lease } from '../../backend/leases/leases.js';
import { HandlerGoneError } from '../../calls/handler.gone.js';
import { asPartOf, partOf, type Waiter } from '../../calls/waiting.js';
import { indexOf } from '../../cluster/slot.names.js';
import { afresh } from '../../context/fresh.js';
import { describe } from '../../errors/describe.js';
import { ProcessStartError, ProcessTimeoutError } from '../../errors/process.errors.js';
import { unattended } from '../../foreign/gate.js';
import { Log } from '../../logging/log.js';
import { type Clock, clockOf } from '../../time/clock.js';
import { endsWithin } from '../../time/timeout.js';
import type { OnProcessStart, OnProcessStop, ProcessContext, StopReason } from '../declaration/process.context.js';
import type { ProcessSpec } from '../declaration/process.specification.js';
import { fencedEffects } from './fenced.effects.js';
import type { InstanceDeps } from './instance.deps.js';
import { ProcessTasks } from './process.tasks.js';
import { StateHandoff } from './state.handoff.js';
import { WaitingCallers } from './waiting.callers.js';

/** How an instance ended. `clean` is false when user code was still running at the end of its time. */
export interface InstanceExit {
  reason: StopReason;
  started: boolean;
  clean: boolean;
  error?: unknown;
}

interface End {
  reason: StopReason;
  error?: unknown;
}

/** See the file header. */
export class Instance implements Waiter {
  readonly waitsFor = new Map<string, number>();
  readonly #abort = new AbortController();
  readonly #tasks: ProcessTasks;
  readonly #clock: Clock;
  readonly #callers: WaitingCallers;
  readonly #logger = new Log();
  readonly #handoff: StateHandoff;
  /** The epoch it began with. That of its lease may have risen since, but it is no new instance for that. */
  readonly firstEpoch: number;
  readonly #ended: Promise<End>;
  #resolveEnded!: (end: End) => void;
  #end: End | undefined;
  #target: object | undefined;
  #hookCalled = false;
  #startedAt: number | undefined;
  #inherited: unknown;
  #undo: (() => Promise<void>) | undefined;

  constructor(
    readonly spec: ProcessSpec,
    readonly lease: Lease,
    private readonly deps: InstanceDeps,
  ) {
    this.firstEpoch = lease.epoch;
    this.#clock = clockOf(deps);
    this.#callers = new WaitingCallers(this.#clock);
    this.#handoff = new StateHandoff(spec, lease, deps);
    this.#tasks = new ProcessTasks({
      name: spec.name,
      signal: this.#abort.signal,
      hook: (work) => this.#hook(work),
      crash: (error) => this.crash(error),
    });
    // User code may listen to it as often as it likes: Node would warn of a leak from the eleventh on.
    setMaxListeners(0, this.#abort.signal);
    this.#ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    // INVARIANT (I1): user code hears of the loss in the same turn as the fence, not after some await of ours.
    const onLost = (): void => {
      this.#finish({ reason: 'lease-lost', error: lease.signal.reason });
      this.#abort.abort(lease.signal.reason);
      this.#callers.giveUp();
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
   * would go on beside the next owner once the lease is released. What an interceptor begins after the call that it was
   * for begins only while the end still waits for something.
   *
   * @throws HandlerGoneError
   */
  async call<T>(work: () => T | Promise<T>): Promise<T> {
    return this.carryOut(work);
  }

  /** As {@link call}; what is over at once is returned, or thrown, at once. */
  carryOut<T>(work: () => T | Promise<T>): T | Promise<T> {
    if (!this.lease.isHeld() || (!this.running && this.#tasks.underWay.size === 0)) {
      throw new HandlerGoneError(`process "${this.spec.name}"`);
    }
    return partOf(this, work, this.#tasks.underWay);
  }

  /**
   * See `Callee.onGivenUp`: at once when the lease is lost, a moment after a crash, and at the end of the instance when
   * its stop was not waited for any longer.
   */
  readonly onGivenUp = (heard: () => void): (() => void) => this.#callers.add(heard);

  /** Asks it to end; `run` returns once it has. */
  stop(reason: StopReason): void {
    this.#finish({ reason });
  }

  /** Ends it as crashed. */
  crash(error: unknown): void {
    this.#finish({ reason: 'crash', error });
  }

  /** The whole life. Never rejects; when it returns, no user code of this instance runs, unless `clean` is false. */
  async run(): Promise<InstanceExit> {
    const { name, options } = this.spec;
    const ids = { name, node: this.deps.node };
    this.deps.telemetry.emit('process.starting', { ...ids, epoch: this.lease.epoch });
    const began = performance.now();
    const starting = this.#start();
    this.#clock.underWay(starting);
    const attached = starting.then(() => this.#attach(began));
    attached.catch((error: unknown) => this.crash(error));
    const { timeout } = options;
    const timer = timeout === 'infinity' ? undefined : this.#clock.setTimeout(() => this.#startTimedOut(), timeout);
    const exit = await this.#ended;
    this.#clock.clearTimeout(timer);
    this.#abort.abort(exit.error ?? new Error(`Process "${name}" is stopped (${exit.reason}).`));
    // Not awaited: what hangs here is our own clean-up, and the stop of user code must not wait for it. Handlers of
    // messages are among the calls, and no new one begins.
    unattended('detaching a stopped process', this.#detach(attached));
    if (exit.reason === 'crash') this.#callers.giveUpSoon();
    const clean = await this.#stop(exit.reason, starting);
    if (clean) this.#callers.settled();
    else this.#callers.giveUp();
    const [target, hookCalled, started] = [this.#target, this.#hookCalled, this.#startedAt !== undefined];
    await this.#hook(() => this.#handoff.leave({ reason: exit.reason, clean, target, hookCalled, started }));
    this.deps.telemetry.emit('process.stopped', { ...ids, epoch: this.lease.epoch, reason: exit.reason, clean });
    return { ...exit, clean, started: this.#startedAt !== undefined };
  }

  /** The first end counts. */
  #finish(end: End): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#resolveEnded(end);
  }

  /**
   * INVARIANT (I1): asked before each step into user code, so that none begins for a node that is no longer the owner.
   */
  #mayGoOn(): boolean {
    return this.#end === undefined && this.lease.isHeld();
  }

  async #start(): Promise<void> {
    const { name } = this.spec;
    try {
      this.#target = await this.#hook(() => this.deps.create());
    } catch (error) {
      const reason = `its class could not be instantiated: ${describe(error)}`;
      throw new ProcessStartError(name, this.deps.node, reason, error);
    }
    this.#inherited = await this.#handoff.inherit(() => this.#mayGoOn());
    if (!this.#mayGoOn()) return;
    this.#hookCalled = true;
    try {
      const hook = (this.#target as Partial<OnProcessStart>).onProcessStart;
      if (typeof hook === 'function') await this.#hook(() => hook.call(this.#target, this.#context()));
    } catch (error) {
      throw new ProcessStartError(name, this.deps.node, `onProcessStart failed: ${describe(error)}`, error);
    }
  }

  async #attach(began: number): Promise<void> {
    if (this.#target === undefined || !this.#mayGoOn()) return;
    this.#startedAt = performance.now();
    const { name } = this.spec;
    const startMs = Math.round(this.#startedAt - began);
    const { node, telemetry } = this.deps;
    const { epoch, before } = this.lease;
    const from = before === undefined || before === node ? {} : { before };
    telemetry.emit('process.started', { name, node, epoch, startMs, ...from });
    this.#undo = await this.deps.started(this.#target);
  }

  async #detach(attached: Promise<void>): Promise<void> {
    await attached.catch(() => undefined);
    await this.#undo?.().catch((error: unknown) => {
      this.#logger.warn('The handlers of process "{process}", which has stopped, were not detached', {
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
    const everything = this.#settled(starting, this.#stopHook(reason));
    this.#clock.underWay(everything);
    const clean = await endsWithin(options.stopTimeout, everything, this.#clock);
    this.#tasks.end();
    if (!clean) {
      this.#logger.error(
        'Process "{process}" did not stop in {stopTimeout} ms; its lease is left to expire, and until then it runs nowhere ' +
          'else. Let its work heed ctx.signal, or raise "stopTimeout"',
        { process: name, stopTimeout: options.stopTimeout },
      );
    }
    return clean;
  }

  /** A late start may begin tasks, too. */
  async #settled(starting: Promise<void>, stopping: Promise<void>): Promise<void> {
    await Promise.allSettled([starting, stopping]);
    await this.#tasks.settled();
  }

  async #stopHook(reason: StopReason): Promise<void> {
    if (!this.#hookCalled) return;
    try {
      const hook = (this.#target as Partial<OnProcessStop> | undefined)?.onProcessStop;
      if (typeof hook === 'function') await this.#hook(() => hook.call(this.#target, reason));
    } catch (error) {
      const details = { process: this.spec.name, error: describe(error) };
      this.#logger.error('onProcessStop of process "{process}" failed; the stop goes on', details, error);
    }
  }

  /** User code that nobody but this instance waits for. */
  #hook<T>(work: () => T | Promise<T>): Promise<T> {
    return afresh(() => asPartOf(this, work));
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
      run: (task) => this.#tasks.run(task),
      fail: (error) => this.crash(error),
      complete: () => this.#finish({ reason: 'complete' }),
      fenced,
    };
  }
}
