/**
 * `Foundation.Config` of 1.x: a configuration of known shape, some of which may change while the application runs.
 * Underneath: frozen records in memory; what happens in it is an event of `Events` and a counter of `Telemetry`.
 */
import { Inject, Injectable } from '@nestjs/common';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { onAbort } from '../foreign/abort.signals.js';
import { Listeners } from '../foreign/listeners.js';
import type { ConfigCommit, ConfigSetOptions } from '../settings/config.setter.js';
import { type ClusterValue, ClusterValues } from './config/cluster.values.js';
import { type Change, changed, isForbidden, readPath } from './config/config.access.js';
import { UPDATABLE, type V1Config } from './config/config.defaults.js';
import { validateConfig } from './config/config.rules.js';
import { listOf } from './config/config.tree.js';
import { Events } from './v1.events.js';
import { done, fail, ok, type Result } from './v1.result.js';
import { V1Service } from './v1.service.js';
import { Telemetry } from './v1.telemetry.js';

/** What listeners of {@link Config.subscribe} get; 1.x sends it as `{:config_notification, …}`. */
export type ConfigNotification =
  | { readonly type: 'config_updated'; readonly path: readonly string[]; readonly value: unknown }
  | { readonly type: 'config_reset'; readonly config: V1Config };

/** Called with every change; what it returns is ignored. */
export type ConfigListener = (notification: ConfigNotification) => unknown;

/** What {@link Config.status} says. */
export interface ConfigStatus {
  readonly status: 'running';
  readonly uptimeMs: number;
  readonly updatesCount: number;
  /** Milliseconds since 1970. */
  readonly lastUpdate: number | null;
  readonly subscribersCount: number;
}

/** The most listeners. */
const MAX_SUBSCRIBERS = 10_000;
const STOPPED = { code: 5000, message: 'Configuration service not started' };

/** Injectable. `Foundation.Config`: every call stays on this node, and answers at once. */
@Injectable()
export class Config {
  readonly #startedAt: number;
  #config: V1Config;
  #updates = 0;
  #lastUpdate: number | null = null;
  readonly #subscribers: Listeners<[ConfigNotification]>;
  /** Takes the signal of a listener back. */
  readonly #heeded = new WeakMap<ConfigListener, () => void>();

  /** @internal Made by Nest. */
  constructor(
    @Inject(V1Service) private readonly service: V1Service,
    @Inject(Events) private readonly events: Events,
    @Inject(Telemetry) private readonly telemetry: Telemetry,
    @Inject(ClusterValues) private readonly cluster: ClusterValues,
  ) {
    cluster.watch((value) => this.#follow(value));
    this.#config = service.start;
    this.#subscribers = new Listeners('Config.subscribe', service.gate);
    this.#startedAt = service.ticks();
  }

  /**
   * Does nothing: the configuration runs from the start of the module on, whose options take what 1.x takes here.
   *
   * Underneath: nothing. Fails with 5000 `service_unavailable` once the application ends.
   */
  initialize(_options: Partial<V1Config> = {}): Result {
    return this.service.unavailable(STOPPED) ?? done();
  }

  /** How it is: since when it runs, how often it was updated, how many listen. */
  status(): Result<ConfigStatus> {
    const uptimeMs = Math.floor(this.service.ticks() - this.#startedAt);
    const lastUpdate = this.#lastUpdate;
    const counts = { updatesCount: this.#updates, subscribersCount: this.#subscribers.size };
    return this.service.unavailable(STOPPED) ?? ok({ status: 'running', uptimeMs, lastUpdate, ...counts });
  }

  /** Whether it runs; false once the application ends. */
  available(): boolean {
    return this.service.running;
  }

  /**
   * The whole configuration, or the value at a path: frozen. A key whose value is `null` is there.
   *
   * Fails with `security_violation` (1000) for a path of more than 50 names, or with a name that reaches for a
   * prototype, a module of Elixir or a file; with `config_path_not_found` (9999) where nothing is.
   *
   * @throws ArgumentError for what is not a list.
   */
  get(): Result<V1Config>;
  get(path: readonly string[]): Result<unknown>;
  get(path: readonly string[] = []): Result<unknown> {
    const names = this.#names('get', path);
    const stopped = this.service.unavailable(STOPPED);
    if (stopped !== undefined) return stopped;
    return readPath(this.#config, names);
  }

  /** The value at a path, or `fallback` for whatever `get` fails with. */
  getWithDefault<T>(path: readonly string[], fallback: T): T {
    const found = this.get(path);
    return found.ok ? (found.value as T) : fallback;
  }

  /**
   * Changes one of the {@link updatablePaths}; checked in this order: `security_violation` of the path (1000) and of
   * the value (1005), `config_update_forbidden` (1401), then the whole configuration as {@link validate} does.
   *
   * Underneath: notifies subscribers, stores the event `config_updated`, counts `foundation`, `config_updates`.
   *
   * @throws ArgumentError for a path that is not a list.
   */
  update(path: readonly string[], value: unknown): Result {
    const names = this.#names('update', path);
    const change = this.service.unavailable(STOPPED) ?? changed(this.#config, names, value);
    if (!change.ok) return change;
    this.#apply(change.value);
    return done();
  }

  /**
   * Changes it on all nodes that have this module, or on none; survives a restart of all of them. This node checks it
   * as {@link update} does, the others check it as well; once the `quorum` has accepted, every node goes by it, those
   * that join later or come back included. Their subscribers are notified as by `update`, which may change it again on
   * its node.
   *
   * Underneath: `ClusterConfig`'s proposal, answers and compare-and-set in Redis, beside the application's own.
   *
   * Fails as `update` does; with `external_service_error` (4201) where too few accepted in time (`context` has who),
   * another node was faster, or Redis is away: then nothing was changed. With `timeout` (4301) where Redis did not say
   * whether it has it: set it again.
   *
   * @param options `quorum`: `'majority'` (default), `'all'` or a number; `timeout`, by default `calls.timeout`.
   * @throws ArgumentError for a path that is not a list, or options that are wrong.
   */
  async setClusterWide(
    path: readonly string[],
    value: unknown,
    options: ConfigSetOptions = {},
  ): Promise<Result<ConfigCommit>> {
    const names = this.#names('setClusterWide', path);
    const change = this.service.unavailable(STOPPED) ?? changed(this.#config, names, value);
    return change.ok ? this.cluster.set(change.value.path, value, options) : change;
  }

  /**
   * The same as {@link update}, which refuses before it: with `invalid_path` (9999) what is not a list, and with 1401
   * the API key, the encryption key, `security` and the name of the node.
   */
  safeUpdate(path: readonly string[], value: unknown): Result {
    const names = listOf(path);
    if (names === undefined) return fail({ errorType: 'invalid_path', message: 'Invalid configuration path' });
    if (isForbidden(names)) {
      return fail({ errorType: 'config_update_forbidden', message: 'Configuration path update forbidden' });
    }
    return this.update(path, value);
  }

  /**
   * Whether a configuration is valid: 1001 `validation_failed`, 1002 `invalid_config_value`, 1003
   * `constraint_violation`, 1004 `range_error`. Pure, and takes anything.
   */
  validate(config: unknown): Result {
    return validateConfig(config) ?? done();
  }

  /** The paths that {@link update} may change: a plain list. */
  updatablePaths(): readonly (readonly string[])[] {
    return UPDATABLE;
  }

  /**
   * Back to the configuration of the start: defaults, then the options of the module, then what the cluster has set.
   *
   * Underneath: notifies subscribers, stores the event `config_reset`, counts `foundation`, `config_resets`.
   */
  reset(): Result {
    const stopped = this.service.unavailable(STOPPED);
    if (stopped !== undefined) return stopped;
    this.#config = this.#atStart();
    this.#subscribers.tell({ type: 'config_reset', config: this.#config });
    const about = { resetFromUpdatesCount: this.#updates };
    this.events.record('config_reset', { timestamp: this.service.now(), ...about });
    this.telemetry.emitCounter(['foundation', 'config_resets'], about);
    return done();
  }

  /**
   * Calls a listener with every change. The same one twice is one. It is removed by {@link unsubscribe}, or when
   * `signal` is aborted, which stands for the death of a subscriber in 1.x. One that throws is logged.
   *
   * Fails with `resource_exhausted` (2201) for one more than 10,000.
   *
   * @throws ArgumentError for what is not a function.
   */
  subscribe(listener: ConfigListener, { signal }: { signal?: AbortSignal } = {}): Result {
    if (typeof listener !== 'function') {
      throw new ArgumentError('Config.subscribe', 'listener', show(listener), 'a function');
    }
    const stopped = this.service.unavailable(STOPPED);
    if (stopped !== undefined || signal?.aborted === true) return stopped ?? done();
    if (this.#subscribers.size >= MAX_SUBSCRIBERS) {
      return fail({ errorType: 'resource_exhausted', message: `There are ${MAX_SUBSCRIBERS} subscribers already` });
    }
    this.#subscribers.add(listener);
    if (signal !== undefined)
      this.#heeded.set(
        listener,
        onAbort(signal, () => void this.#subscribers.delete(listener)),
      );
    return done();
  }

  /** Removes a listener; one that is not there is no error. */
  unsubscribe(listener: ConfigListener): Result {
    this.#subscribers.delete(listener);
    this.#heeded.get(listener)?.();
    return this.service.unavailable(STOPPED) ?? done();
  }

  /** For tests: as at the start, without listeners. Fails with `operation_forbidden` (5002) outside of test mode. */
  resetState(): Result {
    const refused = this.service.forbidden(5002) ?? this.service.unavailable(STOPPED);
    if (refused !== undefined) return refused;
    this.#config = this.#atStart();
    this.#subscribers.clear();
    [this.#updates, this.#lastUpdate] = [0, null];
    return done();
  }

  #names(call: string, path: readonly string[]): readonly unknown[] {
    const names = listOf(path);
    if (names === undefined) throw new ArgumentError(`Config.${call}`, 'path', show(path), 'a list of names');
    return names;
  }

  /** A change of the cluster; each node has checked it with its own configuration. */
  #follow({ path, value }: ClusterValue): void {
    const change = changed(this.#config, path, value);
    if (change.ok) this.#apply(change.value);
  }

  #atStart(): V1Config {
    const set = (config: V1Config, { path, value }: ClusterValue): V1Config => {
      const change = changed(config, path, value);
      return change.ok ? change.value.config : config;
    };
    return this.cluster.list().reduce(set, this.service.start);
  }

  #apply({ config, path, value, previousValue }: Change): void {
    this.#config = config;
    const now = this.service.now();
    [this.#updates, this.#lastUpdate] = [this.#updates + 1, now];
    this.#subscribers.tell({ type: 'config_updated', path, value });
    this.events.record('config_updated', { path, newValue: value, previousValue, timestamp: now });
    this.telemetry.emitCounter(['foundation', 'config_updates'], { path });
  }
}
