/**
 * A cluster of nodes of an application, for its tests: starts them, breaks them, and waits for what the test names.
 * Underneath processes of Node.js, a Redis server of the test's own, and proxies between them.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Remote } from '../../calls/remote.proxy.js';
import { isSwitchedOff } from '../../config/environment.js';
import { givenOptions } from '../../foreign/given.options.js';
import { nameOf, type ProcessTarget } from '../../processes/declaration/process.target.js';
import type { HistoryFacts } from '../history/history.facts.js';
import type { HistoryEvent } from '../history/history.js';
import { ClusterHistory } from './cluster.history.js';
import { checkName, type ClusterSettings, completed, freeName, type TestClusterOptions } from './cluster.options.js';
import { startHost } from './cluster.start.js';
import { ClusterViews, ownerIn, partOf, type SlotOwner } from './cluster.views.js';
import type { NodeHost } from './node.host.js';
import { type CutKind, NodeWays } from './node.ways.js';
import { type PickedRedis, pickRedis } from './picked.redis.js';
import { Proxies } from './proxies.js';
import { type AnyMethods, TestNode } from './test.node.js';
import type { TestRedis } from './test.redis.js';

/** What an owner has to be besides, for `owner()`. */
export interface OwnerOptions {
  /** Another node than this one, or one of these. */
  not?: TestNode | string;
  /** An owner of a later start: one with a higher epoch. */
  above?: number;
  /** Milliseconds; default that of the cluster. */
  timeout?: number;
}

/** See the file header. */
export class TestCluster implements AsyncDisposable {
  readonly #settings: ClusterSettings;
  readonly #redis: PickedRedis;
  readonly #ways: NodeWays;
  readonly #history: ClusterHistory;
  readonly #folder: string;
  readonly #nodes = new Map<string, TestNode>();
  readonly #hosts: NodeHost[] = [];
  readonly #views: ClusterViews;
  /** Names of nodes that are starting. */
  readonly #starting = new Set<string>();
  #started = 0;
  #stopped: Promise<void> | undefined;

  private constructor(settings: ClusterSettings, redis: PickedRedis) {
    this.#settings = settings;
    this.#redis = redis;
    this.#folder = mkdtempSync(join(tmpdir(), 'foundation-cluster-'));
    mkdirSync(join(this.#folder, 'compiled'));
    this.#ways = new NodeWays(redis.url, new Proxies({ cwd: settings.cwd, folder: this.#folder }));
    this.#history = new ClusterHistory(this.#hosts, () => this.#ways.cuts);
    this.#views = new ClusterViews(this.#nodes, settings.timeout);
  }

  /**
   * Starts a Redis and the nodes, and resolves when each listens and all are members of one cluster.
   *
   * ```ts
   * it('survives a kill', async () => {
   *   await using cluster = await TestCluster.start({ nodes: 3 });
   *   const owner = await cluster.owner(PriceFeed);
   *   await owner.kill();
   *   const next = await cluster.owner(PriceFeed);
   *   expect(next.name).not.toBe(owner.name);
   *   await cluster.assertSingleOwner(PriceFeed);
   * }, 60_000);
   * ```
   *
   * Underneath: `child_process.fork` of the entry for each node, and `redis-server` on a free port; all of it ends with
   * the test, also when its process is killed.
   *
   * @throws Error when an option is wrong, no Redis can be had, or a node does not start; with the end of its log.
   */
  static async start(options: TestClusterOptions = {}): Promise<TestCluster> {
    const settings = completed(options);
    if (settings.inProcess !== undefined && isSwitchedOff(process.env)) {
      throw new Error(
        'TestCluster cannot make a cluster in a process with FOUNDATION_CLUSTER=off. Take it away in this test',
      );
    }
    const cluster = new TestCluster(settings, await pickRedis(settings));
    try {
      await Promise.all(settings.names.map((name) => cluster.#begin(name)));
      await cluster.members();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** The nodes in the order of their starts; one that was started again stands for its former lives. */
  get nodes(): readonly TestNode[] {
    return [...this.#nodes.values()];
  }

  /** A node by its name. @throws Error */
  node(name: string): TestNode {
    const node = this.#nodes.get(name);
    if (node === undefined)
      throw new Error(`There is no node ${name}: there are ${[...this.#nodes.keys()].join(', ')}`);
    return node;
  }

  /** The Redis of this cluster, to be frozen, killed and asked. @throws Error when the test did not start it. */
  get redis(): TestRedis {
    if (this.#redis.own === undefined) throw new Error('This Redis was not started by the test, which leaves it alone');
    return this.#redis.own;
  }

  /**
   * Starts one more node, or again one that has ended. Resolves when it is a member everywhere.
   *
   * @param name default: the next of `node-1`, `node-2` … that there was not.
   * @throws Error for a node that runs, starts, or is cut off from Redis, and when it does not start.
   */
  async startNode(name = freeName(new Set([...this.#nodes.keys(), ...this.#starting]))): Promise<TestNode> {
    checkName(name);
    if (this.#stopped !== undefined) throw new Error('This cluster is stopped');
    if (this.#nodes.get(name)?.isRunning) throw new Error(`Node ${name} runs already`);
    if (this.#starting.has(name)) throw new Error(`Node ${name} is starting already`);
    const node = await this.#begin(name);
    await this.members();
    return node;
  }

  /**
   * The node that owns a process, as soon as every node that can be asked says so. A node that was killed, frozen or
   * cut off is no owner here: after a fault, this waits for the next one.
   *
   * @param slot the class or name of a singleton, a name as `list()` has it (`accounts/3`), or `cron:<job>`.
   * @throws Error after the timeout, with what each node said last; at once for a partitioned or replicated process.
   */
  async owner(slot: ProcessTarget, options: OwnerOptions = {}): Promise<TestNode> {
    return this.node((await this.ownership(slot, options)).node);
  }

  /** The same with the epoch. */
  async ownership(slot: ProcessTarget, options: OwnerOptions = {}): Promise<SlotOwner> {
    const { not, above = 0, timeout } = givenOptions<OwnerOptions>('owner', options, ['not', 'above', 'timeout']);
    const name = nameOf(slot);
    const former = typeof not === 'object' ? not.name : not;
    const found = await this.#views.agree<SlotOwner | string>(`An owner of "${name}"`, timeout, (views) => {
      const part = partOf(name, views);
      if (part !== undefined) return part;
      const owner = ownerIn(name, views);
      if (owner === undefined || owner.node === former || owner.epoch <= above) return undefined;
      return this.#views.askable().some((node) => node.name === owner.node) ? owner : undefined;
    });
    if (typeof found === 'object') return found;
    throw new Error(`"${name}" has several owners: name one of its parts, as in owner('${found}')`);
  }

  /**
   * Waits until the nodes agree on one owner, and checks the history of all nodes: at no time so far did two nodes own
   * it at once. What a frozen node did not do does not count.
   *
   * @throws Error with the events of both owners.
   */
  async assertSingleOwner(slot: ProcessTarget): Promise<void> {
    await this.ownership(slot);
    await this.#history.awaitSingleOwner(nameOf(slot));
  }

  /** The names of the nodes that owned a process, in the order of time: one for each time that it was owned. */
  ownersOf(slot: ProcessTarget): string[] {
    return this.#history.ownersOf(nameOf(slot));
  }

  /** Waits until every node that can be asked is up and lists exactly these members; by default exactly these nodes. */
  async members(names?: readonly string[], options: { timeout?: number } = {}): Promise<void> {
    const { timeout } = givenOptions<typeof options>('members', options, ['timeout']);
    // Other nodes may start and end meanwhile.
    const expected = (): string => (names ?? this.#views.askable().map(({ name }) => name)).toSorted().join();
    const what = names === undefined ? 'All nodes as members' : `Members ${expected()}`;
    await this.#views.agree(`${what} everywhere`, timeout, (views) =>
      views.every(({ state, members }) => {
        const up = members.filter((member) => member.state === 'up').map(({ name }) => name);
        return state === 'up' && members.length === up.length && up.toSorted().join() === expected();
      }),
    );
  }

  /** The `@Callable()` methods of a singleton, through a node that can be asked; see {@link TestNode.singleton}. */
  singleton<T = AnyMethods>(target: ProcessTarget<T>): Remote<T> {
    return this.#views.any().singleton(target);
  }

  /** The same for the partition of a key; see {@link TestNode.partition}. */
  partition<T = AnyMethods>(target: ProcessTarget<T>, key: string): Remote<T> {
    return this.#views.any().partition(target, key);
  }

  /**
   * Cuts a node off from Redis, or two nodes from each other; {@link heal} ends it.
   *
   * Underneath: a proxy on 127.0.0.1. Between two nodes there is something to cut with `transport: 'direct'` only; they
   * reach each other through Redis then.
   *
   * @param kind default `hang`; between nodes there is no other.
   * @throws Error for a Redis that is not one server over `redis://`.
   */
  async cut(node: TestNode | string, from: TestNode | 'redis' | (string & {}), kind: CutKind = 'hang'): Promise<void> {
    const [name, other] = [this.#nameOf(node), from === 'redis' ? from : this.#nameOf(from)];
    if (name === other) throw new Error(`Node ${name} cannot be cut off from itself`);
    if (other === 'redis') await this.#ways.cutFromRedis(name, kind);
    else await this.#ways.part([name, other]);
  }

  /** Heals all that was cut; or of one node: its way to Redis and to all others, or to one of them. */
  async heal(node?: TestNode | string, from?: TestNode | 'redis' | (string & {})): Promise<void> {
    if (node === undefined) return this.#ways.healAll();
    const name = this.#nameOf(node);
    const one = from === undefined || from === 'redis' ? from : this.#nameOf(from);
    for (const other of one === undefined ? ['redis', ...this.#nodes.keys()] : [one]) {
      if (other === 'redis') await this.#ways.healRedis(name);
      else if (other !== name) await this.#ways.join([name, other]);
    }
  }

  /** The events of all nodes so far, in the order of their time. */
  history(): HistoryEvent[] {
    return this.#history.events();
  }

  /** What breaks an invariant of `docs/invariants.md` in the history so far, as text; expect it to be empty. */
  violations(more: HistoryFacts = {}): string[] {
    return this.#history.violations(more);
  }

  /** Ends all nodes, the Redis that the test started, and what was written. Done twice, nothing more happens. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    this.#views.stop();
    if (this.#settings.inProcess !== undefined) await this.#ways.healAll(); // or a close would wait for Redis
    const ended = await Promise.allSettled(this.#hosts.map((host) => host.destroy()));
    await this.#ways.close();
    await this.#redis.own?.stop();
    this.#history.end();
    rmSync(this.#folder, { recursive: true, force: true });
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  }

  async #begin(name: string): Promise<TestNode> {
    this.#starting.add(name);
    try {
      return await this.#launch(name);
    } finally {
      this.#starting.delete(name);
    }
  }

  async #launch(name: string): Promise<TestNode> {
    const index = this.#started++;
    const secret = (this.#settings.options?.security?.cookie ?? process.env['FOUNDATION_COOKIE']) || this.#redis.cookie;
    const host = await startHost({
      ...{ settings: this.#settings, name, index, folder: this.#folder, appName: this.#redis.appName, cookie: secret },
      way: await this.#ways.open(name),
      born: (life) => {
        this.#hosts.push(life);
        // Another node has failed meanwhile, and the cluster with it.
        if (this.#stopped !== undefined) void life.destroy();
        this.#nodes.set(name, new TestNode(name, life, this.#owner));
      },
    });
    if (host.bootId !== undefined) await this.#ways.lives(name, host.bootId);
    return this.node(name);
  }

  readonly #owner = {
    cut: (node: string, from: 'redis', kind?: CutKind): Promise<void> => this.cut(node, from, kind),
    heal: (node: string): Promise<void> => this.heal(node),
    isCut: (node: string): boolean => this.#ways.isCut(node),
    stopMs: () => this.#settings.timeout,
  };

  #nameOf(node: TestNode | string): string {
    return this.node(typeof node === 'string' ? node : node.name).name;
  }
}
