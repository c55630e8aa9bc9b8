/**
 * Pure: what `@Callable()` says of the methods of a class, as it travels to callers that do not have the class.
 * Written into the rows of processes and services by nodes with the class; nodes of the version before leave it out.
 */
import { ArgumentError } from '../errors/config.errors.js';
import { LONGEST_TIMER_MS, parseDuration } from '../time/duration.js';
import { ifRight, map, oneOf, partOf, record, text, whole } from '../wire/decode.js';
import { MAX_WORD } from './call.codec.js';
import { type CallableMark, callableOf } from './callable.decorator.js';

/** What a caller has to know of a method before it calls. */
export interface CallMark {
  idempotent?: true;
  /** Milliseconds. */
  timeout?: number;
}

/** By method; those that are only callable are not in it. */
export type CallMarks = Readonly<Record<string, CallMark>>;

/** So many methods with options one class may have: they are in a row that every node keeps. */
export const MAX_CALL_MARKS = 100;

const readAll = map<CallMark>(
  record<CallMark>({ idempotent: ifRight(oneOf(true)), timeout: ifRight(whole(LONGEST_TIMER_MS, 1)) }),
  MAX_CALL_MARKS,
  text(MAX_WORD),
);

/** Reads them from a row; a call is not lost for marks that cannot be read. */
export function readMarks(value: unknown): CallMarks | undefined {
  const marks = readAll(value);
  return marks && { ...marks };
}

/**
 * The marks of a class, inherited ones included; `undefined` when no method has any.
 *
 * @throws ArgumentError for a class with more than {@link MAX_CALL_MARKS}.
 */
export function marksOf(prototype: unknown, subject: string): CallMarks | undefined {
  const marks: Record<string, CallMark> = {};
  for (let each = prototype; isChain(each); each = Object.getPrototypeOf(each) as unknown) {
    for (const method of Object.getOwnPropertyNames(each)) {
      // Of a method that is overridden, the one that runs counts.
      const mark = method === '__proto__' || method.length > MAX_WORD ? undefined : markOf(prototype, method);
      if (mark !== undefined) marks[method] = mark;
    }
  }
  const count = Object.keys(marks).length;
  if (count <= MAX_CALL_MARKS) return count === 0 ? undefined : marks;
  throw new ArgumentError(
    subject,
    '@Callable',
    `${count} methods with "idempotent" or "timeout"`,
    `at most ${MAX_CALL_MARKS} in one class`,
  );
}

/** What marks say of one method. */
export function markIn(marks: CallMarks | undefined, method: string): CallMark | undefined {
  return partOf(marks, method) as CallMark | undefined;
}

/** The mark of one method; `undefined` for one that is callable and nothing more. */
export function markOf(prototype: unknown, method: string): CallMark | undefined {
  return toCallMark(callableOf(prototype, method));
}

/** What a caller has to know of what `@Callable()` says. */
export function toCallMark({ idempotent = false, timeout: given }: CallableMark = {}): CallMark | undefined {
  // The mark may be of another copy of the package, which keeps the time as it was given.
  const timeout = parseDuration(given);
  if (!idempotent && timeout === undefined) return undefined;
  return { ...(idempotent ? { idempotent } : {}), ...(timeout === undefined ? {} : { timeout }) };
}

function isChain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && value !== Object.prototype;
}
