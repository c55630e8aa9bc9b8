/**
 * The parts of a node that look and ask, put together without those that join, own or serve.
 * Made by the commands; what it sees is what a member sees, and no member sees it.
 */
import { Membership } from '../cluster/membership.js';
import { LocalNode } from '../cluster/local.node.js';
import { findRedis } from '../locator/redis.locator.js';
import { Topologies } from '../cluster/topologies/topologies.js';
import type { FoundationConfig } from '../config/options.js';
import { CookieMismatchError } from '../errors/foundation.error.js';
import { HealthMonitor } from '../health/health.monitor.js';
import { CallClient } from '../calls/call.client.js';
import { CallServer } from '../calls/call.server.js';
import { NodeControl } from '../processes/node.control.js';
import { CallRouter } from '../calls/call.router.js';
import { ProcessManager } from '../processes/process.manager.js';
import { ProcessRegistry } from '../processes/process.registry.js';
import { ProcessTable } from '../processes/process.table.js';
import { Supervisor } from '../processes/supervision/supervisor.js';
import { ServiceRegistry } from '../services/service.registry.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { createBackend } from '../backend/create.backend.js';
import { redisError } from '../errors/refusal.js';
import { within } from '../time/timeout.js';

/** See the file header. */
export interface Observer {
  readonly membership: Membership;
  readonly processes: ProcessManager;
  readonly services: ServiceRegistry;
  readonly health: HealthMonitor;
  /**
   * Sees that Redis answers, so that what was copied before is not taken for the present.
   *
   * @throws RedisUnavailableError
   */
  look(): Promise<void>;
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
  const [telemetry, node] = [new Telemetry(), new LocalNode(given)];
  const topologies = new Topologies(given, node);
  const config = await findRedis(given, topologies);
  const backend = await createBackend(config, node, telemetry);
  const membership = new Membership(node, config, backend, telemetry);
  const table = new ProcessTable(backend, membership, telemetry);
  // It is never started, so it owns nothing; the manager asks it what runs here.
  const supervisor = new Supervisor(backend, membership, table, telemetry);
  const registry = new ProcessRegistry(backend, table, membership);
  const server = new CallServer(config, [], telemetry);
  const client = new CallClient(config, node, backend, membership, server, telemetry);
  const calls = new CallRouter(config, backend, registry, client, telemetry);
  const control = new NodeControl(config, membership, supervisor);
  const services = new ServiceRegistry(backend, membership, telemetry);
  const close = async (): Promise<void> => {
    await membership.leave();
    await services.close();
    await topologies.stop();
    await within(CLOSE_MS, backend.close(), 'not closed in time').catch(() => undefined);
  };
  try {
    await topologies.start();
    await backend.open();
    await client.open();
    const { isCookieShared, beats } = await backend.directory.look();
    // It would see nobody, and nobody would hear it.
    if (isCookieShared === false && beats.size > 0) throw new CookieMismatchError(node.name);
    await membership.observe();
    await table.sync();
    await services.open();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    membership,
    processes: new ProcessManager(config, backend, membership, table, registry, supervisor, calls, control),
    services,
    health: new HealthMonitor(config, backend, membership, topologies, table, services, registry),
    async look() {
      await backend.directory.look().catch((error: unknown) => {
        throw redisError(backend.endpoint, 'looking at the cluster', error);
      });
    },
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
