/**
 * What a test and a node in a child process say to each other over IPC. Values travel as JSON in one text, so that
 * they are made in the realm of whoever reads them: in Jest, a list of another realm equals none of the test's own.
 */
import type { FoundationOptions } from '../../config/options.js';
import type { ErrorWords } from '../../errors/describe.js';

/** What the program of a node is started with, in one environment variable. */
export interface NodeSetting {
  /** They win over the options of the application. */
  options: FoundationOptions;
  /** Where its history is written; none without it. */
  history?: string;
  /** Where compiled files are kept, when the entry is TypeScript. */
  compiled?: string;
  /** For the entry of an application in TypeScript: the folder whose `tsconfig.json` and compiler are used. */
  cwd: string;
}

/** The variable; the program takes it away before the application sees it. */
export const SETTING = 'FOUNDATION_TEST_NODE';

/** To a node. */
export interface Question {
  foundationTest: 'ask';
  id: number;
  question: string;
  args: string;
}

/** From a node. */
export type FromNode =
  | { foundationTest: 'made'; bootId: string }
  | { foundationTest: 'ready' }
  | { foundationTest: 'listens'; port: number }
  | { foundationTest: 'answer'; id: number; value?: string; error?: ErrorWords };

/** Whether a message of a child process is of the kit: the application may send its own. */
export function isFromNode(message: unknown): message is FromNode {
  return typeof message === 'object' && message !== null && 'foundationTest' in message;
}

/** An error of a node, with its own name, code and stack. */
export class NodeError extends Error {
  readonly code?: string;
  constructor(
    /** The node that threw it. */
    readonly node: string,
    failure: ErrorWords,
  ) {
    super(failure.message);
    this.name = failure.name;
    if (failure.code !== undefined) this.code = failure.code;
    if (failure.stack !== undefined) this.stack = `${failure.stack}\n    on node ${node}`;
  }
}
