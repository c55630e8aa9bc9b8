import { describe, expect, it } from '@jest/globals';
import { FoundationConfigError } from '../errors/config.errors.js';
import { appNameFrom } from './app.name.js';
import type { Environment } from './environment.js';
import { resolve } from './resolve.js';

const machine = { host: 'box', pid: 7 };
const PRODUCTION = { NODE_ENV: 'production' };
const nameOf = (env: Environment, packageName?: string, cluster = true, appName?: string): string =>
  resolve({ cluster, ...(appName === undefined ? {} : { appName }) }, env, { ...machine, packageName }).appName;

describe('the name of the cluster', () => {
  it('is the option, then the variable, then the nearest package.json, then what npm says', () => {
    const env = { FOUNDATION_APP_NAME: 'variable', npm_package_name: 'npm' };
    expect(nameOf(env, 'file', true, 'option')).toBe('option');
    expect(nameOf(env, 'file')).toBe('variable');
    expect(nameOf({ npm_package_name: 'npm' }, 'file')).toBe('file');
    expect(nameOf({ npm_package_name: 'npm' })).toBe('npm');
  });

  it.each([
    ['@acme/shop', 'acme.shop'],
    ['shop', 'shop'],
    ['a b{c}', 'a.b.c.'],
    ['x'.repeat(300), 'x'.repeat(128)],
  ])('makes a name of the package %j', (packageName, appName) => {
    expect(nameOf(PRODUCTION, packageName)).toBe(appName);
  });

  it('is missed in a production cluster that nothing names', () => {
    for (const packageName of [undefined, '', '@']) {
      expect(() => nameOf(PRODUCTION, packageName)).toThrow(FoundationConfigError);
      expect(() => nameOf(PRODUCTION, packageName)).toThrow(/"appName".*FOUNDATION_APP_NAME/);
    }
  });

  it('is warned of in another cluster, and of no matter in one process', () => {
    expect(appNameFrom({}, machine, true)).toEqual({ appName: 'app', isUnnamed: true });
    expect(appNameFrom(PRODUCTION, machine, false)).toEqual({ appName: 'app', isUnnamed: false });
    expect(resolve({ cluster: true }, {}, machine).isUnnamed).toBe(true);
    expect(resolve({ cluster: true, appName: 'app' }, {}, machine)).not.toHaveProperty('isUnnamed');
    expect(resolve({}, PRODUCTION, machine)).not.toHaveProperty('isUnnamed');
  });
});
