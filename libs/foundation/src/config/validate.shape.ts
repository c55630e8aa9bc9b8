/**
 * How options are held to a shape of class-validator: the rules that shapes are made of, the check, and its error.
 */
import {
  IsInt,
  IsOptional,
  Max,
  Min,
  ValidateBy,
  ValidateNested,
  validateSync,
  type ValidationError,
} from 'class-validator';
import { FoundationConfigError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { isOptions } from '../foreign/given.options.js';
import { parseDuration } from '../time/duration.js';

/** A day. */
const MAX_TIME_MS = 86_400_000;

/**
 * A time: whole milliseconds, as a number or as a {@link Duration} such as '30s'. With `infinite` also the word for
 * none.
 */
export const duration = (min: number, max = MAX_TIME_MS, infinite = false): PropertyDecorator => {
  const message =
    `milliseconds from ${min} to ${max}, as a whole number or with a unit such as '500ms', '30s' or '5m'` +
    (infinite ? `, or 'infinity'` : '');
  const validate = (value: unknown): boolean => {
    // Of these, `null` is no time: it would be unclear whether it means none, or the default.
    if (infinite && (value === 'infinity' || value === undefined)) return true;
    const ms = parseDuration(value);
    return Number.isInteger(ms) && ms! >= min && ms! <= max;
  };
  return (target, key) => {
    if (!infinite) IsOptional()(target, key);
    ValidateBy({ name: 'duration', validator: { validate } }, { message })(target, key);
  };
};

/** More of anything is a mistake; and as many seconds are still a time that Redis can keep. */
export const MAX_COUNT_OPTION = 1_000_000_000;

/** A whole number. */
export const count = (min: number): PropertyDecorator => {
  const message = `a whole number, ${min} or more, at most ${MAX_COUNT_OPTION}`;
  return (target, key) => {
    IsOptional()(target, key);
    IsInt({ message })(target, key);
    Min(min, { message })(target, key);
    Max(MAX_COUNT_OPTION, { message })(target, key);
  };
};

/** A port; 0 where it may be any. */
export const port = (min: 0 | 1): PropertyDecorator => {
  const message = `a port from ${min}${min === 0 ? ' (any)' : ''} to 65535`;
  return (target, key) => {
    IsOptional()(target, key);
    IsInt({ message })(target, key);
    Min(min, { message })(target, key);
    Max(65_535, { message })(target, key);
  };
};

type Shape = new () => object;

/** The shapes of the properties that are objects themselves, by the shape that they are in. */
const INNER = new WeakMap<object, Map<string, Shape>>();

/** An object of options, as `isOptions` has them. */
export const optionsObject = (message: string): PropertyDecorator =>
  ValidateBy({ name: 'options', validator: { validate: isOptions } }, { message });

/** An object with a shape of its own. */
export const shapedAs = (shape: Shape, message = 'an object'): PropertyDecorator => {
  return (target, key) => {
    IsOptional()(target, key);
    optionsObject(message)(target, key);
    ValidateNested()(target, key);
    const inner = INNER.get(target.constructor) ?? new Map<string, Shape>();
    INNER.set(target.constructor, inner.set(String(key), shape));
  };
};

/**
 * Throws for the first property of `value` that breaks a rule of `shape` or is not in it; `path` begins the option's
 * name.
 *
 * @param others options that the caller takes out of `value` and checks by itself: known as well.
 */
export function checkShape(shape: Shape, value: unknown, path: string, others: readonly string[] = []): void {
  if (!isOptions(value)) {
    throw new FoundationConfigError(path.slice(0, -1) || 'options', showOption(path, value), 'an object');
  }
  const errors = errorsOf(shaped(shape, value, path), () => {
    const unread = [...(INNER.get(shape)?.keys() ?? [])].find((key) => value[key] != null && !isOptions(value[key]));
    return new FoundationConfigError(`${path}${unread ?? ''}` || 'options', 'what cannot be read', 'an object');
  });
  const first = errors[0];
  if (first !== undefined) throw toConfigError(first, path, shape, others);
}

/** class-validator goes into lists and maps in the place of an object as well, and fails at keys that are no texts. */
function errorsOf(shaped: object, unreadable: () => FoundationConfigError): ValidationError[] {
  try {
    return validateSync(shaped, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: false });
  } catch {
    throw unreadable();
  }
}

/** class-validator passes over the first of these, and takes the second for the class whose rules it goes by. */
const UNCHECKED = ['__proto__', 'constructor'] as const;

/** class-validator looks rules up by class, so plain objects become instances first. */
function shaped(shape: Shape, plain: Record<string, unknown>, path: string): object {
  const unchecked = UNCHECKED.find((name) => Object.hasOwn(plain, name));
  if (unchecked !== undefined) throw new FoundationConfigError(`${path}${unchecked}`, 'a value', 'no such option');
  const instance = new shape() as Record<string, unknown>;
  for (const [key, value] of Object.entries(plain)) {
    const inner = INNER.get(shape)?.get(key);
    Object.defineProperty(instance, key, {
      value: inner !== undefined && isOptions(value) ? shaped(inner, value, `${path}${key}.`) : value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return instance;
}

function toConfigError(
  error: ValidationError,
  path: string,
  shape: Shape,
  others: readonly string[] = [],
): FoundationConfigError {
  const child = error.children?.[0];
  if (child !== undefined) {
    return toConfigError(child, `${path}${error.property}.`, INNER.get(shape)?.get(error.property) ?? shape);
  }
  const constraints = error.constraints ?? {};
  const isUnknown = 'whitelistValidation' in constraints;
  const expected = isUnknown
    ? `no such option (known here: ${[...others, ...Object.keys(new shape())].join(', ')})`
    : (Object.values(constraints)[0] ?? 'another value');
  // What has no place may be anything: a secret under a word that is spelt wrong.
  const received = isUnknown ? kindOf(error.value) : showOption(`${path}${error.property}`, error.value);
  return new FoundationConfigError(`${path}${error.property}`, received, expected);
}

/** URLs, and whatever is called or near something secret, are shown by their type only. */
function showOption(path: string, value: unknown): string {
  const isSecret = /redis|url|pass|secret|cookie|token|key|^(?:cluster|redlock|queue)$|^security(?:\.|$)/i.test(path);
  return isSecret ? kindOf(value) : show(value);
}

/** What a value is, without the value. */
function kindOf(value: unknown): string {
  if (value === null) return 'null';
  const kind = Array.isArray(value) ? 'array' : typeof value;
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** Numbers and single words: what a mistake looks like, and no secret and no URL does. */
const HARMLESS = /^(?:"[A-Za-z.,=-]{0,20}"|"[\w.,=-]{0,8}"|-?[\d.]{1,20}|NaN|null|true|false)(?: \(\w+\))?$/;

/**
 * What an error shows of a value that comes out of the environment, where a secret may be in any variable by mistake.
 */
export function shownFromEnvironment(received: string): string {
  return HARMLESS.test(received) || /^(?:an? \w+|nothing)$/.test(received) ? received : 'another text';
}
