/**
 * What happened in a test cluster: the events of all nodes, and what the test did to them, for the checker.
 */
import { eventually } from '../eventually.js';
import { checkHistory, describeViolations } from '../history/check.history.js';
import type { HistoryFacts } from '../history/history.facts.js';
import { type HistoryEvent, historyNow } from '../history/history.js';
import { ownershipsOf, type OwnershipViolations } from '../history/ownership.js';
import { HISTORY_FULL } from './bounded.sink.js';
import { GrowingHistory } from './growing.history.js';
import type { Injuries, NodeExit } from './node.host.js';

/** How long an overlap of two owners may be one that a node has not written down the end of yet. */
const SETTLE_MS = 5000;

/** One life of a node: its process, what was done to it, and where its history is. */
export interface NodeLife {
  readonly name: string;
  readonly pid: number;
  readonly exit: NodeExit | undefined;
  /** True when the test has asked for its end. */
  readonly isEnding: boolean;
  readonly injuries: Injuries;
  /** The file that `recordHistory` fills; `undefined` without one. */
  readonly history: string | undefined;
}

/**
 * The events of several processes in the order of their time, held to the invariants.
 *
 * Underneath: `parseHistory` of the file of each, then `checkHistory`.
 */
export class ClusterHistory {
  readonly #files = new Map<string, GrowingHistory>();
  #isGone = false;

  constructor(
    /** Every life there ever was, ended ones included; more may be added. */
    readonly lives: NodeLife[],
    /** When which node was cut off from Redis. */
    private readonly cuts: () => HistoryFacts['cut'] = () => [],
  ) {}

  /** @internal Its files are removed: from now on nothing can be said of it, least of all that nothing was wrong. */
  end(): void {
    this.#isGone = true;
  }

  /** The events of all nodes so far, in the order of their time. @throws Error once it has ended */
  events(): HistoryEvent[] {
    if (this.#isGone) throw new Error('This cluster is stopped, and its history is removed: look at it before stop()');
    // The files are read one after the other while they grow: what is later than now has no beginning in those read
    // first.
    const now = historyNow();
    for (const { history } of this.lives) {
      if (history !== undefined && !this.#files.has(history)) this.#files.set(history, new GrowingHistory(history));
    }
    return [...this.#files.values()]
      .flatMap((file) => file.events())
      .filter(({ at }) => at <= now)
      .sort((a, b) => a.at - b.at);
  }

  /** What the checker must know besides the events. */
  facts(more: HistoryFacts = {}): HistoryFacts {
    const { killed, frozen } = this.injuries();
    const exits = this.lives.flatMap(({ name, pid, exit, isEnding }) =>
      // A node in the process of the test has no end that counts.
      exit === undefined || pid === process.pid
        ? []
        : [{ node: name, pid, at: exit.at, how: exit.signal ?? `code ${exit.code}`, injected: isEnding }],
    );
    return { killed, frozen, exits, cut: this.cuts() ?? [], ...more };
  }

  /** What was done to the processes. */
  injuries(): Required<OwnershipViolations> {
    return {
      killed: this.lives.flatMap(({ pid, injuries: { killedAt } }) =>
        killedAt === undefined ? [] : [{ pid, at: killedAt }],
      ),
      frozen: this.lives.flatMap(({ pid, injuries: { frozen } }) => frozen.map((one) => ({ pid, ...one }))),
    };
  }

  /** What the checker has to say about everything so far: nothing, when all is well. */
  violations(more: HistoryFacts = {}): string[] {
    const events = this.#complete();
    return describeViolations(checkHistory(events, this.facts(more)), events);
  }

  /** Throws when two nodes owned a slot at the same time, with the events of both. */
  requireSingleOwner(slot: string): void {
    const events = this.#complete();
    const broken = checkHistory(events, this.facts()).filter(
      ({ invariant, events: about }) => invariant === 'I1' && about.some(({ payload }) => payload['name'] === slot),
    );
    if (broken.length > 0)
      throw new Error(`"${slot}" had two owners at a time:\n${describeViolations(broken, events).join('\n')}`);
    if (this.#ownersOf(slot, events).length > 0) return;
    throw new Error(`No node has owned "${slot}" so far, so nothing can be said of its owners`);
  }

  /** @internal Throws as {@link requireSingleOwner}, for an overlap that does not go away. */
  async awaitSingleOwner(slot: string): Promise<void> {
    let broken: unknown;
    const isSound = (): boolean => {
      try {
        this.requireSingleOwner(slot);
        return true;
      } catch (error) {
        broken = error;
        return false;
      }
    };
    await eventually(isSound, { timeout: SETTLE_MS }).catch(() => {
      throw broken;
    });
  }

  /** The names of the nodes that owned a slot, in order, one for each time. */
  ownersOf(slot: string): string[] {
    return this.#ownersOf(slot, this.#complete());
  }

  #ownersOf(slot: string, events: HistoryEvent[]): string[] {
    return ownershipsOf(events, this.facts())
      .filter(({ name }) => name === slot)
      .map(({ node }) => node);
  }

  #complete(): HistoryEvent[] {
    const events = this.events();
    const full = events.find(({ event }) => event === HISTORY_FULL);
    if (full === undefined) return events;
    throw new Error(
      `The history of node ${full.node} is longer than a test keeps: nothing can be said of what came after`,
    );
  }
}
