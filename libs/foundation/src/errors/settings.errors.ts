/** A value of the cluster-wide configuration was not set. */
import { quoted } from './describe.js';
import { FoundationError } from './foundation.error.js';

/** How many nodes are named in a message. */
const SHOWN = 20;

/** With this value the configuration is not what its schema says. */
export class ConfigValueError extends FoundationError {
  constructor(
    readonly path: string,
    /** What is wrong, as the schema says. */
    readonly errors: readonly string[],
  ) {
    super(
      'FOUNDATION_CONFIG_VALUE',
      'foundation',
      `The value for ${quoted(path)} does not suit the schema of the cluster-wide configuration (${errors.join('; ')}). ` +
        `Nothing was changed. Set a value that the schema takes.`,
    );
  }
}

/** A node that has not accepted a change, and why. */
export interface MissingAcceptance {
  node: string;
  /** What its schema says, or why it did not answer, such as `timeout`. */
  reason: string;
}

/** Not as many nodes have accepted a change as its quorum asks for. */
export class ConfigQuorumError extends FoundationError {
  constructor(
    readonly path: string,
    /** How many have accepted, this one included. */
    readonly accepted: number,
    readonly needed: number,
    /** Those that have not. */
    readonly missing: readonly MissingAcceptance[],
  ) {
    super(
      'FOUNDATION_CONFIG_QUORUM',
      'foundation',
      `The value for ${quoted(path)} was accepted by ${accepted} of the ${needed} nodes that its quorum asks for (` +
        `${missing
          .slice(0, SHOWN)
          .map(({ node, reason }) => `${node}: ${reason}`)
          .join('; ')}). Nothing was changed on any node. Look at these nodes, or set it again with another quorum.`,
    );
  }
}

/** Another node has changed the same value first. */
export class ConfigConflictError extends FoundationError {
  constructor(
    readonly path: string,
    /** The node whose change counts. */
    readonly node: string,
  ) {
    super(
      'FOUNDATION_CONFIG_CONFLICT',
      'redis EVALSHA',
      `The value for ${quoted(path)} was changed by node ${quoted(node)} while this node set it. The change of that node ` +
        `counts, and this one was given up on every node. Read the value that is there now, and set it again if it is still wanted.`,
    );
  }
}

/** Redis did not say whether it took a change. */
export class ConfigOutcomeError extends FoundationError {
  constructor(
    readonly path: string,
    endpoint: string,
    cause?: unknown,
  ) {
    super(
      'FOUNDATION_CONFIG_OUTCOME',
      'redis EVALSHA',
      `The value for ${quoted(path)} was accepted, and Redis at ${endpoint} did not say whether it has it. Either every node ` +
        `gets it as soon as it reaches Redis, or none does. Read the value once Redis answers, and set it again if it is not there.`,
      cause,
    );
  }
}
