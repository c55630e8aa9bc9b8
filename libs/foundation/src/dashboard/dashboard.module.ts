/**
 * The dashboard as a module that is imported beside `FoundationModule`; without it nothing of it is loaded.
 * Used by the application through the entry `nestjs-foundation/dashboard`.
 */
import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { FoundationConfigError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { isObject } from '../wire/decode.js';
import { ClusterPoller } from './cluster.poller.js';
import { dashboardControllerAt } from './dashboard.controller.js';
import { DashboardFeed } from './dashboard.feed.js';
import { figuresControllerAt } from './dashboard.figures.controller.js';
import { DASHBOARD, NoStoreInterceptor, OperatorGuard, TokenGuard, TokenVerifier } from './dashboard.guard.js';
import { historyControllerAt } from './dashboard.history.controller.js';
import {
  checkDashboard,
  checkKnown,
  type DashboardConfig,
  type DashboardTokens,
  type FoundationDashboardAsyncOptions,
  type FoundationDashboardOptions,
} from './dashboard.options.js';
import { processesControllerAt } from './dashboard.processes.controller.js';
import { servicesControllerAt } from './dashboard.services.controller.js';
import { tracesControllerAt } from './dashboard.traces.controller.js';
import { DepartedNodes } from './departed.nodes.js';
import { FiguresReader } from './figures.reader.js';
import { TraceReader } from './trace.reader.js';

/** A page that shows the cluster as it is, and lets an operator drain, undrain, move and restart. */
@Module({})
export class FoundationDashboardModule {
  /**
   * Turns it on, for viewers who know the token or pass the guard.
   *
   * Underneath: a controller with one page, and server-sent events. A guard is made by Nest, in this module: what it
   * injects must come from a global module. Traces come from a provider of any module.
   *
   * @throws FoundationConfigError without a token or a guard, with both, and for a token that is too short or there
   * twice.
   */
  static forRoot(options: FoundationDashboardOptions): DynamicModule {
    const config = checkDashboard(options);
    return dashboardModule(config, { provide: DASHBOARD, useValue: config });
  }

  /**
   * The same with a token that the application has to look up first:
   * `forRootAsync({ inject: [ConfigService], useFactory: (config) => config.getOrThrow('DASHBOARD_TOKEN') })`. Or with
   * both tokens: `{ token, readOnlyToken }`.
   *
   * Underneath: a provider with this factory. A token that does not do fails `NestFactory.create()`.
   *
   * @throws FoundationConfigError for a wrong path, decorators or traces, and without a factory.
   */
  static forRootAsync(options: FoundationDashboardAsyncOptions): DynamicModule {
    const { imports, inject, useFactory, ...page } = options;
    if (typeof useFactory !== 'function') {
      throw new FoundationConfigError('dashboard.useFactory', show(useFactory), 'a function that returns the token');
    }
    const config = async (...args: unknown[]): Promise<DashboardConfig> =>
      checkDashboard({ ...page, ...tokensIn(await useFactory(...args)) });
    return {
      ...dashboardModule(checkDashboard({ ...page, token: SOME_TOKEN }), {
        ...{ provide: DASHBOARD, useFactory: config, inject: inject ?? [] },
      }),
      imports: imports ?? [],
    };
  }
}

/** What is neither a text nor an object with some is refused as a token. */
function tokensIn(given: unknown): DashboardTokens {
  if (!isObject(given)) return { token: given as string };
  checkKnown('dashboard.useFactory', given, ['token', 'readOnlyToken']);
  return given;
}

/** For routes that are made before the token is known: they ask the provider for it. */
const SOME_TOKEN = '-'.repeat(16);

function dashboardModule(config: DashboardConfig, provider: Provider): DynamicModule {
  return {
    module: FoundationDashboardModule,
    controllers: [
      dashboardControllerAt(config),
      historyControllerAt(config),
      figuresControllerAt(config),
      ...(config.calls ? [processesControllerAt(config), servicesControllerAt(config)] : []),
      ...(config.traces === undefined ? [] : [tracesControllerAt(config)]),
    ],
    providers: [
      ...[provider, ClusterPoller, DashboardFeed, DepartedNodes, FiguresReader, TraceReader],
      ...[TokenVerifier, NoStoreInterceptor, TokenGuard, OperatorGuard],
    ],
  };
}
