/**
 * The settings of the strategies that come with Foundation, and what `translate*` makes of them, as documented types.
 * How each strategy works is said in the header of its file in `cluster/topologies/`.
 */
import type { Secret } from '../security/secret.js';
import type { Duration } from '../time/duration.js';

/** Strategies that say which nodes should exist and where Redis is. */
export const STRATEGY_NAMES = ['kubernetes', 'consul', 'dns', 'gossip', 'mdns', 'static'] as const;

/** The name of a topology strategy. */
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** The pods of a Deployment or StatefulSet. */
export interface KubernetesSettings {
  /** A label selector. Environment: `FOUNDATION_K8S_SELECTOR`. Default `app=<appName>`. */
  selector?: string;
  /**
   * Environment: `FOUNDATION_K8S_NAMESPACE`, `POD_NAMESPACE`. Default: the pod's own, else the one of the kubeconfig.
   */
  namespace?: string;
  /** The Kubernetes service that leads to Redis. Default `redis`. */
  redisService?: string;
  /** The path of a kubeconfig. Default: the pod's service account; outside a pod `KUBECONFIG`, `~/.kube/config`. */
  kubeconfig?: string;
}

/** A service in the catalogue of Consul. */
export interface ConsulSettings {
  /** Environment: `CONSUL_HTTP_ADDR`. Default `http://127.0.0.1:8500`. */
  address?: string;
  /** The name that the nodes register under. Environment: `FOUNDATION_CONSUL_SERVICE`. Default `appName`. */
  service?: string;
  /** The Consul service that leads to Redis. Default `redis`. */
  redisService?: string;
  /** An ACL token. Environment: `CONSUL_HTTP_TOKEN`. */
  token?: string | Secret;
  /** After how long without a sign of life Consul calls a node critical. Default '10s'; 2 s at least. */
  ttl?: Duration;
}

/** Names of the domain name system. */
export interface DnsSettings {
  /**
   * A name with an address per node, or `_service._proto.name` (SRV). Environment: `FOUNDATION_DNS_QUERY`. Required.
   */
  query?: string;
  /** The name that leads to Redis: `_redis._tcp.…` (SRV) or a host, whose port is 6379. Default none. */
  redisQuery?: string;
  /**
   * The shortest time between two questions; an answer that lives longer is kept longer. Default 5000.
   */
  every?: Duration;
  /** The addresses of the DNS servers, with or without a port. Default: those of the system. */
  servers?: readonly string[];
}

/** Encrypted UDP multicast or broadcast. */
export interface GossipSettings {
  /** A secret that all nodes share, 16 characters or more. Environment: `FOUNDATION_GOSSIP_SECRET`. Required. */
  secret?: string | Secret;
  /** While secrets are changed: the one that others may still use. Environment: `FOUNDATION_GOSSIP_PREVIOUS_SECRET`. */
  previousSecret?: string | Secret;
  /** The multicast group, or a broadcast address such as `255.255.255.255` or `10.0.0.255`. Default `230.1.1.251`. */
  group?: string;
  /** The UDP port. Default 45892. */
  port?: number;
  /** The address of this node in the network to use. Default: the network that the system chooses. */
  interface?: string;
  /** How often a node tells of itself; the same on all nodes. Default 1500. */
  every?: Duration;
}

/** Multicast DNS on the local network, for development. */
export interface MdnsSettings {
  /** The address of this node in the network to use. Default: all networks. */
  interface?: string;
  /** How often it is asked. Default 5000. */
  every?: Duration;
}

/** Hosts that are known beforehand. */
export interface StaticSettings {
  /** `host` or `host:port` of every node. Environment: `FOUNDATION_STATIC_HOSTS`, with commas. Required. */
  hosts?: readonly string[];
  /** The URL of Redis. Default none. */
  redis?: string;
  /** How often the names of hosts are looked up. Default 5000. */
  every?: Duration;
}

/** The settings by the name of the strategy. */
export interface StrategySettings {
  kubernetes: KubernetesSettings;
  consul: ConsulSettings;
  dns: DnsSettings;
  gossip: GossipSettings;
  mdns: MdnsSettings;
  static: StaticSettings;
}

/** Settings with every default filled in, and every time in milliseconds. */
export interface StrategyConfigs {
  kubernetes: { selector: string; namespace?: string; redisService: string; kubeconfig?: string };
  consul: { address: string; service: string; redisService: string; token?: Secret; ttl: number };
  dns: { query: string; redisQuery?: string; every: number; servers?: readonly string[] };
  gossip: {
    secret: Secret;
    previousSecret?: Secret;
    group: string;
    port: number;
    interface?: string;
    every: number;
  };
  mdns: { interface?: string; every: number };
  static: { hosts: readonly string[]; redis?: string; every: number };
}

/** What a `translate*` function gives; may be written into `topologies` as it is. */
export interface Translated<N extends StrategyName> {
  strategy: N;
  config: StrategyConfigs[N];
}

/** Any of them. */
export type StrategyConfig = { [N in StrategyName]: Translated<N> }[StrategyName];

/** A strategy with settings beside its name, or under `config` as `translate*` gives them. */
export type StrategyOptions = {
  [N in StrategyName]: ({ strategy: N } & StrategySettings[N]) | { strategy: N; config: StrategySettings[N] };
}[StrategyName];
