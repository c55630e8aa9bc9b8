/**
 * Calls by name: finds the owner, sends, and decides what an answer means for the caller.
 * Called by the refs of the manager.
 */
import type { Type } from '@nestjs/common';
import type { Backend } from '../backend/backend.js';
import type { FoundationConfig } from '../config/config.js';
import { CallInterruptedError, type CallSubject, CallTimeoutError } from '../errors/call.errors.js';
import { isA } from '../errors/describe.js';
import { givenTime } from '../foreign/given.options.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { type Clock, clockOf } from '../time/clock.js';
import type { CallClient } from './call.client.js';
import { type CallReply, checkArguments, checkMethod } from './call.codec.js';
import { type CallMark, markOf, toCallMark } from './call.marks.js';
import { type Answer, isNotSent, notCallable, notRunning, resultOf } from './call.outcome.js';
import { type CallAtOptions, type CallOptions, type CallTarget, subjectOf, type TimedCall } from './call.target.js';
import { traced } from './call.tracing.js';
import { callableOf } from './callable.decorator.js';
import type { OwnerLookup } from './callee.js';
import { KnownOwners } from './known.owners.js';
import { type FoundOwner, type Learnt, type Location, LOOK_EVERY_MS, OwnerSearch, pause } from './owner.search.js';
import { Wait } from './waiting.js';

/** Which process a call is for. */
export interface CalledProcess {
  name: string;
  /**
   * The class, where the caller knows it: it says which methods are callable, idempotent, and how long they may take.
   * Without it the latter two are read from the row of the process.
   */
  type?: Type<unknown> | undefined;
  /** Asked at each attempt, for a partition: the number of them may change while the call waits. */
  locate?: (() => Location) | undefined;
}

/** A call with all of its attempts. */
interface RoutedCall {
  readonly callee: CalledProcess;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly options: TimedCall;
  readonly deadline: number;
}

/** What came of one attempt: an answer, or an error. */
interface Attempt {
  readonly found: FoundOwner;
  readonly given?: CallReply;
  readonly error?: unknown;
}

/** What the router needs. */
export interface CallRouterParts {
  readonly config: FoundationConfig;
  readonly backend: Pick<Backend, 'endpoint' | 'clock'>;
  readonly registry: OwnerLookup;
  readonly client: Pick<CallClient, 'call' | 'cast'>;
  readonly telemetry: Pick<Telemetry, 'tracing'>;
  /** Throws while no call can be made, or no more. */
  readonly requireReady?: () => void;
  /** Throws when a process that waits for this one is waited for. */
  readonly checkWait?: (name: string) => Promise<void>;
}

/** See the file header. */
export class CallRouter {
  /** Where processes were seen, so that the next call needs no lookup. */
  readonly owners = new KnownOwners();
  readonly #search: OwnerSearch;
  readonly #clock: Clock;
  readonly #requireReady: () => void;
  readonly #checkWait: (name: string) => Promise<void>;

  constructor(private readonly parts: CallRouterParts) {
    const { requireReady = () => undefined, checkWait = () => Promise.resolve() } = parts;
    this.#requireReady = requireReady;
    this.#checkWait = checkWait;
    const { registry, backend } = parts;
    this.#clock = clockOf(backend);
    const { owners } = this;
    this.#search = new OwnerSearch({ registry, endpoint: backend.endpoint, clock: this.#clock, owners, requireReady });
  }

  /**
   * Calls a method and resolves with its result.
   *
   * A stale owner rejects the call, so it was not carried out: until its time is over the owner is looked
   * up again and the call is sent again, as it would wait for an owner while there is none; not for one that stays down
   * until a command, as the row in Redis says. After an interruption,
   * whose outcome is unknown, it is sent once more only when the method is idempotent.
   *
   * @throws the errors of {@link CallClient.call}, `CallRefusedError` when it was not carried out, `RemoteError`,
   * `RedisUnavailableError` when Redis did not say where the process is, so that nothing was sent.
   */
  call(callee: CalledProcess, method: string, args: readonly unknown[], options: CallOptions = {}): Promise<unknown> {
    try {
      this.#requireReady();
      const mark = this.#check(callee, method, args);
      const timeout = this.#timeOf(callee.name, method, options, mark);
      const timed = { ...options, timeout, idempotent: mark?.idempotent === true };
      const call = { callee, method, args, options: timed, deadline: this.#clock.now() + timeout };
      const { telemetry } = this.parts;
      if (telemetry.tracing === undefined) return this.#call(call);
      return traced(telemetry, 'client', callee.name, method, undefined, () => this.#call(call));
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever was thrown
      return Promise.reject(error);
    }
  }

  /** What `@Callable()` says counts whoever calls; of the caller's own class before that of the row. */
  #mark({ name, type }: CalledProcess, method: string): CallMark | undefined {
    return type === undefined ? this.parts.registry.mark(name, method) : markOf(type.prototype, method);
  }

  #timeOf(name: string, method: string, { timeout }: CallOptions, mark: CallMark | undefined): number {
    const given = timeout ?? mark?.timeout;
    return given === undefined ? this.parts.config.calls.timeout : givenTime(`${name}.${method}`, 'timeout', given);
  }

  /** Mostly the owner is known and answers with a result: that takes neither a lookup nor a second attempt. */
  #call(call: RoutedCall): Promise<unknown> {
    const { callee, method, args, options } = call;
    const found = this.#search.known(callee, options.signal);
    if (found === undefined) return this.#attempts(call);
    return this.parts.client.call(found.target, method, args, options).then(
      (given) => (given.outcome === 'value' ? given.value : this.#attempts(call, { found, given })),
      (error: unknown) => this.#attempts(call, { found, error }),
    );
  }

  /** All attempts, or those after this first one. */
  async #attempts(call: RoutedCall, first?: Attempt): Promise<unknown> {
    const { callee, method, options, deadline } = call;
    // Asked again at each attempt: this node may have heard of the process meanwhile.
    const isIdempotent = (): boolean => this.#mark(callee, method)?.idempotent === true;
    const learnt: Learnt = { wait: new Wait(this.#checkWait) };
    let interrupted: CallInterruptedError | undefined;
    try {
      for (let attempt = 0; ; attempt++) {
        // The first word of a new owner is followed at once; after that the cluster is still making up its mind.
        if (attempt > 1) await pause();
        const idempotent = attempt === 0 ? options.idempotent === true : isIdempotent();
        const { found, given, error } =
          (attempt === 0 ? first : undefined) ?? (await this.#attempt(call, learnt, idempotent));
        if (given?.outcome === 'value') return given.value;
        const subject = subjectOf(found.owner, method, idempotent);
        const answer =
          given === undefined ? this.#failed(found.owner, subject, error) : this.#refused(found.owner, subject, given);
        const { reply } = answer;
        if (reply?.outcome === 'stale') Object.assign(learnt, { isNotRunning: true, failure: undefined });
        if (answer.hasEnded === true) learnt.ended = found.owner;
        const isStale = reply?.outcome === 'stale' && this.#clock.now() + LOOK_EVERY_MS < deadline;
        const again = answer.interrupted === undefined ? isStale : isIdempotent() && !interrupted;
        if (!again) return resultOf(answer);
        interrupted ??= answer.interrupted;
        if (isStale) await learnt.wait.goesOn(subject.processName);
      }
    } catch (error) {
      // What was left for the last attempt is not what the caller allowed.
      if (isA(error, CallTimeoutError)) throw new CallTimeoutError(error.subject, options.timeout);
      // INVARIANT (I15): what may have been carried out is not called refused, whatever became of the later attempts.
      throw isNotSent(error) ? (interrupted ?? error) : error;
    } finally {
      learnt.wait.end();
    }
  }

  /** Looks the owner up and calls it. @throws what the look-up throws; what the call does is in what it gives. */
  async #attempt(call: RoutedCall, learnt: Learnt, idempotent: boolean): Promise<Attempt> {
    const { callee, method, args, options, deadline } = call;
    const found = await this.#search.find(locationOf(callee), method, deadline, learnt, options.signal);
    // It may run now; that it does not, and that this call has to wait on, only the answer says.
    learnt.wait.end();
    const timeout = Math.max(1, Math.ceil(deadline - this.#clock.now()));
    try {
      return {
        found,
        given: await this.parts.client.call(found.target, method, args, { ...options, idempotent, timeout }),
      };
    } catch (error) {
      return { found, error };
    }
  }

  /**
   * Calls what is at a known place, such as a service, and tries nothing else.
   *
   * @throws the errors of {@link call}.
   */
  async callAt(
    at: CallTarget,
    method: string,
    args: readonly unknown[],
    options: CallAtOptions = {},
  ): Promise<unknown> {
    this.#requireReady();
    checkMethod(at.name, method);
    checkArguments(at.name, method, args);
    const { mark = {}, since = this.#clock.now(), signal } = options;
    const timeout = this.#timeOf(at.name, method, options, mark);
    const idempotent = mark.idempotent === true;
    const subject = subjectOf(at, method, idempotent);
    return traced(this.parts.telemetry, 'client', at.name, method, undefined, async () => {
      const left = Math.max(1, Math.ceil(since + timeout - this.#clock.now()));
      const limits: TimedCall = { timeout: left, idempotent, ...(signal === undefined ? {} : { signal }) };
      const reply = await this.parts.client.call(at, method, args, limits).catch((error: unknown) => {
        throw isA(error, CallTimeoutError) ? new CallTimeoutError(error.subject, timeout) : error;
      });
      if (reply.outcome !== 'interrupted') return resultOf({ subject, reply });
      throw new CallInterruptedError(subject, 'it was withdrawn while the method ran');
    });
  }

  /**
   * What an answer without a result means. Whatever comes but a result, the owner is looked up again for the next
   * attempt where it may be another one: it may be dead or frozen.
   */
  #refused(owner: CallTarget, subject: CallSubject, reply: CallReply): Answer {
    if (reply.outcome === 'stale' || reply.outcome === 'interrupted') this.owners.forget(owner);
    if (reply.outcome !== 'interrupted') return { subject, reply };
    const interrupted = new CallInterruptedError(subject, 'its instance ended while the method ran');
    return { subject, interrupted, hasEnded: true };
  }

  /** @throws the error of an attempt without an answer, unless it may have been carried out. */
  #failed(owner: CallTarget, subject: CallSubject, error: unknown): Answer {
    this.owners.forget(owner);
    if (isA(error, CallInterruptedError)) return { subject, interrupted: error };
    throw error;
  }

  /** Sends a call and does not wait for it; resolves once it is on its way. */
  async cast(callee: CalledProcess, method: string, args: readonly unknown[]): Promise<void> {
    this.#requireReady();
    this.#check(callee, method, args);
    const deadline = this.#clock.now() + this.parts.config.calls.timeout;
    // A cast is no wait of the process that it comes from.
    const learnt: Learnt = { wait: new Wait(() => Promise.resolve()) };
    for (;;) {
      const { owner, target } = await this.#search.find(locationOf(callee), method, deadline, learnt);
      if (await this.parts.client.cast(target, method, args)) return;
      this.owners.forget(owner);
      Object.assign(learnt, { isNotRunning: true, failure: undefined });
      if (this.#clock.now() + LOOK_EVERY_MS >= deadline)
        throw notRunning({ processName: callee.name, method, node: '?' }, learnt.why);
      await pause();
    }
  }

  /** The mark, if any. @throws CallRefusedError, ArgumentError */
  #check({ name, type }: CalledProcess, method: unknown, args: readonly unknown[]): CallMark | undefined {
    checkMethod(name, method);
    checkArguments(name, method, args);
    if (type === undefined) return this.parts.registry.mark(name, method);
    const mark = callableOf(type.prototype, method);
    if (mark === undefined) throw notCallable({ processName: name, method, node: '?' });
    return toCallMark(mark);
  }
}

function locationOf({ name, locate }: CalledProcess): () => Location {
  return locate ?? (() => ({ name }));
}
