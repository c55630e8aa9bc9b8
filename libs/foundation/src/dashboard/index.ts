export { FoundationDashboardModule } from './dashboard.module.js';
export type { FoundationDashboardOptions } from './dashboard.options.js';
