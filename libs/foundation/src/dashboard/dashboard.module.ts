/**
 * The dashboard as a module that is imported beside `FoundationModule`; without it nothing of it is loaded.
 * Used by the application through the entry `nestjs-foundation/dashboard`.
 */
import { type DynamicModule, Module } from '@nestjs/common';
import { ClusterPoller } from './cluster.poller.js';
import { dashboardControllerAt } from './dashboard.controller.js';
import { DashboardFeed } from './dashboard.feed.js';
import { DASHBOARD, NoStoreInterceptor, TokenGuard, TokenVerifier } from './dashboard.guard.js';
import { checkDashboard, type FoundationDashboardOptions } from './dashboard.options.js';
import { tracesControllerAt } from './dashboard.traces.controller.js';
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
   * @throws FoundationConfigError without a token or a guard, with both, or with a token that is too short.
   */
  static forRoot(options: FoundationDashboardOptions): DynamicModule {
    const config = checkDashboard(options);
    return {
      module: FoundationDashboardModule,
      controllers: [
        dashboardControllerAt(config),
        ...(config.traces === undefined ? [] : [tracesControllerAt(config)]),
      ],
      providers: [
        { provide: DASHBOARD, useValue: config },
        ClusterPoller,
        DashboardFeed,
        TokenVerifier,
        TraceReader,
        NoStoreInterceptor,
        TokenGuard,
      ],
    };
  }
}
