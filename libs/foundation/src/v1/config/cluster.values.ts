/**
 * The values of `Config` that all nodes share: a cluster-wide configuration of its own beside the application's.
 * Underneath: `SharedSettings`, which proposes, counts the answers, writes to Redis and follows.
 */
import { FoundationConfigError } from '../../errors/config.errors.js';
import { describe, isA, read } from '../../errors/describe.js';
import { ConfigOutcomeError, ConfigQuorumError } from '../../errors/settings.errors.js';
import type { StandardSchema } from '../../schemas/standard.schema.js';
import type { ConfigCommit, ConfigSetOptions } from '../../settings/config.setter.js';
import type { OpenedConfig, SharedSettings } from '../../settings/shared.settings.js';
import { failureOf } from '../cluster/cluster.queries.js';
import { fail, ok, type Result } from '../v1.result.js';
import { changed } from './config.access.js';
import { UPDATABLE, type V1Config } from './config.defaults.js';
import { valueAt } from './config.tree.js';

const NAME = 'v1';
const known = new WeakSet<SharedSettings>();

/** A value that the cluster has, by its path. */
export interface ClusterValue {
  readonly path: readonly string[];
  readonly value: unknown;
}

/** See the file header. */
export class ClusterValues {
  private constructor(private readonly opened: OpenedConfig) {}

  /** Before the node joins. @param start what this node starts with; each node checks proposals with its own. */
  static async open(settings: SharedSettings, start: V1Config): Promise<ClusterValues> {
    if (known.has(settings)) {
      throw new FoundationConfigError('imports', 'FoundationV1Module several times', 'one of it, in the root module');
    }
    known.add(settings);
    return new ClusterValues(await settings.add({ name: NAME, schema: schemaOver(start), defaults: {} }));
  }

  /** What is set. */
  list(): ClusterValue[] {
    return valuesIn(this.opened.document.get());
  }

  /** Calls `listener` with each change from here on, those that were made before this node joined included. */
  watch(listener: (value: ClusterValue) => unknown): void {
    for (const path of UPDATABLE) {
      this.opened.document.watch(path.join('.'), path, ({ value }) => listener({ path, value }));
    }
  }

  /** @throws ArgumentError for options that are wrong. */
  async set(path: readonly string[], value: unknown, options: ConfigSetOptions): Promise<Result<ConfigCommit>> {
    try {
      return ok(await this.opened.setter.set(path.join('.'), value, options));
    } catch (error) {
      if (isA(error, ConfigOutcomeError)) return failureOf(error, 'timeout');
      if (!isA(error, ConfigQuorumError)) return failureOf(error);
      const { code, accepted, needed, missing } = error;
      const context = { code, accepted, needed, missing };
      return fail({ errorType: 'external_service_error', message: describe(error), context });
    }
  }
}

/** What is set at the paths that may change. */
function valuesIn(tree: unknown): ClusterValue[] {
  return UPDATABLE.flatMap((path) => {
    const found = valueAt(tree, path);
    return found === undefined ? [] : [{ path, value: found.value }];
  });
}

/** Takes values at paths that may change, with which the configuration of this node is valid. */
function schemaOver(start: V1Config): StandardSchema<object> {
  const validate: StandardSchema<object>['~standard']['validate'] = (tree) => {
    const values = valuesIn(tree);
    if (values.length < leavesOf(tree)) return { issues: [{ message: 'a path that cannot be updated at runtime' }] };
    let config = start;
    for (const { path, value } of values) {
      const change = changed(config, path, value);
      if (!change.ok) return { issues: [{ message: change.error.message, path }] };
      config = change.value.config;
    }
    return { value: tree as object };
  };
  return { '~standard': { version: 1, vendor: 'nestjs-foundation', validate } };
}

/** How many values there are that are not records. */
function leavesOf(tree: unknown): number {
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) return 1;
  return Object.keys(tree).reduce((sum, name) => sum + leavesOf(read(tree, name)), 0);
}
