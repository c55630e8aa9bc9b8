/**
 * What an application has travel with its messages and calls: values of the context in which one is sent, for the one
 * in which it is handled. Asked by channels and calls; underneath the two functions of the option `context`.
 */
import { ArgumentError } from '../errors/config.errors.js';
import { describe, show } from '../errors/describe.js';
import { adopted, isThenable } from '../foreign/gate.js';
import { isObject, map, text } from '../wire/decode.js';

/** Texts by name: at most 16 of at most 64 characters each, 4096 characters in all. */
export type ContextValues = Readonly<Record<string, string>>;

/** What a node sends with a message or a call, and how it handles one. */
export interface ContextOptions {
  /**
   * Asked for each message and call when it is sent, within the context of the code that sends it: what should travel
   * with it, such as user, tenant and correlation id. Values that are `undefined` are left out. What it throws is the
   * error of the sender; nothing is sent then.
   */
  capture: () => Readonly<Record<string, string | undefined>> | undefined;
  /**
   * Runs a handler or a method with what came with its message or call, which is nothing, `{}`, from a node without
   * this option. It has to call `handler` once. What it throws before that is the failure of the handler.
   *
   * Who may write to Redis may send any values, unless `security.cookie` is set.
   */
  run: (values: ContextValues, handler: () => unknown) => unknown;
}

/** So many values travel. */
export const MAX_VALUES = 16;
/** The longest name of one, in characters. */
export const MAX_NAME = 64;
/** All names and values together, in characters. */
export const MAX_CONTEXT = 4096;

const readAll = map<string>(text(MAX_CONTEXT, 0), MAX_VALUES, text(MAX_NAME));

/** Reads what came with a message or a call; anybody may have sent it. */
export function readContext(value: unknown): ContextValues | undefined {
  const values = readAll(value);
  return values === undefined || sizeOf(values) > MAX_CONTEXT ? undefined : values;
}

const NOTHING: ContextValues = Object.freeze({});

/** See the file header. */
export class ContextHook {
  constructor(private readonly options: ContextOptions | undefined) {}

  /** False when nothing travels, and nothing is run. */
  get isSet(): boolean {
    return this.options !== undefined;
  }

  /**
   * What travels with a message or a call that is sent now.
   *
   * @throws ArgumentError
   */
  capture(subject: string): ContextValues | undefined {
    if (this.options === undefined) return undefined;
    let given: unknown;
    let values: Record<string, unknown> | undefined;
    try {
      given = this.options.capture();
      // Reads it, so what it has may throw.
      const isPromise = isThenable(given);
      if (isPromise) adopted(given).catch(() => undefined);
      values = isObject(given) && !isPromise ? withoutNothing(given) : undefined;
    } catch (error) {
      throw new ArgumentError(subject, 'context.capture', describe(error), 'a function that does not throw', error);
    }
    if (given === undefined) return undefined;
    const read = values && readContext(values);
    // What is too much, or no text, is not left out without a word.
    if (read !== undefined && Object.keys(read).length === Object.keys(values!).length) {
      return Object.keys(read).length === 0 ? undefined : read;
    }
    const expected = `at most ${MAX_VALUES} texts by name, with ${MAX_CONTEXT} characters in all`;
    throw new ArgumentError(subject, 'context.capture', show(given), expected);
  }

  /** Runs what handles a message or a call with what came with it; answers what `work` answers. */
  run<T>(values: ContextValues | undefined, work: () => T): T | Promise<Awaited<T>> {
    if (this.options === undefined) return work();
    let outcome: { value: T } | { error: unknown } | undefined;
    const once = (): T => {
      // It has been told already that the work was not done.
      outcome ??= isOver ? { error: new TypeError(TOO_LATE) } : outcomeOf(work);
      return valueOf(outcome);
    };
    let isOver = false;
    const answer = this.options.run(values ?? NOTHING, once);
    if (outcome !== undefined) {
      // It ends as the work does, so what it rejects with is told already.
      if (isThenable(answer)) adopted(answer).catch(() => undefined);
      return valueOf(outcome);
    }
    const end = (): T => {
      isOver = true;
      if (outcome === undefined) throw new TypeError(NOT_CALLED);
      return valueOf(outcome);
    };
    if (!isThenable(answer)) return end();
    const over = adopted(answer).catch((error: unknown) => {
      isOver = true;
      throw error;
    });
    return over.then(end) as Promise<Awaited<T>>;
  }
}

const NOT_CALLED = 'context.run ended without a call of its handler';
const TOO_LATE = 'context.run called its handler after its end';

function outcomeOf<T>(work: () => T): { value: T } | { error: unknown } {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}

function valueOf<T>(outcome: { value: T } | { error: unknown }): T {
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

function withoutNothing(given: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function sizeOf(values: ContextValues): number {
  return Object.entries(values).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}
