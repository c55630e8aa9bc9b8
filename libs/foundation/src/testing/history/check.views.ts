/** Pure: holds a history to what is promised of lookups and of the view of the members. */
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';
import { byName, epochAt, lossesOf, type Ownership, unheardReclaim } from './ownership.js';

/** How long a renewal may be on its way to Redis, or its answer on the way back. */
const RENEWAL_MS = 1000;

/**
 * I14: a lookup names an owner that had the lease at some moment between question and answer. Redis keeps the lease of
 * an owner that died or fenced itself until its ttl has run (from when Redis goes on, if it was frozen then), so that
 * owner may be named until then, but not once there is a newer one; the last renewal may reach Redis after its sender
 * was killed. The epoch of a reclaim is in Redis a moment before
 * its owner hears of it; an owner that loses its lease before that never does. A Redis that went back to older data
 * names the owner that these name, until the lease in them has run out.
 */
export function lookupsTrue(
  events: readonly HistoryEvent[],
  ownerships: readonly Ownership[],
  facts: HistoryFacts,
): Violation[] {
  const { leaseTtlMs = 1500, redisFrozen = [], rewound = [], frozen = [] } = facts;
  const all = byName(ownerships);
  const losses = lossesOf(events, facts);
  return events.flatMap((event): Violation[] => {
    if (event.event !== 'test.lookup' || event.payload['node'] === undefined) return [];
    const { name, node, epoch, askedAt } = event.payload as {
      name: string;
      node: string;
      epoch: number;
      askedAt: number;
    };
    const others = all.get(name) ?? [];
    const named =
      others.find((one) => one.node === node && one.epochs.some((part) => part.epoch === epoch)) ??
      unheardReclaim(losses, others, { node, epoch, seenAt: event.at, leaseTtlMs });
    const complain = (why: string, more: HistoryEvent[] = []): Violation[] => [
      {
        invariant: 'I14',
        sentence: `A lookup of "${name}" named ${node} with epoch ${epoch}, ${why}`,
        events: [...more, event],
      },
    ];
    if (named === undefined) return complain('which never owned it so');
    const index = named.epochs.findIndex((part) => part.epoch === epoch);
    const heard = (named.epochs[index] ?? named.epochs[0]!).from;
    // Who is frozen hears of it when it goes on.
    const asleep = frozen.find(
      ({ pid, from, until = Infinity }) => pid === named.pid && from <= heard && until >= heard - RENEWAL_MS * 1000,
    );
    const since = index > 0 ? (asleep?.from ?? heard) - RENEWAL_MS * 1000 : heard;
    if (event.at < since) return complain('which was not the owner yet', [named.acquired]);
    // Redis went back to before it was the owner, and may have named the one of then for so long.
    const isUnknownAgain = ({ acquired }: Ownership): boolean =>
      rewound.some(({ until = Infinity }) => acquired.at < until && askedAt < until + (leaseTtlMs + RENEWAL_MS) * 1000);
    const newer = others.find(
      (one) => one.acquired.at < askedAt && epochAt(one, askedAt) > epoch && !isUnknownAgain(one),
    );
    if (newer !== undefined) return complain(`though ${newer.node} was the owner already`, [newer.acquired]);
    const woken = redisFrozen.find(({ from, until = Infinity }) => from <= named.to && until > named.to)?.until;
    if (askedAt > (woken ?? named.to) + (leaseTtlMs + RENEWAL_MS) * 1000)
      return complain('whose lease had run out', named.end ? [named.end] : []);
    return [];
  });
}

/** I8: once nothing is broken any more, every node that is alive has the same view, and all of them are in it. */
export function viewsAgree(events: readonly HistoryEvent[], facts: HistoryFacts): Violation[] {
  const { settledAt, killed = [], exits = [], frozen = [] } = facts;
  if (settledAt === undefined) return [];
  const gone = new Set([
    ...[...killed, ...exits].filter(({ at }) => at <= settledAt).map(({ pid }) => pid),
    ...frozen.filter(({ from, until = Infinity }) => from <= settledAt && until > settledAt).map(({ pid }) => pid),
  ]);
  const last = new Map<number, HistoryEvent>();
  for (const event of events) {
    if (event.event === 'cluster.view_changed' && event.at <= settledAt && !gone.has(event.pid))
      last.set(event.pid, event);
  }
  const views = [...last.values()];
  const [first] = views;
  const same = views.every(
    ({ payload }) => payload['version'] === first?.payload['version'] && payload['members'] === views.length,
  );
  if (same) return [];
  return [{ invariant: 'I8', sentence: 'The nodes had different views when the cluster was whole', events: views }];
}
