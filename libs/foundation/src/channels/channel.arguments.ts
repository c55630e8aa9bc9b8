/**
 * Pure: checks the options of a call; anything that is not allowed is an error that names the option.
 */
import { ArgumentError } from '../errors/config.errors.js';
import { isA, show } from '../errors/describe.js';
import { givenOptions, isOptions, isSignal } from '../foreign/given.options.js';
import { checkSchema, SCHEMA_EXPECTED } from '../schemas/payload.js';
import { isStandard } from '../schemas/standard.schema.js';
import { parseDuration } from '../time/duration.js';
import { isName } from '../wire/names.js';

type Rule = [expected: string, valid: (value: unknown) => boolean];

const oneOf = (...values: string[]): Rule => [
  values
    .map((value) => `'${value}'`)
    .join(', ')
    .replace(/, ([^,]*)$/, ' or $1'),
  (value) => values.includes(value as string),
];
const whole = (value: unknown, min: number, max: number): boolean =>
  Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;

const PLACE = (...more: string[]): Rule => [
  `an id such as 1700000000000-0, a Date, or ${more.join(' or ')}`,
  (value) =>
    (isA(value, Date) && Number.isFinite(value.getTime())) ||
    (typeof value === 'string' && (/^\d{1,15}(-\d{1,20})?$/.test(value) || more.includes(`'${value}'`))),
];

const TYPE: Rule = ['1 to 200 characters in one line', isName];

const BROADCAST: Readonly<Record<string, Rule>> = {
  type: TYPE,
  priority: oneOf('high', 'normal', 'low'),
  compression: ['true or false', (value) => typeof value === 'boolean'],
  timeout: [
    `a whole number of milliseconds from 1 to 86400000, or a text such as '30s'`,
    (value) => whole(parseDuration(value), 1, 86_400_000),
  ],
};

const GATHER: Readonly<Record<string, Rule>> = {
  type: TYPE,
  priority: BROADCAST['priority']!,
  compression: BROADCAST['compression']!,
  timeout: BROADCAST['timeout']!,
  min: ['a whole number from 1', (value) => whole(value, 1, Number.MAX_SAFE_INTEGER)],
  signal: ['an AbortSignal', isSignal],
};

const ROUTE: Readonly<Record<string, Rule>> = {
  ...BROADCAST,
  channel: ['the name of a channel', (value) => typeof value === 'string'],
};

const SUBSCRIBE: Readonly<Record<string, Rule>> = {
  type: TYPE,
  group: [
    '1 to 128 letters, digits, dots, dashes or underscores',
    (value) => typeof value === 'string' && /^[A-Za-z0-9_.-]{1,128}$/.test(value),
  ],
  from: PLACE(`'0'`, `'$'`),
  payload: [SCHEMA_EXPECTED, (value) => typeof value === 'function' || isStandard(value)],
  onGap: ['a function', (value) => typeof value === 'function'],
  concurrency: ['a whole number from 1 to 10000', (value) => whole(value, 1, 10_000)],
  queue: ['an object { size, policy }', isOptions],
};

const REPLAY: Readonly<Record<string, Rule>> = {
  from: PLACE(`'0'`),
  to: PLACE(),
  type: TYPE,
  payload: SUBSCRIBE['payload']!,
};

const QUEUE: Readonly<Record<string, Rule>> = {
  size: ['a whole number from 1 to 1000000', (value) => whole(value, 1, 1_000_000)],
  policy: oneOf('drop-oldest', 'drop-newest', 'block'),
};

/** @throws ArgumentError */
export function checkBroadcast(call: string, options: unknown): void {
  check(call, options, BROADCAST, '');
}

/** @throws ArgumentError */
export function checkGather(call: string, options: unknown): void {
  check(call, options, GATHER, '');
}

/** @throws ArgumentError */
export function checkRoute(call: string, options: unknown): void {
  check(call, options, ROUTE, '');
}

/** @throws ArgumentError */
export function checkSubscribe(call: string, options: unknown): void {
  check(call, options, SUBSCRIBE, '');
  const { queue, payload } = options as { queue?: unknown; payload?: unknown };
  if (payload !== undefined) checkSchema(call, 'payload', payload);
  if (queue !== undefined) check(call, queue, QUEUE, 'queue.');
}

/** @throws ArgumentError */
export function checkReplay(options: unknown): void {
  check('replay', options, REPLAY, '');
  const { from, payload } = options as { from?: unknown; payload?: unknown };
  if (from === undefined) throw new ArgumentError('replay', 'from', show(from), REPLAY['from']![0]);
  if (payload !== undefined) checkSchema('replay', 'payload', payload);
}

function check(call: string, options: unknown, rules: Readonly<Record<string, Rule>>, path: string): void {
  const known = Object.keys(rules);
  const given = givenOptions<Record<string, unknown>>(call, options, known, path.slice(0, -1) || 'options', path);
  for (const key of known) {
    const [expected, isValid] = rules[key]!;
    const value = given[key];
    if (value !== undefined && !isValid(value)) throw new ArgumentError(call, `${path}${key}`, show(value), expected);
  }
}
