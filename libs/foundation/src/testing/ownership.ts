/**
 * Pure: the history as intervals of ownership, with what was done to the processes taken into account.
 * Read by `checkHistory`.
 */
import type { HistoryEvent } from './history.js';

/** What the test did to processes; times are microseconds of CLOCK_MONOTONIC, see `historyNow`. */
export interface Injuries {
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

/** Reads the ownerships out of events in the order of their time. */
export function ownershipsOf(events: readonly HistoryEvent[], injuries: Injuries): Ownership[] {
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
  const effects = events.filter(({ event }) => event === EFFECT);
  for (const ownership of all) {
    const death = injuries.killed?.find(({ pid }) => pid === ownership.pid)?.at ?? Infinity;
    ownership.to = Math.min(ownership.to, death);
    ownership.spans = spansOf(ownership, effects, injuries);
  }
  return all;
}

/**
 * A frozen process executes nothing, so it cannot be an effective owner while it is frozen, and its own `lease.lost` can
 * only come after the thaw, when somebody else may own the name rightly. What counts is whether it acted:
 *
 * - the freeze itself is cut out of the interval;
 * - after the thaw the interval goes on from the first action (`test.effect`) before its end. With none before
 *   `lease.lost` the ownership ended when the freeze began; so a lease that was lost in the freeze is no overlap, and one
 *   effect between thaw and `lease.lost` makes it one;
 * - an ownership that has no end in the history went on after the thaw, acting or not.
 */
export function spansOf(ownership: Ownership, effects: readonly HistoryEvent[], { frozen = [] }: Injuries): Span[] {
  const spans: Span[] = [];
  let from = ownership.acquired.at;
  const freezes = frozen
    .filter(({ pid, from: begin }) => pid === ownership.pid && begin > from && begin < ownership.to)
    .sort((a, b) => a.from - b.from);
  for (const { from: begin, until = Infinity } of freezes) {
    if (begin > from) spans.push([from, begin]);
    const acted = effects.find(
      ({ at, pid, payload }) =>
        pid === ownership.pid && payload['name'] === ownership.name && at > until && at <= ownership.to,
    );
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
