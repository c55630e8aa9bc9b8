// The ways of the nodes of a test cluster: to Redis, by a proxy of their own or on a machine of their own, and by links
// to each other.
import { type ProxyMode, TcpProxy } from 'nestjs-foundation/testing';
import type { Lab } from './lab.js';
import { Links, type Peer } from './links.js';
import type { RedisServer } from './redis-server.js';

export interface WaysOptions {
  /** Each node reaches Redis by a proxy of its own, so that it can be cut off. */
  behindProxies?: readonly string[];
  /** These nodes have the direct transport, with links that can be cut. */
  linked?: readonly string[];
  /** Each node is on a machine of its own, which is in the lab by its name, and so is Redis. */
  lab?: Lab;
}

export class Ways {
  readonly #proxies = new Map<string, TcpProxy>();
  readonly #links = new Links();
  readonly #linked = new Map<string, Record<string, string>>();

  private constructor(
    private readonly redis: RedisServer,
    private readonly lab: Lab | undefined,
  ) {}

  static async open(redis: RedisServer, { behindProxies = [], linked = [], lab }: WaysOptions): Promise<Ways> {
    const ways = new Ways(redis, lab);
    for (const name of behindProxies) ways.#proxies.set(name, await TcpProxy.open(redis.port));
    for (const name of linked) ways.#linked.set(name, await ways.#links.open(name));
    return ways;
  }

  /** What a node has in its environment. */
  env(name: string): Record<string, string> {
    const proxy = this.#proxies.get(name);
    const url = proxy === undefined ? this.redis.url : this.redis.urlAt(proxy.port);
    return { FOUNDATION_REDIS_URL: this.lab?.url ?? url, ...this.#linked.get(name) };
  }

  /** The namespace of the machine of a node. */
  namespace(name: string): string | undefined {
    return this.lab?.namespace(name);
  }

  /** Breaks the way of a node to Redis; what it returns heals it. */
  cut(name: string, mode: ProxyMode): () => void {
    const proxy = this.#proxies.get(name);
    if (proxy === undefined) throw new Error(`Node ${name} has no proxy: see behindProxies`);
    proxy.mode = mode;
    return () => (proxy.mode = 'ok');
  }

  /** Makes two nodes unreachable for each other, by links or on the network; both still reach Redis. */
  part(one: Peer, other: Peer): void {
    if (this.lab === undefined) this.#links.part(one, other);
    else this.lab.part(one.name, other.name);
  }

  join(one: Peer, other: Peer): void {
    if (this.lab === undefined) this.#links.join(one, other);
    else this.lab.join(one.name, other.name);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.close()));
    await this.#links.close();
    await this.lab?.close();
  }
}
