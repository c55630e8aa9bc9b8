/**
 * Marks a method that other nodes may call. Sets metadata and nothing else; the calls read it.
 */
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { givenTime } from '../foreign/given.times.js';
import { checkSchema, type Schema } from '../schemas/payload.js';
import type { Duration } from '../time/duration.js';
import { isObject } from '../wire/decode.js';

/** Metadata key; `Symbol.for`, so that two copies of the package see each other's marks. */
export const CALLABLE_METADATA = Symbol.for('foundation:callable');

/** The options as they are kept: checked, and the time in milliseconds. */
export interface CallableMark {
  idempotent?: boolean;
  timeout?: Duration;
  args?: readonly (Schema | undefined)[];
}

/** Options of {@link Callable}. */
export interface CallableOptions {
  /** True: running it twice does no harm, so a call whose outcome is unknown is sent once more. Default false. */
  idempotent?: boolean;
  /** How long a call of this method may take; a call may say otherwise. Default `calls.timeout`. */
  timeout?: Duration;
  /**
   * What the arguments have to be, by position: a class with decorators of class-validator, or a schema of zod,
   * valibot, arktype or another library with Standard Schema; `undefined` for one that may be anything, and so may
   * those after the last. The method gets what the schema makes of them; otherwise the caller gets a `RemoteError` with
   * the code `FOUNDATION_INVALID_ARGUMENTS`. At most 16.
   */
  args?: readonly (Schema | undefined)[];
}

/**
 * Lets callers on every node call the method: `ref.call('method', …)`, `ref.remote.method(…)`.
 *
 * Underneath: JSON over PUBLISH to the owner's inbox; arguments and result must survive JSON. A method without this
 * mark cannot be called from outside.
 *
 * The stop of the process waits for calls under way, for `stopTimeout` at most. So the stop, restart or move of its own
 * process that a method asks for resolves at once, and happens when the method has ended.
 *
 * The options hold for every caller, also those that do not have the class: they travel with the process or service, at
 * most 100 methods with options a class.
 *
 * @throws ArgumentError for an unknown option.
 */
export function Callable(options: CallableOptions = {}): MethodDecorator {
  return (target, key, descriptor) => {
    const subject = `@Callable() ${target.constructor.name}.${String(key)}`;
    Reflect.defineMetadata(CALLABLE_METADATA, markFrom(subject, options), descriptor.value as object);
  };
}

function markFrom(subject: string, options: unknown): CallableMark {
  if (!isObject(options)) throw new ArgumentError(subject, 'options', show(options), 'an object');
  const { idempotent, timeout, args } = options;
  if (idempotent !== undefined && typeof idempotent !== 'boolean') {
    throw new ArgumentError(subject, 'idempotent', show(idempotent), 'true or false');
  }
  if (args !== undefined) checkArgs(subject, args);
  return {
    ...(args === undefined ? {} : { args: [...(args as (Schema | undefined)[])] }),
    ...(idempotent === undefined ? {} : { idempotent }),
    // Whole: a half of a millisecond is nothing that a timer knows.
    ...(timeout === undefined ? {} : { timeout: Math.ceil(givenTime(subject, 'timeout', timeout as Duration)) }),
  };
}

/** More arguments than a method has that somebody can read. */
const MAX_SCHEMAS = 16;

function checkArgs(subject: string, args: unknown): void {
  if (!Array.isArray(args) || args.length > MAX_SCHEMAS) {
    throw new ArgumentError(subject, 'args', show(args), `a list of at most ${MAX_SCHEMAS} schemas`);
  }
  for (const [index, schema] of args.entries()) {
    if (schema !== undefined) checkSchema(subject, `args[${index}]`, schema);
  }
}

/** The mark of a method; `undefined` when it is not callable, inherited from `Object` or not a method at all. */
export function callableOf(prototype: unknown, method: string): CallableMark | undefined {
  const target = methodOf(prototype, method);
  return typeof target === 'function'
    ? (Reflect.getMetadata(CALLABLE_METADATA, target) as CallableMark | undefined)
    : undefined;
}

/** A method by its name, inherited ones included, without running a getter that a caller names from afar. */
function methodOf(prototype: unknown, method: string): unknown {
  for (let each = prototype; typeof each === 'object' && each !== null; each = Object.getPrototypeOf(each)) {
    const descriptor = Object.getOwnPropertyDescriptor(each, method);
    if (descriptor !== undefined) return descriptor.value;
  }
  return undefined;
}
