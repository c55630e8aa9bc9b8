/**
 * What the topology strategies need and find: each of them looks once, and what it finds is compared with the members.
 * Called by the doctor; a strategy that fails says itself what it lacks, so that a new one needs nothing here.
 */
import { skipped, type Step, warning } from './doctor.step.js';
import { peerFindings, strategyFinding } from './topology.findings.js';

/** How long the strategies have for their first look, in milliseconds. */
const LOOK_MS = 5000;

/** The step after Redis, for which strategies are asked where nothing names it, and the one after the members. */
export const TOPOLOGY_STEPS: { readonly strategies: Step; readonly peers: Step } = {
  strategies: {
    name: 'strategies',
    needs: [],
    async run({ config, topologies }) {
      // Also where one was suggested for finding Redis and was not needed.
      if (config.strategy === 'redis') return [skipped('none: the cluster is found through Redis alone')];
      await topologies.start();
      await topologies.looked(LOOK_MS);
      const leftOut = topologies.leftOut.map((reason) => warning(reason));
      return [...topologies.status().map(strategyFinding), ...leftOut];
    },
  },
  peers: {
    name: 'peers',
    needs: ['cluster'],
    async run({ cluster, topologies }) {
      const peers = topologies.peers();
      return peers.length === 0 ? [skipped('no strategy finds any')] : peerFindings(peers, cluster!.members);
    },
  },
};
