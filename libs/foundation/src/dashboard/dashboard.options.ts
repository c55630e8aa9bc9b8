/**
 * How the dashboard is turned on and who may see it; checked when the module is made.
 */
import type { CanActivate, FactoryProvider, InjectionToken, ModuleMetadata, Type } from '@nestjs/common';
import { FoundationConfigError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { isOptions } from '../foreign/given.options.js';
import { Secret } from '../security/secret.js';
import type { DashboardTraces } from './dashboard.traces.js';

/** Options of `FoundationDashboardModule.forRoot`: a token or a guard, there is no default. */
export interface FoundationDashboardOptions {
  /**
   * A secret of 16 characters or more, best random, that a viewer must know: once in a form, or as
   * `Authorization: Bearer`.
   */
  token?: string;
  /**
   * Another secret of the same length, for those who may look and not act: commands, calls and the state of a process
   * answer them with 403. Default: none.
   */
  readOnlyToken?: string;
  /** A guard of the application's own, instead of a token; it guards the page and everything behind it. */
  guard?: Type<CanActivate>;
  /** With `guard`: one that commands, calls and the state of a process have to pass as well. Default: none. */
  operatorGuard?: Type<CanActivate>;
  /**
   * False: no call of a method and no look into a process from the page; its buttons and routes are not there. Default
   * true.
   */
  calls?: boolean;
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

/** The secrets of the dashboard. */
export type DashboardTokens = Pick<FoundationDashboardOptions, 'token' | 'readOnlyToken'>;

/**
 * Options of `FoundationDashboardModule.forRootAsync`: the tokens come from a factory, what shapes the routes does not.
 */
export interface FoundationDashboardAsyncOptions extends Omit<
  FoundationDashboardOptions,
  keyof DashboardTokens | 'guard' | 'operatorGuard'
> {
  /** Modules whose providers the factory injects, unless they are global. */
  imports?: ModuleMetadata['imports'];
  /** What the factory is called with, such as `[ConfigService]`. */
  inject?: FactoryProvider['inject'];
  /** Returns the token, or both; awaited before the application listens. */
  useFactory: FactoryProvider<string | DashboardTokens>['useFactory'];
}

/** The options, checked. */
export interface DashboardConfig {
  path: string;
  decorators: readonly ClassDecorator[];
  calls: boolean;
  traces: InjectionToken<DashboardTraces> | undefined;
  access:
    | { token: Secret; readOnly: Secret | undefined }
    | { guard: Type<CanActivate>; operators: Type<CanActivate> | undefined };
}

/** @throws FoundationConfigError */
export function checkDashboard(options: FoundationDashboardOptions): DashboardConfig {
  checkKnown('dashboard', options, KNOWN);
  const { token, readOnlyToken, guard, operatorGuard, traces } = options;
  const { calls = true, path = 'foundation', decorators = [] } = options;
  if (!Array.isArray(decorators) || !decorators.every((each) => typeof each === 'function')) {
    throw new FoundationConfigError('dashboard.decorators', show(decorators), 'a list of decorators of classes');
  }
  if (traces !== undefined && !['function', 'string', 'symbol'].includes(typeof traces)) {
    throw new FoundationConfigError('dashboard.traces', show(traces), 'the class or the token of a provider');
  }
  if (typeof calls !== 'boolean') throw new FoundationConfigError('dashboard.calls', show(calls), 'true or false');
  if (typeof path !== 'string' || !/^[\w-]+(\/[\w-]+)*$/.test(path)) {
    throw new FoundationConfigError('dashboard.path', show(path), 'words with slashes between them');
  }
  if (guard !== undefined && (token !== undefined || readOnlyToken !== undefined)) {
    throw new FoundationConfigError('dashboard', 'a token and a guard', 'one of both');
  }
  for (const [name, given] of Object.entries({ guard, operatorGuard })) {
    if (given === undefined || typeof given === 'function') continue;
    throw new FoundationConfigError(`dashboard.${name}`, `a ${typeof given}`, 'a class that implements CanActivate');
  }
  if (guard !== undefined) return { path, decorators, calls, traces, access: { guard, operators: operatorGuard } };
  if (operatorGuard !== undefined) {
    throw new FoundationConfigError(
      'dashboard.operatorGuard',
      'a class, without a guard',
      'a guard beside it, or tokens',
    );
  }
  const secret = secretOf('token', token);
  if (readOnlyToken === undefined)
    return { path, decorators, calls, traces, access: { token: secret, readOnly: undefined } };
  const readOnly = secretOf('readOnlyToken', readOnlyToken);
  if (readOnlyToken === token) {
    throw new FoundationConfigError('dashboard.readOnlyToken', 'the token itself', 'another secret');
  }
  return { path, decorators, calls, traces, access: { token: secret, readOnly } };
}

const KNOWN = ['token', 'readOnlyToken', 'guard', 'operatorGuard', 'calls', 'path', 'decorators', 'traces'];

/** @throws FoundationConfigError without the value: it may be a secret under a word that is spelt wrong. */
export function checkKnown(subject: string, options: unknown, known: readonly string[]): void {
  if (!isOptions(options)) throw new FoundationConfigError(subject, show(options), 'an object');
  const unknown = Object.keys(options).find((name) => options[name] !== undefined && !known.includes(name));
  if (unknown === undefined) return;
  throw new FoundationConfigError(
    `${subject}.${unknown}`,
    'a value',
    `no such option (known here: ${known.join(', ')})`,
  );
}

function secretOf(name: keyof DashboardTokens, given: unknown): Secret {
  if (typeof given === 'string' && given.trim().length >= 16 && given.length <= 1024) return new Secret(given);
  throw new FoundationConfigError(
    `dashboard.${name}`,
    given === undefined
      ? 'nothing'
      : typeof given === 'string'
        ? `${given.trim().length} characters`
        : `a ${typeof given}`,
    'a text of 16 to 1024 characters, such as openssl rand -hex 32 prints, or a guard: the dashboard can move and drain',
  );
}
