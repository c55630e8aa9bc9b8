// A cluster of child processes for a test: starts, breaks and asks nodes, waits for what the test names, and keeps what
// was done to whom, so that the history of all nodes can be checked at the end.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ClusterHistory,
  eventually,
  type HistoryEvent,
  type HistoryFacts,
  historyNow,
  type OwnershipViolations,
  type ProxyMode,
} from 'nestjs-foundation/testing';
import { passed } from './history.time.js';
import { NodeProcess } from './node.process.js';
import { ENV, type Owner } from './node.protocol.js';
import { RedisFaults } from './redis.faults.js';
import { type RedisServer, type RedisServerOptions, startRedis } from './redis-server.js';
import { requireNoLeak, secret } from './secrets.js';
import { Ways, type WaysOptions } from './ways.js';

export interface ClusterOptions extends WaysOptions {
  /** See `ENV.processes`. Default `steady`. */
  processes?: string;
  env?: Readonly<Record<string, string>>;
  redis?: RedisServerOptions;
}

export interface Matcher {
  event: string;
  name?: string;
  node?: string;
  /** Microseconds; see `historyNow`. */
  after?: number;
  where?: (event: HistoryEvent) => boolean;
}

const APP_NAME = 'e2e';
/** Of every node. Nobody needs it without the direct transport, and nobody may print it. */
export const COOKIE = secret('the cookie of the e2e tests');

export class TestCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'foundation-e2e-'));
  readonly nodes = new Map<string, NodeProcess>();
  /** Every process there ever was, ended ones included. */
  readonly all: NodeProcess[] = [];
  readonly #history = new ClusterHistory(this.all);
  readonly #redisFaults: RedisFaults;
  readonly #facts = {
    cut: [] as { node: string; from: number; until?: number }[],
    wanted: [] as Wanted[],
  };

  private constructor(
    readonly redis: RedisServer,
    private readonly options: ClusterOptions,
    private readonly ways: Ways,
  ) {
    this.#redisFaults = new RedisFaults(redis);
  }

  static async open(options: ClusterOptions = {}): Promise<TestCluster> {
    if (options.redis?.password !== undefined) secret(options.redis.password);
    const redis = await startRedis(options.redis);
    return new TestCluster(redis, options, await Ways.open(redis, options));
  }

  // -- nodes ----------------------------------------------------------------------------------------------------------

  /** Spawns nodes without waiting for them. */
  spawn(names: readonly string[], env: Readonly<Record<string, string>> = {}): NodeProcess[] {
    return names.map((name) => {
      const node = new NodeProcess(
        name,
        this.folder,
        {
          FOUNDATION_APP_NAME: APP_NAME,
          ...this.ways.env(name),
          FOUNDATION_COOKIE: COOKIE,
          [ENV.processes]: this.options.processes ?? 'steady',
          ...this.options.env,
          ...env,
        },
        this.all.length,
        this.ways.namespace(name),
      );
      this.all.push(node);
      this.nodes.set(name, node);
      return node;
    });
  }

  /** Starts nodes at the same time, and waits until each says that its start is over. */
  async start(names: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<NodeProcess[]> {
    const started = this.spawn(names, env);
    await Promise.all(started.map(({ ready }) => ready));
    return started;
  }

  /** Breaks the way of a node to Redis; call what it returns to heal it. */
  cut(name: string, mode: Exclude<ProxyMode, 'ok'>): () => void {
    const heal = this.ways.cut(name, mode);
    const healed = this.noteCut(name);
    return () => {
      heal();
      healed();
    };
  }

  /** The same for a while; see `ProxyMode`. */
  async cutOff(name: string, mode: Exclude<ProxyMode, 'ok'>, ms: number): Promise<void> {
    const heal = this.cut(name, mode);
    await passed(historyNow(), ms).finally(heal);
  }

  /** Makes two nodes unreachable for each other; both still reach Redis. */
  async part(one: string, other: string): Promise<void> {
    this.ways.part(await this.#peer(one), await this.#peer(other));
  }

  async join(one: string, other: string): Promise<void> {
    this.ways.join(await this.#peer(one), await this.#peer(other));
  }

  async #peer(name: string): Promise<{ name: string; bootId: string }> {
    const { bootId } = await this.node(name).ready;
    return { name, bootId };
  }

  node(name: string): NodeProcess {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`No node ${name}`);
    return node;
  }

  /** The nodes that can be asked. */
  answering(): NodeProcess[] {
    return [...this.nodes.values()].filter(({ answers }) => answers);
  }

  other(...names: string[]): NodeProcess {
    const other = this.answering().find(({ name }) => !names.includes(name));
    if (other === undefined) throw new Error(`No node besides ${names.join(', ')} can be asked`);
    return other;
  }

  // -- waiting --------------------------------------------------------------------------------------------------------

  /** Until every answering node names the same running owner; `above` an epoch and `not` on a node, if given. */
  async owner(
    name: string,
    { not, above = 0, timeout = 20_000, ask }: { not?: string; above?: number; timeout?: number; ask?: string[] } = {},
  ): Promise<Owner> {
    let last: unknown;
    return eventually(
      async () => {
        const asked = this.answering().filter((node) => ask === undefined || ask.includes(node.name));
        const owners = await Promise.all(asked.map((node) => node.ask('lookup', name)));
        last = owners;
        const [first] = owners;
        const agreed = owners.every((owner) => owner?.epoch === first?.epoch && owner?.node === first?.node);
        return first && agreed && first.node !== not && first.epoch > above ? first : undefined;
      },
      { timeout, what: `An owner of "${name}"`, lastSeen: () => last },
    );
  }

  /** Until every answering node is up and lists exactly these members, all of them up. */
  async members(names: readonly string[], timeout = 20_000): Promise<void> {
    const expected = [...names].sort().join();
    let last: unknown;
    await eventually(
      async () => {
        const seen = await Promise.all(
          this.answering().map(async (node) => {
            const [{ state }, members] = await Promise.all([node.ask('state'), node.ask('members')]);
            return `${node.name} is ${state} and sees ${members.map((m) => (m.state === 'up' ? m.name : `${m.name}(${m.state})`)).join()}`;
          }),
        );
        last = seen;
        return this.answering().every(({ name }, index) => seen[index] === `${name} is up and sees ${expected}`);
      },
      { timeout, what: `Members ${expected} everywhere`, lastSeen: () => last },
    );
  }

  /** Until the history has such an event; the first one. */
  async event(matcher: Matcher, timeout = 20_000): Promise<HistoryEvent> {
    return eventually(() => this.events(matcher)[0], {
      timeout,
      what: `An event ${JSON.stringify(matcher)}`,
      lastSeen: () =>
        this.history()
          .filter(({ event }) => !event.startsWith('test.'))
          .slice(-15)
          .map(({ at, node, event, payload }) => `${at} ${node} ${event} ${JSON.stringify(payload)}`)
          .join('\n'),
    });
  }

  /** The key names of the application in Redis, without the prefix. */
  async keys(): Promise<string[]> {
    const tag = `{foundation:${APP_NAME}}:`;
    const keys = await this.redis.cli('KEYS', '*');
    return keys
      .split('\n')
      .filter((key) => key.startsWith(tag))
      .map((key) => key.slice(tag.length));
  }

  key(name: string): string {
    return `{foundation:${APP_NAME}}:${name}`;
  }

  // -- history --------------------------------------------------------------------------------------------------------

  /** The events of all nodes so far, in the order of their time. */
  history(): HistoryEvent[] {
    return this.#history.events();
  }

  events({ event, name, node, after = 0, where = () => true }: Matcher): HistoryEvent[] {
    return this.history().filter(
      (one) =>
        one.event === event &&
        one.at > after &&
        (name === undefined || one.payload['name'] === name) &&
        (node === undefined || one.node === node) &&
        where(one),
    );
  }

  /** Remembers that the node was cut off from Redis from now on; call what it returns when it no longer is. */
  noteCut(node: string): () => void {
    const fact: { node: string; from: number; until?: number } = { node, from: historyNow() };
    this.#facts.cut.push(fact);
    return () => (fact.until ??= historyNow());
  }

  /** See {@link RedisFaults}. */
  freezeRedis(ms: number, pause?: () => Promise<unknown>): Promise<void> {
    return this.#redisFaults.freeze(ms, pause);
  }

  /** See {@link RedisFaults}. */
  rewindRedis(ms: number): Promise<void> {
    return this.#redisFaults.rewind(ms);
  }

  /** Remembers that the names must be owned again in time, counted from now or from `at`. */
  noteFault(because: string, names: readonly string[], withinMs = 10_000, at = historyNow()): void {
    for (const name of names) this.#facts.wanted.push({ name, at, withinMs, because });
  }

  /** What the checker has to say about everything so far; expect it to be empty. */
  violations(more: HistoryFacts = {}): string[] {
    return this.#history.violations(this.facts(more));
  }

  /** What the checker must know besides the events. */
  facts(more: HistoryFacts = {}): HistoryFacts {
    return this.#history.facts({
      policies: { once: 'temporary', finite: 'transient' },
      limits: { fragile: { maxRestarts: 3, maxSeconds: 60 } },
      ...this.#facts,
      ...this.#redisFaults.facts,
      ...more,
    });
  }

  /** What was done to the processes. */
  injuries(): Required<OwnershipViolations> {
    return this.#history.injuries();
  }

  /** Ends everything. The folder with histories and logs is kept when FOUNDATION_TEST_KEEP is set. */
  async close(): Promise<void> {
    await Promise.all(this.all.map((node) => node.destroy()));
    await this.ways.close();
    await this.redis.stop();
    const printed = this.all.flatMap(({ log, history }) => [
      ...log.split('\n'),
      ...(existsSync(history) ? readFileSync(history, 'utf8').split('\n') : []),
    ]);
    if (process.env['FOUNDATION_TEST_KEEP']) {
      for (const { history, log } of this.all) writeFileSync(history.replace(/\.ndjson$/, '.log'), log);
      console.log(`Kept: ${this.folder}`);
    } else rmSync(this.folder, { recursive: true, force: true });
    requireNoLeak(printed, 'the output or the history of a node');
  }
}

type Wanted = NonNullable<HistoryFacts['wanted']>[number];
