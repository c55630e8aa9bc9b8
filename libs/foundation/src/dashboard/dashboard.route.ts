/**
 * What every controller of the dashboard has around it: its path, the guards, the answers to what is refused, and the
 * decorators of the application.
 * Used by the controllers; underneath Nest's own decorators.
 */
import { applyDecorators, Controller, UseFilters, UseGuards, VERSION_NEUTRAL } from '@nestjs/common';
import { type Access, guardsOf } from './dashboard.guard.js';
import type { DashboardConfig } from './dashboard.options.js';
import { RefusalFilter } from './refusal.filter.js';

/**
 * Decorates a controller below the path of the dashboard, or at it.
 *
 * @param access what each request has to pass: `outer` for a controller whose methods have guards of their own.
 */
export function DashboardRoute(config: DashboardConfig, below: string, access: Access): ClassDecorator {
  const { path, decorators } = config;
  const guards = guardsOf(config);
  return applyDecorators(
    ...decorators,
    UseFilters(RefusalFilter),
    UseGuards(...guards.outer, ...(access === 'outer' ? [] : guards[access])),
    Controller({ path: `${path}${below}`, version: VERSION_NEUTRAL }),
  );
}
