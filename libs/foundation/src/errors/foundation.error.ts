/**
 * Every error Foundation throws. Each builds its own sentence in one order:
 * subject, what failed (and in which tool), what Foundation did, what you can do.
 */
import { describe, plain } from './describe.js';

export { describe };

/** The codes of {@link FoundationError.code}; stable across minor versions. */
export type FoundationErrorCode =
  | 'FOUNDATION_CONFIG'
  | 'FOUNDATION_NOT_IN_THIS_VERSION'
  | 'FOUNDATION_MISSING_PACKAGE'
  | 'FOUNDATION_REDIS_REFUSED'
  | 'FOUNDATION_REDIS_UNAVAILABLE'
  | 'FOUNDATION_DIRECT_LISTEN'
  | 'FOUNDATION_TOPOLOGY'
  | 'FOUNDATION_REDIS_NOT_FOUND'
  | 'FOUNDATION_COOKIE_MISMATCH'
  | 'FOUNDATION_DUPLICATE_NODE'
  | 'FOUNDATION_NOT_READY'
  | 'FOUNDATION_LEASE_LOST'
  | 'FOUNDATION_STALE_EPOCH'
  | 'FOUNDATION_PROCESS_DECLARATION'
  | 'FOUNDATION_PROCESS_START'
  | 'FOUNDATION_PROCESS_TIMEOUT'
  | 'FOUNDATION_PROCESS_UNKNOWN'
  | 'FOUNDATION_PROCESS_NOT_RUNNING'
  | 'FOUNDATION_CALL_INTERRUPTED'
  | 'FOUNDATION_CALL_TIMEOUT'
  | 'FOUNDATION_CALL_REFUSED'
  | 'FOUNDATION_ARGUMENT'
  | 'FOUNDATION_CHANNEL_UNKNOWN'
  | 'FOUNDATION_SERVICE_UNKNOWN'
  | 'FOUNDATION_MESSAGE_INVALID'
  | 'FOUNDATION_MESSAGE_TOO_LARGE'
  | 'FOUNDATION_MESSAGE_UNACKNOWLEDGED'
  | 'FOUNDATION_OVERLOADED'
  | 'FOUNDATION_LIMIT'
  | 'FOUNDATION_REQUEST'
  | 'FOUNDATION_CONFLICT';

/** The longest message, in characters; it holds a few texts of others, each of which is cut to 1000. */
const MAX_MESSAGE = 10_000;

/**
 * The base of every error Foundation throws.
 *
 * `code` is for programs, `message` for people, `tool` names the library or Redis command beneath, and `cause` holds
 * that library's own error where there is one.
 */
export class FoundationError extends Error {
  constructor(
    readonly code: FoundationErrorCode,
    /** The tool that failed: `ioredis`, `redlock`, `bullmq`, `foundation`, or a raw call such as `redlock.acquire`. */
    readonly tool: string,
    message: string,
    cause?: unknown,
  ) {
    super(plain(message, MAX_MESSAGE), cause === undefined ? undefined : { cause });
    this.name = new.target.name;
  }
}

/** An option, an environment variable or a combination of them is wrong; thrown while the module is created. */
export class FoundationConfigError extends FoundationError {
  constructor(
    /** The path of the option (`lease.ttl`) or the name of the environment variable. */
    readonly option: string,
    /** What was received, as text; never the value of a secret. */
    readonly received: string,
    readonly expected: string,
  ) {
    super(
      'FOUNDATION_CONFIG',
      'foundation',
      `Option "${option}" is not valid: received ${received}, expected ${expected}. Foundation did not start. ` +
        `Correct the option and start again.`,
    );
  }
}

/** A documented option that this version does not implement yet was asked for. */
export class NotInThisVersionError extends FoundationError {
  constructor(
    readonly option: string,
    readonly received: string,
    readonly works: string,
  ) {
    super(
      'FOUNDATION_NOT_IN_THIS_VERSION',
      'foundation',
      `Option "${option}": ${received} is not in this version of Foundation. It did not start, so that nothing runs ` +
        `with less than was asked for. Use ${works}.`,
    );
  }
}

/** A package that the configuration needs is not installed. */
export class MissingPackageError extends FoundationError {
  constructor(
    readonly packages: string,
    readonly neededBy: string,
    cause: unknown,
  ) {
    super(
      'FOUNDATION_MISSING_PACKAGE',
      packages,
      `${neededBy} needs a package that is not installed (${packages}). Foundation did not start. ` +
        `Run: npm install ${packages}`,
      cause,
    );
  }
}

/** Redis answered, and the answer means that waiting will not help: wrong password, missing permission, too old. */
export class RedisRefusedError extends FoundationError {
  constructor(
    readonly endpoint: string,
    readonly reply: string,
    advice: string,
    cause?: unknown,
    /** What came of it. */
    consequence = 'Foundation did not start.',
  ) {
    super(
      'FOUNDATION_REDIS_REFUSED',
      'ioredis',
      `Redis at ${endpoint} refused this node (${reply}). ${consequence} ${advice}`,
      cause,
    );
  }
}

/**
 * Redis cannot be reached at the moment, or answers that it takes nothing now, such as writes while its disk is full.
 */
export class RedisUnavailableError extends FoundationError {
  constructor(
    readonly endpoint: string,
    doing: string,
    cause: unknown,
    /** What to do about an answer of Redis; none when it did not answer. */
    advice?: string,
  ) {
    super(
      'FOUNDATION_REDIS_UNAVAILABLE',
      'ioredis',
      advice === undefined
        ? `Redis at ${endpoint} cannot be reached (${doing}: ${describe(cause)}). Foundation keeps trying to connect. ` +
            `Check that Redis runs and that "redis" or FOUNDATION_REDIS_URL names it.`
        : `Redis at ${endpoint} answers and does not do this now (${doing}: ${describe(cause)}). Foundation keeps trying. ` +
            advice,
      cause,
    );
  }
}

/** A topology strategy cannot look for nodes and Redis at the moment. */
export class TopologyError extends FoundationError {
  constructor(
    readonly strategy: string,
    /** The call that failed: `kubernetes watch pods`, `consul GET /v1/health/service`. */
    tool: string,
    problem: string,
    advice: string,
    cause?: unknown,
  ) {
    super(
      'FOUNDATION_TOPOLOGY',
      tool,
      `The topology strategy "${strategy}" cannot look for nodes (${problem}). What it found before stays, and it is tried ` +
        `again for ever. ${advice}`,
      cause,
    );
  }
}

/** Nothing says where the Redis of the cluster is. */
export class RedisNotFoundError extends FoundationError {
  constructor(
    /** What was tried, each with what came of it. */
    readonly tried: readonly string[],
  ) {
    super(
      'FOUNDATION_REDIS_NOT_FOUND',
      'foundation',
      `The Redis of the cluster was not found. Foundation did not start. Tried: ${tried.join('; ')}. Name it in "redis" or ` +
        `FOUNDATION_REDIS_URL, start one on 127.0.0.1:6379, or set cluster: false to run inside one process.`,
    );
  }
}

/** The direct transport cannot listen where it was told to. */
export class DirectListenError extends FoundationError {
  constructor(
    readonly address: string,
    cause: unknown,
  ) {
    super(
      'FOUNDATION_DIRECT_LISTEN',
      'net.Server.listen',
      `The direct transport cannot listen on ${address} (${describe(cause)}). This node did not join. Give it another ` +
        `"transport.port" (0 = any free one) or "transport.host".`,
      cause,
    );
  }
}

/** Another live node of the cluster already uses this node's name. */
export class DuplicateNodeError extends FoundationError {
  constructor(
    readonly node: string,
    readonly otherBootId: string,
  ) {
    super(
      'FOUNDATION_DUPLICATE_NODE',
      'foundation',
      `Node "${node}" is alive already under another boot id (${otherBootId}). This process did not join. ` +
        `Give each process its own "nodeName" or FOUNDATION_NODE_NAME, or leave both unset.`,
    );
  }
}

/** The nodes of the cluster have another cookie than this one. */
export class CookieMismatchError extends FoundationError {
  constructor(readonly node: string) {
    super(
      'FOUNDATION_COOKIE_MISMATCH',
      'foundation',
      `Node "${node}" has another cookie than the nodes of the cluster, or one of both has none. This process did not join. ` +
        `Give all of them the same "security.cookie" or FOUNDATION_COOKIE; to change it, stop all nodes first.`,
    );
  }
}

/** The cluster was needed before this node had joined it, or before enough others had. */
export class NotReadyError extends FoundationError {
  constructor(
    readonly node: string,
    readonly state: string,
    waitedMs: number,
    cause?: unknown,
    nodes?: { seen: number; wanted: number },
    /** What the last attempt to join, or to be heard, failed at. */
    trouble?: string,
  ) {
    const waited = Math.round(waitedMs);
    const isAlone = state === 'up' && nodes !== undefined;
    super(
      'FOUNDATION_NOT_READY',
      'foundation',
      isAlone
        ? `Node "${node}" is in a cluster of ${nodes.seen} nodes, and ${nodes.wanted} were waited for, for ${waited} ms. ` +
            `Nothing was changed. Check that the others run, with the same "appName" and the same Redis.`
        : `Node "${node}" is not a member of the cluster (state "${state}" after ${waited} ms` +
            `${trouble === undefined ? '' : `; last of all: ${plain(trouble, 300)}`}). ` +
            `The call was not carried out. Check that Redis is reachable; before onApplicationBootstrap there is no cluster yet.`,
      cause,
    );
  }
}

/** The reason of an aborted `ctx.signal`, and what guarded calls throw, once a process no longer owns its name. */
export class LeaseLostError extends FoundationError {
  constructor(
    readonly processName: string,
    readonly node: string,
    readonly epoch: number,
    readonly why: string,
  ) {
    super(
      'FOUNDATION_LEASE_LOST',
      'redlock',
      `Singleton "${processName}" (epoch ${epoch}) lost its lease on node "${node}" (${why}). It was stopped here and ` +
        `will start where the lease is won next. If this repeats, check the latency of Redis and of this event loop, ` +
        `or raise lease.ttl.`,
    );
  }
}

/** A fenced write was refused because a newer owner has written already. */
export class StaleEpochError extends FoundationError {
  constructor(
    readonly key: string,
    readonly epoch: number,
    readonly storedEpoch: number,
  ) {
    super(
      'FOUNDATION_STALE_EPOCH',
      'redis HSET',
      `The fenced write to "${key}" with epoch ${epoch} came too late: epoch ${storedEpoch} has written already. ` +
        `Nothing was changed. Stop working: another node owns this process now.`,
    );
  }
}

/** A class cannot be a process, or two classes claim one process name. */
export class ProcessDeclarationError extends FoundationError {
  constructor(
    readonly subject: string,
    problem: string,
    advice: string,
  ) {
    super(
      'FOUNDATION_PROCESS_DECLARATION',
      'foundation',
      `Process ${subject} cannot be declared: ${problem}. Foundation started no process of this application. ${advice}`,
    );
  }
}

/** `onProcessStart`, or the construction of the instance, failed. */
export class ProcessStartError extends FoundationError {
  constructor(
    readonly processName: string,
    readonly node: string,
    readonly reason: string,
    cause?: unknown,
  ) {
    super(
      'FOUNDATION_PROCESS_START',
      'foundation',
      `Process "${processName}" did not start on node "${node}" (${reason}). What had started was stopped and its ` +
        `lease released. Correct the cause and start it again.`,
      cause,
    );
  }
}

/** Something about a process did not happen in the time that was allowed. */
export class ProcessTimeoutError extends FoundationError {
  constructor(
    readonly processName: string,
    what: string,
    readonly timeoutMs: number,
    did: string,
    advice: string,
  ) {
    super(
      'FOUNDATION_PROCESS_TIMEOUT',
      'foundation',
      `Process "${processName}" ${what} within ${Math.round(timeoutMs)} ms. ${did} ${advice}`,
    );
  }
}

/** No process of that name is known to the cluster. */
export class UnknownProcessError extends FoundationError {
  constructor(
    readonly processName: string,
    known: readonly string[],
  ) {
    super(
      'FOUNDATION_PROCESS_UNKNOWN',
      'foundation',
      `Process "${processName}" is not known to this cluster. Nothing was done. Known processes: ` +
        `${known.length === 0 ? 'none' : known.slice(0, 20).join(', ')}.`,
    );
  }
}

/** What a call was about, for its errors. */
export interface CallSubject {
  processName: string;
  method: string;
  node: string;
}

/** A call was sent and its outcome is unknown: the node, the link or the ownership was lost before the answer. */
export class CallInterruptedError extends FoundationError {
  constructor(
    readonly subject: CallSubject,
    why: string,
  ) {
    super(
      'FOUNDATION_CALL_INTERRUPTED',
      'redis PUBLISH',
      `The call ${subject.processName}.${subject.method} on node "${subject.node}" was interrupted (${why}). It may or ` +
        `may not have been carried out. Call again if twice does no harm, or mark the method @Callable({ idempotent: true }).`,
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
        `It may or may not have been carried out. Raise "timeout", or look at what the method waits for.`,
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
    const reasons = {
      'not-running': 'no node runs it',
      'not-callable': 'the method is not marked @Callable()',
      busy: 'too many calls wait for it',
    };
    super(
      'FOUNDATION_CALL_REFUSED',
      'foundation',
      `The call ${subject.processName}.${subject.method} was refused (${reasons[why]}). It was not carried out. ${advice}`,
    );
  }
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

/** An argument of a call is not acceptable; nothing was done. */
export class ArgumentError extends FoundationError {
  constructor(
    call: string,
    readonly argument: string,
    received: string,
    expected: string,
  ) {
    super(
      'FOUNDATION_ARGUMENT',
      'foundation',
      `${call}: argument "${argument}" is not acceptable: received ${received}, expected ${expected}. Nothing was done.`,
    );
  }
}

/** No healthy instance of a service can be called. */
export class ServiceNotFoundError extends FoundationError {
  constructor(
    readonly service: string,
    /** Why those that are known were not taken. */
    why: string,
  ) {
    super(
      'FOUNDATION_SERVICE_UNKNOWN',
      'foundation',
      `Service "${service}" cannot be called: ${why}. Nothing was sent. Look with discoverServices() what is registered.`,
    );
  }
}

/** A channel that was not declared was used. */
export class UnknownChannelError extends FoundationError {
  constructor(
    readonly channel: string,
    readonly declared: readonly string[],
  ) {
    super(
      'FOUNDATION_CHANNEL_UNKNOWN',
      'foundation',
      `Channel "${channel}" is not declared. Nothing was sent or subscribed. Use one of ${declared.join(', ')}, or ` +
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

/** There are as many of something as Foundation keeps; `docs/bounds.md` has all the bounds. */
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

/** A request of a Nest client was not answered. */
export class RequestError extends FoundationError {
  constructor(
    readonly pattern: string,
    readonly why: string,
    /** True when it may have been carried out all the same. */
    readonly mayBeDone: boolean,
  ) {
    super(
      'FOUNDATION_REQUEST',
      'redis PUBLISH',
      `The request "${pattern}" was not answered: ${why}. It ${mayBeDone ? 'may or may not have been' : 'was not'} ` +
        `carried out. Check that a node with this @MessagePattern is in the cluster.`,
    );
  }
}

/** Others wrote the same entry of a table again and again while this node changed it. */
export class ConflictError extends FoundationError {
  constructor(
    /** What was to be changed: `entry "feed" of the process table`. */
    readonly subject: string,
    readonly times: number,
  ) {
    super(
      'FOUNDATION_CONFLICT',
      'redis EVALSHA',
      `The ${subject} was not changed: others wrote it ${times} times while this node did. Foundation left it as they wrote ` +
        `it. Try again, and let one node at a time change it.`,
    );
  }
}
