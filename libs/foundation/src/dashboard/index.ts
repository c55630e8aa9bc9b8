export { FoundationDashboardModule } from './dashboard.module.js';
export type {
  DashboardTokens,
  FoundationDashboardAsyncOptions,
  FoundationDashboardOptions,
} from './dashboard.options.js';
export type { DashboardSpan, DashboardTrace, DashboardTraceLine, DashboardTraces } from './dashboard.traces.js';
