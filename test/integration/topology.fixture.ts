// What the specs of topology strategies share: one that runs as in a node, with short times, and waiting for what it
// finds.
import type { TopologyStrategy } from 'nestjs-foundation';
import { LocalNode } from '../../libs/foundation/src/cluster/local.node.js';
import { TopologyRunner } from '../../libs/foundation/src/cluster/topologies/topology.runner.js';
import { resolve } from '../../libs/foundation/src/config/resolve.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { closeLater } from './fixture.js';

const TIMES = { retryFrom: 20, retryTo: 100, logEvery: 60_000, stop: 2000, gather: 20 };

/** The strategy of a node; stopped by `closeAll()`. */
export async function looking(
  strategy: TopologyStrategy,
  appName: string,
  nodeName: string,
  more: { observes?: true } = {},
): Promise<TopologyRunner> {
  const options = { topologies: [strategy], redis: 'redis://a', appName, nodeName };
  const config = { ...resolve(options, {}, { host: 'h', pid: 1 }), ...more };
  const topologies = new TopologyRunner(config, new LocalNode(config), TIMES);
  closeLater(() => topologies.stop());
  await topologies.start();
  return topologies;
}

/** The peers and their states, by the name that is asked for, as one text. */
export const shown =
  (topologies: TopologyRunner, by: 'node' | 'host' = 'node') =>
  (): string =>
    topologies
      .peers()
      .map((peer) => `${peer[by]} ${peer.state}`)
      .sort()
      .join(', ');

/** Waits until `shown` gives the text. */
export async function until(topologies: TopologyRunner, shown: () => string, expected: string): Promise<void> {
  await eventually(() => shown() === expected, {
    ...{ what: `"${expected}"`, timeout: 15_000 },
    lastSeen: () => [shown(), topologies.status()],
  });
}

/** Waits until the strategy is in that state. */
export async function untilState(topologies: TopologyRunner, state: 'looking' | 'failing'): Promise<void> {
  await until(topologies, () => String(topologies.status()[0]?.state), state);
}
