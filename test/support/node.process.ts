// One node of a test cluster of our own specs: a process that runs dist/test/apps/node.js, and what a test asks of it
// by the protocol of that application.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type NodeExit, NodeProcess as Process } from 'nestjs-foundation/testing';
import type { CommandName, Failure, FromNode, NodeCommands } from './node.protocol.js';
import { ENV } from './node.protocol.js';

// This file runs as a source inside Jest, and compiled in dist/test/support beside a script.
const ROOT = resolve(import.meta.dirname, /[\\/]dist[\\/]test[\\/]/.test(import.meta.dirname) ? '../../..' : '../..');
const APP = join(ROOT, 'dist/test/apps/node.js');
const READY_MS = 90_000;
const ANSWER_MS = 15_000;
/** What it printed last may come after its end, through a pipe. */
const LAST_WORDS_MS = 50;

export type { NodeExit };

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
  reject(error: unknown): void;
  timer: NodeJS.Timeout;
}

type Ready = Extract<FromNode, { t: 'ready' }>;

export class NodeProcess extends Process {
  readonly history: string;
  /** Resolves with what the node said of its start; rejects when that failed or did not come. */
  readonly ready: Promise<Ready>;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  readonly #heard: (message: FromNode) => void;

  constructor(
    name: string,
    folder: string,
    env: Readonly<Record<string, string>>,
    run: number,
    /** The network namespace that it runs in, by name. */
    namespace?: string,
  ) {
    if (!existsSync(APP)) throw new Error(`${APP} is missing. Run: npm run build:lib && npm run build:test`);
    const history = join(folder, `${name}.${run}.ndjson`);
    super({
      name,
      entry: APP,
      env: { ...env, FOUNDATION_NODE_NAME: name, [ENV.history]: history },
      ...(namespace === undefined ? {} : { execPath: ['ip', 'netns', 'exec', namespace, process.execPath] }),
      onMessage: (message) => this.#heard(message as FromNode),
    });
    this.history = history;
    let settle: { resolve(ready: Ready): void; reject(error: Error): void } | undefined;
    this.ready = new Promise<Ready>((resolve, reject) => (settle = { resolve, reject }));
    this.ready.catch(() => undefined); // whoever waits for it hears of it
    const fail = (what: string) => settle!.reject(new Error(`Node ${name} ${what}:\n${this.tail()}`));
    const timer = setTimeout(() => fail(`did not start in ${READY_MS} ms`), READY_MS);
    void this.ready.finally(() => clearTimeout(timer)).catch(() => undefined);
    this.#heard = (message) => {
      if (message.t === 'ready') settle!.resolve(message);
      if (message.t === 'failed') settle!.reject(new RemoteError(message.error));
      if (message.t === 'answer') this.#settle(message.id)?.resolve(message.result);
      if (message.t === 'error') this.#settle(message.id)?.reject(new RemoteError(message.error));
    };
    void this.exited.then(({ code, signal }) => {
      for (const id of [...this.#pending.keys()]) {
        this.#settle(id)?.reject(new Error(`Node ${name} ended with ${signal ?? code}`));
      }
      setTimeout(() => fail(`ended with ${signal ?? code} before it was ready`), LAST_WORDS_MS);
    });
  }

  get alive(): boolean {
    return this.exit === undefined;
  }

  get killedAt(): number | undefined {
    return this.injuries.killedAt;
  }

  get frozen(): readonly { from: number; until?: number }[] {
    return this.injuries.frozen;
  }

  /** Alive, and not stopped by a SIGSTOP of the test: it can be asked. */
  get answers(): boolean {
    const last = this.frozen.at(-1);
    return this.alive && !this.isEnding && (last === undefined || last.until !== undefined);
  }

  async ask<K extends CommandName>(
    command: K,
    ...args: Parameters<NodeCommands[K]>
  ): Promise<ReturnType<NodeCommands[K]>> {
    const id = ++this.#lastId;
    const answer = new Promise<ReturnType<NodeCommands[K]>>((resolve, reject) => {
      const late = () =>
        this.#settle(id)?.reject(new Error(`Node ${this.name} did not answer "${command}" in ${ANSWER_MS} ms`));
      this.#pending.set(id, {
        resolve: resolve,
        reject,
        timer: setTimeout(late, ANSWER_MS),
      });
    });
    this.send({ id, command, args }).catch((error: unknown) => this.#settle(id)?.reject(error));
    return answer;
  }

  /** SIGTERM. Returns when it has ended by itself. */
  terminate(timeoutMs?: number): Promise<NodeExit> {
    return this.stop(timeoutMs);
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(pending?.timer);
    return pending;
  }
}
