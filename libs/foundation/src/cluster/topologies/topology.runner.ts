/**
 * Runs the topology strategies of this node and merges what they find: who should exist, and where Redis is.
 * Started and stopped by the lifecycle; read by health, the locator and `terminated.nodes.ts`.
 */
import type { FoundationConfig } from '../../config/config.js';
import type { Peer, TopologySelf, TopologyStrategy } from '../../config/topology.strategy.js';
import { describe } from '../../errors/describe.js';
import { Listeners } from '../../foreign/listeners.js';
import { Log } from '../../logging/log.js';
import { valueWithin } from '../../time/timeout.js';
import type { LocalNode } from '../local.node.js';
import { expectedOf, mergePeers } from './peers.js';
import { loadStrategy } from './strategy.loader.js';
import { RUN_TIMES, type RunTimes, StrategyRun, type StrategyStatus } from './strategy.runner.js';

/** Redis as a strategy says where it is. */
export interface FoundRedis {
  strategy: string;
  url: string;
}

/** See the file header. */
export class TopologyRunner {
  readonly #logger = new Log();
  readonly #listeners = new Listeners<[]>('TopologyRunner.listen');
  #runs: StrategyRun[] = [];
  #self: TopologySelf;
  #started: Promise<void> | undefined;
  #stopped = false;
  /** What `peers()` gives, until a strategy says something new. */
  #merged: readonly Peer[] | undefined;
  readonly #leftOut: string[] = [];

  constructor(
    private readonly config: Pick<FoundationConfig, 'appName' | 'labels' | 'topologies' | 'detected' | 'observes'>,
    node: LocalNode,
    private readonly times: RunTimes = RUN_TIMES,
  ) {
    const { name, bootId, host } = node;
    const observes = config.observes === true ? { observes: true } : {};
    this.#self = { appName: config.appName, node: name, bootId, host, labels: config.labels, ...observes };
  }

  /**
   * Starts every strategy, once; resolves when they are loaded, before they have found anything. A strategy that fails
   * is retried indefinitely.
   *
   * @throws MissingPackageError when the package of a strategy that was named is not installed.
   */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  /** Everything that should exist, merged, as it was last reported; a strategy that fails keeps its part. */
  peers(): readonly Peer[] {
    this.#merged ??= mergePeers(this.#runs.flatMap(({ peers }) => (peers === undefined ? [] : [peers])));
    return this.#merged;
  }

  /** How many nodes there should be; `undefined` when no strategy has said anything about it. */
  expectedNodes(): number | undefined {
    return expectedOf(this.peers()) || undefined;
  }

  /** How each strategy is doing. */
  status(): StrategyStatus[] {
    return this.#runs.map(({ status }) => status);
  }

  /** What was left out because it cannot be loaded, with the reason. */
  get leftOut(): readonly string[] {
    return this.#leftOut;
  }

  /**
   * Where the strategies say that Redis is, in their order: as soon as each of them has looked, or failed, once, and
   * one has found it; none when the time is over.
   */
  async redis(timeoutMs: number): Promise<FoundRedis[]> {
    if (this.#runs.length === 0) return [];
    const until = performance.now() + timeoutMs;
    await this.looked(timeoutMs);
    while (this.#found().length === 0 && !this.#stopped && performance.now() < until)
      await valueWithin(until - performance.now(), this.#change());
    return this.#found();
  }

  /** Resolves when each strategy has looked, or failed, once, or when the time is over. */
  async looked(timeoutMs: number): Promise<void> {
    await valueWithin(timeoutMs, Promise.all(this.#runs.map(({ looked }) => looked)));
  }

  /** Notifies the strategies of what is known of this node by now. */
  announce(known: Pick<TopologySelf, 'address' | 'redis'>): void {
    this.#self = { ...this.#self, ...known };
    for (const run of this.#runs) run.announce();
  }

  /** Calls `listener` after each report and each failure; returns the function that ends it. */
  listen(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Stops every strategy; what they found stays readable. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#started?.catch(() => undefined);
    await Promise.all(this.#runs.map((run) => run.stop()));
  }

  async #start(): Promise<void> {
    if (this.#stopped) return;
    const strategies: TopologyStrategy[] = [];
    for (const each of this.config.topologies) {
      try {
        strategies.push(await loadStrategy(each));
      } catch (error) {
        if (!this.config.detected) throw error;
        // It did start: no option names this strategy.
        const why = describe(error).replace(' Foundation did not start.', '');
        this.#leftOut.push(why);
        // Development suggests `mdns`, which few install and nobody needs on a machine of their own.
        const level = 'strategy' in each && each.strategy === 'mdns' ? 'debug' : 'warn';
        this.#logger[level]('Left out the topology strategy that this environment suggests', { error: why });
      }
    }
    if (this.#stopped) return;
    const tell = (): void => this.#tell();
    this.#runs = strategies.map((strategy) => new StrategyRun(strategy, () => this.#self, tell, this.times));
    for (const run of this.#runs) run.start();
    if (this.#runs.length > 0) {
      this.#logger.log('Looking for nodes', {
        strategies: this.#runs.map(({ name }) => name),
        detected: this.config.detected,
      });
    }
  }

  #found(): FoundRedis[] {
    return this.#runs.flatMap(({ name, redis }) => (redis === undefined ? [] : [{ strategy: name, url: redis }]));
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.listen(() => {
        stop();
        resolve();
      });
    });
  }

  #tell(): void {
    this.#merged = undefined;
    this.#listeners.tell();
  }
}
