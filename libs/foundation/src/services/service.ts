/**
 * The words of the service mesh: what is registered, what is found, how a call chooses among several.
 */
import type { CallMarks } from '../calls/call.marks.js';
import type { Duration } from '../time/duration.js';

/**
 * `unhealthy` after three failed checks in a row, `healthy` again after two good ones; without a check always
 * `healthy`.
 */
export type ServiceStatus = 'healthy' | 'unhealthy';

/** One instance of a service as every node knows it. A frozen record; its metadata is, too. */
export interface ServiceInfo {
  readonly name: string;
  /** Unique in the cluster for as long as the instance lives. */
  readonly instanceId: string;
  /** The node that registered it; the instance is forgotten when this node is no longer a member. */
  readonly node: string;
  readonly bootId: string;
  readonly capabilities: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Where it is, for a service that is reached by other means than `ServiceMesh.call`. */
  readonly url?: string;
  /** The process it stands for, for one that was registered by its ref. */
  readonly process?: string;
  /** Milliseconds since 1970 by the Redis clock. */
  readonly registeredAt: number;
  readonly status: ServiceStatus;
  /**
   * What `@Callable()` says of its methods.
   *
   * @internal
   */
  readonly marks?: CallMarks;
  /** True while this node cannot reach Redis, so that the record may be out of date. */
  readonly stale?: true;
}

/**
 * What a service must be like; every criterion must hold.
 *
 * A name that is none of these matches the metadata field of that name, so `{ securityLevel: 'high' }` finds only
 * services that say so. A criterion whose value is `undefined` is refused, because it would look like a filter and
 * filter nothing.
 */
export interface ServiceCriteria {
  name?: string;
  /** All of them. */
  capabilities?: string | readonly string[];
  /** The name of a node. */
  node?: string;
  /** Fields of the metadata, each equal to its value; for names that are criteria themselves. */
  metadata?: Readonly<Record<string, unknown>>;
  /** Called for each service that meets the other criteria; one that throws or rejects counts as false. */
  healthCheck?: (service: ServiceInfo) => boolean | Promise<boolean>;
  [field: string]: unknown;
}

/** What a service is registered with: an object with `@Callable()` methods, the ref of a process, or an address. */
export type ServiceTarget = object | { url: string };

/**
 * A target may say how it is. Called every five seconds; `false`, a throw and more than two seconds count as a failure.
 */
export interface OnServiceHealth {
  onServiceHealth(): boolean | Promise<boolean>;
}

/** What `registerService` gives back. */
export interface ServiceHandle {
  readonly name: string;
  readonly instanceId: string;
  deregister(): Promise<void>;
}

/** A change that `watch` tells. */
export interface ServiceChange {
  type: 'added' | 'changed' | 'removed';
  service: ServiceInfo;
}

/**
 * How a call chooses among the healthy instances: in turn (default), by chance, the node that owns the fewest
 * processes, this node if it has one, or always the same one for the same key.
 */
export type BalancerStrategy = 'round-robin' | 'random' | 'least-loaded' | 'local-first' | { hash: string };

/** Options of a call to a service. */
export interface ServiceCallOptions {
  /** Default `round-robin`. */
  strategy?: BalancerStrategy;
  /** Further criteria for the instance. */
  where?: Omit<ServiceCriteria, 'name'>;
  /** Milliseconds, or a text such as `'30s'`. Default: `calls.timeout`. */
  timeout?: Duration;
  signal?: AbortSignal;
}
