/**
 * One node of a test cluster, as a test has it: what it does to it, what it asks of it, what it printed.
 */
import type { Type } from '@nestjs/common';
import type { Remote } from '../../calls/remote.proxy.js';
import { nameOf, type ProcessTarget } from '../../processes/declaration/process.target.js';
import { LocalHost } from './local.host.js';
import type { Called, NodeView } from './node.agent.js';
import type { NodeExit, NodeHost } from './node.host.js';
import type { CutKind } from './node.ways.js';
import { methodsOf } from './remote.methods.js';

/** Any method of something whose class the test does not name. */
export type AnyMethods = Record<string, (...args: unknown[]) => Promise<unknown>>;

/** What a node asks of its cluster. */
export interface NodeOwner {
  cut(node: string, from: 'redis', kind?: CutKind): Promise<void>;
  heal(node: string): Promise<void>;
  isCut(node: string): boolean;
  stopMs(): number;
}

/** See the file header; made by `TestCluster`. */
export class TestNode {
  /** @internal */
  constructor(
    /** Its name in the cluster: `FOUNDATION_NODE_NAME`. */
    readonly name: string,
    private readonly host: NodeHost,
    private readonly cluster: NodeOwner,
  ) {}

  /** Of its process; that of the test with `inProcess`. */
  get pid(): number {
    return this.host.pid;
  }

  /** Names this life of the node. @throws Error before its application has made a `FoundationModule`. */
  get bootId(): string {
    if (this.host.bootId === undefined) throw new Error(`Node ${this.name} has no boot id yet`);
    return this.host.bootId;
  }

  /** The port on which its application listens. @throws Error while it listens on none. */
  get port(): number {
    if (this.host.port === undefined) throw new Error(`Node ${this.name} listens on no port`);
    return this.host.port;
  }

  /** Where its HTTP server is, for `fetch` or supertest: `http://127.0.0.1:<port>`. @throws Error as {@link port}. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The end of what it printed, at most a million characters; empty with `inProcess`. */
  get log(): string {
    return this.host.log;
  }

  /** True until its process ends, or the test asks for its end. */
  get isRunning(): boolean {
    return this.host.exit === undefined && !this.host.isEnding;
  }

  /** True from {@link freeze} to {@link thaw}. */
  get isFrozen(): boolean {
    const last = this.host.injuries.frozen.at(-1);
    return last !== undefined && last.until === undefined;
  }

  /** True while the test has cut it off from Redis. */
  get isCut(): boolean {
    return this.cluster.isCut(this.name);
  }

  /** Resolves when its process has ended, with how. */
  get exited(): Promise<NodeExit> {
    return this.host.exited;
  }

  /** Its application, with `inProcess`. @throws Error for a node in a process of its own. */
  get app(): unknown {
    if (this.host instanceof LocalHost) return this.host.application;
    throw new Error(`Node ${this.name} runs in a process of its own: use get(), singleton(), or its url`);
  }

  /**
   * The methods of a provider or controller of its application, each asynchronous. Arguments and results travel as
   * JSON; what it throws is a `NodeError` with the same name, message and code.
   *
   * ```ts
   * await node.get(OrdersService).place({ item: 'tea' });
   * ```
   *
   * Underneath: a message to its process, which looks for a provider whose token is this class's name.
   *
   * @param provider the class, or a token that is a text.
   */
  get<T = AnyMethods>(provider: Type<T> | string): Remote<T> {
    const name = typeof provider === 'string' ? provider : provider.name;
    return methodsOf<T>((method, args) => this.host.ask('invoke', name, method, args));
  }

  /**
   * The `@Callable()` methods of a singleton, or of one replica by its name, called from this node as its application
   * would.
   *
   * Underneath: `ProcessManager.lookupSingleton(name)` in its process, then `call`.
   *
   * @param target the class, or the name.
   */
  singleton<T = AnyMethods>(target: ProcessTarget<T>): Remote<T> {
    return this.#called<T>({ name: nameOf(target) });
  }

  /** The same for the partition that a key belongs to. Underneath: `lookupPartitioned(name).for(key).call`. */
  partition<T = AnyMethods>(target: ProcessTarget<T>, key: string): Remote<T> {
    return this.#called<T>({ name: nameOf(target), key });
  }

  /** What it knows now: its own state, the members, and every process with its owner. */
  async view(): Promise<NodeView> {
    return (await this.host.ask('view')) as NodeView;
  }

  /** SIGTERM, or `app.close()` with `inProcess`: it drains and leaves. Resolves when it has ended. */
  async stop(): Promise<NodeExit> {
    this.thaw();
    return this.host.stop(this.cluster.stopMs());
  }

  /** SIGKILL. Resolves when the process has gone. @throws Error with `inProcess`. */
  async kill(): Promise<void> {
    await this.host.kill();
  }

  /** SIGSTOP: nothing of it runs until {@link thaw}, and its connections stay open. @throws Error with `inProcess`. */
  async freeze(): Promise<void> {
    if (!this.isFrozen) await this.host.freeze();
  }

  /** SIGCONT. */
  thaw(): void {
    this.host.thaw();
  }

  /**
   * Cuts it off from Redis; see {@link TestCluster.cut} for two nodes.
   *
   * Underneath: a proxy on 127.0.0.1 that stands between this node and Redis.
   *
   * @param kind default `hang`.
   */
  cut(kind?: CutKind): Promise<void> {
    return this.cluster.cut(this.name, 'redis', kind);
  }

  /** Heals its way to Redis, and its ways to all other nodes. */
  heal(): Promise<void> {
    return this.cluster.heal(this.name);
  }

  #called<T>(called: Called): Remote<T> {
    return methodsOf<T>((method, args) => this.host.ask('call', called, method, args));
  }
}
