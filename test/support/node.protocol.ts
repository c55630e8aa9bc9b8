// What a test may ask of a node in a child process, and what the node answers; over the IPC channel of child_process.
// Shared by test/apps/node.ts, which answers, and cluster.ts, which asks.
import type { ConfigCommit, Gathered, Member, NodeState, ProcessInfo } from 'nestjs-foundation';

/**
 * How `fragile` fails: in `onProcessStart`, some milliseconds later in `ctx.run`, by a start that never ends, by one
 * that ends its node, or not.
 */
export type CrashMode = 'start' | 'run' | 'hang' | 'exit' | 'none';

/** Where a process runs. */
export interface Owner {
  name: string;
  node: string;
  epoch: number;
}

/** A fenced write: `accepted`, or the name of the error. */
export type WriteOutcome = 'accepted' | (string & {});

export interface NodeCommands {
  /** Of the HTTP server; there is one where `ENV.dashboard` is set. */
  port(): number;
  state(): { state: NodeState; version: number };
  members(): Member[];
  list(): ProcessInfo[];
  lookup(name: string): Owner | null;
  /** `startSingleton` of the class `Extra` under that name. */
  startExtra(name: string): Owner;
  stop(name: string): null;
  restart(name: string): Owner;
  move(name: string, node: string): Owner;
  /** Makes the last instance here crash, by `ctx.fail`. */
  fail(name: string): null;
  /** Makes the last instance here end as finished, by `ctx.complete`. */
  complete(name: string): null;
  /** By the last context that this node had for the process, whether it still owns it or not. */
  fencedSet(name: string): WriteOutcome;
  /**
   * The same write past the guard of the context, as a stale owner sends it that was frozen in the middle of the call.
   */
  fencedSetUnguarded(name: string): WriteOutcome;
  broadcast(channel: string, message: string): null;
  /** The nodes that offer a service of that name, and whether that may be old. */
  discover(name: string): { node: string; stale: boolean }[];
  received(): string[];
  crash(mode: CrashMode): null;
  /** `startSingleton` of a job that completes at once; the answer is written down. */
  job(name: string, restart: 'transient' | 'temporary'): null;
  /** Makes the last instance here crash with a value that is no proper error; which one is up to the number. */
  failBadly(name: string, number: number): null;
  /** `channels.gather` of a question to the answerers of `node.gather.ts`. */
  gather(question: object, options: { timeout?: number; min?: number }): Gathered;
  /** The same question to all of a process. */
  gatherAll(name: string, question: object, options: { timeout?: number; min?: number }): Gathered;
  /** Of the configuration of `node.settings.ts`. */
  getConfig(path: string): unknown;
  setConfig(path: string, value: unknown, options: { quorum?: number | 'all'; timeout?: number }): ConfigCommit;
  /** What the listener of this node was told of a path: before and after, of each change. */
  heardConfig(path: string): [before: unknown, value: unknown][];
  /** How long the schema of this node takes from now on. */
  paceConfig(ms: number): null;
  /** Calls a method of `config`, `events`, `telemetry` or `registry`, see `node.v1.ts`. */
  v1(service: string, method: string, ...args: unknown[]): unknown;
  /** Sets the clock of this process: so many milliseconds ahead of the right time from now on. */
  setClock(aheadMs: number): null;
  /** Keeps the event loop busy without a pause. */
  block(ms: number): null;
}

export type CommandName = keyof NodeCommands;

export interface Question {
  id: number;
  command: CommandName;
  args: unknown[];
}

export interface Failure {
  name: string;
  message: string;
  code?: string;
}

export type FromNode =
  | { t: 'ready'; bootId: string; state: NodeState }
  | { t: 'failed'; error: Failure }
  | { t: 'answer'; id: number; result: unknown }
  | { t: 'error'; id: number; error: Failure };

/** Environment variables of the test application, besides those of Foundation itself. */
export const ENV = {
  history: 'TEST_HISTORY',
  /** Names of `node.processes.ts`, separated by commas; `many:12` makes twelve. */
  processes: 'TEST_PROCESSES',
  crash: 'TEST_CRASH',
  /** Set: asks nothing by itself, so that what is measured is Foundation alone. */
  quiet: 'TEST_QUIET',
  /** Set: calls the counters of `node.counters.ts` all the time. */
  calls: 'TEST_CALLS',
  /** Milliseconds between the lookups of everything. Default 100. */
  lookEvery: 'TEST_LOOK_EVERY',
  /** Set: serves the dashboard to whoever has this token. */
  dashboard: 'TEST_DASHBOARD',
  /** Where it listens. Default 0, any. */
  port: 'TEST_PORT',
  /** Set: broadcasts all the time, and writes down what was sent and heard. */
  talk: 'TEST_TALK',
  /** Set: has the jobs of `node.cron.ts`. */
  cron: 'TEST_CRON',
  /** Set: writes all the time with the epochs of instances that have ended. */
  stale: 'TEST_STALE',
  /** Set: answers gathers, see `node.gather.ts`. */
  gather: 'TEST_GATHER',
  /** Set: has a cluster-wide configuration, see `node.settings.ts`. */
  settings: 'TEST_SETTINGS',
  /** Set: has the API of Foundation 1.x, see `node.v1.ts`. */
  v1: 'TEST_V1',
  /** So many services are offered by this node. */
  services: 'TEST_SERVICES',
  /** Options of `forRoot` on top of the others, as JSON. */
  options: 'TEST_OPTIONS',
  /** `lease.onStall`. */
  onStall: 'TEST_ON_STALL',
  /** Set: no strategy runs, and Redis is looked for at this port of the machine in place of 6379. */
  redisPort: 'TEST_REDIS_PORT',
} as const;
