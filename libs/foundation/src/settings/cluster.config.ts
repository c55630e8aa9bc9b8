/**
 * The facade over the cluster-wide configuration: values that all nodes share and that change while they run.
 * Keeps nothing; underneath `SharedDocument` and `ConfigSetter`.
 */
import { Injectable } from '@nestjs/common';
import { ArgumentError } from '../errors/config.errors.js';
import { checkPath } from './config.path.js';
import type { ConfigCommit, ConfigSetOptions } from './config.setter.js';
import { checkListener } from './shared.document.js';
import type { OpenedConfig } from './shared.settings.js';

/** Texts, numbers and the like, and lists: what is set as a whole. */
type Leaf = string | number | boolean | bigint | symbol | null | undefined | Date | readonly unknown[];

/** The paths of a configuration: `'limits'`, `'limits.uploads'`; any text where its type says nothing of its names. */
export type ConfigPath<T, Depth extends unknown[] = []> = Depth['length'] extends 8
  ? string
  : [keyof T] extends [never]
    ? string
    : string extends keyof T
      ? string
      : {
          [K in keyof T & string]: T[K] extends Leaf
            ? K
            : NonNullable<T[K]> extends object
              ? K | `${K}.${ConfigPath<NonNullable<T[K]>, [...Depth, unknown]>}`
              : K;
        }[keyof T & string];

/** What is at a path. */
export type ConfigValueAt<T, P> = P extends keyof T
  ? T[P]
  : P extends `${infer K}.${infer Rest}`
    ? K extends keyof T
      ? ConfigValueAt<NonNullable<T[K]>, Rest>
      : unknown
    : unknown;

/** A change of what is at a path. */
export interface ConfigChange<V = unknown> {
  /** As it was given to `watch`. */
  path: string;
  value: V;
  before: V;
  /** Rises with each change of the configuration. */
  revision: number;
  /** Name of the node that set it. */
  node: string;
}

/**
 * Injectable. Values that all nodes of the cluster share and that change while they run: limits, switches, prices.
 *
 * What it is says the option `clusterConfig` of `forRoot`, a schema and the defaults; the type says the same:
 * `ClusterConfig<Settings>`. What is set lies on the defaults, which are part of the code of each release.
 */
@Injectable()
export class ClusterConfig<T extends object = Record<string, unknown>> {
  readonly #config: OpenedConfig | undefined;

  /** @internal Made by Foundation. */
  constructor(config: OpenedConfig | undefined) {
    this.#config = config;
  }

  /** All values, as the schema gives them. Frozen; another object after each change. */
  get(): Readonly<T>;
  /**
   * What is at the path now, on this node; `undefined` where there is nothing.
   *
   * Underneath: nothing, no network. Until this node has joined, the defaults; after that what is set is here a round
   * trip after it was set elsewhere, and on a node that is cut off when it is back.
   *
   * @throws ArgumentError for what is no path, and where no `clusterConfig` is configured.
   */
  get<P extends ConfigPath<T>>(path: P): ConfigValueAt<T, P>;
  get(path?: string): unknown {
    const { document } = this.#opened('get');
    return path === undefined ? document.get() : document.get(checkPath('get', path));
  }

  /**
   * Sets the value at the path on all nodes, or on none. Resolves once the cluster has it and this node goes by it.
   *
   * This node checks it with the schema, then proposes it to all nodes that have this configuration. Each checks it
   * with its own schema and answers. Once the `quorum` has accepted, it is written to Redis, where the change before
   * must still be the one that it was checked against; that one write decides. Nodes that did not answer, join later or
   * come back read it there. For 3 seconds after Redis has lost its data it waits until the nodes have restored theirs.
   *
   * Underneath: `PUBLISH …:channel:#config:app`, the answers over `…:mail:<boot id>`, then one `EVALSHA` that compares
   * and sets a field of `…:settings`.
   *
   * @param value plain JSON, up to 20 levels; 1 MB with all that is set.
   * @throws ArgumentError; `ConfigValueError` when the schema of this node does not take it, `ConfigQuorumError` when
   *   too few nodes accept it in time, `ConfigConflictError` when another node has changed the same value first: then
   *   nothing was changed. `NotReadyError` and `RedisUnavailableError` without a cluster, `ConfigOutcomeError` when
   *   Redis did not say whether it took it: every node has it then, or none. `LimitError` for more than 1,000 paths.
   */
  async set<P extends ConfigPath<T>>(
    path: P,
    value: ConfigValueAt<T, P>,
    options?: ConfigSetOptions,
  ): Promise<ConfigCommit> {
    return this.#opened('set').setter.set(path, value, options);
  }

  /**
   * Calls `listener` with each change of what is at the path, in order and once, on this node as on every other; also
   * for what this node sets. Returns the function that ends it.
   *
   * A node that was cut off is told of the last 100 changes one by one as soon as it is back, and of more as one. A
   * value that is set to what it is already is no change. A listener that throws is logged, and harms no other one.
   *
   * @throws ArgumentError, and where no `clusterConfig` is configured; `LimitError` for more than 10,000 listeners.
   */
  watch<P extends ConfigPath<T>>(
    path: P,
    listener: (change: ConfigChange<ConfigValueAt<T, P>>) => unknown,
  ): () => void {
    const { document } = this.#opened('watch');
    const segments = checkPath('watch', path);
    checkListener(listener);
    return document.watch(path, segments, (change) => listener(change as ConfigChange<ConfigValueAt<T, P>>));
  }

  #opened(call: string): OpenedConfig {
    if (this.#config !== undefined) return this.#config;
    const expected = 'FoundationModule.forRoot({ clusterConfig: { schema, defaults } })';
    throw new ArgumentError(`ClusterConfig.${call}`, 'clusterConfig', 'no such option', expected);
  }
}
