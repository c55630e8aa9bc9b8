/** This node cannot join, listen or find others, or others write the same as it does. */
import { describe, plain } from './describe.js';
import { FoundationError } from './foundation.error.js';

/** A topology strategy fails to discover nodes and Redis at the moment. */
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
      `The topology strategy "${strategy}" failed to discover nodes (${problem}). The last known peers are kept; Foundation ` +
        `keeps retrying. ${advice}`,
      cause,
    );
  }
}

/** The direct transport cannot listen where it should. */
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
      `Node "${node}" is already running in another process (boot id ${otherBootId}). This process did not join. ` +
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
      `Node "${node}" does not share the cookie of the cluster. This process did not join. ` +
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
    known: {
      cause?: unknown;
      nodes?: { seen: number; wanted: number };
      /** What the last attempt to join, or to be heard, failed at. */
      trouble?: string | undefined;
    } = {},
  ) {
    const { cause, nodes, trouble } = known;
    const waited = Math.round(waitedMs);
    const isAlone = state === 'up' && nodes !== undefined;
    const why =
      state === 'initialising'
        ? `Node "${node}" joins the cluster after every onModuleInit of the application has run, so it is in none yet. ` +
          `The call was not carried out. Make it in onApplicationBootstrap, or later.`
        : state === 'draining' || state === 'left'
          ? `Node "${node}" ${state === 'left' ? 'has left the cluster' : 'takes no work (state "draining")'}. ` +
            `The call was not carried out. Make it on another node, or when this one is started again or undrained.`
          : undefined;
    super(
      'FOUNDATION_NOT_READY',
      'foundation',
      why !== undefined
        ? why
        : isAlone
          ? `Node "${node}" waited ${waited} ms for ${nodes.wanted} nodes and sees ${nodes.seen}. Nothing was changed. ` +
            `Check that the others run, with the same "appName" and the same Redis.`
          : `Node "${node}" is not a member of the cluster (state "${state}" after ${waited} ms` +
            `${trouble === undefined ? '' : `; last of all: ${plain(trouble, 300)}`}). ` +
            `The call was not carried out. Check that Redis is reachable.`,
      cause,
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
