/**
 * The calls of this node that wait for their answers, by number, each no longer than its time.
 * Kept by `call.client.ts`; underneath one timer for all of them.
 */
import { ofNobody } from '../context/fresh.js';
import { CallInterruptedError, type CallSubject, CallTimeoutError } from '../errors/call.errors.js';
import { onAbort } from '../foreign/abort.signals.js';
import type { Clock, Expiries } from '../time/clock.js';
import { WheelTimer } from '../time/timer.wheel.js';
import { type CallReply, numberIn } from './call.codec.js';
import { type CallTarget, subjectOf, type TimedCall } from './call.target.js';

/** One call, and what its caller waits with. */
export interface SentCall {
  /** That of no other call of this node. */
  readonly id: number;
  readonly target: CallTarget;
  readonly method: string;
  readonly options: TimedCall;
  resolve(reply: CallReply): void;
  reject(reason: unknown): void;
}

/** See the file header. */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>();
  readonly #deadlines: Expiries;

  constructor(clock: Clock) {
    // It serves all calls, so it keeps no store of the one that came first.
    this.#deadlines = clock.expiries(ofNobody);
  }

  get size(): number {
    return this.#calls.size;
  }

  add(sent: SentCall): PendingCall {
    const call = new PendingCall(sent, this);
    const { signal, timeout } = sent.options;
    this.#calls.set(sent.id, call);
    this.#deadlines.add(call, timeout);
    // An argument may have aborted it while it was written.
    if (signal?.aborted === true) call.fail(signal.reason);
    else if (signal !== undefined) call.unheed = onAbort(signal, () => call.fail(signal.reason));
    return call;
  }

  /** False when it does not wait any longer. */
  remove(call: PendingCall): boolean {
    if (!this.#calls.delete(call.sent.id)) return false;
    this.#deadlines.remove(call);
    call.unheed?.();
    return true;
  }

  /** Answers come to the inbox of this very node, whose numbers no other has; of those to one call the first counts. */
  settle(reply: CallReply): void {
    const number = numberIn(reply.id);
    if (number !== undefined) this.#calls.get(number)?.settle(reply);
  }

  /** No answer comes any more from these. */
  interrupt(concerns: (bootId: string) => boolean, why: string): void {
    for (const call of [...this.#calls.values()]) {
      if (concerns(call.sent.target.bootId)) call.fail(new CallInterruptedError(call.subject, why));
    }
  }
}

/** One that waits. */
export class PendingCall extends WheelTimer {
  /** Takes back what listens to its signal. */
  unheed: (() => void) | undefined;

  constructor(
    readonly sent: SentCall,
    private readonly among: Pick<PendingCalls, 'remove'>,
  ) {
    super();
  }

  get subject(): CallSubject {
    const { target, method, options } = this.sent;
    return subjectOf(target, method, options.idempotent);
  }

  settle(reply: CallReply): void {
    if (this.among.remove(this)) this.sent.resolve(reply);
  }

  /** With whatever it is; the reason of a signal may be anything. */
  fail(reason: unknown): void {
    if (this.among.remove(this)) this.sent.reject(reason);
  }

  expired(): void {
    this.fail(new CallTimeoutError(this.subject, this.sent.options.timeout));
  }
}
