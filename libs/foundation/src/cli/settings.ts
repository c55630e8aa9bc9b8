/**
 * Pure: options of the command line and the environment → the configuration, by the rules of the library itself.
 * Called by every command.
 */
import type { FoundationConfig } from '../config/config.js';
import { type Environment, fromEnvironment } from '../config/environment.js';
import type { Machine } from '../config/machine.js';
import type { FoundationOptions } from '../config/options.js';
import { resolve } from '../config/resolve.js';
import type { Invocation } from './arguments.js';

/**
 * The configuration as a node with this environment would have it, and clustered in any case.
 *
 * @throws FoundationConfigError as in a node.
 */
export function settingsOf(
  { redis, app }: Pick<Invocation, 'redis' | 'app'>,
  env: Environment,
  machine: Machine,
  more: FoundationOptions = {},
): FoundationConfig {
  const asked = fromEnvironment(env).cluster;
  const options: FoundationOptions = {
    cluster: asked === undefined || asked === false ? true : asked,
    // Not that of a node on the same machine, which the environment may name.
    nodeName: `cli-${machine.pid}`,
    ...(redis === undefined ? {} : { redis }),
    ...(app === undefined ? {} : { appName: app }),
    ...more,
  };
  // A node that is switched off is alone; who looks at the cluster is not.
  const { FOUNDATION_CLUSTER: _off, ...others } = env;
  return { ...resolve(options, asked === false ? others : env, machine), observes: true };
}

/** The same for a command that queries Redis alone, so that it needs no port and no cookie. */
export function observerSettings(invocation: Invocation, env: Environment, machine: Machine): FoundationConfig {
  return settingsOf(invocation, env, machine, { transport: 'redis' });
}
