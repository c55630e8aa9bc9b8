/**
 * Words for what is not ours: what users throw, reject with, abort with or name, and what libraries throw.
 * Called by every room. Nothing in here ever throws, and nothing comes out longer than its limit.
 */
import { types } from 'node:util';

/** The longest text of an error, in characters, in a row, a record, an event, a log or on the wire. */
export const MAX_WORDS = 1000;
/** The longest name or code of an error, which are words of programs. */
const MAX_NAME = 100;
/** The longest stack that travels: that of an error with the longest text and the ten calls that V8 keeps. */
const MAX_STACK = 4000;
/** An error and what caused it, and so on, up to this many. */
const MAX_CAUSES = 3;
const CAUSED = '\nCaused by: ';
/** What is said of a value of many parts: up to this many errors of an AggregateError, or values of an object. */
const MAX_PARTS = 10;
const MAX_VALUES = 1000;
/** AggregateErrors in AggregateErrors; one may hold itself. */
const MAX_DEPTH = 3;
const UNREADABLE = 'something that cannot be read';

/**
 * What moves a cursor or colours a terminal. Names and reasons come from Redis and from other nodes; lines of ours
 * stay.
 */
// eslint-disable-next-line no-control-regex -- these are what must not get through
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+/g;

/** The fields of an error that are shown. */
export interface ErrorWords {
  name: string;
  message: string;
  code?: string;
  stack?: string;
}

/** A text without control characters, cut to `limit` characters; what was cut ends with an ellipsis. */
export function plain(text: string, limit = MAX_WORDS): string {
  // Cut first: what is 5 MB long is not searched.
  const cut = text.length > limit ? `${whole(text.slice(0, limit - 1))}…` : text;
  return cut.replace(CONTROLS, ' ');
}

/** The same on one line. */
export function oneLine(text: string, limit = MAX_WORDS): string {
  return plain(text, limit).replace(/[\n\t]/g, ' ');
}

/** The one-line text of anything that was thrown: at most {@link MAX_WORDS} characters. */
export function describe(thrown: unknown): string {
  return plain(wordsOf(thrown, MAX_DEPTH));
}

/** Whether it is an error, also one of another realm, which `instanceof` does not know. */
export function isError(thrown: unknown): thrown is Error {
  return types.isNativeError(thrown) || isA(thrown, Error);
}

/** As `instanceof`, which throws for a revoked proxy and for a trap that throws. */
export function isA<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** It itself where it is an error, else an error with its words. */
export function asError(thrown: unknown): Error {
  return isError(thrown) ? thrown : new Error(describe(thrown));
}

/** Name, message and code of anything that was thrown, and its stack: each cut, each a text. */
export function errorWords(thrown: unknown): ErrorWords {
  const message = plain(isError(thrown) ? messageOf(thrown) : ownWords(thrown));
  if (!isError(thrown)) return { name: 'Error', message };
  const [name, code, stack] = ['name', 'code', 'stack'].map((key) => read(thrown, key));
  return {
    name: typeof name === 'string' && name !== '' ? plain(name, MAX_NAME) : 'Error',
    message,
    ...(typeof code === 'string' || typeof code === 'number' ? { code: plain(String(code), MAX_NAME) } : {}),
    ...(typeof stack === 'string' ? { stack: plain(stack, MAX_STACK) } : {}),
  };
}

/**
 * The stack of what user code threw, with those of its causes: at most `limit` characters in all, of which each has an
 * equal share. Undefined for what is no error.
 */
export function stackOf(thrown: unknown, limit = MAX_CAUSES * MAX_STACK): string | undefined {
  const stacks: string[] = [];
  for (const each of causesOf(thrown)) {
    if (!isError(each)) break;
    const { name, message, stack } = errorWords(each);
    stacks.push(stack ?? `${name}: ${message}`);
  }
  const share = Math.floor(limit / stacks.length) - CAUSED.length;
  return stacks.length === 0 ? undefined : stacks.map((stack) => plain(stack, share)).join(CAUSED);
}

/** The words of what was thrown and of its causes, each once: `fetch failed: connect ECONNREFUSED`. */
export function describeWithCauses(thrown: unknown): string {
  const words = new Set<string>();
  for (const each of causesOf(thrown, MAX_CAUSES + 1)) {
    const message = read(each, 'message');
    words.add(typeof message === 'string' && message !== '' ? plain(message) : describe(each));
  }
  return [...words].join(': ');
}

/** It itself, its cause, the cause of that, and so on. */
function causesOf(thrown: unknown, limit = MAX_CAUSES): unknown[] {
  const causes: unknown[] = [];
  for (let each = thrown; each !== undefined && causes.length < limit; each = read(each, 'cause')) causes.push(each);
  return causes;
}

/** A property of an unchecked value; undefined where there is none, or where reading it throws. */
export function read(value: unknown, key: string): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** A value as JSON where it can be, else as a text; cut to `limit` characters. */
export function shown(value: unknown, limit = MAX_WORDS): string {
  return plain(numberOf(value) ?? jsonOf(value) ?? textOf(value), limit);
}

/** A number as it is written in code: JSON makes `null` of what is not finite, and loses the sign of zero. */
function numberOf(value: unknown): string | undefined {
  if (typeof value !== 'number') return undefined;
  return Object.is(value, -0) ? '-0' : String(value);
}

function wordsOf(thrown: unknown, depth: number): string {
  // What ioredis adds to EXECABORT, which says itself only that a transaction was given up. When a connection breaks,
  // all commands of a transaction fail with one error, which so has itself among them.
  const others = listOf(read(thrown, 'previousErrors')).filter((each) => each !== thrown);
  if (depth > 0 && others.length > 0) return others.map((each) => wordsOf(each, 0)).join('; ');
  if (!isError(thrown)) return typeof thrown === 'string' ? thrown : (jsonOf(thrown) ?? textOf(thrown));
  const errors = listOf(read(thrown, 'errors'));
  if (depth > 0 && errors.length > 0 && read(thrown, 'message') === '') {
    return errors.map((each) => plain(wordsOf(each, depth - 1))).join('; ');
  }
  return messageOf(thrown);
}

/** Some of the entries of an array of others. */
function listOf(value: unknown): unknown[] {
  try {
    return Array.isArray(value) ? value.slice(0, MAX_PARTS) : [];
  } catch {
    return [];
  }
}

function messageOf(error: Error): string {
  const message = read(error, 'message');
  if (typeof message === 'string' && message !== '') return message;
  const name = read(error, 'name');
  if (message === undefined || message === '') return typeof name === 'string' && name !== '' ? name : 'Error';
  return jsonOf(message) ?? textOf(message);
}

/** What it says of itself, where it says more than what kind of thing it is. */
function ownWords(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return textOf(thrown);
  try {
    // eslint-disable-next-line @typescript-eslint/no-base-to-string -- what it says, if anything
    const text = String(thrown);
    if (!text.startsWith('[object ')) return text;
  } catch {
    // It is described instead.
  }
  return jsonOf(thrown) ?? textOf(thrown);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'function') {
    const name = read(value, 'name');
    return `a function (${typeof name === 'string' && name !== '' ? name : 'anonymous'})`;
  }
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    return Object.prototype.toString.call(value);
  } catch {
    return UNREADABLE;
  }
}

/** Undefined for what JSON cannot write, and for what has more values than anybody reads. */
function jsonOf(value: unknown): string | undefined {
  if (typeof value === 'function') return undefined;
  let left = MAX_VALUES;
  try {
    return JSON.stringify(value, (_key, each: unknown) => {
      if ((left -= 1) < 0) throw new RangeError('too many values');
      return typeof each === 'string' ? each.slice(0, MAX_WORDS) : each;
    });
  } catch {
    return undefined;
  }
}

/** Without half of a character at its end. */
function whole(text: string): string {
  return /[\ud800-\udbff]$/.test(text) ? text.slice(0, -1) : text;
}

/** What comes before the `@` of a URL, or of its place without a scheme. */
function withoutPasswords(text: string): string {
  return text.replace(/\/\/[^\s"]*@/g, '//…@').replace(/[^\s"/,@]+:[^\s"/,@]*@/g, '…@');
}

/** What was given as a name, in quotes and cut: it may be anything, of any length. */
export function quoted(name: unknown): string {
  return `"${plain(typeof name === 'string' ? name : shown(name), 80)}"`;
}

/** What keeps what it has where JSON does not look: a `Map`, a promise, a signal. */
function kindOf(value: unknown): string | undefined {
  const kind = typeof value === 'object' && value !== null ? textOf(value) : '';
  return kind !== '[object Object]' && kind.startsWith('[object ') && jsonOf(value) === '{}' ? kind : undefined;
}

/** A value as text for an error, cut to 80 characters. */
export function show(value: unknown): string {
  // A password is hidden before the text is cut, which might leave half of it.
  const text = plain(withoutPasswords(kindOf(value) ?? shown(value)), 80);
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint') return text;
  return `${text} (${value === null ? 'null' : typeof value})`;
}
