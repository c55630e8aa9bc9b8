/**
 * Pure: a decorator's or a call's options → what should run.
 * Called by the explorer and the manager; checks everything that can be checked without a cluster.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ResolvedProcessDefaults } from '../config/options.js';
import { processDefaults } from '../config/resolve.js';
import { checkProcessOptions, show } from '../config/shape.js';
import { ArgumentError } from '../errors.js';
import type { PlacementName } from './placement.js';
import type { ProcessOptions } from './process.decorators.js';

/** What should run, complete: it travels as JSON and is the same on every node. */
export interface ProcessSpec {
  name: string;
  /** Name of the class; each node finds its own class by it. */
  type: string;
  /** True for a decorated class, which members list; false for one that was started by a call. */
  declared: boolean;
  args: unknown[];
  options: ResolvedProcessDefaults;
  placement: PlacementName;
}

/** What a decorator or a call says. */
export interface SpecRequest {
  /** For errors: `@Singleton PriceFeed`, `startSingleton(PriceFeed)`. */
  subject: string;
  type: string;
  declared: boolean;
  options: ProcessOptions;
  args: unknown;
}

/**
 * Builds the spec.
 *
 * @throws FoundationConfigError for an option, `ArgumentError` for the name, the placement or the arguments.
 */
export function specOf(request: SpecRequest, defaults: ResolvedProcessDefaults): ProcessSpec {
  const { subject, type, declared, options, args } = request;
  const { name = type, placement = 'spread', ...rest } = options;
  checkProcessOptions(rest, subject);
  checkName(name, subject);
  if (placement !== 'spread' && placement !== 'hash') {
    throw new ArgumentError(subject, 'placement', show(placement), `'spread' or 'hash'`);
  }
  return { name, type, declared, args: jsonCopy(args, subject), options: processDefaults(rest, defaults), placement };
}

/** Names go into Redis keys and logs, so they are one line of up to 200 characters. */
export function checkName(name: unknown, subject: string): asserts name is string {
  const valid = typeof name === 'string' && name.length > 0 && name.length <= 200 && !/\p{Cc}/u.test(name);
  if (!valid) throw new ArgumentError(subject, 'name', show(name), '1 to 200 characters without control characters');
}

/** The arguments as every node will see them. What JSON changes would be a difference between nodes, so it is refused. */
function jsonCopy(args: unknown, subject: string): unknown[] {
  if (!Array.isArray(args)) throw new ArgumentError(subject, 'args', show(args), 'an array');
  let copy: unknown;
  try {
    copy = JSON.parse(JSON.stringify(args));
  } catch {
    copy = undefined;
  }
  if (Array.isArray(copy)) {
    const changed = args.findIndex((value, index) => !isDeepStrictEqual(value, copy[index]));
    if (changed < 0) return copy;
    throw new ArgumentError(subject, `args[${changed}]`, show(args[changed]), JSON_VALUE);
  }
  throw new ArgumentError(subject, 'args', 'a value that JSON cannot write', JSON_VALUE);
}

const JSON_VALUE =
  'values that are the same after JSON.parse(JSON.stringify(…)): no Date, Map, undefined, function or class';
