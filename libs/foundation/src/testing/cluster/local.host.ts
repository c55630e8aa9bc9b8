/**
 * A node in the process of the test: an application that the test makes. It can be cut off and stopped; only a process
 * of its own can be killed or frozen.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { errorWords } from '../../errors/describe.js';
import { NODE_MADE, type NodeMade, type NodeOptionsGiven, OPTIONS_GIVEN } from '../../node.witness.js';
import { eventually } from '../eventually.js';
import { historyFile, historyNow, recordHistory } from '../history/history.js';
import { boundedSink } from './bounded.sink.js';
import { NodeError, type NodeSetting } from './kit.messages.js';
import { answer, NodeAgent } from './node.agent.js';
import type { Injuries, NodeExit, NodeHost } from './node.host.js';
import { withKitOptions } from './node.options.js';

/** What the kit needs of an application of Nest. */
export interface LocalApplication {
  close(): Promise<unknown>;
  init?(): Promise<unknown>;
  listen?(port: number, host: string): Promise<unknown>;
}

/** What it is made with. */
export interface LocalHostOptions {
  name: string;
  setting: NodeSetting;
  make: () => Promise<LocalApplication>;
  startMs: number;
}

interface Making {
  options: NodeSetting['options'];
  made(node: NodeMade): void;
}

/** Which node an application is made for: several may be made at the same time. */
const making = new AsyncLocalStorage<Making>();

const onOptions = (message: unknown): void => {
  const node = making.getStore();
  const given = message as NodeOptionsGiven;
  if (node !== undefined) given.options = withKitOptions(given.options, node.options);
};
const onMade = (message: unknown): void => making.getStore()?.made(message as NodeMade);
let hosts = 0;

/** See the file header. */
export class LocalHost implements NodeHost {
  readonly pid = process.pid;
  readonly ready: Promise<void>;
  readonly exited: Promise<NodeExit>;
  readonly injuries: Injuries = { frozen: [] };
  exit: NodeExit | undefined;
  isEnding = false;
  readonly log = '';
  #application: LocalApplication | undefined;
  #agent: NodeAgent | undefined;
  #end!: (exit: NodeExit) => void;

  constructor(private readonly options: LocalHostOptions) {
    if (hosts++ === 0) {
      subscribe(OPTIONS_GIVEN, onOptions);
      subscribe(NODE_MADE, onMade);
    }
    this.exited = new Promise((resolve) => (this.#end = resolve));
    this.ready = this.#start();
    this.ready.catch(() => undefined); // who waits for it learns of it
  }

  get name(): string {
    return this.options.name;
  }

  get history(): string | undefined {
    return this.options.setting.history;
  }

  get bootId(): string | undefined {
    return this.#agent?.self.bootId;
  }

  get port(): number | undefined {
    return this.#agent?.port;
  }

  /** The application of this node. @throws Error while it is not made. */
  get application(): LocalApplication {
    if (this.#application === undefined)
      throw new Error(`The application of node ${this.options.name} is not made yet`);
    return this.#application;
  }

  async ask(question: string, ...args: unknown[]): Promise<unknown> {
    const { name } = this.options;
    if (this.exit !== undefined || this.#agent === undefined) throw new Error(`Node ${name} does not run`);
    try {
      const value = await answer(this.#agent, question, JSON.parse(JSON.stringify(args)) as unknown[]);
      return value === undefined ? undefined : JSON.parse(value);
    } catch (error) {
      throw new NodeError(name, errorWords(error));
    }
  }

  async stop(): Promise<NodeExit> {
    this.isEnding = true;
    if (this.exit === undefined) {
      // One that is still being made is waited for, or it would go on after the test.
      await this.ready.catch(() => undefined);
      await this.#application?.close();
      this.#ended();
    }
    return this.exited;
  }

  async kill(): Promise<void> {
    throw this.#refusal('killed: stop it, or cut it off from Redis');
  }

  async freeze(): Promise<void> {
    throw this.#refusal('frozen: cut it off from Redis');
  }

  thaw(): void {
    // It was never frozen.
  }

  async destroy(): Promise<void> {
    await this.stop();
  }

  #refusal(what: string): Error {
    const name = this.options.name;
    return new Error(
      `Node ${name} runs in the process of the test, so it cannot be ${what}. For this, start the cluster without inProcess`,
    );
  }

  async #start(): Promise<void> {
    const { name, setting, make, startMs } = this.options;
    let close = (): void => undefined;
    const made = (node: NodeMade): void => {
      this.#agent = new NodeAgent(node);
      if (setting.history === undefined) return;
      const file = historyFile(setting.history);
      const recorder = recordHistory(node.parts.telemetry, boundedSink(file), this.#agent.self);
      close = () => {
        recorder.stop();
        file.close();
      };
    };
    void this.exited.then(() => close());
    try {
      await making.run({ options: setting.options, made }, async () => {
        const application = await make();
        if (typeof application?.close !== 'function') {
          throw new Error(
            `inProcess made no application for node ${name}: return one, as () => NestFactory.create(AppModule) does`,
          );
        }
        this.#application = application;
        if (application.listen !== undefined) await application.listen(0, '127.0.0.1');
        else await application.init?.();
      });
      if (this.#agent === undefined) throw new Error(`The application of node ${name} has no FoundationModule`);
      const lastSeen = (): string => `its application listens, and the node has not joined the cluster`;
      await eventually(() => this.#agent?.isUp, { timeout: startMs, what: `The start of node ${name}`, lastSeen });
    } catch (error) {
      await Promise.resolve(this.#application?.close()).catch(() => undefined);
      this.#ended();
      throw error;
    }
  }

  #ended(): void {
    if (this.exit !== undefined) return;
    this.exit = { code: 0, signal: null, at: historyNow() };
    if (--hosts === 0) {
      unsubscribe(OPTIONS_GIVEN, onOptions);
      unsubscribe(NODE_MADE, onMade);
    }
    this.#end(this.exit);
  }
}
