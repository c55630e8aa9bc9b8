/**
 * A node in a process of its own: the application as it is started outside of tests, with `node.program.js` preloaded,
 * which answers the test over IPC.
 */
import { type FromNode, isFromNode, NodeError, type NodeSetting, type Question, SETTING } from './kit.messages.js';
import type { Injuries, NodeExit, NodeHost } from './node.host.js';
import { endOf, NodeProcess } from './node.process.js';
import { programPath } from './programs.js';

/** What a node is started with. */
export interface ChildHostOptions {
  name: string;
  entry: string;
  setting: NodeSetting;
  env: Readonly<Record<string, string | undefined>>;
  execArgv: readonly string[];
  /** How long it may take to be ready, and to answer, in milliseconds. */
  startMs: number;
  answerMs: number;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  timer: NodeJS.Timeout;
}

/** What it printed last may come after its end, through a pipe. */
const LAST_WORDS_MS = 50;

/** See the file header. */
export class ChildHost implements NodeHost {
  readonly ready: Promise<void>;
  bootId: string | undefined;
  port: number | undefined;
  readonly #process: NodeProcess;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #isReady = (): void => undefined;

  constructor(private readonly options: ChildHostOptions) {
    const { name, entry, setting, env, execArgv } = options;
    this.#process = new NodeProcess({
      name,
      entry,
      cwd: setting.cwd,
      env: { ...env, [SETTING]: JSON.stringify(setting) },
      execArgv: ['--require', programPath('node.program.js', setting.cwd), ...execArgv],
      onMessage: (message) => isFromNode(message) && this.#hear(message),
    });
    void this.exited.then(() => {
      for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(this.#process.gone());
    });
    this.ready = this.#becomesReady();
    this.ready.catch(() => undefined); // who waits for it learns of it
  }

  get name(): string {
    return this.options.name;
  }

  get pid(): number {
    return this.#process.pid;
  }

  get exited(): Promise<NodeExit> {
    return this.#process.exited;
  }

  get exit(): NodeExit | undefined {
    return this.#process.exit;
  }

  get injuries(): Injuries {
    return this.#process.injuries;
  }

  get isEnding(): boolean {
    return this.#process.isEnding;
  }

  get log(): string {
    return this.#process.log;
  }

  get history(): string | undefined {
    return this.options.setting.history;
  }

  async ask(question: string, ...args: unknown[]): Promise<unknown> {
    const { name, answerMs } = this.options;
    const id = ++this.#lastId;
    const message: Question = { foundationTest: 'ask', id, question, args: JSON.stringify(args) };
    const answer = new Promise((resolve, reject) => {
      const late = (): void => {
        const what = `Node ${name} did not answer "${question}" in ${answerMs} ms`;
        this.#settle(id)?.reject(new Error(`${what}. Its last lines:\n${this.#process.tail()}`));
      };
      this.#pending.set(id, { resolve, reject, timer: setTimeout(late, answerMs) });
    });
    this.#process.send(message).catch((error: unknown) => this.#settle(id)?.reject(error));
    return answer;
  }

  async kill(): Promise<void> {
    await this.#process.kill();
  }

  stop(timeoutMs: number): Promise<NodeExit> {
    return this.#process.stop(timeoutMs);
  }

  freeze(): Promise<void> {
    return this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  destroy(): Promise<void> {
    return this.#process.destroy();
  }

  async #becomesReady(): Promise<void> {
    const { name, startMs } = this.options;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const fail = (what: string): void =>
          reject(new Error(`Node ${name} ${what}. Its last lines:\n${this.#process.tail()}`));
        timer = setTimeout(() => fail(`was not ready in ${startMs} ms: ${this.#stage()}`), startMs);
        this.#isReady = resolve;
        void this.exited.then((exit) =>
          setTimeout(() => fail(`ended with ${endOf(exit)} before it was ready`), LAST_WORDS_MS),
        );
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** For an error: how far it came. */
  #stage(): string {
    if (this.bootId === undefined) {
      return (
        'its application has made no FoundationModule. Either it imports none, or this machine is too busy to load it ' +
        'in that time: then give TestCluster a longer timeout'
      );
    }
    const listens = this.port === undefined ? '' : `it listens on port ${this.port}, but `;
    return `${listens}it has not joined the cluster`;
  }

  #hear(message: FromNode): void {
    if (message.foundationTest === 'made') this.bootId = message.bootId;
    if (message.foundationTest === 'listens') this.port = message.port;
    if (message.foundationTest === 'ready') this.#isReady();
    if (message.foundationTest !== 'answer') return;
    const { id, value, error } = message;
    if (error !== undefined) this.#settle(id)?.reject(new NodeError(this.options.name, error));
    else this.#settle(id)?.resolve(value === undefined ? undefined : JSON.parse(value));
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(pending?.timer);
    return pending;
  }
}
