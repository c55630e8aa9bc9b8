// One node of a test cluster: a child process that runs dist/test/apps/node.js, and what a test does to it.
// Only its own pid is ever signalled.
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { eventually, historyNow } from 'nestjs-foundation/testing';
import type { CommandName, Failure, FromNode, NodeCommands } from './node.protocol.js';
import { ENV } from './node.protocol.js';

// This file runs as a source inside Jest, and compiled in dist/test/support beside a script.
const ROOT = resolve(import.meta.dirname, /[\\/]dist[\\/]test[\\/]/.test(import.meta.dirname) ? '../../..' : '../..');
const APP = join(ROOT, 'dist/test/apps/node.js');
const READY_MS = 90_000;
const ANSWER_MS = 15_000;

export interface NodeExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  at: number;
}

/** An error that came over the IPC channel, with its own name and code. */
export class RemoteError extends Error {
  readonly code?: string;
  constructor(failure: Failure) {
    super(failure.message);
    this.name = failure.name;
    if (failure.code !== undefined) this.code = failure.code;
  }
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

export class NodeProcess {
  readonly pid: number;
  readonly log: string;
  readonly history: string;
  /** Resolves with what the node said of its start; rejects when that failed or did not come. */
  readonly ready: Promise<Extract<FromNode, { t: 'ready' }>>;
  readonly exited: Promise<NodeExit>;
  exit?: NodeExit;
  killedAt?: number;
  readonly frozen: { from: number; until?: number }[] = [];
  /** True once the test has asked for its end. */
  ending = false;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(
    readonly name: string,
    folder: string,
    env: Readonly<Record<string, string>>,
    run: number,
    /** The network namespace that it runs in, by name. */
    namespace?: string,
  ) {
    if (!existsSync(APP)) throw new Error(`${APP} is missing. Run: npm run build:lib && npm run build:test`);
    this.log = join(folder, `${name}.${run}.log`);
    this.history = join(folder, `${name}.${run}.ndjson`);
    const output = openSync(this.log, 'a');
    this.#child = fork(APP, [], {
      stdio: ['ignore', output, output, 'ipc'],
      ...(namespace === undefined
        ? { execArgv: [] }
        : { execPath: 'ip', execArgv: ['netns', 'exec', namespace, process.execPath] }),
      env: { ...process.env, NO_COLOR: '1', ...env, FOUNDATION_NODE_NAME: name, [ENV.history]: this.history },
    });
    closeSync(output);
    this.pid = this.#child.pid ?? -1;
    this.exited = new Promise((done) => {
      this.#child.once('exit', (code, signal) => {
        this.exit = { code, signal, at: historyNow() };
        this.#fail(new Error(`Node ${name} ended with ${signal ?? code}`));
        done(this.exit);
      });
    });
    this.ready = this.#becomesReady();
    this.ready.catch(() => undefined); // whoever waits for it hears of it
    this.#child.on('message', (message: FromNode) => this.#hear(message));
  }

  get alive(): boolean {
    return this.exit === undefined;
  }

  /** Alive, and not stopped by a SIGSTOP of the test: it can be asked. */
  get answers(): boolean {
    const last = this.frozen.at(-1);
    return this.alive && !this.ending && (last === undefined || last.until !== undefined);
  }

  async ask<K extends CommandName>(
    command: K,
    ...args: Parameters<NodeCommands[K]>
  ): Promise<ReturnType<NodeCommands[K]>> {
    const id = ++this.#lastId;
    return new Promise<ReturnType<NodeCommands[K]>>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error(`Node ${this.name} did not answer "${command}" in ${ANSWER_MS} ms`));
      }, ANSWER_MS);
      this.#pending.set(id, { resolve: resolve, reject, timer });
      this.#child.send({ id, command, args }, (error) => error && this.#settle(id)?.reject(error));
    });
  }

  /** SIGKILL. Returns when the process has gone. */
  async kill(): Promise<number> {
    this.ending = true;
    this.#child.kill('SIGKILL');
    this.killedAt = historyNow();
    await this.exited;
    return this.killedAt;
  }

  /** SIGTERM. Returns when it has ended by itself. */
  async terminate(timeoutMs = 20_000): Promise<NodeExit> {
    this.ending = true;
    this.#child.kill('SIGTERM');
    return eventually(() => this.exit, { timeout: timeoutMs, every: 5, what: `The end of node ${this.name}` });
  }

  /** SIGSTOP. Returns when the kernel says that it is stopped. */
  async freeze(): Promise<void> {
    this.#child.kill('SIGSTOP');
    await eventually(() => stateOf(this.pid) === 'T', { timeout: 2000, every: 1, what: `SIGSTOP of ${this.name}` });
    this.frozen.push({ from: historyNow() });
  }

  thaw(): void {
    const last = this.frozen.at(-1);
    if (last !== undefined) last.until = historyNow();
    this.#child.kill('SIGCONT');
  }

  /** For the end of a test, whatever state it is in. */
  async destroy(): Promise<void> {
    if (!this.alive) return;
    this.ending = true;
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  /** The end of its output, for a failure message. */
  tail(bytes = 1500): string {
    return readFileSync(this.log, 'utf8').slice(-bytes);
  }

  async #becomesReady(): Promise<Extract<FromNode, { t: 'ready' }>> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        const late = (): void =>
          reject(new Error(`Node ${this.name} did not start in ${READY_MS} ms:\n${this.tail()}`));
        timer = setTimeout(late, READY_MS);
        this.#child.on('message', (message: FromNode) => {
          if (message.t === 'ready') resolve(message);
          if (message.t === 'failed') reject(new RemoteError(message.error));
        });
        void this.exited.then(({ code, signal }) =>
          reject(new Error(`Node ${this.name} ended with ${signal ?? code} before it was ready:\n${this.tail()}`)),
        );
      });
    } finally {
      clearTimeout(timer);
    }
  }

  #hear(message: FromNode): void {
    if (message.t === 'answer') this.#settle(message.id)?.resolve(message.result);
    if (message.t === 'error') this.#settle(message.id)?.reject(new RemoteError(message.error));
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(pending?.timer);
    return pending;
  }

  #fail(error: Error): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(error);
  }
}

/** The state letter of /proc, where there is one; elsewhere a stop is taken on trust. */
function stateOf(pid: number): string {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? 'T';
  } catch {
    return 'T';
  }
}
