/**
 * Pure: what the nodes reported → who owned the singleton from when to when, and what the subscribers missed.
 * Times are milliseconds of the monotonic clock, which all processes of one host share.
 */

/** A telemetry event of a node, or `kill` and `exit`, which the demo adds. */
export interface Happening {
  at: number;
  /** Who reported it. */
  node: string;
  event: string;
  /** Name of the process. */
  name?: string;
  epoch?: number;
  previousEpoch?: number;
  /** How many members the node sees. */
  members?: number;
}

/** What a node's price board counted; see `src/price-board.ts`. */
export interface EpochCount {
  epoch: number;
  first: number;
  last: number;
  received: number;
}

/** One node's time as the owner of the process. */
export interface Ownership {
  node: string;
  epoch: number;
  acquiredAt: number;
  /** When `onProcessStart` had returned; not there when it came to nothing. */
  startedAt?: number;
  /** When the lease was lost or released, or the death of the node was seen. */
  endedAt: number;
}

/** Every ownership, in the order of acquisition. */
export function ownerships(happenings: readonly Happening[], singleton: string): Ownership[] {
  const owned: Ownership[] = [];
  for (const { event, node, at, name, epoch = 0, previousEpoch } of [...happenings].sort((a, b) => a.at - b.at)) {
    if (name !== undefined && name !== singleton) continue;
    const own = owned.filter((ownership) => ownership.node === node && ownership.endedAt === Infinity);
    const current = own.find((ownership) => ownership.epoch === (previousEpoch ?? epoch));
    if (event === 'lease.acquired') owned.push({ node, epoch, acquiredAt: at, endedAt: Infinity });
    else if (event === 'exit') for (const ownership of own) ownership.endedAt = at;
    else if (current === undefined) continue;
    else if (event === 'process.started') current.startedAt = at;
    else if (event === 'lease.reclaimed') current.epoch = epoch;
    else if (event === 'lease.lost' || event === 'lease.released') current.endedAt = at;
  }
  return owned;
}

/** How many pairs of ownerships of different nodes have any time in common. */
export function overlapsOf(owned: readonly Ownership[]): number {
  const pairs = owned.flatMap((a, i) => owned.slice(i + 1).map((b) => [a, b] as const));
  return pairs.filter(([a, b]) => a.node !== b.node && a.acquiredAt < b.endedAt && b.acquiredAt < a.endedAt).length;
}

/**
 * How many ticks the surviving nodes missed, over all of them and all epochs. For each node and epoch these count:
 * holes between the first and the last tick it saw; ticks before its first one, except in the first epoch, in the midst
 * of which it joined; ticks after its last one that another survivor saw, except in the epoch that still runs, where
 * they may be on their way. A tick that died with its sender before any survivor had it is known to nobody.
 */
export function messagesLost(survivors: readonly (readonly EpochCount[])[]): number {
  const epochs = [...new Set(survivors.flat().map(({ epoch }) => epoch))].sort((a, b) => a - b);
  let lost = 0;
  for (const epoch of epochs) {
    const counts = survivors.map((survivor) => survivor.find((count) => count.epoch === epoch));
    const newest = Math.max(...counts.map((count) => count?.last ?? 0));
    for (const count of counts) {
      if (count === undefined) {
        lost += newest;
        continue;
      }
      lost += count.last - count.first + 1 - count.received;
      if (epoch !== epochs[0]) lost += count.first - 1;
      if (epoch !== epochs.at(-1)) lost += newest - count.last;
    }
  }
  return lost;
}
