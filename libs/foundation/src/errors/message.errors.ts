/** A message or a request was not sent, not acknowledged or not answered. */
import { quoted } from './describe.js';
import { FoundationError } from './foundation.error.js';

/** A channel that was not declared was used. */
export class UnknownChannelError extends FoundationError {
  constructor(
    readonly channel: string,
    readonly declared: readonly string[],
  ) {
    super(
      'FOUNDATION_CHANNEL_UNKNOWN',
      'foundation',
      `Channel ${quoted(channel)} is not declared. Nothing was sent or subscribed. Use one of ${declared.join(', ')}, or ` +
        `declare it in channels.names.`,
    );
  }
}

/** A message cannot be put on the wire. */
export class MessageError extends FoundationError {
  constructor(
    readonly channel: string,
    problem: string,
    advice: string,
    code: 'FOUNDATION_MESSAGE_INVALID' | 'FOUNDATION_MESSAGE_TOO_LARGE' = 'FOUNDATION_MESSAGE_INVALID',
    cause?: unknown,
  ) {
    super(
      code,
      'redis PUBLISH',
      `A message for channel "${channel}" was refused: ${problem}. It was not sent. ${advice}`,
      cause,
    );
  }
}

/** A node that has not acknowledged a message, and why. */
export interface MissingAcknowledgement {
  node: string;
  /** `no answer`, or what went wrong there. */
  reason: string;
}

/** Not every node that listens has handled a message in time; the others have. */
export class AcknowledgementError extends FoundationError {
  constructor(
    readonly channel: string,
    readonly missing: readonly MissingAcknowledgement[],
    readonly timeoutMs: number,
  ) {
    super(
      'FOUNDATION_MESSAGE_UNACKNOWLEDGED',
      'redis PUBLISH',
      `A message on channel "${channel}" was not acknowledged by ${missing.length} of the nodes that listen (` +
        `${missing
          .slice(0, 20)
          .map(({ node, reason }) => `${node}: ${reason}`)
          .join(
            '; ',
          )}) within ${timeoutMs} ms. The others have handled it. Raise "timeout", or look at the handlers there.`,
    );
  }
}

/** A message of a durable channel is not acknowledged as safe by what `acknowledge` of the channel asks for. */
export class MessageNotSafeError extends FoundationError {
  /** Of the message, in its stream. */
  readonly id: string;
  /** What the channel asks for. */
  readonly acknowledge: 'fsync' | { readonly replicas: number };
  /** True when the message is in the stream, and delivered like any other; false when it is lost. */
  readonly isKept: boolean;
  /** How many disks or replicas have it; `undefined` where Redis did not say. */
  readonly reached: number | undefined;

  constructor(
    readonly channel: string,
    what: Pick<MessageNotSafeError, 'id' | 'acknowledge' | 'isKept'> & {
      reached?: number;
      reason: string;
      advice: string;
      cause?: unknown;
    },
  ) {
    const { id, acknowledge, isKept, reached, reason, advice, cause } = what;
    super(
      'FOUNDATION_MESSAGE_NOT_SAFE',
      acknowledge === 'fsync' ? 'redis WAITAOF' : 'redis WAIT',
      `The message ${id} on durable channel "${channel}" is not acknowledged as safe: ${reason}. ` +
        `Foundation ${isKept ? LEFT_IN_STREAM : NOT_IN_STREAM}. ${advice}`,
      cause,
    );
    this.id = id;
    this.acknowledge = acknowledge;
    this.isKept = isKept;
    this.reached = reached;
  }
}

const LEFT_IN_STREAM =
  'left it in the stream: it is delivered like any other, may come twice if it is sent again, and may be lost with the memory of Redis';
const NOT_IN_STREAM = 'did not send it again; it may have been delivered before';

/** A request of a Nest client was not answered. */
export class RequestError extends FoundationError {
  constructor(
    readonly pattern: string,
    readonly why: string,
    /** True when it may have been carried out all the same. */
    readonly mayBeDone: boolean,
    advice = 'Check that a node with this @MessagePattern is in the cluster.',
  ) {
    super(
      'FOUNDATION_REQUEST',
      'redis PUBLISH',
      `The request "${pattern}" was not answered: ${why}. It ${mayBeDone ? 'may or may not have been' : 'was not'} ` +
        `carried out. ${advice}`,
    );
  }
}
