/**
 * A strategy by its name: its file, and the package it needs, are loaded only where it is used.
 * Called by `topologies.ts`.
 */
import type { StrategyConfig } from '../../config/strategy.settings.js';
import { isTopologyStrategy, type TopologyStrategy } from '../../config/topology.strategy.js';

/**
 * Makes the strategy; it does nothing before its `start()`.
 *
 * Underneath: `import('./<name>.js')`.
 *
 * @throws MissingPackageError when its package is not installed.
 */
export async function loadStrategy(each: StrategyConfig | TopologyStrategy): Promise<TopologyStrategy> {
  if (isTopologyStrategy(each)) return each;
  switch (each.strategy) {
    case 'static': {
      const { StaticStrategy } = await import('./static.js');
      return new StaticStrategy(each.config);
    }
    case 'consul': {
      const { ConsulStrategy } = await import('./consul/consul.js');
      return new ConsulStrategy(each.config);
    }
    case 'kubernetes': {
      const { createKubernetes } = await import('./kubernetes/kubernetes.js');
      return createKubernetes(each.config);
    }
    case 'dns': {
      const { DnsStrategy } = await import('./dns/dns.js');
      return new DnsStrategy(each.config);
    }
    case 'gossip': {
      const { GossipStrategy } = await import('./gossip/gossip.js');
      return new GossipStrategy(each.config);
    }
    case 'mdns': {
      const { createMdns } = await import('./mdns/mdns.js');
      return createMdns(each.config);
    }
  }
}
