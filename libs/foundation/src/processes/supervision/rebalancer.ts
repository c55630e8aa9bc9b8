/**
 * Moves what runs here to nodes that suit it better, and keeps places for what other nodes move here.
 * Driven by the supervisor; the rules are those of `placement.ts`. Underneath: a call to the other node.
 */
import type { ClusterView } from '../../cluster/cluster.view.js';
import type { Member } from '../../cluster/member.js';
import { runsEverywhere } from '../../cluster/slot.names.js';
import { unattended } from '../../foreign/gate.js';
import { isLongTurn, nextTurn } from '../../time/turn.budget.js';
import { exclusionOf } from '../placement/placement.exclusion.js';
import { type Better, betterNode, outlookOf } from '../placement/placement.moves.js';
import type { ProcessTable, VersionedEntry } from '../table/process.table.js';
import type { LocalPlacement } from './local.placement.js';
import { expire, type Hosted, MOVES_AT_ONCE, type NodeWorkload } from './node.workload.js';

/** Asks another node to take a process of this one; `limit` as in `refusalOf`. */
export type AskNode = (node: string, name: string, limit: number | undefined) => Promise<boolean>;

/** How long another node must suit better, and the process have run, before it moves there. */
const COOL_DOWN_MS = 5000;
/** The shortest time between two comparisons of what runs here with the other nodes. */
const COMPARE_EVERY_MS = 500;
/**
 * How many processes that may stay are compared in that time; the others are next. Thousands that start or move would
 * be compared again and again, for the four of them that may move at once.
 */
const COMPARED_AT_ONCE = 500;
/** What each node adds to that time on every node, so that the whole cluster moves 40 a second at most. */
const COMPARE_SHARE_MS = 100;
/** After this time a node that rejected a process is asked again. */
const ASK_AGAIN_MS = 2000;
/** A process that was moved for the balance stays where it is for this time. */
const REST_MS = 30_000;

/** What this node sees when it compares: the members, what it owns without what is leaving, and both as one text. */
interface Outlook {
  members: readonly Member[];
  load: number;
  text: string;
}

/** What the rebalancer needs. */
export interface RebalancerParts {
  membership: ClusterView;
  table: Pick<ProcessTable, 'get'>;
  workload: NodeWorkload;
  placement: LocalPlacement;
  isSupervising: () => boolean;
  now: () => number;
}

/** See the file header. */
export class Rebalancer {
  /** Processes that came by such a move: until when they stay. */
  readonly #resting = new Map<string, number>();
  /** What is on its way to another node, from the question to that node on. */
  readonly #leaving = new Set<string>();
  #ask: AskNode = () => Promise.resolve(false);
  #compareFrom = 0;
  #isComparing = false;
  /** What is left of the present round through all that ran here when it began. */
  #round: string[] = [];
  #outlook: Outlook | undefined;

  constructor(private readonly parts: RebalancerParts) {}

  /** How other nodes are asked to take a process; until it is set nothing moves by itself. */
  onMove(ask: AskNode): void {
    this.#ask = ask;
  }

  /**
   * Called by the node that runs the process and would move it here: true keeps a place for it for as long as it takes
   * to come.
   *
   * INVARIANT (I20): what is promised counts as owned, so that several nodes that move at the same time never make this
   * one the most loaded, nor more than full.
   */
  takes(name: string, limit: number | undefined, from: string): boolean {
    const { table, placement, workload, membership } = this.parts;
    const entry = table.get(name);
    workload.expirePromises();
    if (!placement.isWanted(entry) || !workload.canPromise(name)) return false;
    if (workload.hosted.has(name) || placement.refusal(entry, limit, from) !== undefined) return false;
    if (entry.kind === 'replicated' && workload.hasSibling(entry, membership.self.name)) return false;
    workload.promise(entry);
    return true;
  }

  /** A process starts here; one that was promised a place rests. */
  arrived(name: string): void {
    if (this.parts.workload.fulfil(name)) this.#resting.set(name, this.parts.now() + REST_MS);
    else this.#resting.delete(name);
  }

  /** An instance has ended here. */
  ended(name: string): void {
    this.#resting.delete(name);
    this.#leaving.delete(name);
  }

  expire(): void {
    expire(this.#resting, this.parts.now());
    this.parts.workload.expirePromises();
  }

  /** Compares what runs here with the other nodes; at most once in a while, and not again while nothing has changed. */
  async rebalance(): Promise<void> {
    const { now, membership, workload, table, isSupervising } = this.parts;
    const at = now();
    if (this.#isComparing || at < this.#compareFrom) return;
    this.#isComparing = true;
    this.#compareFrom = at + Math.max(COMPARE_EVERY_MS, COMPARE_SHARE_MS * membership.members().length);
    try {
      if (this.#round.length === 0) this.#round = [...workload.hosted.keys()].reverse();
      for (const name of this.#dueNow()) {
        if (isLongTurn()) await nextTurn();
        if (name === undefined) continue;
        const [entry, hosted] = [table.get(name), workload.hosted.get(name)];
        if (!isSupervising() || entry === undefined || hosted === undefined) continue;
        const better = this.#betterNode(entry, hosted);
        if (better !== undefined) unattended('moving a process', this.#move(entry, hosted, better));
      }
    } finally {
      this.#isComparing = false;
    }
  }

  /** What may not stay here, each time; of all else the next few of the round. Nothing is where a turn may end. */
  *#dueNow(): Generator<string | undefined> {
    const { table, workload } = this.parts;
    for (const [name, hosted] of workload.hosted) {
      const entry = table.get(name);
      const isDue = entry !== undefined && !this.#isSettled(entry, hosted) && this.#mustLeave(entry);
      yield isDue ? name : undefined;
    }
    for (let compared = 0; compared < COMPARED_AT_ONCE;) {
      const name = this.#round.pop();
      if (name === undefined) return;
      const [entry, hosted] = [table.get(name), workload.hosted.get(name)];
      if (entry === undefined || hosted === undefined) continue;
      if (this.#isSettled(entry, hosted) || this.#mustLeave(entry)) continue;
      compared += 1;
      yield name;
    }
  }

  /** True for what may not stay on this node. */
  #mustLeave(entry: VersionedEntry): boolean {
    const { membership } = this.parts;
    const { load } = this.#outlookNow();
    const owner = membership.self.name;
    const loadOf = (member: Member): number => (member.name === owner ? load : member.load);
    return exclusionOf(entry, membership.own, { owner, loadOf }) !== undefined;
  }

  /**
   * The node that has suited better for a while, unless too many processes move already. What may not stay here leaves
   * whatever `rebalance` says, once there is a node that may run it.
   */
  #betterNode(entry: VersionedEntry, hosted: Hosted): Better | undefined {
    const { membership, now } = this.parts;
    const { members, load, text: outlook } = this.#outlookNow();
    if (!hosted.instance.running || this.#leaving.has(entry.name) || runsEverywhere(entry) || entry.status !== 'wanted')
      return undefined;
    const { name: self } = membership.self;
    const loadOf = (member: Member): number => (member.name === self ? load : member.load);
    const mustLeave = this.#mustLeave(entry);
    const better = entry.rebalance === 'off' && !mustLeave ? undefined : betterNode(entry, members, self, loadOf);
    if (better === undefined) {
      delete hosted.betterSince;
      // While something moves its load is not what the members say.
      if (this.#leaving.size === 0) hosted.settled = { outlook, entry };
      return undefined;
    }
    const at = now();
    hosted.betterSince ??= at;
    if (at - hosted.betterSince < COOL_DOWN_MS || this.#leaving.size >= MOVES_AT_ONCE) return undefined;
    return mustLeave || this.#isSteady(entry, hosted, at) ? better : undefined;
  }

  /** True when it was in its place, and nothing that matters has changed since. */
  #isSettled(entry: VersionedEntry, { settled }: Hosted): boolean {
    return settled?.entry === entry && settled.outlook === this.#outlookNow().text;
  }

  /** Made once for all processes that are compared with the same members. */
  #outlookNow(): Outlook {
    const members = this.parts.membership.members();
    const load = this.parts.workload.load - this.#leaving.size;
    if (this.#outlook?.members !== members || this.#outlook.load !== load) {
      this.#outlook = { members, load, text: outlookOf(members, this.parts.membership.self.name, load) };
    }
    return this.#outlook;
  }

  /** What has just come, or crashed lately, stays: a move would only restart its trouble elsewhere. */
  #isSteady(entry: VersionedEntry, { since = Infinity }: Hosted, now: number): boolean {
    const window = entry.crashes === undefined ? COOL_DOWN_MS : entry.options.maxSeconds * 1000;
    return now - since >= Math.max(COOL_DOWN_MS, window) && (this.#resting.get(entry.name) ?? 0) <= now;
  }

  /**
   * INVARIANT (I20): only what the other node has promised to take is stopped, so that it moves there, once, and stays.
   */
  async #move(entry: VersionedEntry, hosted: Hosted, { node, byLoad }: Better): Promise<void> {
    const { workload, placement, table, now } = this.parts;
    const limit = byLoad ? workload.load - this.#leaving.size - 1 : undefined;
    this.#leaving.add(entry.name);
    const takes = await this.#ask(node, entry.name, limit).catch(() => false);
    hosted.betterSince = now() - COOL_DOWN_MS + ASK_AGAIN_MS;
    const isThere = hosted.instance.running && workload.hosted.get(entry.name) === hosted;
    if (!takes || !isThere || !placement.isWanted(table.get(entry.name))) {
      this.#leaving.delete(entry.name);
      return;
    }
    hosted.moving = true;
    hosted.instance.stop('move');
  }
}
