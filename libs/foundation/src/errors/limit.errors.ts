/** A bound is reached; `docs/reference/bounds.md` has all of them. */
import { FoundationError } from './foundation.error.js';

/** There are as many of something as Foundation keeps; `docs/reference/bounds.md` has all the bounds. */
export class LimitError extends FoundationError {
  constructor(
    /** What was asked for, such as `registerService("quotes")`. */
    readonly subject: string,
    /** What there is enough of, such as `services of this node`. */
    readonly kind: string,
    readonly limit: number,
  ) {
    super(
      'FOUNDATION_LIMIT',
      'foundation',
      `${subject} was refused: there are ${limit} ${kind} already, and no more are kept. Nothing was changed. ` +
        `End some first, or look for what begins them without an end.`,
    );
  }
}

/** More waits to be sent than this node is willing to keep. */
export class OverloadedError extends FoundationError {
  /** @param waiting what is at its limit, such as `1024 characters wait for the transport`. */
  constructor(
    readonly topic: string,
    waiting: string,
  ) {
    super(
      'FOUNDATION_OVERLOADED',
      'redis PUBLISH',
      `Nothing more can be sent to "${topic}" at the moment: ${waiting}. The message was not sent. ` +
        `Await what you send, send less, or look at the connection.`,
    );
  }
}
