/**
 * How the dashboard is turned on and who may see it; checked when the module is made.
 */
import type { CanActivate, FactoryProvider, InjectionToken, ModuleMetadata, Type } from '@nestjs/common';
import { FoundationConfigError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { Secret } from '../security/secret.js';
import type { DashboardTraces } from './dashboard.traces.js';

/** Options of `FoundationDashboardModule.forRoot`: a token or a guard, there is no default. */
export interface FoundationDashboardOptions {
  /**
   * A secret of 16 characters or more, best random, that a viewer must know: once in a form, or as
   * `Authorization: Bearer`.
   */
  token?: string;
  /** A guard of the application's own, instead of a token; it guards the page and everything behind it. */
  guard?: Type<CanActivate>;
  /** Where the page is. Default `foundation`, below the application's global prefix. */
  path?: string;
  /** Decorators of the application for the routes: `[Public()]`, so that its global guard lets them pass. */
  decorators?: ClassDecorator[];
  /**
   * A provider of the application that collects traces, by its class or token: then the page lists them, and draws one
   * as a time-line. Default: none.
   */
  traces?: InjectionToken<DashboardTraces>;
}

/**
 * Options of `FoundationDashboardModule.forRootAsync`: the token comes from a factory, what shapes the routes does not.
 */
export interface FoundationDashboardAsyncOptions extends Omit<FoundationDashboardOptions, 'token' | 'guard'> {
  /** Modules whose providers the factory injects, unless they are global. */
  imports?: ModuleMetadata['imports'];
  /** What the factory is called with, such as `[ConfigService]`. */
  inject?: FactoryProvider['inject'];
  /** Returns the token; awaited before the application listens. */
  useFactory: FactoryProvider<string>['useFactory'];
}

/** The options, checked. */
export interface DashboardConfig {
  path: string;
  decorators: readonly ClassDecorator[];
  traces: InjectionToken<DashboardTraces> | undefined;
  access: { token: Secret } | { guard: Type<CanActivate> };
}

/** @throws FoundationConfigError */
export function checkDashboard({
  token,
  guard,
  path = 'foundation',
  decorators = [],
  traces,
}: FoundationDashboardOptions): DashboardConfig {
  if (!Array.isArray(decorators) || !decorators.every((each) => typeof each === 'function')) {
    throw new FoundationConfigError('dashboard.decorators', show(decorators), 'a list of decorators of classes');
  }
  if (traces !== undefined && !['function', 'string', 'symbol'].includes(typeof traces)) {
    throw new FoundationConfigError('dashboard.traces', show(traces), 'the class or the token of a provider');
  }
  if (typeof path !== 'string' || !/^[\w-]+(\/[\w-]+)*$/.test(path)) {
    throw new FoundationConfigError('dashboard.path', JSON.stringify(path), 'words with slashes between them');
  }
  if (guard !== undefined && token !== undefined) {
    throw new FoundationConfigError('dashboard', 'a token and a guard', 'one of both');
  }
  if (guard !== undefined) {
    if (typeof guard === 'function') return { path, decorators, traces, access: { guard } };
    throw new FoundationConfigError('dashboard.guard', `a ${typeof guard}`, 'a class that implements CanActivate');
  }
  if (typeof token !== 'string' || token.trim().length < 16 || token.length > 1024) {
    throw new FoundationConfigError(
      'dashboard.token',
      token === undefined
        ? 'nothing'
        : typeof token === 'string'
          ? `${token.trim().length} characters`
          : `a ${typeof token}`,
      'a text of 16 to 1024 characters, such as openssl rand -hex 32 prints, or a guard: the dashboard can move and drain',
    );
  }
  return { path, decorators, traces, access: { token: new Secret(token) } };
}
