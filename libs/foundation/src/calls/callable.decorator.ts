/**
 * Marks a method that other nodes may call. Sets metadata and nothing else; the calls read it.
 */
import { markMethod } from '../decorated.js';
import { KEYS } from '../enhancers/enhancer.metadata.js';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { givenOptions, givenTime } from '../foreign/given.options.js';
import { checkSchema, type Schema } from '../schemas/payload.js';
import type { Duration } from '../time/duration.js';

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
 * The result may come in a promise or an Observable, which is subscribed and whose last value is the result; a
 * generator is refused, and the call fails.
 *
 * The stop of the process waits for calls under way, for `stopTimeout` at most. So the stop, restart or move of its own
 * process that a method asks for resolves at once, and happens when the method has ended.
 *
 * The options hold for every caller, also those that do not have the class: they travel with the process or service, at
 * most 100 methods with options a class.
 *
 * A method that overrides a marked one has its mark, unless that one has guards, pipes, interceptors or filters: then
 * it needs them, and the mark, itself.
 *
 * @throws ArgumentError for an option that is not valid or not known; DeclarationError on a static method, on what is
 *   no method, and on a method that has one already.
 */
export function Callable(options: CallableOptions = {}): MethodDecorator {
  return markMethod(CALLABLE_METADATA, '@Callable', (place) => markFrom(`@Callable() ${place}`, options));
}

const CALLABLE = ['idempotent', 'timeout', 'args'] as const;

function markFrom(subject: string, options: unknown): CallableMark {
  const { idempotent, timeout, args } = givenOptions<CallableOptions>(subject, options, CALLABLE);
  if (idempotent !== undefined && typeof idempotent !== 'boolean') {
    throw new ArgumentError(subject, 'idempotent', show(idempotent), 'true or false');
  }
  if (args !== undefined) checkArgs(subject, args);
  return {
    ...(args === undefined ? {} : { args: [...(args as (Schema | undefined)[])] }),
    ...(idempotent === undefined ? {} : { idempotent }),
    // Whole: a half of a millisecond is nothing that a timer knows.
    ...(timeout === undefined ? {} : { timeout: Math.ceil(givenTime(subject, 'timeout', timeout)) }),
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

/**
 * The mark of a method, or of the one that it overrides; `undefined` when it is not callable, inherited from `Object`
 * or not a method at all. A method that overrides a guarded one is not callable without a mark of its own: Nest finds
 * guards on the method itself, so it would be without.
 */
export function callableOf(prototype: unknown, method: string): CallableMark | undefined {
  const [own, marked] = methodsOf(prototype, method);
  if (marked === undefined || (marked !== own && isGuarded(marked))) return undefined;
  return markOn(marked);
}

/** True for a method without a mark that overrides a callable one with guards, pipes, interceptors or filters. */
export function dropsGuards(prototype: unknown, method: string): boolean {
  const [own, marked] = methodsOf(prototype, method);
  return marked !== undefined && marked !== own && isGuarded(marked);
}

/** Those that were read: metadata is looked up in maps of maps, and each call asks several times. */
const marks = new WeakMap<object, CallableMark>();

/** A mark stays as it is; a method without one may get one. */
function markOn(method: object): CallableMark | undefined {
  const known = marks.get(method);
  if (known !== undefined) return known;
  const mark = Reflect.getMetadata(CALLABLE_METADATA, method) as CallableMark | undefined;
  if (mark !== undefined) marks.set(method, mark);
  return mark;
}

function isGuarded(method: object): boolean {
  return KEYS.some((key) => Reflect.hasMetadata(key, method));
}

/**
 * A method by its name, and the one with the mark that it is or overrides; without running a getter that a caller names
 * from afar.
 */
function methodsOf(prototype: unknown, method: string): [own: object | undefined, marked: object | undefined] {
  let own: object | undefined;
  for (let each = prototype; typeof each === 'object' && each !== null; each = Object.getPrototypeOf(each) as unknown) {
    const descriptor = Object.getOwnPropertyDescriptor(each, method);
    if (descriptor === undefined) continue;
    const value: unknown = descriptor.value;
    if (typeof value !== 'function') break;
    own ??= value;
    if (markOn(value) !== undefined) return [own, value];
  }
  return [own, undefined];
}
