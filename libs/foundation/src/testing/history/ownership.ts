/**
 * Pure: the history as intervals of ownership, with what was done to the processes taken into account.
 */
import type { HistoryEvent } from './history.js';

/** What the test did to processes; times are microseconds of CLOCK_MONOTONIC, see `historyNow`. */
export interface OwnershipViolations {
  /** SIGKILL: nothing ran after `at`. */
  killed?: readonly { pid: number; at: number }[];
  /** SIGSTOP and SIGCONT: nothing ran from `from` to `until`; without `until` it was never thawed. */
  frozen?: readonly { pid: number; from: number; until?: number }[];
}

/** One ownership of a name by one process, from `lease.acquired` to its end. */
export interface Ownership {
  name: string;
  node: string;
  pid: number;
  bootId: string;
  /** Each epoch of this ownership and since when: the first one, then those of reclaims. */
  epochs: { epoch: number; from: number }[];
  acquired: HistoryEvent;
  /** `lease.lost` or `lease.released`. */
  end?: HistoryEvent;
  /** When it ended; infinite while it goes on. */
  to: number;
  /** The times in which this process could act as the owner; see {@link spansOf}. */
  spans: Span[];
}

/** From and to. */
export type Span = readonly [from: number, to: number];

/** The event by which an application says that it acted as the owner: `{ name, epoch }`. */
export const EFFECT = 'test.effect';
/** The same for a call that it began to carry out: `{ name, epoch, id, value }`; its end is `test.call_ran`. */
export const CALL_RUN = 'test.call_run';
/** A call is about to start it, so it may start again: `{ name }`. */
export const REVIVED = 'test.revived';

/** When nodes noticed a loss of data, and when the test made one: a node may end before it notices. */
export function lossesOf(
  events: readonly HistoryEvent[],
  { dataLost = [] }: { dataLost?: readonly { at: number }[] },
): number[] {
  return [...events.filter(({ event }) => event === 'cluster.data_loss'), ...dataLost].map(({ at }) => at);
}

/** When the test made Redis lose its data last. */
export function lastLossOf({ dataLost = [] }: { dataLost?: readonly { at: number }[] }): number {
  return Math.max(-Infinity, ...dataLost.map(({ at }) => at));
}

/** Whether Redis went back between two times to data from before the first. */
export function isRewound(
  { rewound = [] }: { rewound?: readonly { until?: number }[] },
  before: number,
  after: number,
): boolean {
  return rewound.some(({ until = Infinity }) => before < until && after > until);
}

/**
 * The ownership whose reclaim may have minted this epoch without its owner ever hearing of it: it lost its lease before
 * the answer came. Only after a loss of data is there anything to reclaim; a node may notice the loss after others have
 * asked.
 */
export function unheardReclaim(
  losses: readonly number[],
  ownerships: readonly Ownership[],
  { node, epoch, seenAt, leaseTtlMs }: { node: string; epoch: number; seenAt: number; leaseTtlMs: number },
): Ownership | undefined {
  const mayHave = ({ node: owner, acquired, end, epochs }: Ownership): boolean =>
    owner === node &&
    acquired.at <= seenAt &&
    end?.event === 'lease.lost' &&
    epochs.every((part) => part.epoch < epoch) &&
    losses.some((at) => at >= acquired.at && at <= seenAt + leaseTtlMs * 1000);
  const [first, ...more] = ownerships.filter(mayHave);
  // The last of them: its epoch is above those of the others.
  return more.reduce((last, one) => (one.acquired.at > last.acquired.at ? one : last), first!);
}

/** True for what only the owner may do. */
export function isAct({ event }: HistoryEvent): boolean {
  return event === EFFECT || event === CALL_RUN;
}

/** Reads the ownerships out of events in the order of their time. */
export function ownershipsOf(events: readonly HistoryEvent[], injuries: OwnershipViolations): Ownership[] {
  const all: Ownership[] = [];
  const open = new Map<string, Ownership>();
  for (const event of events) {
    const name = String(event.payload['name']);
    const key = `${event.pid} ${event.bootId} ${name}`;
    const epoch = Number(event.payload['epoch']);
    if (event.event === 'lease.acquired') {
      const { node, pid, bootId, at } = event;
      const ownership: Ownership = {
        ...{ name, node, pid, bootId, acquired: event },
        epochs: [{ epoch, from: at }],
        to: Infinity,
        spans: [],
      };
      all.push(ownership);
      open.set(key, ownership);
    } else if (event.event === 'lease.reclaimed') {
      open.get(key)?.epochs.push({ epoch, from: event.at });
    } else if (event.event === 'lease.lost' || event.event === 'lease.released') {
      const ownership = open.get(key);
      if (ownership !== undefined) Object.assign(ownership, { end: event, to: event.at });
      open.delete(key);
    }
  }
  const acts = new Map<string, HistoryEvent[]>();
  for (const event of events) {
    if (!isAct(event)) continue;
    const key = actor(event.pid, event.payload['name']);
    const known = acts.get(key);
    if (known === undefined) acts.set(key, [event]);
    else known.push(event);
  }
  for (const ownership of all) {
    const death = injuries.killed?.find(({ pid }) => pid === ownership.pid)?.at ?? Infinity;
    ownership.to = Math.min(ownership.to, death);
    ownership.spans = spansOf(ownership, acts.get(actor(ownership.pid, ownership.name)) ?? [], injuries);
  }
  return all;
}

/**
 * A frozen process executes nothing, so it cannot be an effective owner while it is frozen, and its own `lease.lost`
 * can only come after the thaw, when another node may own the name rightly. What counts is whether it acted:
 *
 * - the freeze itself is cut out of the interval;
 * - after the thaw the interval goes on from the first act (`test.effect`, `test.call_run`) before its end. With none
 *   before `lease.lost` the ownership ended when the freeze began; so a lease that was lost in the freeze is no
 *   overlap, and one act between thaw and `lease.lost` makes it one;
 * - an ownership that has no end in the history went on after the thaw, acting or not.
 */
export function spansOf(
  ownership: Ownership,
  acts: readonly HistoryEvent[],
  { frozen = [] }: OwnershipViolations,
): Span[] {
  const spans: Span[] = [];
  let from = ownership.acquired.at;
  const freezes = frozen
    .filter(({ pid, from: begin }) => pid === ownership.pid && begin > from && begin < ownership.to)
    .sort((a, b) => a.from - b.from);
  for (const { from: begin, until = Infinity } of freezes) {
    if (begin > from) spans.push([from, begin]);
    const acted = acts.find(({ at }) => at > until && at <= ownership.to);
    const wentOn = ownership.to === Infinity && until !== Infinity;
    if (acted === undefined && !wentOn) return spans;
    from = acted?.at ?? until;
  }
  spans.push([from, ownership.to]);
  return spans;
}

/** The epoch an ownership had at that time. */
export function epochAt({ epochs }: Ownership, at: number): number {
  return epochs.findLast(({ from }) => from <= at)?.epoch ?? epochs[0]!.epoch;
}

function actor(pid: number, name: unknown): string {
  return `${pid} ${String(name)}`;
}

/** The ownerships by name, each list in the order of its beginnings. */
export function byName(ownerships: readonly Ownership[]): ReadonlyMap<string, readonly Ownership[]> {
  const all = new Map<string, Ownership[]>();
  for (const ownership of ownerships) {
    const known = all.get(ownership.name);
    if (known === undefined) all.set(ownership.name, [ownership]);
    else known.push(ownership);
  }
  return all;
}

/** For a sentence. */
export function ms(microseconds: number): string {
  return `${(microseconds / 1000).toFixed(1)} ms`;
}
