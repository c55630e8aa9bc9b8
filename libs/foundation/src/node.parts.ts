/**
 * The composition root: the one place that makes the parts of a node and gives them to each other.
 * The module exposes them and the lifecycle starts them; the observer of the command line starts only those that read.
 */
import type { Abstract } from '@nestjs/common';
import { createBackend } from './backend/create.backend.js';
import { CallClient } from './calls/call.client.js';
import { CallRouter } from './calls/call.router.js';
import { CallServer } from './calls/call.server.js';
import { CircularWaits } from './calls/circular.waits.js';
import { ChannelRuntime } from './channels/channel.runtime.js';
import { Channels } from './channels/channels.js';
import { ClusterView } from './cluster/cluster.view.js';
import { LocalNode } from './cluster/local.node.js';
import { Membership } from './cluster/membership.js';
import { MembershipProtocol } from './cluster/membership.protocol.js';
import { Topologies } from './cluster/topologies/topologies.js';
import { TopologyRunner } from './cluster/topologies/topology.runner.js';
import type { FoundationConfig } from './config/config.js';
import type { FoundationOptions } from './config/options.js';
import { IssuedCommands } from './context/actor.js';
import { CronJobs } from './cron/cron.jobs.js';
import type { Enhancers } from './enhancers/enhancers.js';
import { FoundationConfigError } from './errors/config.errors.js';
import { describe } from './errors/describe.js';
import { HealthMonitor } from './health/health.monitor.js';
import { Journal } from './journal/journal.js';
import { JournalRecorder } from './journal/journal.recorder.js';
import { JournalWriter } from './journal/journal.writer.js';
import type { Search } from './locator/redis.locator.js';
import { ClusterFigures } from './metrics/cluster.figures.js';
import { FoundationMetrics } from './metrics/foundation.metrics.js';
import { askNode, askWaits, NodeControl } from './processes/node.control.js';
import { ProcessInspector } from './processes/process.inspector.js';
import { ProcessManager } from './processes/process.manager.js';
import { assembleProcesses } from './processes/process.parts.js';
import { ProcessRegistry } from './processes/process.registry.js';
import { ReplacedProcesses } from './processes/replaced.processes.js';
import { Supervisor } from './processes/supervision/supervisor.js';
import { ProcessTable } from './processes/table/process.table.js';
import { checkSchema, SCHEMA_EXPECTED } from './schemas/payload.js';
import { ServiceMesh } from './services/service.mesh.js';
import { ServiceOffers } from './services/service.offers.js';
import { ServiceRegistry } from './services/service.registry.js';
import { ServiceRouter } from './services/service.router.js';
import { ServiceTargets } from './services/service.targets.js';
import { ClusterConfig } from './settings/cluster.config.js';
import { type OpenedConfig, SharedSettings } from './settings/shared.settings.js';
import type { Telemetry } from './telemetry/telemetry.js';
import type { Clock } from './time/clock.js';

/** A token that says what it stands for. */
export type Token<T> = (symbol & { readonly standsFor?: T }) | Abstract<T>;

/** Of the parts of this node; not exported by the module. */
export const NODE: Token<NodeParts> = Symbol.for('foundation:node');

/** What {@link assembleNode} makes; nothing of it has joined, owns or reads anything yet. */
export type NodeParts = Awaited<ReturnType<typeof assembleNode>>;

/**
 * What a test does otherwise with the node of its application; absent outside of tests.
 * Provided by `FoundationTestingModule`.
 */
export abstract class NodeSetup {
  /** No mock has it, whatever makes one for a token that nobody provides. */
  readonly #isReal = true;

  static isOne(value: unknown): value is NodeSetup {
    return typeof value === 'object' && value !== null && #isReal in value && value.#isReal;
  }

  abstract readonly clock: Clock;
  /** From the options of the application. */
  abstract configure(options: FoundationOptions): FoundationConfig;
  /** The parts of the node are there. */
  abstract assembled(parts: NodeParts): void;
}

/**
 * Finds Redis, makes the backend and puts the parts of a node together, floor by floor.
 *
 * Underneath: `findRedis` where the configuration names no Redis, then `createBackend`, whose connections begin to
 * open.
 *
 * @param enhancers what Nest puts around methods; none where no application is.
 * @param clock that of a test, for a node without a cluster.
 * @throws RedisNotFoundError, `FoundationConfigError` and `MissingPackageError`.
 */
export async function assembleNode(
  given: FoundationConfig,
  telemetry: Telemetry,
  search: Partial<Search> = {},
  enhancers?: Enhancers,
  clock?: Clock,
) {
  const node = new LocalNode(given);
  const runner = new TopologyRunner(given, node);
  const topologies = new Topologies(runner);
  const config = await withPlace(given, runner, search);
  const backend = await createBackend(config, node, telemetry, clock);
  const view = new ClusterView(node, config, backend, telemetry);
  const protocol = new MembershipProtocol(view, config, backend, telemetry);
  const membership = new Membership(view);

  // For the command line, which has neither the options of the application nor its strategies.
  const tellExpected = (): void => view.record.setExpects(config.expectedNodes ?? runner.expectedNodes());
  tellExpected();
  runner.listen(tellExpected);

  const table = new ProcessTable(backend, view, telemetry);
  const supervisor = new Supervisor({
    backend,
    membership: view,
    table,
    telemetry,
    forgetOrphansAfter: config.forgetOrphansAfter,
  });
  const replaced = new ReplacedProcesses(view);
  const registry = new ProcessRegistry(backend, table, view, replaced);
  const targets = new ServiceTargets();
  const control = new NodeControl({ config, membership: protocol, view, supervisor, services: targets, telemetry });
  // What only looks on has nothing to be called, not even itself.
  const callees = config.observes === true ? [] : [replaced, supervisor, targets, control];
  const server = new CallServer({ config, lookups: callees, telemetry, enhancers });
  const client = new CallClient({ config, node, backend, membership: view, server, telemetry });
  const circles = new CircularWaits({
    owner: (name) => registry.owner(name),
    waitsOf: askWaits(view, supervisor, () => calls),
  });
  const checkWait = (name: string): Promise<void> => circles.check(name);
  const requireReady = (): void => view.requireConnected();
  const calls: CallRouter = new CallRouter({ config, backend, registry, client, telemetry, requireReady, checkWait });
  supervisor.onMove(askNode(view, calls));
  const commands = new IssuedCommands(telemetry, node.name);

  const processParts = assembleProcesses({
    ...{
      config,
      backend,
      membership: view,
      table,
      registry,
      supervisor,
      replaced,
      calls,
      control,
      checkWait,
      commands,
    },
  });
  const processes = new ProcessManager(processParts);
  const { ticks, endpoint } = backend;
  const cronJobs = new CronJobs({
    ...{ ticks, endpoint, table, calls, finder: processParts.finder, clock: view.clock, commands },
  });
  const channelRuntime = new ChannelRuntime(config, node, backend, view, telemetry);
  const channels = new Channels(channelRuntime);
  const settings = new SharedSettings({
    ...{ backend, membership: view, channels: channelRuntime, telemetry, timeout: config.calls.timeout, commands },
  });
  const clusterConfig = new ClusterConfig(await openedOf(config, settings));
  const services = new ServiceRegistry(backend, view, telemetry);
  const serviceParts = { membership: view, registry: services, targets, calls, telemetry };
  const offers = new ServiceOffers({ ...serviceParts, endpoint: backend.endpoint });
  const mesh = new ServiceMesh(offers, new ServiceRouter(serviceParts), services);
  const health = new HealthMonitor({
    config,
    backend,
    membership: view,
    topologies: runner,
    table,
    registry: services,
    processes: registry,
  });
  const now = (): number => Math.round(view.clusterNow());
  const { journal: store } = backend;
  const journalWriter =
    config.journal === false
      ? undefined
      : new JournalWriter({ store, node: node.name, now, ...config.journal, clock: view.clock });
  const { observes } = config;
  const recorder = journalWriter && new JournalRecorder({ telemetry, view, writer: journalWriter, store, observes });
  const journal = new Journal({ store, writer: journalWriter, endpoint, now });
  telemetry.attach('cron.ended', (_event, { job, durationMs, outcome }) =>
    telemetry.figures.job(job, durationMs, outcome === 'failed'),
  );
  const inspector = new ProcessInspector((name) => registry.running(name), calls);
  const clusterFigures = new ClusterFigures(telemetry.figures, view, calls);
  const metrics = new FoundationMetrics(telemetry, view, supervisor, services, channelRuntime);
  return {
    ...{ config, backend, telemetry, runner, topologies, view, protocol, membership, table, registry, supervisor },
    ...{ client, calls },
    ...{
      processes,
      replaced,
      finder: processParts.finder,
      cronJobs,
      channels,
      channelRuntime,
      settings,
      clusterConfig,
      services,
      offers,
      mesh,
      health,
      metrics,
      journal,
      journalWriter,
      recorder,
      clusterFigures,
      inspector,
      enhancers,
    },
  };
}

/** The configuration of the application; the entries of this package may have others, with names of their own. */
async function openedOf(config: FoundationConfig, settings: SharedSettings): Promise<OpenedConfig | undefined> {
  if (config.clusterConfig === undefined || config.observes === true) return undefined;
  const { schema, defaults } = config.clusterConfig;
  try {
    checkSchema('forRoot', 'clusterConfig.schema', schema);
  } catch (error) {
    throw new FoundationConfigError('clusterConfig.schema', describe(error), SCHEMA_EXPECTED);
  }
  return settings.add({ name: 'app', schema, defaults: defaults as Record<string, unknown> });
}

/** Loads the search only where there is something to look for; a single process loads nothing of Redis. */
async function withPlace(
  config: FoundationConfig,
  topologies: TopologyRunner,
  search: Partial<Search>,
): Promise<FoundationConfig> {
  if (config.backend === 'local') return config;
  const { findRedis } = await import('./locator/redis.locator.js');
  return findRedis(config, topologies, search);
}
