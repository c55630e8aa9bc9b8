/**
 * The facade over processes. Keeps nothing: it changes the table, and the supervisors of the cluster do the rest.
 * Called by the application; each method says what lies beneath.
 */
import { Injectable, type Type } from '@nestjs/common';
import type { Membership } from '../cluster/membership.js';
import type { FoundationConfig } from '../config/options.js';
import { show } from '../config/shape.js';
import {
  ArgumentError,
  FoundationError,
  ProcessDeclarationError,
  ProcessStartError,
  ProcessTimeoutError,
  RedisUnavailableError,
  UnknownProcessError,
} from '../errors.js';
import type { Engine } from '../tools/engine.js';
import type { OwnerRecord } from '../tools/leases.js';
import type { ProcessOptions } from './process.decorators.js';
import { metadataOf } from './process.explorer.js';
import type { ProcessInfo, ProcessRef } from './process.ref.js';
import type { ProcessRegistry } from './process.registry.js';
import { checkName, specOf, type ProcessSpec } from './spec.js';
import { isEnded, type ProcessEntry, type ProcessTable, type VersionedEntry } from './process.table.js';
import type { Supervisor } from './supervisor.js';

/** Options of a start call. */
export type StartOptions = ProcessOptions;

/** How long a free lease may take to be won, on top of the time the start itself may take. */
const ELECTION_MS = 10_000;
/** Hints wake a waiting call; this is for those that were lost. */
const LOOK_EVERY_MS = 250;

/** Injectable. Starts, finds, stops and restarts processes of the cluster from any node. */
@Injectable()
export class ProcessManager {
  constructor(
    private readonly config: FoundationConfig,
    private readonly engine: Engine,
    private readonly membership: Membership,
    private readonly table: ProcessTable,
    private readonly registry: ProcessRegistry,
    private readonly supervisor: Supervisor,
  ) {}

  /**
   * Makes sure that exactly one instance of the class runs in the cluster, and resolves once it does. What runs already
   * under this name is returned as it is; what was stopped, completed, failed or escalated is started anew.
   *
   * Underneath: a row in `HGETALL …:processes`; the node that wins the Redlock lease `…:lease:<name>` starts it.
   *
   * @param type a provider of the application, not request-scoped. Nodes that do not have it are no candidates.
   * @param args given as `ctx.args`; must be the same after JSON.
   * @param opts defaults: those of the class's decorator, then of the module; `timeout` bounds `onProcessStart`.
   * @throws ArgumentError, FoundationConfigError for bad input, `ProcessDeclarationError` when another class has the name,
   * `ProcessStartError` when the first start fails (nothing is left behind), `ProcessTimeoutError` when no node started it
   * in time, `NotReadyError` and `RedisUnavailableError` without a cluster.
   */
  async startSingleton<T>(type: Type<T>, args?: unknown[], opts: StartOptions = {}): Promise<ProcessRef<T>> {
    const spec = this.#specOf(type, args, opts);
    await this.membership.whenReady();
    if (!this.supervisor.knows(type.name)) {
      throw new ArgumentError('startSingleton', 'type', `the class ${type.name}`, 'a provider of this application');
    }
    await this.#redis('starting a process', async () => {
      const owner = await this.registry.owner(spec.name);
      return this.table.change(spec.name, (current) => this.#started(spec, current, owner));
    });
    return this.#running<T>(spec.name, 0, spec.options.timeout);
  }

  /**
   * The process of that name if it is running now, else `undefined`.
   *
   * Underneath: Lua that compares `GET …:lease:<name>` with the token in `HGETALL …:owner:<name>`.
   */
  async lookupSingleton<T>(name: string | Type<T>): Promise<ProcessRef<T> | undefined> {
    const known = nameOf(name);
    const owner = await this.#redis('looking up a process', () => this.registry.running(known));
    return owner === undefined ? undefined : this.#ref<T>(owner);
  }

  /**
   * Every process the cluster knows, with its owner.
   *
   * Underneath: this node's copy of `…:processes`, and one script call for the owners.
   */
  async list(): Promise<ProcessInfo[]> {
    return this.#redis('listing processes', () => this.registry.list());
  }

  /**
   * Stops a process in the whole cluster; it stays down until `startSingleton`, `restart`, or a cold start of the cluster.
   * Resolves once nobody owns it.
   *
   * Underneath: `status: 'stopped'` in `…:processes`; the owner stops its instance, then releases the lease.
   *
   * @throws UnknownProcessError, `ProcessTimeoutError` when the owner has not let go in `stopTimeout` and one lease time.
   */
  async stop(target: string | Type<unknown> | ProcessRef): Promise<void> {
    const name = nameOf(target);
    const entry = await this.#redis('stopping a process', () =>
      this.table.change(name, (current) => {
        if (current === undefined) throw new UnknownProcessError(name, this.#names());
        return isEnded(current.status) && current.status !== 'escalated'
          ? undefined
          : { ...current, status: 'stopped' };
      }),
    );
    const timeout = (entry?.options.stopTimeout ?? 0) + this.config.lease.ttl + 1000;
    const stopped = await this.#until(name, timeout, async () =>
      (await this.registry.owner(name)) ? undefined : true,
    );
    if (stopped === undefined) {
      throw new ProcessTimeoutError(
        name,
        'was not let go by its owner',
        timeout,
        'It is marked as stopped, and ends when its owner does.',
        'Let onProcessStop and the tasks of ctx.run heed ctx.signal.',
      );
    }
  }

  /**
   * Stops the running instance, if there is one, starts a new one, and resolves once it runs. Forgets its crashes, so it
   * also brings an escalated process back.
   *
   * Underneath: `after: <epoch>` in `…:processes`; no instance with that epoch or a lower one may go on.
   */
  async restart<T>(target: string | Type<T> | ProcessRef<T>): Promise<ProcessRef<T>> {
    const name = nameOf(target);
    const { after, options } = await this.#redis('restarting a process', async () => {
      await this.engine.restarts.forget(name);
      const owner = await this.registry.owner(name);
      const entry = await this.table.change(name, (current) => {
        if (current === undefined) throw new UnknownProcessError(name, this.#names());
        const { error: _error, retryAt: _retryAt, avoid: _avoid, ...rest } = current;
        return { ...rest, status: 'wanted', after: Math.max(current.after, owner?.epoch ?? 0) };
      });
      return entry as VersionedEntry;
    });
    return this.#running<T>(name, after, options.timeout);
  }

  #specOf(type: Type<unknown>, args: unknown[] | undefined, opts: StartOptions): ProcessSpec {
    const subject = `startSingleton(${typeof type === 'function' ? type.name : show(type)})`;
    if (typeof type !== 'function' || !type.name) throw new ArgumentError(subject, 'type', show(type), 'a class');
    if (typeof opts !== 'object' || opts === null) throw new ArgumentError(subject, 'opts', show(opts), 'an object');
    const { args: declaredArgs = [], ...declared } = metadataOf(type)?.options ?? {};
    return specOf(
      {
        subject,
        type: type.name,
        declared: metadataOf(type) !== undefined && opts.name === undefined,
        options: { ...declared, ...opts },
        args: args ?? declaredArgs,
      },
      this.config.processes,
    );
  }

  #started(
    spec: ProcessSpec,
    current: VersionedEntry | undefined,
    owner: OwnerRecord | undefined,
  ): ProcessEntry | undefined {
    if (current !== undefined && current.type !== spec.type) {
      throw new ProcessDeclarationError(
        `"${spec.name}"`,
        `the class ${current.type} has this name in the cluster already, and ${spec.type} asked for it`,
        'Start it under another name.',
      );
    }
    // A temporary process that was started and has no owner died with its node.
    const died = current?.status === 'once' && owner === undefined;
    if (current !== undefined && !isEnded(current.status) && !died) return undefined;
    return { ...spec, status: 'wanted', after: current?.after ?? 0, confirmed: false };
  }

  /** Waits for a running owner with an epoch above `after`; what ends instead becomes an error. */
  async #running<T>(name: string, after: number, startTimeout: number | 'infinity'): Promise<ProcessRef<T>> {
    const timeout = startTimeout === 'infinity' ? Infinity : startTimeout + ELECTION_MS;
    const owner = await this.#until(name, timeout, async () => {
      const entry = this.table.get(name);
      if (entry !== undefined && isEnded(entry.status)) {
        throw new ProcessStartError(name, this.membership.self.name, entry.error ?? `it is ${entry.status}`);
      }
      const running = await this.registry.running(name);
      return running !== undefined && running.epoch > after ? running : undefined;
    });
    if (owner !== undefined) return this.#ref<T>(owner);
    await this.table.change(name, (current) =>
      current?.confirmed === false ? { ...current, status: 'failed', error: 'no node started it in time' } : undefined,
    );
    throw new ProcessTimeoutError(
      name,
      'was not running on any node',
      timeout,
      'A process that never ran is marked as failed; others go on being tried.',
      'Check with list() what it waits for, and that some node has its class as a provider.',
    );
  }

  /** Polls until `look` has something, woken by hints; `undefined` when the time is over. */
  async #until<R>(name: string, timeoutMs: number, look: () => Promise<R | undefined>): Promise<R | undefined> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      let wake = (): void => undefined;
      const woken = new Promise<void>((resolve) => (wake = resolve));
      const version = this.table.get(name)?.version;
      const stops = [
        this.table.onChange(() => this.table.get(name)?.version !== version && wake()),
        this.engine.onHint((hint) => 'name' in hint && hint.name === name && wake()),
      ];
      const timer = setTimeout(() => wake(), LOOK_EVERY_MS);
      try {
        const found = await this.#redis('waiting for a process', look);
        if (found !== undefined || performance.now() >= deadline) return found;
        await woken;
      } finally {
        clearTimeout(timer);
        for (const stop of stops) stop();
      }
    }
  }

  #ref<T>({ name, node, epoch, since }: OwnerRecord): ProcessRef<T> {
    return { name, node, epoch, startedAt: since, stop: () => this.stop(name) };
  }

  #names(): string[] {
    return this.table.entries().map(({ name }) => name);
  }

  /** ioredis' errors become ours, with the raw one as cause. */
  async #redis<R>(doing: string, call: () => Promise<R>): Promise<R> {
    try {
      return await call();
    } catch (error) {
      if (error instanceof FoundationError) throw error;
      throw new RedisUnavailableError(this.engine.endpoint, doing, error);
    }
  }
}

function nameOf(target: string | Type<unknown> | ProcessRef): string {
  const name = typeof target === 'function' ? (metadataOf(target)?.options.name ?? target.name) : target;
  const text = typeof name === 'object' && name !== null ? name.name : name;
  checkName(text, 'ProcessManager');
  return text;
}
