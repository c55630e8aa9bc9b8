/**
 * The configuration that 1.x starts with: defaults, the application's over them, then whole sections in their places.
 */
import { FoundationConfigError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import { isObject } from '../../wire/decode.js';
import { parseJson } from '../../wire/json.js';
import type { V1Options } from '../v1.options.js';
import type { V1Config } from './config.defaults.js';
import { validateConfig } from './config.rules.js';
import { frozen, merged } from './config.tree.js';

/** @throws FoundationConfigError for a configuration that is not valid. */
export function startConfig(defaults: V1Config, { config, overrides }: V1Options): V1Config {
  const known = Object.entries(recordOf('config', config)).filter(([section]) => Object.hasOwn(defaults, section));
  const start = {
    ...(merged(copyOf(defaults), Object.fromEntries(known)) as V1Config),
    ...recordOf('overrides', overrides),
  };
  const wrong = validateConfig(start);
  if (wrong === undefined) return frozen(start);
  const { code, message } = wrong.error;
  throw new FoundationConfigError('FoundationV1Module', `${message} (${code})`, 'a configuration that 1.x takes');
}

function recordOf(option: string, value: unknown = {}): Record<string, unknown> {
  const copy = copyOf(value);
  if (isObject(copy)) return copy;
  throw new FoundationConfigError(`FoundationV1Module ${option}`, show(value), 'an object that JSON can write');
}

/** Of ours alone, so that it can be frozen; `undefined` for what JSON cannot write. */
function copyOf(value: unknown): unknown {
  try {
    return parseJson(JSON.stringify(value));
  } catch {
    return undefined;
  }
}
