/**
 * One running thing: created, started, ended, stopped, always in this order and each step once.
 * Made by the supervisor for each lease it wins; knows the lease, not the cluster.
 */
import { Logger } from '@nestjs/common';
import { LeaseLostError, ProcessStartError, ProcessTimeoutError, describe } from '../errors.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { Lease, Leases } from '../tools/leases.js';
import type {
  FencedEffects,
  OnProcessHandoff,
  OnProcessStart,
  OnProcessStop,
  ProcessContext,
  StopReason,
} from './process.context.js';
import { indexOf } from './slots.js';
import type { ProcessSpec } from './spec.js';

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
  leases: Pick<Leases, 'fencedSet'>;
  telemetry: Telemetry;
  node: string;
  /** Called once the start is over, with the user's object; returns what is to be undone before the stop. */
  started(target: object): Promise<() => Promise<void>>;
}

/** The ends after which another instance goes on where this one stopped. */
const PLANNED: ReadonlySet<StopReason> = new Set(['move', 'shutdown', 'restart']);
const MAX_HANDOFF = 1024 * 1024;

/** See the file header. */
export class Instance {
  readonly #abort = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  readonly #logger = new Logger('Foundation');
  readonly #ended: Promise<{ reason: StopReason; error?: unknown }>;
  #end!: (end: { reason: StopReason; error?: unknown }) => void;
  #startedAt: number | undefined;
  #target: object | undefined;
  #inherited: unknown;

  constructor(
    readonly spec: ProcessSpec,
    readonly lease: Lease,
    private readonly deps: InstanceDeps,
  ) {
    this.#ended = new Promise((resolve) => (this.#end = resolve));
    const onLost = (): void => this.#end({ reason: 'lease-lost', error: lease.signal.reason });
    if (lease.signal.aborted) onLost();
    else lease.signal.addEventListener('abort', onLost, { once: true });
    // INVARIANT (I1): user code hears of the loss in the same turn as the fence, not after some await of ours.
    lease.signal.addEventListener('abort', () => this.#abort.abort(lease.signal.reason), { once: true });
  }

  /** True once `onProcessStart` has returned. */
  get running(): boolean {
    return this.#startedAt !== undefined && !this.#abort.signal.aborted;
  }

  /** The user's object while calls may reach it: started, not stopping, and owned. */
  get target(): object | undefined {
    return this.running && this.lease.isHeld() ? this.#target : undefined;
  }

  /** Asks it to end; `run` returns once it has. */
  stop(reason: StopReason): void {
    this.#end({ reason });
  }

  /** The whole life. Never rejects; when it returns, no user code of this instance runs, unless `clean` is false. */
  async run(): Promise<InstanceExit> {
    const { name } = this.spec;
    const ids = { name, node: this.deps.node, epoch: this.lease.epoch };
    this.deps.telemetry.emit('process.starting', ids);
    const began = performance.now();
    const born = await this.#create();
    this.#inherited = await this.#inherit();
    const target = 'target' in born ? born.target : undefined;
    const starting = target === undefined ? Promise.resolve() : this.#start(target);
    const outcome = 'error' in born ? born : await this.#startOutcome(starting);
    let undo = (): Promise<void> => Promise.resolve();
    let exit: { reason: StopReason; error?: unknown };
    if (target !== undefined && outcome === 'started' && this.lease.isHeld()) {
      this.#startedAt = performance.now();
      this.deps.telemetry.emit('process.started', { ...ids, startMs: Math.round(this.#startedAt - began) });
      try {
        this.#target = target;
        undo = await this.deps.started(target);
        exit = await this.#ended;
      } catch (error) {
        exit = { reason: 'crash', error };
      }
    } else if (typeof outcome === 'object') {
      exit = { reason: 'crash', error: outcome.error };
    } else {
      exit = await this.#ended;
    }
    this.#abort.abort(exit.error ?? new Error(`Process "${name}" is stopped (${exit.reason}).`));
    await undo().catch((error: unknown) => this.#logger.warn('Undo failed', { process: name, error: describe(error) }));
    const clean = target === undefined || (await this.#stop(target, exit.reason, starting));
    if (clean && target !== undefined && this.#startedAt !== undefined) await this.#handOff(target, exit.reason);
    this.deps.telemetry.emit('process.stopped', { ...ids, epoch: this.lease.epoch, reason: exit.reason, clean });
    return { ...exit, clean, started: this.#startedAt !== undefined };
  }

  async #create(): Promise<{ target: object } | { error: unknown }> {
    try {
      return { target: await this.deps.create() };
    } catch (error) {
      const reason = `its class could not be instantiated: ${describe(error)}`;
      return { error: new ProcessStartError(this.spec.name, this.deps.node, reason, error) };
    }
  }

  async #start(target: object): Promise<void> {
    const hook = (target as Partial<OnProcessStart>).onProcessStart;
    if (typeof hook === 'function') await hook.call(target, this.#context());
  }

  /** Whichever comes first: the hook's end, its time limit, or the end of the instance. */
  async #startOutcome(starting: Promise<void>): Promise<'started' | 'ended' | { error: unknown }> {
    const { name, options } = this.spec;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<{ error: unknown }>((resolve) => {
      if (options.timeout === 'infinity') return;
      timer = setTimeout(() => resolve({ error: startTimeout(name, options.timeout as number) }), options.timeout);
    });
    const hook = starting.then(
      () => 'started' as const,
      (error: unknown) => {
        const reason = `onProcessStart failed: ${describe(error)}`;
        return { error: new ProcessStartError(name, this.deps.node, reason, error) };
      },
    );
    const outcome = await Promise.race([hook, limit, this.#ended.then(() => 'ended' as const)]);
    clearTimeout(timer);
    return outcome;
  }

  /** True when the start hook, the tasks and the stop hook have all settled within `stopTimeout`. */
  async #stop(target: object, reason: StopReason, starting: Promise<void>): Promise<boolean> {
    const hook = (target as Partial<OnProcessStop>).onProcessStop;
    const stopping = (async () => {
      if (typeof hook === 'function') await hook.call(target, reason);
    })().catch((error: unknown) => {
      this.#logger.warn('onProcessStop failed; the stop goes on', { process: this.spec.name, error: describe(error) });
    });
    const everything = Promise.allSettled([starting, stopping, ...this.#tasks]).then(() => true);
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), this.spec.options.stopTimeout);
    });
    const clean = await Promise.race([everything, limit]);
    clearTimeout(timer);
    if (!clean) {
      this.#logger.error(
        'A process did not stop in its time; its lease is left to expire. Let its work heed ctx.signal',
        { process: this.spec.name, stopTimeout: this.spec.options.stopTimeout },
      );
    }
    return clean;
  }

  async #inherit(): Promise<unknown> {
    if (!this.spec.handoff) return undefined;
    try {
      const state = await this.lease.inherit();
      return state === undefined ? undefined : (JSON.parse(state) as unknown);
    } catch (error) {
      this.#logger.warn('What the last instance left is not readable; this one starts without it', {
        process: this.spec.name,
        error: describe(error),
      });
      return undefined;
    }
  }

  /** INVARIANT: left under the lease, after user code has ended, so that a stale owner leaves nothing. */
  async #handOff(target: object, reason: StopReason): Promise<void> {
    const hook = (target as Partial<OnProcessHandoff>).onHandoff;
    if (!this.spec.handoff || !PLANNED.has(reason) || typeof hook !== 'function' || !this.lease.isHeld()) return;
    try {
      const state = JSON.stringify(await within(this.spec.options.stopTimeout, Promise.resolve(hook.call(target))));
      if (state === undefined) return;
      if (Buffer.byteLength(state) > MAX_HANDOFF) throw new Error(`it has more than ${MAX_HANDOFF} bytes`);
      await this.lease.leave(state);
    } catch (error) {
      this.#logger.warn('onHandoff failed; the next instance starts without a state', {
        process: this.spec.name,
        error: describe(error),
      });
    }
  }

  #context(): ProcessContext {
    const { spec, lease, deps } = this;
    const isOwner = (): boolean => lease.isHeld() && !this.#abort.signal.aborted;
    const fenced: FencedEffects = {
      set: async (key, value) => {
        if (!lease.isHeld())
          throw new LeaseLostError(spec.name, deps.node, lease.epoch, 'a fenced write was tried after it');
        await deps.leases.fencedSet(key, value, lease.epoch);
      },
    };
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
      fail: (error) => this.#end({ reason: 'crash', error }),
      complete: () => this.#end({ reason: 'complete' }),
      fenced,
    };
  }

  #runTask(task: (signal: AbortSignal) => Promise<void>): void {
    const { signal } = this.#abort;
    const running: Promise<void> = Promise.resolve()
      .then(() => task(signal))
      .catch((error: unknown) => {
        // After the abort a rejection is the ordinary way out of an await that heeds the signal.
        if (!signal.aborted) this.#end({ reason: 'crash', error });
      })
      .finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }
}

/** Rejects when the work takes longer than `ms`. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`it took longer than ${ms} ms`)), ms);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

function startTimeout(name: string, timeoutMs: number): ProcessTimeoutError {
  return new ProcessTimeoutError(
    name,
    'did not finish onProcessStart',
    timeoutMs,
    'Its start was given up and its signal aborted.',
    'Let onProcessStart return and go on in ctx.run, or raise "timeout".',
  );
}
