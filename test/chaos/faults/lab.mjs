// Faults of a network: each node on a machine of its own, which is a network namespace on one switch. Cables are pulled
// and packets are lost there; nothing of it reaches the network of this machine.
import { Lab } from '../../../dist/test/support/lab.js';
import { historyNow, NODES, passed, SHARED } from './ground.mjs';
import { partLinks, split } from './network.mjs';

async function machines(env = {}) {
  const lab = await Lab.open(NODES);
  return {
    ...SHARED,
    lab,
    options: { ...SHARED.options, lab, behindProxies: [], env: { ...SHARED.options.env, ...env } },
  };
}
const onMachines = { ground: () => machines(), obstacle: () => Lab.obstacle() };

/** Rows 12 and 15: the cables of two of five are pulled, and nobody is told. */
export const pulled = Object.assign(
  (ground) =>
    split(ground, (few) => {
      const heals = few.map((name) => {
        const healed = ground.cluster.noteCut(name);
        ground.lab.unplug(name);
        return () => {
          ground.lab.plug(name);
          healed();
        };
      });
      return () => heals.forEach((heal) => heal());
    }),
  onMachines,
);

/** Row 15: two parts of the cluster do not reach each other, and all reach Redis. */
export const parted = Object.assign((ground) => partLinks(ground), {
  ground: () => machines({ FOUNDATION_TRANSPORT: 'direct' }),
  obstacle: () => Lab.obstacle(),
});

/** Row 16: every node loses packets in bursts, about one in ten. */
export const bursts = Object.assign(async (ground) => {
  const since = historyNow();
  ground.fault('packets that are lost', { withinMs: 40_000 });
  let times = 0;
  while (historyNow() - since < 15_000_000) {
    const name = ground.pick(NODES);
    const at = historyNow();
    ground.lab.unplug(name);
    await passed(at, ground.between(10, 60));
    ground.lab.plug(name);
    await passed(historyNow(), ground.between(20, 120));
    times += 1;
  }
  ground.figures.push(`${times} losses in 15 s, ${ground.count('lease.lost', { after: since })} leases lost`);
}, onMachines);

/** Row 16: 100 ms and 30 % of jitter, one packet in a hundred lost, some twice, some in another order. */
export const netem = Object.assign(
  async (ground) => {
    const since = historyNow();
    ground.fault('a bad network', { withinMs: 40_000 });
    const shape = ['delay', '50ms', '15ms', 'loss', '1%', 'duplicate', '1%', 'reorder', '5%'];
    for (const name of NODES) ground.lab.shape(name, ...shape);
    await passed(since, 15_000);
    for (const name of NODES) ground.lab.unshape(name);
    ground.figures.push(`${ground.count('lease.lost', { after: since })} leases lost`);
  },
  { ...onMachines, obstacle: () => Lab.obstacle() ?? Lab.netemObstacle() },
);
