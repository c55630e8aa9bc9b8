/**
 * Pure: `cluster`, `topologies`, environment and machine → the strategies that run, in order.
 * Called by `resolve`.
 */
import { FoundationConfigError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { detectStrategy } from './detect.js';
import { type Environment, strategiesFromEnvironment } from './environment.js';
import { variableIn } from './environment.table.js';
import type { Machine } from './machine.js';
import type { FoundationOptions } from './options.js';
import { STRATEGY_NAMES, type StrategyConfig, type StrategyName } from './strategy.settings.js';
import { isTopologyStrategy, type TopologyStrategy } from './topology.strategy.js';
import { TRANSLATE } from './translate.js';
import { shownFromEnvironment } from './validate.shape.js';
import { checkSettings } from './validate.strategies.js';

/** What runs, and whether the user asked for it by name. */
export interface ResolvedTopologies {
  topologies: readonly (StrategyConfig | TopologyStrategy)[];
  /** True when the environment suggested it: a strategy that cannot be loaded is then left out with a warning. */
  detected: boolean;
}

/** Everything that strategies come from. */
interface Given {
  cluster: FoundationOptions['cluster'];
  topologies: FoundationOptions['topologies'];
  appName: string;
  env: Environment;
  machine: Machine;
  knowsRedis: boolean;
}

/**
 * Wizard (`topologies`) before apprentice (`cluster: 'kubernetes'`) before mortal (`cluster: true`).
 *
 * @throws FoundationConfigError for an unknown strategy, with the known ones, and for settings that are not valid.
 */
export function resolveTopologies(given: Given): ResolvedTopologies {
  const { cluster, topologies, env, machine, knowsRedis } = given;
  if (cluster === undefined || cluster === false) return { topologies: [], detected: false };
  if (topologies !== undefined) {
    if (!Array.isArray(topologies)) throw new FoundationConfigError('topologies', show(topologies), WIZARD);
    return { topologies: topologies.map((each, index) => oneOf(each, `topologies[${index}]`, given)), detected: false };
  }
  if (cluster !== true) return { topologies: [oneOf(cluster, 'cluster', given)], detected: false };
  const name = detectStrategy(env, machine, knowsRedis);
  if (name === undefined) return { topologies: [], detected: true };
  return { topologies: [configOf(name, {}, given)], detected: true };
}

const WIZARD =
  'a list of strategies, each { strategy, … }, the name of one, or an object of yours with name, start() and stop()';

function oneOf(value: unknown, option: string, given: Given): StrategyConfig | TopologyStrategy {
  if (isTopologyStrategy(value)) return value;
  const isObject = typeof value === 'object' && value !== null;
  const word: unknown = isObject ? (value as Record<string, unknown>)['strategy'] : value;
  const name = STRATEGY_NAMES.find((strategy) => strategy === word);
  if (name === undefined) {
    const received =
      typeof word === 'string' ? shownFromEnvironment(show(word)) : 'an object without the name of a strategy';
    const expected =
      option === 'cluster'
        ? `true, false, or one of ${STRATEGY_NAMES.join(', ')}`
        : `${WIZARD}; known are ${STRATEGY_NAMES.join(', ')}`;
    throw new FoundationConfigError(option, received, expected);
  }
  const config = configOf(name, isObject ? settingsOf(value) : {}, given);
  if (config.strategy === 'kubernetes') checkLabel(config.config.selector, given.appName);
  return config;
}

/** The name of an application may be no label of a pod: of more than 63 characters, or with a dot at its end. */
function checkLabel(selector: string, appName: string): void {
  if (selector !== `app=${appName}` || /^[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/.test(appName)) return;
  const expected =
    'what the label `app` of a pod can be: 63 characters at most, the first and the last a letter or a digit; or set ' +
    '`selector` or FOUNDATION_K8S_SELECTOR to the label that the pods have';
  throw new FoundationConfigError('appName', show(appName), expected);
}

/** `{ strategy, a, b }` and `{ strategy, config: { a, b } }` mean the same. */
function settingsOf(value: object): unknown {
  const { strategy: _strategy, config, ...beside } = value as Record<string, unknown>;
  if (config === undefined) return beside;
  return typeof config === 'object' && config !== null ? { ...beside, ...config } : config;
}

function configOf<N extends StrategyName>(
  strategy: N,
  explicit: unknown,
  { appName, env, machine }: Given,
): StrategyConfig {
  checkSettings(strategy, explicit);
  const named = Object.entries(explicit as object).filter(([, value]) => value !== undefined && value !== null);
  const settings = {
    ...(strategy === 'kubernetes' && machine.podNamespace ? { namespace: machine.podNamespace } : {}),
    ...strategiesFromEnvironment(env)[strategy],
    ...Object.fromEntries(named),
  };
  try {
    checkSettings(strategy, settings);
  } catch (error) {
    // What is explicit has been checked.
    if (!(error instanceof FoundationConfigError)) throw error;
    const variable = variableIn(env, error.option) ?? error.option;
    throw new FoundationConfigError(variable, shownFromEnvironment(error.received), error.expected);
  }
  const translate = TRANSLATE[strategy] as (settings: object) => StrategyConfig;
  return translate({ ...settings, appName });
}
