/**
 * Pure: reading a value of a configuration, and changing one, or the error that says why not.
 */
import { fail, type Failure, ok, type Result } from '../v1.result.js';
import { FORBIDDEN, isAmong, UPDATABLE, type V1Config } from './config.defaults.js';
import { validateConfig } from './config.rules.js';
import { frozen, isSafePath, isSafeValue, pathText, valueAt, withValue } from './config.tree.js';

/** What a change makes of a configuration. */
export interface Change {
  readonly config: V1Config;
  readonly path: readonly string[];
  readonly value: unknown;
  readonly previousValue: unknown;
}

export function readPath(config: V1Config, path: readonly unknown[]): Result<unknown> {
  if (!isSafePath(path)) return unsafePath(path);
  const found = valueAt(config, path);
  if (found !== undefined) return ok(found.value);
  const message = `Configuration path not found: ${pathText(path)}`;
  const of = { category: 'config', subcategory: 'access', severity: 'medium' } as const;
  return fail({ errorType: 'config_path_not_found', message, context: { path }, ...of });
}

/** Checks the path, the value, whether the path may change, and then all of the configuration. */
export function changed(config: V1Config, path: readonly unknown[], value: unknown): Result<Change> {
  if (!isSafePath(path)) return unsafePath(path);
  if (!isSafeValue(value)) {
    return violation(1005, 'Configuration value contains potentially dangerous content', { reason: 'dangerous_value' });
  }
  if (!isAmong(UPDATABLE, path)) {
    const message = `Configuration path ${pathText(path)} cannot be updated at runtime`;
    return fail({ errorType: 'config_update_forbidden', message, context: { path, allowedPaths: UPDATABLE } });
  }
  const next = withValue(config, path, value);
  const previousValue = valueAt(config, path)?.value;
  return validateConfig(next) ?? ok({ config: frozen(next), path: Object.freeze(path), value, previousValue });
}

/** Why `safeUpdate` changes nothing there, whatever may be updated. */
export function isForbidden(path: readonly unknown[]): boolean {
  return isSafePath(path) && isAmong(FORBIDDEN, path);
}

function unsafePath(path: readonly unknown[]): Failure {
  const message = `Configuration path contains potentially malicious components: ${pathText(path)}`;
  return violation(1000, message, { reason: 'malicious_path' });
}

function violation(code: number, message: string, context: Readonly<Record<string, unknown>>): Failure {
  const of = { category: 'config', subcategory: 'security', severity: 'high' } as const;
  return fail({ errorType: 'security_violation', code, message, context, ...of });
}
