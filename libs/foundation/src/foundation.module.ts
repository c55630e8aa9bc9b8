/**
 * The module: options in, providers out, listed floor by floor.
 * Underneath: Nest's `ConfigurableModuleBuilder`.
 */
import { ConfigurableModuleBuilder, Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { Channels } from './channels/channels.js';
import { Membership } from './cluster/membership.js';
import { LocalNode } from './cluster/local.node.js';
import type { Search } from './locator/redis.locator.js';
import { Topologies } from './cluster/topologies/topologies.js';
import { readMachine } from './config/machine.js';
import type { FoundationConfig, FoundationOptions } from './config/options.js';
import { resolve } from './config/resolve.js';
import { FoundationDrain, FoundationLifecycle } from './foundation.lifecycle.js';
import { HealthMonitor } from './health/health.monitor.js';
import { FoundationMetrics } from './metrics/foundation.metrics.js';
import { CallClient } from './calls/call.client.js';
import { CallServer } from './calls/call.server.js';
import { NodeControl, askNode } from './processes/node.control.js';
import { CallRouter } from './calls/call.router.js';
import { ProcessManager } from './processes/process.manager.js';
import { nameOf } from './processes/process.target.js';
import { ProcessRegistry } from './processes/process.registry.js';
import { ProcessTable } from './processes/process.table.js';
import { injectedProcesses } from './processes/inject.process.js';
import { Supervisor } from './processes/supervision/supervisor.js';
import { ServiceMesh } from './services/service.mesh.js';
import { ServiceRegistry } from './services/service.registry.js';
import { ServiceTargets } from './services/service.targets.js';
import { Telemetry } from './telemetry/telemetry.js';
import { createBackend } from './backend/create.backend.js';
import type { Backend, RawTools } from './backend/backend.js';
import type { NodeIdentity } from './wire/node.identity.js';
import { FoundationTools } from './backend/foundation.tools.js';
import { remote } from './calls/remote.proxy.js';

const CONFIG = Symbol.for('foundation:config');
const BACKEND = Symbol.for('foundation:backend');
/** What the search for Redis does otherwise than usual; tests override it. */
const SEARCH = Symbol.for('foundation:search');

const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: OPTIONS,
  OPTIONS_TYPE: _options,
  ASYNC_OPTIONS_TYPE: _asyncOptions,
} = new ConfigurableModuleBuilder<FoundationOptions>({ moduleName: 'Foundation' })
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createFoundationOptions')
  .setExtras({ isGlobal: true }, (definition, extras) => ({ ...definition, global: extras.isGlobal }))
  .build();

/** What `forRoot` takes: the options, and whether the providers are visible everywhere (default true). */
export type FoundationModuleOptions = typeof _options;

/**
 * What `forRootAsync` takes: one of `useFactory` (with `inject`), `useClass`, `useExisting`, then `imports` and
 * `isGlobal`. A class implements {@link FoundationOptionsFactory}.
 */
export type FoundationModuleAsyncOptions = typeof _asyncOptions;

/** What a class for `useClass` or `useExisting` implements. */
export interface FoundationOptionsFactory {
  createFoundationOptions(): FoundationOptions | Promise<FoundationOptions>;
}

/** Leaves the cluster before the modules of the application are destroyed; see {@link FoundationDrain}. */
@Module({ providers: [FoundationDrain], exports: [FoundationDrain] })
class FoundationDrainModule {}

/**
 * Makes a Nest application a node of a cluster.
 *
 * ```ts
 * @Module({ imports: [FoundationModule.forRoot({ cluster: true })] })
 * ```
 */
@Module({
  imports: [DiscoveryModule, FoundationDrainModule],
  providers: [
    // telemetry and config
    Telemetry,
    {
      provide: CONFIG,
      inject: [OPTIONS],
      useFactory: (options: FoundationOptions) => resolve(options, process.env, readMachine()),
    },
    { provide: SEARCH, useValue: {} },
    // the backend
    {
      provide: BACKEND,
      inject: [CONFIG, LocalNode, Telemetry, Topologies, DiscoveryService, SEARCH],
      useFactory: backendFor,
    },
    ...toolProviders(),
    // cluster
    {
      provide: LocalNode,
      inject: [CONFIG],
      useFactory: (config: FoundationConfig) => new LocalNode(config),
    },
    {
      provide: Topologies,
      inject: [CONFIG, LocalNode],
      useFactory: (config: FoundationConfig, node: LocalNode) => new Topologies(config, node),
    },
    {
      provide: Membership,
      inject: [LocalNode, CONFIG, BACKEND, Telemetry],
      useFactory: (node: LocalNode, config: FoundationConfig, backend: Backend, telemetry: Telemetry) =>
        new Membership(node, config, backend, telemetry),
    },
    // processes, calls, channels and services
    {
      provide: ProcessTable,
      inject: [BACKEND, Membership, Telemetry],
      useFactory: (backend: Backend, membership: Membership, telemetry: Telemetry) =>
        new ProcessTable(backend, membership, telemetry),
    },
    {
      provide: Supervisor,
      inject: [BACKEND, Membership, ProcessTable, Telemetry],
      useFactory: (backend: Backend, membership: Membership, table: ProcessTable, telemetry: Telemetry) =>
        new Supervisor(backend, membership, table, telemetry),
    },
    {
      provide: ProcessRegistry,
      inject: [BACKEND, ProcessTable, Membership],
      useFactory: (...parts: ConstructorParameters<typeof ProcessRegistry>) => new ProcessRegistry(...parts),
    },
    {
      provide: NodeControl,
      inject: [CONFIG, Membership, Supervisor],
      useFactory: (...parts: ConstructorParameters<typeof NodeControl>) => new NodeControl(...parts),
    },
    {
      provide: CallServer,
      inject: [CONFIG, Supervisor, ServiceTargets, NodeControl, Telemetry],
      useFactory: (
        config: FoundationConfig,
        supervisor: Supervisor,
        services: ServiceTargets,
        control: NodeControl,
        telemetry: Telemetry,
      ) => new CallServer(config, [supervisor, services, control], telemetry),
    },
    {
      provide: CallClient,
      inject: [CONFIG, LocalNode, BACKEND, Membership, CallServer, Telemetry],
      useFactory: (...parts: ConstructorParameters<typeof CallClient>) => new CallClient(...parts),
    },
    {
      provide: CallRouter,
      inject: [CONFIG, BACKEND, ProcessRegistry, CallClient, Telemetry],
      useFactory: (...parts: ConstructorParameters<typeof CallRouter>) => new CallRouter(...parts),
    },
    {
      provide: ProcessManager,
      inject: [CONFIG, BACKEND, Membership, ProcessTable, ProcessRegistry, Supervisor, CallRouter, NodeControl],
      useFactory: (...parts: ConstructorParameters<typeof ProcessManager>) => {
        const [, , membership, , , supervisor, calls] = parts;
        supervisor.onMove(askNode(membership, calls));
        return new ProcessManager(...parts);
      },
    },
    {
      provide: Channels,
      inject: [CONFIG, LocalNode, BACKEND, Membership, Telemetry],
      useFactory: (...parts: ConstructorParameters<typeof Channels>) => new Channels(...parts),
    },
    ServiceTargets,
    {
      provide: ServiceRegistry,
      inject: [BACKEND, Membership, Telemetry],
      useFactory: (...parts: ConstructorParameters<typeof ServiceRegistry>) => new ServiceRegistry(...parts),
    },
    {
      provide: ServiceMesh,
      inject: [BACKEND, Membership, ServiceRegistry, ServiceTargets, CallRouter, Telemetry],
      useFactory: (...parts: ConstructorParameters<typeof ServiceMesh>) => new ServiceMesh(...parts),
    },
    // health and metrics
    {
      provide: HealthMonitor,
      inject: [CONFIG, BACKEND, Membership, Topologies, ProcessTable, ServiceRegistry, ProcessRegistry],
      useFactory: (...parts: ConstructorParameters<typeof HealthMonitor>) => new HealthMonitor(...parts),
    },
    {
      provide: FoundationMetrics,
      inject: [Telemetry, Membership, Supervisor, ServiceRegistry, Channels],
      useFactory: (...parts: ConstructorParameters<typeof FoundationMetrics>) => new FoundationMetrics(...parts),
    },
    // the lifecycle
    {
      provide: FoundationLifecycle,
      inject: [
        CONFIG,
        BACKEND,
        DiscoveryService,
        Topologies,
        Membership,
        ProcessTable,
        Supervisor,
        Channels,
        CallClient,
        ServiceRegistry,
        ServiceMesh,
        FoundationDrain,
      ],
      useFactory: (...parts: ConstructorParameters<typeof FoundationLifecycle>) => new FoundationLifecycle(...parts),
    },
  ],
  exports: [
    Telemetry,
    Topologies,
    Membership,
    ProcessManager,
    Channels,
    ServiceMesh,
    HealthMonitor,
    FoundationMetrics,
    ...Object.values(FoundationTools),
  ],
})
export class FoundationModule extends ConfigurableModuleClass {
  /**
   * Configures Foundation with values that are known now. With none it runs inside this process; see
   * {@link FoundationOptions}.
   *
   * @throws FoundationConfigError or `NotInThisVersionError` while the application is created.
   */
  static override forRoot(options: FoundationModuleOptions = {}): DynamicModule {
    return withRemotes(super.forRoot(options));
  }

  /** The same with options that come from other providers: `useFactory` and `inject`, `useClass`, or `useExisting`. */
  static override forRootAsync(options: FoundationModuleAsyncOptions): DynamicModule {
    return withRemotes(super.forRootAsync(options));
  }
}

/** The search for Redis comes first, where nothing names one. */
async function backendFor(
  config: FoundationConfig,
  node: NodeIdentity,
  telemetry: Telemetry,
  topologies: Topologies,
  discovery: DiscoveryService,
  special: Partial<Search>,
): Promise<Backend> {
  if (config.backend === 'local') return createBackend(config, node, telemetry);
  const { findRedis } = await import('./locator/redis.locator.js');
  const { findApplicationRedis } = await import('./locator/application.redis.js');
  const search = { application: () => findApplicationRedis(discovery, BACKEND), ...special };
  return createBackend(await findRedis(config, topologies, search), node, telemetry);
}

/** Adds a provider for every process that some class of the application wants injected. */
function withRemotes(module: DynamicModule): DynamicModule {
  const remotes = [...injectedProcesses()].map(([token, type]) => ({
    provide: token,
    inject: [CallRouter],
    useFactory: (calls: CallRouter) => remote(calls, { name: nameOf(type), type }),
  }));
  return {
    ...module,
    providers: [...(module.providers ?? []), ...remotes],
    exports: [...(module.exports ?? []), ...remotes.map(({ provide }) => provide)],
  };
}

function toolProviders(): FactoryProvider[] {
  return Object.entries(FoundationTools).map(([role, token]) => ({
    provide: token,
    inject: [BACKEND],
    useFactory: (backend: Backend) => backend.raw[role as keyof RawTools],
  }));
}
