/**
 * What a test asks of one node, answered inside its application: its view of the cluster, calls to processes, and
 * methods of providers. Used over IPC by a child process, and directly by a node of the test's own process.
 */
import type { Server } from 'node:http';
import type { MemberState } from '../../cluster/failure.detector.js';
import type { NodeState } from '../../cluster/member.js';
import type { NodeMade } from '../../node.witness.js';
import type { ProcessInfo } from '../../processes/process.ref.js';
import { eventually } from '../eventually.js';

/** A node that has just joined hears of what others run within this time, also on a busy machine. */
const KNOWN_MS = 5000;

/** What one node knows at a moment. */
export interface NodeView {
  node: string;
  state: NodeState;
  members: { name: string; state: MemberState }[];
  /** Every process that the cluster knows, with its owner; empty while this node cannot ask. */
  processes: ProcessInfo[];
  /** Why `processes` is empty, where it could not be read. */
  error?: string;
}

/** Which process is called: the one of a name, or the partition of a key. */
export interface Called {
  name: string;
  key?: string;
}

/** See the file header. */
export class NodeAgent {
  #http?: Server;

  constructor(private readonly made: NodeMade) {}

  get self(): { name: string; bootId: string } {
    return this.made.parts.membership.self;
  }

  get isUp(): boolean {
    return this.made.parts.membership.state === 'up';
  }

  /** Where its HTTP server listens; `undefined` while it does not, and without one. */
  get port(): number | undefined {
    const server = this.#server;
    const address = server?.listening ? server.address() : null;
    return typeof address === 'object' ? address?.port : undefined;
  }

  /** Whether the application has an HTTP server, listening or not. */
  get isServer(): boolean {
    return this.#server !== undefined;
  }

  get #server(): Server | undefined {
    if (this.#http !== undefined) return this.#http;
    const [host] = this.#named('HttpAdapterHost') as { httpAdapter?: { getHttpServer?(): Server | undefined } }[];
    const server = host?.httpAdapter?.getHttpServer?.();
    if (typeof server?.address === 'function') this.#http = server;
    return this.#http;
  }

  async view(): Promise<NodeView> {
    const { membership, processes } = this.made.parts;
    const members = membership.members().map(({ name, state }) => ({ name, state }));
    const view = { node: membership.self.name, state: membership.state, members };
    try {
      return { ...view, processes: await processes.list() };
    } catch (error) {
      return { ...view, processes: [], error: String(error) };
    }
  }

  /** Calls a `@Callable()` method of a process, as this node calls it, as soon as this node knows the process. */
  async call({ name, key }: Called, method: string, args: readonly unknown[]): Promise<unknown> {
    const { processes } = this.made.parts;
    if (key !== undefined) {
      const partitions = await known(() => processes.lookupPartitioned(name));
      if (partitions === undefined) throw new Error(`Node ${this.self.name} knows no partitions of "${name}"`);
      return partitions.for(key).call(method, ...args);
    }
    const found = await known(() => processes.lookupSingleton(name));
    if (found === undefined) throw new Error(`No node runs "${name}", says node ${this.self.name}`);
    return found.call(method, ...args);
  }

  /** Calls a method of a provider or a controller of this application, which is found by its name or its class's. */
  async invoke(provider: string, method: string, args: readonly unknown[]): Promise<unknown> {
    const found = this.#named(provider);
    const place = `of the application of node ${this.self.name}`;
    if (found.length === 0) throw new Error(`No provider or controller ${place} is called ${provider}`);
    if (found.length > 1)
      throw new Error(`${found.length} providers ${place} are called ${provider}: give one a token`);
    const instance = found[0] as Record<string, unknown>;
    const work = instance[method];
    if (typeof work !== 'function' || method === 'constructor')
      throw new Error(`${provider} ${place} has no ${method}()`);
    return Reflect.apply(work, instance, args) as unknown;
  }

  /** The instances of that name: by a token that is this text, or the class of that name. */
  #named(name: string): object[] {
    const found = new Set<object>();
    for (const { providers, controllers } of this.made.modules.values()) {
      for (const [token, { instance, isNotMetatype }] of [...providers, ...controllers]) {
        const isIt = token === name || (typeof token === 'function' && token.name === name);
        const value = instance;
        if (!isIt || value === null || value === undefined) continue;
        if (typeof value === 'object' || (typeof value === 'function' && isNotMetatype)) found.add(value);
      }
    }
    return [...found];
  }
}

/** `undefined` when it is still not known after {@link KNOWN_MS}. @throws what the last look has thrown */
async function known<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T | undefined> {
  try {
    return await eventually(look, { timeout: KNOWN_MS });
  } catch (error) {
    const { cause } = error as Error;
    if (cause instanceof Error) throw cause;
    return undefined;
  }
}

/** What a node answers, by the word with which it is asked; arguments and answers as they travel. */
export function answer(agent: NodeAgent, question: string, args: readonly unknown[]): Promise<string | undefined> {
  const answers: Record<string, () => Promise<unknown>> = {
    view: () => agent.view(),
    call: () => agent.call(args[0] as Called, String(args[1]), args[2] as unknown[]),
    invoke: () => agent.invoke(String(args[0]), String(args[1]), args[2] as unknown[]),
  };
  const found = answers[question];
  if (found === undefined) return Promise.reject(new Error(`A node cannot be asked "${question}"`));
  return found().then((value) => JSON.stringify(value) as string | undefined);
}
