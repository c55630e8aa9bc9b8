/**
 * The three nodes of the demo: started, watched, stopped together; keeps what they reported.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Happening } from './history.js';
import { DemoNode } from './node.js';
import { monotonicMs } from './until.js';

/** Between two looks at every node's `GET /status`. */
const LOOK_EVERY_MS = 100;
/** What the histories are made of; with `--keep` and `--open` the demo runs for as long as somebody likes. */
const KEPT = /^(lease\.|process\.started$|cluster\.view_changed$|exit$|kill$)/;
const MAX_HAPPENINGS = 5000;

/** What the demo wants to hear of its nodes. */
export interface ClusterListener {
  /** Every node was asked for its view. */
  looked(): void;
  /** A node ended, and nobody had asked it to; `log` is what it wrote last. */
  died(node: DemoNode, how: string, log: string): void;
}

/** See the file header. */
export class Cluster {
  readonly nodes: readonly DemoNode[];
  readonly happenings: Happening[] = [];
  #watching: Promise<void> | undefined;
  #closed = false;

  constructor(
    names: readonly string[],
    env: Readonly<Record<string, string>>,
    private readonly listener: ClusterListener,
  ) {
    this.nodes = names.map(
      (name) =>
        new DemoNode(name, env, {
          reported: (node, report) => this.#keep({ ...report, node: node.name }),
          died: (node, how, log) => listener.died(node, how, log),
        }),
    );
  }

  /** Starts every node at once; returns when it began. */
  start(): number {
    const at = monotonicMs();
    for (const node of this.nodes) node.start();
    this.#watching = this.#watch();
    return at;
  }

  node(name: string): DemoNode {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (node === undefined) throw new Error(`There is no node ${name}`);
    return node;
  }

  /** SIGKILL to one of them; resolves, once it is dead, to when the signal was sent. */
  async kill(node: DemoNode): Promise<number> {
    const at = await node.kill();
    this.#keep({ at, event: 'kill', node: node.name });
    return at;
  }

  /** SIGTERM to all at once; returns the names of those that had to be killed. */
  async stop(): Promise<string[]> {
    this.#closed = true;
    const ended = await Promise.all(this.nodes.map(async (node) => ((await node.stop()) ? [] : [node.name])));
    await this.#watching;
    return ended.flat();
  }

  /** For the last moment of the demo's own process; waits for nothing. */
  killNow(): void {
    for (const node of this.nodes) node.killNow();
  }

  #keep(happening: Happening): void {
    if (!KEPT.test(happening.event)) return;
    this.happenings.push(happening);
    this.happenings.splice(0, this.happenings.length - MAX_HAPPENINGS);
  }

  async #watch(): Promise<void> {
    while (!this.#closed) {
      await Promise.all(this.nodes.map((node) => node.look()));
      if (!this.#closed) this.listener.looked();
      await delay(LOOK_EVERY_MS);
    }
  }
}
