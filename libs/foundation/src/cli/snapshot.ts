/**
 * What the observer sees at one moment, as a plain record: what `--json` prints, and what the tables are drawn from.
 * Called by `status` and `top`.
 */
import type { Member } from '../cluster/member.js';
import type { ClusterHealth } from '../health/health.report.js';
import type { ProcessInfo } from '../processes/process.ref.js';
import type { ServiceInfo } from '../services/service.js';
import type { WorkSeen } from '../telemetry/figures.report.js';
import type { Observer } from './observer.js';

/** A node; what it listens to and can run is left out. */
export type NodeSeen = Omit<Member, 'self' | 'replicas' | 'listens' | 'classes'>;

/** See the file header. */
export interface Snapshot {
  app: string;
  /** The Redis and its database, without any secret. */
  redis: string;
  /** Milliseconds since 1970 by the Redis clock. */
  now: number;
  nodes: NodeSeen[];
  processes: ProcessInfo[];
  services: ServiceInfo[];
  health: ClusterHealth;
  /** Of `top`: how often methods, handlers and jobs ran in the last minute, and how long they took. */
  work?: WorkSeen[];
  /** Nodes that did not say so in time. */
  silent?: string[];
  /** Where there are no nodes: the clusters that have some in this Redis. */
  others?: string[];
}

/** The same with what runs on the nodes. @throws RedisUnavailableError when Redis does not answer. */
export async function snapshotWithWork(app: string, observer: Observer): Promise<Snapshot> {
  const [snapshot, work] = await Promise.all([snapshotOf(app, observer), observer.figures.read()]);
  return { ...snapshot, ...work };
}

/** @throws RedisUnavailableError when Redis does not answer. */
export async function snapshotOf(app: string, observer: Observer): Promise<Snapshot> {
  const { membership, processes, services, health } = observer;
  const list = await processes.list();
  const [{ members }, report] = await Promise.all([observer.look(), health.clusterHealth()]);
  const nodes = members.map(
    ({ self: _self, replicas: _replicas, listens: _listens, classes: _classes, ...node }) => node,
  );
  return {
    app,
    redis: observer.place,
    now: membership.clusterNow(),
    nodes,
    processes: list,
    services: [...services.services()],
    health: report,
    ...(nodes.length === 0 ? { others: await observer.clusters() } : {}),
  };
}
