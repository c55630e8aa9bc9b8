/**
 * The module: options in, a node assembled, its facades out.
 * Underneath: Nest's `ConfigurableModuleBuilder`, and `assembleNode`.
 */
import {
  ConfigurableModuleBuilder,
  type DynamicModule,
  type FactoryProvider,
  type InjectionToken,
  Module,
  type ModuleMetadata,
  type Provider,
  Scope,
  type Type,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, ModuleRef, ModulesContainer } from '@nestjs/core';
import type { RawTools } from './backend/backend.js';
import { FoundationTools } from './backend/foundation.tools.js';
import { remote } from './calls/remote.proxy.js';
import { Channels } from './channels/channels.js';
import { ClusterView } from './cluster/cluster.view.js';
import { Membership } from './cluster/membership.js';
import { Topologies } from './cluster/topologies/topologies.js';
import { readMachine } from './config/machine.js';
import type { FoundationOptions } from './config/options.js';
import { resolve } from './config/resolve.js';
import { noteCopy } from './copies.js';
import { CronJobs } from './cron/cron.jobs.js';
import { Enhancers } from './enhancers/enhancers.js';
import { FoundationConfigError } from './errors/config.errors.js';
import { asError, show } from './errors/describe.js';
import { givenAsyncOptions, isOptions } from './foreign/given.options.js';
import { checkProcessClasses } from './foundation.declarations.js';
import { FoundationEdgesModule, FoundationFrontModule } from './foundation.edges.js';
import { FoundationLifecycle } from './foundation.lifecycle.js';
import { HealthMonitor } from './health/health.monitor.js';
import { Journal } from './journal/journal.js';
import type { Search } from './locator/redis.locator.js';
import { Log } from './logging/log.js';
import { ClusterFigures } from './metrics/cluster.figures.js';
import { FoundationMetrics } from './metrics/foundation.metrics.js';
import { assembleNode, NODE, type NodeParts, NodeSetup, type Token } from './node.parts.js';
import { witnessedOptions, witnessNode } from './node.witness.js';
import { getProcessToken } from './processes/declaration/inject.process.js';
import { classNameOf } from './processes/declaration/process.target.js';
import { injectableProcesses, lateProcesses, tokenOf } from './processes/declaration/process.tokens.js';
import { ProcessFinder } from './processes/process.finder.js';
import { ProcessInspector } from './processes/process.inspector.js';
import { ProcessManager } from './processes/process.manager.js';
import { ServiceMesh } from './services/service.mesh.js';
import { ClusterConfig } from './settings/cluster.config.js';
import { SharedSettings } from './settings/shared.settings.js';
import { Telemetry } from './telemetry/telemetry.js';

noteCopy(import.meta.url);

/** What the search for Redis does otherwise than usual; tests override it. */
const SEARCH: Token<Partial<Search>> = Symbol.for('foundation:search');

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

/** What {@link assemble} is given besides options and telemetry. */
export const SURROUNDINGS = [
  DiscoveryService,
  ModulesContainer,
  ModuleRef,
  SEARCH,
  { token: NodeSetup, optional: true },
] as const satisfies readonly Injected[];

/** The parts of a node that other modules may inject. */
const EXPOSED = {
  topologies: Topologies,
  membership: Membership,
  processes: ProcessManager,
  cronJobs: CronJobs,
  channels: Channels,
  clusterConfig: ClusterConfig,
  mesh: ServiceMesh,
  health: HealthMonitor,
  metrics: FoundationMetrics,
  journal: Journal,
} satisfies { [P in keyof NodeParts]?: Type<NodeParts[P]> };

/** Those that the entries of this package inject as well; their classes are not exported from `index.ts`. */
const SHARED = {
  view: ClusterView,
  finder: ProcessFinder,
  settings: SharedSettings,
  clusterFigures: ClusterFigures,
  inspector: ProcessInspector,
} satisfies {
  [P in keyof NodeParts]?: Type<NodeParts[P]>;
};

/** What a module offers of a node, whoever makes it: that of tests makes it otherwise. */
export const OFFERED: Required<Pick<ModuleMetadata, 'imports' | 'providers' | 'exports'>> = {
  imports: [DiscoveryModule, FoundationEdgesModule, FoundationFrontModule],
  providers: [
    { provide: SEARCH, useValue: {} },
    ...Object.entries({ ...EXPOSED, ...SHARED }).map(([part, token]) =>
      ofNode(token, (node) => node[part as keyof NodeParts]),
    ),
    ...Object.entries(FoundationTools).map(([role, token]) =>
      ofNode(token, ({ backend }) => backend.raw[role as keyof RawTools]),
    ),
  ],
  exports: [Telemetry, ...Object.values(EXPOSED), ...Object.values(SHARED), ...Object.values(FoundationTools)],
};

/**
 * Makes a Nest application a node of a cluster.
 *
 * ```ts
 * @Module({ imports: [FoundationModule.forRoot({ cluster: true })] })
 * ```
 */
@Module({
  ...OFFERED,
  providers: [
    Telemetry,
    // Of forRoot() and forRootAsync() comes another one in its place.
    provide(OPTIONS as Token<FoundationOptions>, [ModulesContainer], refuseWithoutOptions),
    provide(NODE, [OPTIONS as Token<FoundationOptions>, Telemetry, ...SURROUNDINGS], assemble),
    ...OFFERED.providers,
    FoundationLifecycle,
  ],
})
export class FoundationModule extends ConfigurableModuleClass {
  /**
   * Configures Foundation with values that are known now. With none it runs inside this process; see
   * {@link FoundationOptions}.
   *
   * @throws FoundationConfigError while the application is created; at once for what is no object of options.
   */
  static override forRoot(options: FoundationModuleOptions = {}): DynamicModule {
    // Nest spreads it, which would make the defaults of a `Map` or a promise.
    if (!isOptions(options)) throw new FoundationConfigError('options', show(options), 'an object');
    return withRemotes(super.forRoot(options));
  }

  /**
   * The same with options that come from other providers: `useFactory` and `inject`, `useClass`, or `useExisting`.
   *
   * @throws ArgumentError for a word that is none of these, and where the options come from nowhere.
   */
  static override forRootAsync(options: FoundationModuleAsyncOptions): DynamicModule {
    return withRemotes(super.forRootAsync(givenAsyncOptions('FoundationModule', options, ['isGlobal'])));
  }
}

/**
 * Adds a provider for every process whose calls may be injected. Nest reads it when it scans the modules: by then all
 * of these classes are loaded, also those that came after the call of `forRoot`.
 */
export function withRemotes(module: DynamicModule): DynamicModule {
  const { providers = [], exports = [] } = module;
  // First the late ones: a class that only they name is among the others after that.
  const late = (): Provider[] => [...lateProcesses()].map(([provide, type]) => lateProvider(provide, type));
  const known = (): FactoryProvider[] =>
    [...injectableProcesses()].map((type) =>
      ofNode(tokenOf(type), ({ calls }) => remote(calls, { name: classNameOf(type), type })),
    );
  return {
    ...module,
    get providers() {
      return [...providers, ...late(), ...known()];
    },
    get exports() {
      return [...exports, ...lateProcesses().keys(), ...[...injectableProcesses()].map(tokenOf)];
    },
  };
}

/**
 * What is no class is refused where it is injected: other applications of this process, such as those of other tests,
 * have nothing to do with it.
 */
function lateProvider(provide: symbol, type: () => Type<unknown>): Provider {
  try {
    return { provide, useExisting: getProcessToken(type()) };
  } catch (error) {
    // Of what is transient Nest makes one for each who injects it, and none else.
    return { provide, scope: Scope.TRANSIENT, useFactory: () => Promise.reject(asError(error)) };
  }
}

/** A second one would be a second node in this process: each with processes of its own, or refused by the first. */
function requireOnce(modules: ModulesContainer): void {
  const all = [...modules.values()];
  const times = all.filter(({ metatype }) => metatype === FoundationModule).length;
  if (times < 2) return;
  const importers = importersIn(all);
  throw new FoundationConfigError(
    'imports',
    `FoundationModule ${times} times, in ${importers.join(' and in ')}`,
    'one forRoot() or forRootAsync(), in the root module, whose providers all modules see',
  );
}

/** The module alone, `imports: [FoundationModule]`. */
function refuseWithoutOptions(modules: ModulesContainer): never {
  requireOnce(modules);
  throw new FoundationConfigError(
    'imports',
    `FoundationModule without options, in ${importersIn([...modules.values()]).join(' and in ')}`,
    'FoundationModule.forRoot() or forRootAsync(), once, in the root module, whose providers all modules see',
  );
}

/** Nest links a global module with every other one, so only what a module says itself tells who imports it. */
function importersIn(all: readonly { metatype: Type; name: string }[]): string[] {
  return all.flatMap(({ metatype, name }) => {
    const imports = (Reflect.getMetadata('imports', metatype) ?? []) as (Type | Partial<DynamicModule>)[];
    const isOurs = (each: Type | Partial<DynamicModule>): boolean =>
      each === FoundationModule || ('module' in each && each.module === FoundationModule);
    return imports.filter(isOurs).map(() => name);
  });
}

export async function assemble(
  options: FoundationOptions,
  telemetry: Telemetry,
  discovery: DiscoveryService,
  modules: ModulesContainer,
  moduleRef: ModuleRef,
  special: Partial<Search>,
  given?: NodeSetup,
): Promise<NodeParts> {
  const setup = NodeSetup.isOne(given) ? given : undefined;
  requireOnce(modules);
  checkProcessClasses(modules);
  const application: Search['application'] = async () => {
    const { findApplicationRedis } = await import('./locator/application.redis.js');
    return findApplicationRedis(discovery, NODE);
  };
  const config = setup?.configure(options) ?? resolve(witnessedOptions(options), process.env, readMachine());
  if (config.isUnnamed) {
    new Log().warn(`Nothing names this application; set "appName" or FOUNDATION_APP_NAME`, {
      appName: config.appName,
    });
  }
  // Protected, and the one way to the container that ExternalContextCreator.fromContainer() takes.
  const enhancers = new Enhancers(moduleRef['container'], config.globalEnhancers);
  const parts = await assembleNode(config, telemetry, { application, ...special }, enhancers, setup?.clock);
  setup?.assembled(parts);
  witnessNode({ parts, modules });
  return parts;
}

type Injected = Token<unknown> | { readonly token: Token<unknown>; readonly optional: true };

/** The compiler checks that each token stands for the parameter at its place. */
export function provide<const D extends readonly Injected[]>(
  token: Token<unknown>,
  inject: D,
  useFactory: (...given: Given<D>) => unknown,
): FactoryProvider {
  return { provide: token, inject: [...inject] as FactoryProvider['inject'] & object, useFactory };
}

type Given<D> = {
  [I in keyof D]: D[I] extends Token<infer T> ? T : D[I] extends { token: Token<infer T> } ? T | undefined : never;
};

function ofNode(provide: InjectionToken, useFactory: (node: NodeParts) => unknown): FactoryProvider {
  return { provide, inject: [NODE], useFactory };
}
