/**
 * Pure: a decorator's or a call's options → what should run.
 * Called by the explorer and the manager; checks everything that can be checked without a cluster.
 */
import { isDeepStrictEqual } from 'node:util';
import type { CallMarks } from '../../calls/call.marks.js';
import { looksLikeSlot, type ProcessCount, type ProcessKind } from '../../cluster/slot.names.js';
import type { ResolvedProcessDefaults } from '../../config/config.js';
import { processDefaults } from '../../config/resolve.js';
import { checkProcessOptions, isLabels } from '../../config/validate.js';
import { ArgumentError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import { isOptions } from '../../foreign/given.options.js';
import { isName } from '../../wire/names.js';
import type { Placement } from '../placement/placement.exclusion.js';
import type { ProcessOptions, RebalanceName } from './process.decorators.js';

/** What should run, complete: it travels as JSON and is the same on every node. */
export interface ProcessSpec {
  name: string;
  /** Name of the class; each node finds its own class by it. */
  type: string;
  /** True for a decorated class, which members list; false for one that was started by a call. */
  declared: boolean;
  kind: ProcessKind;
  count: ProcessCount;
  args: unknown[];
  options: ResolvedProcessDefaults;
  placement: Placement;
  /** The predecessor may leave a state on a planned move. */
  handoff: boolean;
  /** Moves to a node that suits better when one joins. */
  rebalance: RebalanceName;
  /**
   * What `@Callable()` says of its methods, for callers that do not have the class. Not in the declaration that nodes
   * have to agree about. Absent where it says nothing, and in rows that the version before has written.
   */
  marks?: CallMarks;
}

/** What a decorator or a call says. */
export interface SpecRequest {
  /** For errors: `@Singleton PriceFeed`, `startSingleton(PriceFeed)`. */
  subject: string;
  type: string;
  declared: boolean;
  kind: ProcessKind;
  count: ProcessCount;
  options: ProcessOptions;
  args: unknown;
  marks?: CallMarks | undefined;
}

/**
 * Builds the spec.
 *
 * @throws FoundationConfigError for an option, `ArgumentError` for the name, the placement or the arguments.
 */
export function specOf(request: SpecRequest, defaults: ResolvedProcessDefaults): ProcessSpec {
  const { subject, type, declared, kind, count, options, args, marks } = request;
  const partitioned = kind === 'partitioned';
  const {
    name = type,
    placement = partitioned ? 'hash' : 'spread',
    handoff = false,
    // Replicas are told apart by where the others are, which a look at the loads does not see.
    rebalance = kind === 'replicated' ? 'off' : 'on-join',
    ...rest
  } = options;
  checkProcessOptions(rest, subject, [...TAKEN_OUT, ...COUNTED_BY[kind], ...(declared ? ['args'] : [])]);
  checkName(name, subject);
  if (looksLikeSlot(name))
    throw new ArgumentError(subject, 'name', show(name), 'a name without #, / or @ before its end');
  if (typeof handoff !== 'boolean') throw new ArgumentError(subject, 'handoff', show(handoff), 'true or false');
  if (rebalance !== 'off' && rebalance !== 'on-join') {
    throw new ArgumentError(subject, 'rebalance', show(rebalance), `'off' or 'on-join'`);
  }
  return {
    name,
    type,
    declared,
    kind,
    count: checkCount(kind, count, subject),
    args: jsonCopy(args, subject),
    options: processDefaults(rest, defaults),
    placement: placementOf(placement, subject),
    handoff,
    rebalance,
    ...(marks === undefined ? {} : { marks }),
  };
}

/** Options that are no defaults of the module, for the error about one that is not known. */
const TAKEN_OUT = ['name', 'placement', 'handoff', 'rebalance'];
/** The option that says how many. */
const COUNTED_BY: Readonly<Record<ProcessKind, readonly string[]>> = {
  singleton: [],
  replicated: ['replicas'],
  partitioned: ['partitions'],
};

/** More than this on one name is a mistake: every one of them is a lease that is renewed. */
const MAX_COUNT = 4096;

/** What arguments may be long as JSON, in characters: every node has a copy, and reads it in one go. */
export const MAX_ARGS_SIZE = 1_048_576;

/** True for a number that a process of this kind can have. */
export function isCount(kind: ProcessKind, count: unknown): count is ProcessCount {
  if (count === 'all') return kind === 'replicated';
  return Number.isSafeInteger(count) && Number(count) >= 1 && Number(count) <= (kind === 'singleton' ? 1 : MAX_COUNT);
}

function checkCount(kind: ProcessKind, count: ProcessCount, subject: string): ProcessCount {
  if (isCount(kind, count)) return count;
  const argument = kind === 'replicated' ? 'replicas' : 'partitions';
  throw new ArgumentError(
    subject,
    argument,
    show(count),
    `a whole number from 1 to ${MAX_COUNT}${kind === 'replicated' ? `, or 'all'` : ''}`,
  );
}

function placementOf(placement: unknown, subject: string): Placement {
  const given: Record<string, unknown> = isOptions(placement) ? { ...placement } : { strategy: placement };
  const { strategy = 'spread', labels = {}, ...rest } = given;
  const isKnown = (strategy === 'spread' || strategy === 'hash') && isLabels(labels) && Object.keys(rest).length === 0;
  if (isKnown) return { strategy, labels: { ...labels } };
  throw new ArgumentError(subject, 'placement', show(placement), `'spread', 'hash' or { strategy, labels }`);
}

/** Names go into Redis keys and logs, so they are one line of up to 200 characters. */
export function checkName(name: unknown, subject: string): asserts name is string {
  if (!isName(name)) throw new ArgumentError(subject, 'name', show(name), '1 to 200 characters in one line');
}

/**
 * The arguments as every node will see them. What JSON changes would be a difference between nodes, so it is refused.
 */
function jsonCopy(args: unknown, subject: string): unknown[] {
  if (!Array.isArray(args)) throw new ArgumentError(subject, 'args', show(args), 'an array');
  let copy: unknown;
  let size = 0;
  try {
    const text = JSON.stringify(args);
    size = text.length;
    copy = JSON.parse(text);
  } catch {
    copy = undefined;
  }
  if (size > MAX_ARGS_SIZE) {
    const expected = `at most ${MAX_ARGS_SIZE} characters as JSON; hand over where the data is instead`;
    throw new ArgumentError(subject, 'args', `${size} characters`, expected);
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

/** True when both say the same of what should run, whatever their names and where they stand. */
export function sameSpec(a: ProcessSpec, b: ProcessSpec): boolean {
  const parts = ({
    type,
    declared,
    kind,
    count,
    args,
    options,
    placement,
    handoff,
    rebalance,
  }: ProcessSpec): unknown[] => [...[type, declared, kind, count, args], ...[options, placement, handoff, rebalance]];
  return isDeepStrictEqual(parts(a), parts(b));
}
