/**
 * The story of the demo: three nodes form a cluster, the owner is killed, another one takes over, the dead one returns.
 */
import { randomInt } from 'node:crypto';
import type { Status } from '../src/status.controller.js';
import type { Cluster } from './cluster.js';
import { type Ownership, ownerships } from './history.js';
import type { Facts } from './summary.js';
import type { Table } from './table.js';
import { NotInTimeError, until } from './until.js';

/** Safety limits, not measurements. */
const FORMATION_MS = 60_000;
const TAKEOVER_MS = 15_000;
const RETURN_MS = 60_000;
const VIEW_MS = 15_000;
/** So many ticks are awaited before the kill and after the takeover, so that there is something to count. */
const TICKS = 5;
/** And up to so many more before the kill, so that it does not always hit the same moment between two renewals. */
const MORE_TICKS = 5;

/** What the story adds to the facts. */
export type Told = Pick<Facts, 'spawnedAt' | 'killed' | 'survivors' | 'completeViews' | 'problems'>;

/** Tells it to the end, or to the first thing that does not come in time; any other failure rejects. */
export async function tell(cluster: Cluster, singleton: string, table: Table, signal: AbortSignal): Promise<Told> {
  const story = new Story(cluster, singleton, table, signal);
  try {
    await story.tell();
  } catch (error) {
    if (!(error instanceof NotInTimeError)) throw error;
    story.told.problems = [error.message];
  }
  return story.told;
}

class Story {
  told: { -readonly [K in keyof Told]: Told[K] } = { spawnedAt: 0, survivors: [], completeViews: [], problems: [] };

  constructor(
    private readonly cluster: Cluster,
    private readonly singleton: string,
    private readonly table: Table,
    private readonly signal: AbortSignal,
  ) {}

  async tell(): Promise<void> {
    const { cluster, table } = this;
    const names = cluster.nodes.map(({ name }) => name);
    table.show(cluster.nodes);
    table.say(`starting ${names.join(', ')}`);
    this.told.spawnedAt = cluster.start();

    const first = await this.#until(FORMATION_MS, 'a cluster of all nodes with the singleton running', () =>
      this.#seeAll().length === names.length ? this.#owner() : undefined,
    );
    await this.#known(first, names);
    await this.#ticksOf(first, names, TICKS + randomInt(MORE_TICKS));
    table.say(`${names.length} members on every node; ${first.node} owns ${this.singleton}, epoch ${first.epoch}`);
    table.print();

    table.say(`kill -9 ${first.node}`);
    const killedAt = await cluster.kill(cluster.node(first.node));
    this.told.killed = { node: first.node, at: killedAt };
    const second = await this.#until(TAKEOVER_MS, `a new owner of ${this.singleton}`, () => this.#owner());
    const survivors = names.filter((name) => name !== first.node);
    await this.#known(second, survivors);
    const failover = Math.round((second.startedAt ?? 0) - killedAt);
    table.say(`${second.node} took over ${failover} ms after the kill, epoch ${second.epoch}`);
    table.print();

    table.say(`starting ${first.node} again`);
    cluster.node(first.node).start();
    await this.#until(RETURN_MS, `${first.node} as a member on every node`, () => {
      this.told.completeViews = this.#seeAll();
      return this.told.completeViews.length === names.length;
    });
    await this.#known(second, names);
    await this.#ticksOf(second, survivors);
    this.told.survivors = survivors.map((name) => this.#view(name)?.ticks.epochs ?? []);
    table.say(`${first.node} is a member again`);
    table.print();
  }

  /** The nodes that say that every node is up, each in its present life. */
  #seeAll(): string[] {
    const { nodes } = this.cluster;
    const boots = nodes.map(({ status }) => status?.node.bootId);
    return nodes
      .filter(({ status }) => {
        const up = status?.members.filter(({ state }) => state === 'up').map(({ bootId }) => bootId) ?? [];
        return boots.every((boot) => boot !== undefined && up.includes(boot));
      })
      .map(({ name }) => name);
  }

  /** Who owns the singleton now and has started it. */
  #owner(): Ownership | undefined {
    return ownerships(this.cluster.happenings, this.singleton).find(
      ({ startedAt, endedAt }) => startedAt !== undefined && endedAt === Infinity,
    );
  }

  /** Waits until each of these nodes names the owner when it is asked. */
  async #known({ node, epoch }: Ownership, names: readonly string[]): Promise<void> {
    await this.#until(VIEW_MS, `${node} as the owner in the view of ${names.join(', ')}`, () =>
      names.every((name) => this.#view(name)?.processes?.some((info) => info.epoch === epoch)),
    );
  }

  async #ticksOf({ node, epoch }: Ownership, names: readonly string[], count = TICKS): Promise<void> {
    await this.#until(VIEW_MS, `${count} ticks of ${node} on ${names.join(', ')}`, () =>
      names.every((name) =>
        this.#view(name)?.ticks.epochs.some((seen) => seen.epoch === epoch && seen.received >= count),
      ),
    );
  }

  #view(name: string): Status | undefined {
    return this.cluster.node(name).status;
  }

  #until<T>(timeout: number, what: string, look: () => T | undefined | false): Promise<T> {
    return until(what, look, { timeout, signal: this.signal });
  }
}
