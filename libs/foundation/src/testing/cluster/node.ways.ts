/**
 * The ways of the nodes of a test to Redis and to each other, which a test cuts and heals.
 * Underneath proxies: one before Redis for each node, one before the links of each node.
 */
import { historyNow } from '../history/history.js';
import { freePort } from './free.port.js';
import type { Proxies, Proxy } from './proxies.js';
import type { ProxyMode } from './tcp.proxy.js';

/**
 * How a way is cut: `hang` passes nothing and closes nothing, as a network that is gone; `reset` resets connections and
 * new ones too; `no-requests` and `no-replies` hang in one direction; `{ delay }` passes everything later, in ms.
 */
export type CutKind = 'hang' | 'reset' | 'no-requests' | 'no-replies' | { delay: number };

/** Where a node is led. */
export interface NodeWay {
  redis: string;
  /** Where the node listens for links, and where others find it. */
  links: { host: string; port: number; advertise: string };
}

interface Ways extends NodeWay {
  toRedis: Proxy | undefined;
  toLinks: Proxy;
}

/** How a link begins: with who dials, by its boot id. */
const DIALER = /"from":"([^"]+)"/;
const LOOPBACK = '127.0.0.1';

/** See the file header. */
export class NodeWays {
  readonly #ways = new Map<string, Ways>();
  readonly #bootIds = new Map<string, string>();
  /** Pairs of names, the lesser one first. */
  readonly #apart = new Set<string>();
  /** When which node was cut off from Redis, for the checker. */
  readonly cuts: { node: string; from: number; until?: number; isSlow: boolean }[] = [];

  constructor(
    private readonly redis: string,
    private readonly proxies: Proxies,
  ) {}

  /** The way of a node, which is the same in each of its lives. */
  async open(name: string): Promise<NodeWay> {
    if (this.isCut(name)) throw new Error(`Node ${name} is cut off from Redis, so it cannot join: heal it first`);
    const known = this.#ways.get(name);
    if (known !== undefined) return known;
    const place = placeIn(this.redis);
    const port = await freePort();
    const toLinks = await this.proxies.open({ port }, DIALER);
    const toRedis = place === undefined ? undefined : await this.proxies.open(place);
    const ways: Ways = {
      redis: toRedis === undefined ? this.redis : urlAt(this.redis, toRedis.port),
      links: { host: LOOPBACK, port, advertise: `${LOOPBACK}:${toLinks.port}` },
      toRedis,
      toLinks,
    };
    this.#ways.set(name, ways);
    return ways;
  }

  /** False on a way that is slow: the node is a member, and may own something. */
  isCut(name: string): boolean {
    return this.#openCuts(name).some(({ isSlow }) => !isSlow);
  }

  async cutFromRedis(name: string, kind: CutKind): Promise<void> {
    const { toRedis } = this.#of(name);
    if (toRedis === undefined) {
      throw new Error(
        `Node ${name} cannot be cut off from ${this.redis.replace(/\/\/[^@/]*@/, '//…@')}: only a way to one server over ` +
          `redis:// can be cut. Let the test start a Redis of its own`,
      );
    }
    const from = historyNow();
    for (const cut of this.#openCuts(name)) cut.until = from;
    this.cuts.push({ node: name, from, isSlow: typeof kind === 'object' });
    await toRedis.mode(modeOf(kind));
  }

  async healRedis(name: string): Promise<void> {
    const cuts = this.#openCuts(name);
    if (cuts.length === 0) return;
    await this.#of(name).toRedis?.mode('ok');
    for (const cut of cuts) cut.until = historyNow();
  }

  /** Keeps two nodes apart: no link between them, in either direction. */
  async part(pair: readonly [string, string]): Promise<void> {
    this.#apart.add(keyOf(pair));
    await this.#each(pair, (toLinks, bootId) => toLinks.break(bootId, 'hung'));
  }

  async join(pair: readonly [string, string]): Promise<void> {
    if (this.#apart.delete(keyOf(pair))) await this.#each(pair, (toLinks, bootId) => toLinks.mend(bootId));
  }

  async healAll(): Promise<void> {
    for (const name of this.#ways.keys()) await this.healRedis(name);
    for (const key of [...this.#apart]) await this.join(JSON.parse(key) as [string, string]);
  }

  /** A node has begun another life, in which it stays apart from whom it was. */
  async lives(name: string, bootId: string): Promise<void> {
    this.#bootIds.set(name, bootId);
    for (const key of this.#apart) {
      const pair = JSON.parse(key) as [string, string];
      if (pair.includes(name)) await this.part(pair);
    }
  }

  close(): Promise<void> {
    return this.proxies.close();
  }

  async #each(
    [a, b]: readonly [string, string],
    work: (toLinks: Proxy, bootId: string) => Promise<void>,
  ): Promise<void> {
    for (const [at, from] of [
      [a, b],
      [b, a],
    ] as const) {
      const bootId = this.#bootIds.get(from);
      if (bootId !== undefined) await work(this.#of(at).toLinks, bootId);
    }
  }

  #openCuts(name: string): (typeof this.cuts)[number][] {
    return this.cuts.filter(({ node, until }) => node === name && until === undefined);
  }

  #of(name: string): Ways {
    const ways = this.#ways.get(name);
    if (ways === undefined) throw new Error(`There is no node ${name}`);
    return ways;
  }
}

function keyOf(pair: readonly [string, string]): string {
  return JSON.stringify([...pair].sort());
}

function modeOf(kind: CutKind): ProxyMode {
  if (typeof kind === 'object') return kind.delay;
  return ({ hang: 'blackhole', reset: 'cut', 'no-requests': 'norequest', 'no-replies': 'noreply' } as const)[kind];
}

/** Where a URL leads, if it is one server without TLS. */
function placeIn(url: string): { host: string; port: number } | undefined {
  if (!/^redis:\/\/[^,\s]+$/.test(url)) return undefined;
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, '') || LOOPBACK, port: Number(port || 6379) };
}

function urlAt(url: string, port: number): string {
  const changed = new URL(url);
  changed.hostname = LOOPBACK;
  changed.port = String(port);
  return changed.href;
}
