/**
 * Pure: the name of the cluster where neither the options nor FOUNDATION_APP_NAME have one. Two applications without a
 * name on one Redis would be one cluster, and start each other's processes.
 */
import { FoundationConfigError } from '../errors/config.errors.js';
import { isProduction } from './detect.js';
import type { Environment } from './environment.js';
import type { Machine } from './machine.js';

/** Stands where there is no name, and for everything in one process. */
const UNNAMED = 'app';

/** The name, and whether it is one that every application without a name has. */
export interface AppName {
  appName: string;
  isUnnamed: boolean;
}

/**
 * The name in the application's package.json: the nearest file first, because it is there however the application is
 * started, then what npm says.
 *
 * @throws FoundationConfigError for a cluster in production that nothing names.
 */
export function appNameFrom(env: Environment, machine: Machine, clustered: boolean): AppName {
  const found = machine.packageName || env['npm_package_name'];
  const appName = found === undefined ? '' : asAppName(found);
  if (appName !== '') return { appName, isUnnamed: false };
  if (clustered && isProduction(env)) {
    throw new FoundationConfigError(
      'appName',
      'nothing',
      'a name for the cluster, because all applications without one on the same Redis would be one cluster; set ' +
        'FOUNDATION_APP_NAME, or "name" in package.json',
    );
  }
  return { appName: UNNAMED, isUnnamed: clustered };
}

/** `@acme/shop` → `acme.shop`: what is no character of a name is a dot. */
function asAppName(packageName: string): string {
  return packageName
    .replace(/^@/, '')
    .replace(/[^A-Za-z0-9_.-]/g, '.')
    .slice(0, 128);
}
