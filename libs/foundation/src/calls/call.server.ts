/**
 * Carries out calls on the instances of this node: checks the epoch, the mark, and how many are at it already.
 * Called by `call.client.ts` for calls of this node and of others.
 */
import { processOf } from '../cluster/slot.names.js';
import type { FoundationConfig } from '../config/config.js';
import { ContextHook } from '../context/context.hook.js';
import type { Enhancers } from '../enhancers/enhancers.js';
import { InvalidArgumentsError } from '../errors/call.errors.js';
import { describe, isA, read } from '../errors/describe.js';
import { FoundationError } from '../errors/foundation.error.js';
import { awaitable, isThenable } from '../foreign/gate.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import { readAs, type Schema } from '../schemas/payload.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { HasFigures } from '../telemetry/work.figures.js';
import type { WorkSeries } from '../telemetry/work.series.js';
import { AnswerLimits, type AnswerWriter, type CallRequest, toWireError, writeAnswer } from './call.codec.js';
import { traced } from './call.tracing.js';
import { type CallableMark, callableOf } from './callable.decorator.js';
import type { Callee, CalleeLookup, CallHost } from './callee.js';
import { HandlerGoneError } from './handler.gone.js';
import { apart } from './waiting.js';

/** What a call was resolved to. */
interface Found {
  instance: Callee;
  target: Record<string, (...values: unknown[]) => unknown>;
  mark: CallableMark;
  /** Nothing for a call of Foundation itself. */
  series: WorkSeries | undefined;
  /** By `performance.now()`. */
  began: number;
}

/** What the server needs. */
export interface CallServerParts {
  readonly config: FoundationConfig;
  readonly lookups: readonly CalleeLookup[];
  readonly telemetry: Pick<Telemetry, 'tracing'> & HasFigures;
  /** What Nest puts around methods; none without an application. */
  readonly enhancers?: Pick<Enhancers, 'around'> | undefined;
}

/** The calls of one process that run and wait. */
interface Gate {
  active: number;
  waiting: (() => void)[];
}

/** So many processes may have a gate that nothing goes through. */
const MAX_IDLE_GATES = 100;
/** Of partitions and replicas there may be more than are called from day to day. */
const MAX_RECENT = 1000;
/** Enough to mend a call. */
const MAX_ERRORS = 20;

/** See the file header. */
export class CallServer {
  readonly #gates = new Map<string, Gate>();
  /** By the name of what is called, and its method: those that were looked up. */
  readonly #series = new Map<string, Map<string, WorkSeries>>();
  readonly #log = new ThrottledLog();

  readonly #context: ContextHook;

  constructor(private readonly parts: CallServerParts) {
    this.#context = new ContextHook(parts.config.context);
  }

  /**
   * Carries the call out, or says why not: the answer as it travels, at once when the method is over at once. Neither
   * throws nor rejects.
   */
  handle(request: CallRequest, write: AnswerWriter = writeAnswer): string | Promise<string> {
    const { id, process: name } = request;
    const found = this.#find(request);
    if (typeof found === 'string') return write({ kind: 'reply', id, outcome: found });
    const gate = this.#gateOf(name);
    const { concurrency, queue } = this.parts.config.calls;
    if (gate.active >= concurrency) {
      if (gate.waiting.length >= queue) return write({ kind: 'reply', id, outcome: 'busy' });
      return this.#waitAndHandle(request, gate, write);
    }
    gate.active += 1;
    let isLater = false;
    try {
      const answer = this.#carryOut(request, found, write);
      if (typeof answer === 'string') return answer;
      isLater = true;
      return this.#later(request, orInterrupted(request, found.instance, answer, write), gate);
    } finally {
      if (!isLater) this.#leave(name, gate);
    }
  }

  #gateOf(name: string): Gate {
    const known = this.#gates.get(name);
    if (known !== undefined) return known;
    const gate = { active: 0, waiting: [] };
    this.#gates.set(name, gate);
    return gate;
  }

  async #waitAndHandle(request: CallRequest, gate: Gate, write: AnswerWriter): Promise<string> {
    const { id, process: name } = request;
    const began = performance.now();
    await new Promise<void>((resolve) => gate.waiting.push(resolve));
    try {
      // No caller waits for a call whose time went by in the queue.
      if (performance.now() - began > request.timeout) return write({ kind: 'reply', id, outcome: 'busy' });
      const found = this.#find(request);
      if (typeof found === 'string') return write({ kind: 'reply', id, outcome: found });
      const answer = this.#carryOut(request, found, write);
      return await (typeof answer === 'string' ? answer : orInterrupted(request, found.instance, answer, write));
    } finally {
      this.#leave(name, gate);
    }
  }

  async #later(request: CallRequest, answer: Promise<string>, gate: Gate): Promise<string> {
    try {
      return await answer;
    } finally {
      this.#leave(request.process, gate);
    }
  }

  /** A place is free, for the one that has waited longest. */
  #leave(name: string, gate: Gate): void {
    const next = gate.waiting.shift();
    if (next !== undefined) next();
    // The next call mostly comes soon.
    else if ((gate.active -= 1) === 0 && this.#gates.size > MAX_IDLE_GATES) this.#gates.delete(name);
  }

  /**
   * INVARIANT (I15): a call reaches only the very ownership it was resolved for. An instance stops being reachable by
   * the clock, so it is looked at once, in the turn in which the method begins.
   */
  #find({ process: name, epoch, method, partitions }: CallRequest): Found | 'stale' | 'not-callable' {
    const instance = this.#callee(name);
    const target = instance?.target as Found['target'] | undefined;
    if (instance === undefined || target === undefined || instance.lease.epoch !== epoch) return 'stale';
    // The key that the caller had in mind may belong to another partition by now.
    if (partitions !== undefined && instance.spec?.count !== partitions) return 'stale';
    const mark = callableOf(Object.getPrototypeOf(target), method);
    if (mark === undefined) return 'not-callable';
    const series = instance.isInternal === true ? undefined : this.#seriesOf(instance.subject ?? name, method);
    return { instance, target, mark, series, began: 0 };
  }

  #seriesOf(name: string, method: string): WorkSeries {
    const known = this.#series.get(name)?.get(method);
    if (known !== undefined) return known;
    if (this.#series.size >= MAX_RECENT) this.#series.clear();
    const methods = this.#series.get(name) ?? new Map<string, WorkSeries>();
    const series = this.parts.telemetry.figures.series('call', processOf(name), method);
    this.#series.set(name, methods.set(method, series));
    return series;
  }

  /** The order does not matter: each has names of its own. */
  #callee(name: string): Callee | undefined {
    for (const lookup of this.parts.lookups) {
      const callee = lookup.running(name);
      if (callee !== undefined) return callee;
    }
    return undefined;
  }

  /** Where it happened, as Nest does it; what a method answers on purpose is for its caller alone. */
  #tell(error: unknown, name: string, method: string, from: string): void {
    if (from !== '' && isAnswer(error)) return;
    const details = { process: name, method, error: describe(error) };
    const message = `${from === '' ? 'A cast' : 'A call'} of {method}() of process "{process}" failed`;
    this.#log.error(message, details, `${name}.${method}`, 1, error);
  }

  /** The method with what Nest puts around it and with its arguments checked; mostly there is neither. */
  #run({ instance, target, mark }: Found, { process: name, method, args, context = {} }: CallRequest): unknown {
    const { args: schemas } = mark;
    const prepare = schemas && ((given: unknown[]) => readArguments(`${name}.${method}`, schemas, given));
    const enhanced = this.parts.enhancers?.around(target, method);
    if (enhanced !== undefined) {
      const begin = (work: () => unknown): unknown => instance.call(work);
      return enhanced<CallHost>(args, { kind: 'call', name, method, args, context }, { prepare, begin });
    }
    const run = (given: readonly unknown[]): unknown => awaitable(target[method]!(...given));
    return prepare === undefined ? run(args) : prepare(args).then(run);
  }

  /** Runs the method in a context of its own; the answer, at once when it is over at once. */
  #carryOut(request: CallRequest, found: Found, write: AnswerWriter): string | Promise<string> {
    const { instance } = found;
    if (found.series !== undefined) found.began = performance.now();
    try {
      const begin = (): unknown => this.#begin(request, found);
      const isBare = instance.isInternal === true || !this.#context.isSet;
      const value = apart(isBare ? begin : () => this.#context.run(request.context, begin));
      return isThenable(value)
        ? this.#awaited(request, found, value, write)
        : this.#valueOf(request, found, value, write);
    } catch (error) {
      return this.#failureOf(request, found, error, write);
    }
  }

  async #awaited(request: CallRequest, found: Found, value: unknown, write: AnswerWriter): Promise<string> {
    try {
      return this.#valueOf(request, found, await value, write);
    } catch (error) {
      return this.#failureOf(request, found, error, write);
    }
  }

  #begin(request: CallRequest, found: Found): unknown {
    const { instance } = found;
    const run = (): unknown => this.#run(found, request);
    const { telemetry } = this.parts;
    if (telemetry.tracing === undefined) return within(instance, run);
    return traced(telemetry, 'server', request.process, request.method, request.trace, () => within(instance, run));
  }

  /** @throws what JSON throws, and `RangeError`. */
  #valueOf(request: CallRequest, found: Found, value: unknown, write: AnswerWriter): string {
    const { id, method, longest = Infinity } = request;
    const { instance } = found;
    if (!instance.lease.isHeld()) return write({ kind: 'reply', id, outcome: 'interrupted' });
    // That of the caller, too: it would drop a longer one unread, and never know why nothing came.
    const most = Math.min(this.parts.config.channels.maxMessageBytes, longest);
    const answer = write({ kind: 'reply', id, outcome: 'value', value }, new AnswerLimits(most, method));
    took(found, false);
    return answer;
  }

  #failureOf(request: CallRequest, found: Found, error: unknown, write: AnswerWriter): string {
    const { id, process: name, method, from } = request;
    // The instance has ended before the method began, such as while a guard or the hook of the context waited.
    if (isA(error, HandlerGoneError)) return write({ kind: 'reply', id, outcome: 'stale' });
    took(found, true);
    this.#tell(error, name, method, from);
    const wireError = toWireError(error, this.parts.config.calls.stacks);
    return write({ kind: 'reply', id, outcome: 'error', error: wireError });
  }
}

function took({ series, began }: Found, hasFailed: boolean): void {
  if (series === undefined) return;
  const now = performance.now();
  series.record(now - began, hasFailed, now);
}

function within(instance: Callee, run: () => unknown): unknown {
  return instance.carryOut === undefined ? instance.call(run) : instance.carryOut(run);
}

/** @throws InvalidArgumentsError */
async function readArguments(
  subject: string,
  schemas: readonly (Schema | undefined)[],
  args: readonly unknown[],
): Promise<unknown[]> {
  const reads = await Promise.all(schemas.map((schema, index) => readAs(schema, args[index])));
  const errors = reads.flatMap((each, index) => (each.errors ?? []).map((error) => `argument ${index + 1}: ${error}`));
  if (errors.length > 0) throw new InvalidArgumentsError(subject, errors.slice(0, MAX_ERRORS));
  // Those that the caller left out stay out, unless a schema has a default.
  const values = reads.map(({ value }) => value);
  while (values.length > args.length && values.at(-1) === undefined) values.pop();
  return [...values, ...args.slice(schemas.length)];
}

/**
 * The answer, or `interrupted` when the instance ends before the method settles: what it does from then on no caller
 * waits for. INVARIANT (I1): the end of the instance, and so its next owner, waits for the method all the same.
 */
function orInterrupted(
  { id, from }: CallRequest,
  { onGivenUp }: Callee,
  answer: Promise<string>,
  write: AnswerWriter,
): Promise<string> {
  if (onGivenUp === undefined || from === '') return answer;
  return new Promise((resolve, reject) => {
    const unheed = onGivenUp(() => resolve(write({ kind: 'reply', id, outcome: 'interrupted' })));
    answer.then(resolve, reject).finally(unheed);
  });
}

/** True for what is thrown for the caller to see, as Nest sees it: HTTP and microservice exceptions, and ours. */
function isAnswer(thrown: unknown): boolean {
  if (isA(thrown, FoundationError)) return true;
  return ['getStatus', 'getError'].some((method) => typeof read(thrown, method) === 'function');
}
