// Waits until all nodes have the same view, twice in a row. For history.mjs, the fault matrix and the simulation.
import { eventually, historyNow } from 'nestjs-foundation/testing';

/**
 * `count` is how many nodes there are. Returns when that was asked: a view that changes while they answer is one of
 * after that.
 */
export async function oneView(cluster, count, timeout = 20_000) {
  let [seen, last, askedAt] = [];
  await eventually(
    async () => {
      askedAt = historyNow();
      seen = await Promise.all(cluster.answering().map((node) => node.ask('state')));
      const versions = [...new Set(seen.map(({ version }) => version))];
      const isOne = seen.length === count && versions.length === 1;
      const isStill = isOne && versions[0] === last;
      last = isOne ? versions[0] : undefined;
      return isStill;
    },
    { timeout, every: 100, what: 'One view everywhere', lastSeen: () => seen },
  );
  return askedAt;
}
