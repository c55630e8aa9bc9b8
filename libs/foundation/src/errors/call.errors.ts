/** A call to another node was not answered, not carried out, or threw there. */
import { FoundationError } from './foundation.error.js';

/** What a call was about, for its errors. */
export interface CallSubject {
  processName: string;
  method: string;
  node: string;
  /** True when the caller knows the method to be idempotent. */
  idempotent?: true;
  /** @internal It is Foundation that asks another node, such as to drain: nobody can mark that method. */
  isInternal?: true;
}

/** Of what a node is asked for nothing is done twice, and one that has ended is a member for some seconds more. */
const ASK_AGAIN = 'Ask again if members() still has the node: what is done already is not done twice.';

/** A call was sent and its outcome is unknown: its node, link or instance was lost before the answer. */
export class CallInterruptedError extends FoundationError {
  constructor(
    readonly subject: CallSubject,
    why: string,
  ) {
    super(
      'FOUNDATION_CALL_INTERRUPTED',
      'redis PUBLISH',
      `The call ${subject.processName}.${subject.method} on node "${subject.node}" was interrupted (${why}). It may or ` +
        `may not have been carried out. ${
          subject.isInternal === true
            ? ASK_AGAIN
            : subject.idempotent === true
              ? 'It is marked idempotent, so Foundation tried once more in its time; call it again.'
              : 'Retry if the method is idempotent, and mark it so: @Callable({ idempotent: true }).'
        }`,
    );
  }
}

/** A call was not answered in its time; its outcome is unknown. */
export class CallTimeoutError extends FoundationError {
  constructor(
    readonly subject: CallSubject,
    readonly timeoutMs: number,
  ) {
    super(
      'FOUNDATION_CALL_TIMEOUT',
      'redis PUBLISH',
      `The call ${subject.processName}.${subject.method} on node "${subject.node}" was not answered within ${timeoutMs} ms. ` +
        `It may or may not have been carried out. ${
          subject.isInternal === true ? ASK_AGAIN : 'Raise "timeout", or look at what the method waits for.'
        }`,
    );
  }
}

/** A method was called with arguments that are not what its `@Callable({ args })` says; it did not run. */
export class InvalidArgumentsError extends FoundationError {
  constructor(
    subject: string,
    readonly errors: readonly string[],
  ) {
    super(
      'FOUNDATION_INVALID_ARGUMENTS',
      'foundation',
      `${subject} was called with arguments that it does not take (${errors.join('; ')}), and did not run. Send what its ` +
        'schemas ask for.',
    );
  }
}

/** A call was not carried out. */
export class CallRefusedError extends FoundationError {
  constructor(
    readonly subject: CallSubject,
    readonly why: 'not-running' | 'not-callable' | 'busy',
    advice: string,
  ) {
    const isInternal = subject.isInternal === true;
    const reasons = {
      'not-running': isInternal ? 'the node does not listen: it has ended, or is about to' : 'no node runs it',
      'not-callable': isInternal ? 'its version does not know it' : 'the method is not marked @Callable()',
      busy: 'too many calls wait for it',
    };
    super(
      'FOUNDATION_CALL_REFUSED',
      'foundation',
      `The call ${subject.processName}.${subject.method} was refused (${reasons[why]}). It was not carried out. ${advice}`,
    );
  }
}

/** A process waits for itself, maybe by way of others: none of them could go on. The call was not carried out. */
export class CircularWaitError extends FoundationError {
  constructor(
    /** The names of the processes; the first one is also the last one. */
    readonly way: readonly string[],
  ) {
    super(
      'FOUNDATION_CIRCULAR_WAIT',
      'foundation',
      `${waitsFor(way)}, so none of them could go on. Foundation gave up the wait of "${way[0]}". Do this later, in ctx.run or in a method, or use cast().`,
    );
  }
}

/** `"a" waits for "b", which waits for "a"`. */
function waitsFor([first, ...others]: readonly string[]): string {
  return `"${first}" waits for ${others.map((name) => (name === first && others.length === 1 ? 'itself' : `"${name}"`)).join(', which waits for ')}`;
}

/** The error that a method threw on another node, with its name, message and code. */
export class RemoteError extends Error {
  readonly code: string | undefined;

  constructor(
    readonly subject: CallSubject,
    error: { name: string; message: string; code?: string; stack?: string },
  ) {
    super(error.message);
    this.name = error.name;
    this.code = error.code;
    if (error.stack !== undefined) this.stack = error.stack;
  }
}
