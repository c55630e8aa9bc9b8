/**
 * A node of which only what reads and queries is started, nothing that joins, owns or serves.
 * Made by the commands; what it sees is what a member sees, and no member sees it.
 */
import { clustersIn } from '../backend/redis/other.clusters.js';
import { placeName } from '../backend/redis/redis.endpoint.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { type Standing, standingBy } from '../cluster/standing.js';
import type { FoundationConfig } from '../config/config.js';
import type { CronJobs } from '../cron/cron.jobs.js';
import { CookieMismatchError } from '../errors/cluster.errors.js';
import { asRedisError, redisError } from '../errors/refusal.js';
import type { HealthMonitor } from '../health/health.monitor.js';
import type { Journal } from '../journal/journal.js';
import type { ClusterFigures } from '../metrics/cluster.figures.js';
import { assembleNode } from '../node.parts.js';
import type { ProcessManager } from '../processes/process.manager.js';
import type { ServiceRegistry } from '../services/service.registry.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { within } from '../time/timeout.js';

/** See the file header. */
export interface Observer {
  /** The Redis and its database, without any secret. */
  readonly place: string;
  readonly membership: ClusterView;
  readonly processes: ProcessManager;
  readonly cronJobs: CronJobs;
  readonly services: ServiceRegistry;
  readonly health: HealthMonitor;
  readonly journal: Journal;
  readonly figures: ClusterFigures;
  /**
   * Who is there now, by the beats in Redis, so that what was copied before is not taken for the present.
   *
   * @throws RedisUnavailableError
   */
  look(): Promise<Standing>;
  /** The processes that a release declared and no node declares any longer. */
  orphans(): string[];
  /** The names of the clusters that have nodes in this Redis, where that can be known. */
  clusters(): Promise<string[]>;
  close(): Promise<void>;
}

const CLOSE_MS = 2000;

/**
 * Connects and reads everything once; from then on it follows the cluster.
 *
 * @throws RedisNotFoundError, `RedisUnavailableError`, `RedisRefusedError`, `CookieMismatchError`,
 * `MissingPackageError`.
 */
export async function observe(given: FoundationConfig): Promise<Observer> {
  const parts = await assembleNode(given, new Telemetry());
  const { backend, runner, view, protocol, table, services } = parts;
  const endJournal = parts.recorder?.attach();
  const close = async (): Promise<void> => {
    endJournal?.();
    await parts.journalWriter?.close(CLOSE_MS);
    await protocol.leave();
    await services.close();
    await runner.stop();
    await within(CLOSE_MS, backend.close(), 'not closed in time').catch(() => undefined);
  };
  try {
    await runner.start();
    await backend.open();
    await parts.client.open();
    const { isCookieShared, beats } = await backend.directory.look();
    // It would see no node, and no node would hear it.
    if (isCookieShared === false && beats.size > 0) throw new CookieMismatchError(view.self.name);
    await protocol.observe();
    await table.sync();
    await services.open();
  } catch (error) {
    await close();
    throw asRedisError(backend.endpoint, 'reading the cluster', error);
  }
  return {
    place: placeName(parts.config.redis),
    membership: view,
    processes: parts.processes,
    cronJobs: parts.cronJobs,
    services,
    health: parts.health,
    journal: parts.journal,
    figures: parts.clusterFigures,
    async look() {
      const seen = await backend.directory.look().catch((error: unknown) => {
        throw redisError(backend.endpoint, 'looking at the cluster', error);
      });
      return standingBy(view.records(), seen, view.self.bootId);
    },
    orphans: () => parts.registry.orphans().map(({ name }) => name),
    clusters: () => clustersIn(backend.raw.control),
    close,
  };
}

/** Observes for as long as `work` takes, and resolves with its exit code. Throws what {@link observe} does. */
export async function whileObserving(
  config: FoundationConfig,
  work: (observer: Observer) => Promise<number>,
): Promise<number> {
  const observer = await observe(config);
  try {
    return await work(observer);
  } finally {
    await observer.close();
  }
}
