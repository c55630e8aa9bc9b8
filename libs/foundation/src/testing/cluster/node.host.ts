/**
 * What a node of a test runs in: a process of its own, or the test's own. `TestNode` is the same over both.
 */

/** How a process ended. */
export interface NodeExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Microseconds of the history, see `historyNow`. */
  at: number;
}

/** What a test did to a process; times are those of the history. */
export interface Injuries {
  killedAt?: number;
  readonly frozen: { from: number; until?: number }[];
}

/** See the file header. */
export interface NodeHost {
  readonly name: string;
  readonly pid: number;
  /** Resolves when the node has joined and its application listens; rejects when it ends before. */
  readonly ready: Promise<void>;
  readonly exited: Promise<NodeExit>;
  readonly exit: NodeExit | undefined;
  readonly injuries: Injuries;
  /** True once the test has asked for its end. */
  readonly isEnding: boolean;
  readonly bootId: string | undefined;
  readonly port: number | undefined;
  /** The end of what it printed. */
  readonly log: string;
  /** Where its history is; `undefined` without one. */
  readonly history: string | undefined;
  ask(question: string, ...args: unknown[]): Promise<unknown>;
  stop(timeoutMs: number): Promise<NodeExit>;
  kill(): Promise<void>;
  freeze(): Promise<void>;
  thaw(): void;
  /** For the end of a test, whatever state it is in. */
  destroy(): Promise<void>;
}
