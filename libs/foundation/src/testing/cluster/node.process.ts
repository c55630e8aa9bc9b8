/**
 * One application of Node.js in a process of its own, and what a test does to it. Underneath `child_process.fork`; only
 * its own pid is ever signalled, and it ends with the test, however that ends.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { eventually } from '../eventually.js';
import { historyNow } from '../history/history.js';
import type { Injuries, NodeExit } from './node.host.js';
import { reap } from './reaper.js';
import { TailText } from './tail.text.js';

/** What a {@link NodeProcess} is started with. */
export interface NodeProcessOptions {
  /** For errors. */
  name: string;
  /** The file to run. */
  entry: string;
  /** Default: the working directory. */
  cwd?: string;
  /** Besides those of the test, without what a runner of tests says to its workers. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Options of Node.js. Default none, also not those of the test. */
  execArgv?: readonly string[];
  /** The program to run in place of `node`, with what it takes before the options of Node.js. */
  execPath?: readonly [program: string, ...args: string[]];
  /** Called with each message that the process sends by `process.send`. */
  onMessage?: (message: unknown) => void;
}

/** What a runner of tests says to its workers, and not to an application. */
const OF_THE_RUNNER = /^(JEST_WORKER_ID|VITEST.*|NODE_CHANNEL_.*|NODE_UNIQUE_ID)$/;

/** See the file header. */
export class NodeProcess {
  readonly name: string;
  readonly pid: number;
  /** Resolves when it has ended, with how. */
  readonly exited: Promise<NodeExit>;
  /** What the test did to it, for `checkHistory`. */
  readonly injuries: Injuries = { frozen: [] };
  /** True once the test has asked for its end, or expects it. */
  isEnding = false;
  readonly #child: ChildProcess;
  readonly #log = new TailText();
  #exit: NodeExit | undefined;

  constructor({ name, entry, cwd, env, execArgv = [], execPath, onMessage }: NodeProcessOptions) {
    this.name = name;
    const [program, ...first] = execPath ?? [];
    this.#child = fork(entry, [], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      ...(cwd === undefined ? {} : { cwd }),
      ...(program === undefined ? {} : { execPath: program }),
      execArgv: [...first, ...execArgv],
      env: { ...environment(), NO_COLOR: '1', ...env },
    });
    this.pid = this.#child.pid ?? -1;
    if (this.#child.pid !== undefined) reap(this.#child, this.#child.pid);
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => this.#log.add(text));
      (stream as unknown as { unref(): void }).unref();
    }
    this.exited = new Promise((done) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#exit ??= { code, signal, at: historyNow() };
        done(this.#exit);
      };
      this.#child.once('exit', end);
      this.#child.once('error', (error) => {
        this.#log.add(String(error));
        if (this.#child.pid === undefined) end(null, null);
      });
    });
    this.#child.on('message', (message: unknown) => onMessage?.(message));
    // What a test awaits keeps its process alive; a node that it forgot does not, and the reaper ends that one.
    this.#child.unref();
    this.#child.channel?.unref();
  }

  /** How it ended; `undefined` while it runs. */
  get exit(): NodeExit | undefined {
    return this.#exit;
  }

  /** The end of what it printed, at most a million characters. */
  get log(): string {
    return this.#log.text;
  }

  /** The last lines of it, for an error. */
  tail(characters?: number): string {
    return this.#log.end(characters);
  }

  /** Sends it a message, which its `process.on('message')` gets. Rejects when it cannot be reached. */
  async send(message: object): Promise<void> {
    if (this.#exit !== undefined) throw this.gone();
    await new Promise<void>((resolve, reject) => {
      this.#child.send(message, (error) => (error === null ? resolve() : reject(this.gone(error))));
    });
  }

  /** SIGKILL. Resolves when the process has gone, with the time of the signal in the history. */
  async kill(): Promise<number> {
    if (this.#exit === undefined) {
      this.isEnding = true;
      this.#child.kill('SIGKILL');
      this.injuries.killedAt = historyNow();
      await this.#ended();
    }
    return this.injuries.killedAt ?? historyNow();
  }

  /** SIGTERM. Resolves when it has ended by itself. @throws Error when it has not in time. */
  async stop(timeoutMs = 20_000): Promise<NodeExit> {
    if (this.#exit !== undefined) return this.#exit;
    this.isEnding = true;
    this.#child.kill('SIGTERM');
    const lastSeen = (): string => `it runs. Its last lines:\n${this.tail()}`;
    const what = `The end of node ${this.name}`;
    return eventually(() => this.#exit, { timeout: timeoutMs, every: 5, what, lastSeen });
  }

  /** SIGSTOP. Resolves when the kernel says that it is stopped. @throws Error on Windows, and when it has ended. */
  async freeze(): Promise<void> {
    if (this.#exit !== undefined) throw this.gone();
    if (process.platform === 'win32') throw new Error('Windows cannot freeze a process: kill the node, or cut it off');
    this.#child.kill('SIGSTOP');
    const isStopped = (): boolean => this.#exit !== undefined || stateOf(this.pid) === 'T';
    await eventually(isStopped, { timeout: 5000, every: 1, what: `SIGSTOP of node ${this.name}` });
    this.injuries.frozen.push({ from: historyNow() });
  }

  /** SIGCONT. */
  thaw(): void {
    const last = this.injuries.frozen.at(-1);
    if (last === undefined || last.until !== undefined) return;
    last.until = historyNow();
    this.#child.kill('SIGCONT');
  }

  /** SIGKILL, for the end of a test: the history does not count it as a fault. Done twice, nothing more happens. */
  async destroy(): Promise<void> {
    if (this.#exit !== undefined) return;
    this.isEnding = true;
    this.#child.kill('SIGKILL');
    await this.#ended();
  }

  /** @internal The error of who asks something of it that cannot be reached. */
  gone(cause?: unknown): Error {
    const how = this.#exit === undefined ? 'cannot be reached' : `has ended with ${endOf(this.#exit)}`;
    return new Error(`Node ${this.name} ${how}. Its last lines:\n${this.tail()}`, { cause });
  }

  async #ended(): Promise<void> {
    this.#child.ref();
    await this.exited;
  }
}

/** How a process ended, in one word. */
export function endOf({ code, signal }: NodeExit): string {
  return signal ?? `code ${code}`;
}

function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !OF_THE_RUNNER.test(name)));
}

/** The state letter of /proc, where there is one; elsewhere a stop is taken on trust. */
function stateOf(pid: number): string {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? 'T';
  } catch {
    return 'T';
  }
}
