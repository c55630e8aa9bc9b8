/**
 * Pure: why the cluster is not healthy. What is made of it is in `health.report.ts`.
 */
import type { BackendFacts } from '../backend/backend.js';
import { MOST_AHEAD_MS } from '../backend/leases/ticks.js';
import type { ConnectionTrouble } from '../backend/redis/connection.trouble.js';
import { describeDifference, type Difference } from '../cluster/compatibility.js';
import type { Member, NodeState } from '../cluster/member.js';
import { processOf } from '../cluster/slot.names.js';
import type { StrategyStatus } from '../cluster/topologies/strategy.runner.js';
import { LAGGING_MS } from '../processes/placement/placement.js';
import type { Stranded } from '../processes/process.registry.js';
import { stayingDown } from '../processes/table/process.entry.js';
import type { ServiceInfo } from '../services/service.js';

/** `degraded`: everything works, and an operator should check. `critical`: something fails, or soon will. */
export type HealthStatus = 'healthy' | 'degraded' | 'critical';

/** Why the cluster is not healthy, in a word for programs and a sentence for people. */
export interface HealthReason {
  code:
    | 'isolated'
    | 'not-joined'
    | 'too-few-nodes'
    | 'nodes-missing'
    | 'node-suspect'
    | 'node-lagging'
    | 'clock-off'
    | 'process-escalated'
    | 'process-waiting'
    | 'process-misplaced'
    | 'process-orphaned'
    | 'service-unhealthy'
    | 'redis-slow'
    | 'redis-evicts'
    | 'redis-silent'
    | 'redis-connection'
    | 'sweep-overdue'
    | 'settings-differ'
    | 'topology-failing';
  severity: Exclude<HealthStatus, 'healthy'>;
  /** Public: names and numbers, no text of user code or of another system. */
  message: string;
  /**
   * The text of the error, for the operator: an error may hold what the public must not see. Not in the answer of
   * `/health`.
   */
  detail?: string;
}

/** One service in the report: as healthy as its instances are. */
export interface ServiceHealthSummary {
  service: string;
  status: HealthStatus;
  instances: number;
}

/** What the report is made of. */
export interface HealthFacts {
  /** Milliseconds since 1970. */
  now: number;
  /** The Redis clock, in which members say when they joined, and which no cron job is ahead of by much. */
  clusterNow: number;
  self: string;
  state: NodeState;
  /** How many nodes there should be. */
  expected: number;
  /** How long Redis took for the last heartbeat, in milliseconds. */
  latencyMs: number;
  members: readonly Member[];
  /** The settings on which the members disagree. */
  differences?: readonly Difference[];
  /** How the topology strategies are doing. */
  strategies: readonly StrategyStatus[];
  /** What ended too often and stays down; without an error it completed. */
  escalated: readonly { name: string; error?: string }[];
  /** Processes that no node can run. */
  stranded: readonly Stranded[];
  /** Names of declared processes that no node declares any longer. */
  orphans?: readonly string[];
  services: readonly ServiceInfo[];
  /** `undefined` when Redis did not answer. */
  backend: BackendFacts | undefined;
  /** The connections that fail. */
  troubles?: readonly ConnectionTrouble[];
  /** Why this node has not joined, or its heartbeats are rejected. */
  trouble?: string | undefined;
  /** How many processes of this node hold their lease; asked while it is isolated. */
  held?: number;
}

/** Half of the time after which a lease command counts as failed by default. */
const SLOW_MS = 100;
/** Three periods of the sweep. */
const SWEEP_LATE_MS = 15_000;

/** Why it is not healthy, the worst first; empty when it is. */
export function reasonsOf(facts: HealthFacts): HealthReason[] {
  const reasons = [
    ...membershipReasons(facts),
    ...clockReasons(facts),
    ...contractReasons(facts),
    ...topologyReasons(facts),
    ...workReasons(facts),
    ...redisReasons(facts),
  ];
  const rank = ({ severity }: HealthReason): number => (severity === 'critical' ? 0 : 1);
  reasons.sort((a, b) => rank(a) - rank(b));
  return reasons;
}

function membershipReasons({ state, self, expected, members, trouble, held = 0 }: HealthFacts): HealthReason[] {
  const reasons: HealthReason[] = [];
  const why = trouble === undefined ? '' : ` (${trouble})`;
  if (state === 'isolated') {
    const consequence =
      held > 0
        ? `; ${held} of its processes hold their lease and run on, and what it knows may be old.`
        : ', so its singletons have stopped and what it knows may be old.';
    const message = `Node "${self}" cannot be a member: Redis rejects its heartbeats${why}${consequence}`;
    reasons.push({ code: 'isolated', severity: 'critical', message });
  }
  if (state === 'joining') {
    const message = `Node "${self}" has not joined the cluster${why}; it keeps trying.`;
    reasons.push({ code: 'not-joined', severity: 'critical', message });
  }
  const majority = Math.floor(expected / 2) + 1;
  const count = `${members.length} of ${expected} expected nodes are there`;
  if (members.length < majority) {
    reasons.push({ code: 'too-few-nodes', severity: 'critical', message: `Only ${count}, less than half plus one.` });
  } else if (members.length < expected) {
    reasons.push({ code: 'nodes-missing', severity: 'degraded', message: `Only ${count}.` });
  }
  for (const { name, state: seen, lag } of members) {
    if (seen === 'suspect') {
      reasons.push({ code: 'node-suspect', severity: 'degraded', message: `Node "${name}" missed heartbeats.` });
    }
    if (lag > LAGGING_MS) {
      const message = `The event loop of node "${name}" is ${Math.round(lag)} ms late.`;
      reasons.push({ code: 'node-lagging', severity: 'degraded', message });
    }
  }
  return reasons;
}

/** Of this node alone, by the last answer of Redis; each node says so of itself. */
function clockReasons({ now, clusterNow, self, state }: HealthFacts): HealthReason[] {
  const offMs = now - clusterNow;
  if (state === 'observing' || Math.abs(offMs) <= MOST_AHEAD_MS) return [];
  const seconds = Math.round(Math.abs(offMs) / 1000);
  const message =
    offMs > 0
      ? `The clock of node "${self}" is ${seconds} s ahead of Redis, so no cron job that it owns fires.`
      : `The clock of node "${self}" is ${seconds} s behind Redis, so cron jobs that it owns fire late.`;
  return [{ code: 'clock-off', severity: 'degraded', message }];
}

/** Mixed versions and transports are reported by `doctor` only: no node acts on different numbers because of them. */
function contractReasons({ differences = [] }: HealthFacts): HealthReason[] {
  const concerning = differences.filter(({ setting }) => setting !== 'version' && setting !== 'transport');
  return concerning.map((difference): HealthReason => {
    const severity = difference.rule === 'refused' ? 'critical' : 'degraded';
    const message = `The nodes do not agree about ${describeDifference(difference)}.`;
    return { code: 'settings-differ', severity, message };
  });
}

function topologyReasons({ strategies }: HealthFacts): HealthReason[] {
  const failing = strategies.filter(({ state }) => state === 'failing');
  return failing.map(({ strategy, error }) => ({
    code: 'topology-failing',
    severity: 'degraded',
    message: `The topology strategy "${strategy}" fails; its last result is kept.`,
    ...(error === undefined ? {} : { detail: error }),
  }));
}

/** So many processes that stay down are named. */
const MAX_ESCALATED = 2000;

function workReasons({ escalated, stranded, orphans = [], services }: HealthFacts): HealthReason[] {
  const sick = servicesHealth(services).filter(({ status }) => status !== 'healthy');
  return [
    ...escalated.slice(0, MAX_ESCALATED).map(({ name, error }): HealthReason => {
      const { how, remedy } = stayingDown(error);
      const message = `Process "${name}" ${how}. Bring it back with restart("${name}") ${remedy}.`;
      return {
        code: 'process-escalated',
        severity: 'critical',
        message,
        ...(error === undefined ? {} : { detail: error }),
      };
    }),
    ...strandedReasons(stranded),
    ...orphanReasons(orphans),
    ...sick.map(({ service, status }): HealthReason => {
      const severity = status === 'critical' ? 'critical' : 'degraded';
      const which = severity === 'critical' ? 'No instance' : 'Not every instance';
      return { code: 'service-unhealthy', severity, message: `${which} of service "${service}" is healthy.` };
    }),
  ];
}

/** One reason for all partitions or replicas of a process that have the same one. */
function strandedReasons(stranded: readonly Stranded[]): HealthReason[] {
  const groups = new Map<string, Stranded[]>();
  for (const one of stranded) {
    const key = JSON.stringify([processOf(one.name), one.node, one.reason]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map(([first, ...more]): HealthReason => {
    const { name, node, reason } = first!;
    const which = `Process "${name}"${more.length === 0 ? '' : `, with ${more.length} more of "${processOf(name)}",`}`;
    if (node === undefined) {
      return { code: 'process-waiting', severity: 'degraded', message: `${which} waits: ${reason}.` };
    }
    const message = `${which} is on node "${node}", of which is true now: ${reason}. It leaves when a node comes that may run it.`;
    return { code: 'process-misplaced', severity: 'degraded', message };
  });
}

const SHOWN_ORPHANS = 3;

function orphanReasons(orphans: readonly string[]): HealthReason[] {
  if (orphans.length === 0) return [];
  const names = orphans.slice(0, SHOWN_ORPHANS).map((name) => `"${name}"`);
  const more = orphans.length - names.length;
  const which = more > 0 ? `${names.join(', ')} and ${more} more` : names.join(' and ');
  const message =
    `No node declares ${which} any longer. ` +
    'Such a process is forgotten after forgetOrphansAfter, or at once by npx foundation forget <name>.';
  return [{ code: 'process-orphaned', severity: 'degraded', message }];
}

/** What does not work without a connection. */
const WITHOUT: Readonly<Record<string, string>> = {
  leases: 'no beat and no renewal of a lease gets through',
  control: 'nothing is looked up, started or registered',
  subscriber: 'this node hears no message, call or hint',
  publisher: 'no message or call of this node gets out',
  worker: 'restarts after crashes are left to other nodes',
  stream: 'a durable channel is not read',
  acknowledge: 'messages of durable channels are not acknowledged as safe',
};
/** A connection that is back at once is not reported. */
const TROUBLE_MS = 500;

function connectionReasons({ troubles = [] }: HealthFacts): HealthReason[] {
  const lasting = troubles.filter(({ forMs }) => forMs > TROUBLE_MS);
  return lasting.map(({ role, forMs, error }): HealthReason => {
    const why = error === undefined ? '' : ` (${error})`;
    const message =
      `The connection "${role}" to Redis does not work since ${Math.ceil(forMs / 1000)} s${why}: ` +
      `${WITHOUT[role] ?? 'what it is for waits'}; it is tried again.`;
    return { code: 'redis-connection', severity: 'degraded', message };
  });
}

function redisReasons(facts: HealthFacts): HealthReason[] {
  const { state, latencyMs, backend } = facts;
  const reasons = connectionReasons(facts);
  if (state === 'isolated' || state === 'joining') return reasons;
  if (backend === undefined) {
    const message = 'Redis did not answer the health query; leases and heartbeats may continue.';
    return [...reasons, { code: 'redis-silent', severity: 'degraded', message }];
  }
  if (latencyMs > SLOW_MS) {
    const message = `Redis took ${Math.round(latencyMs)} ms for the last heartbeat; beyond lease.commandTimeout owners stop.`;
    reasons.push({ code: 'redis-slow', severity: 'degraded', message });
  }
  if (backend.evictionPolicy !== undefined && backend.evictionPolicy !== 'noeviction') {
    const message =
      `Redis may evict leases (maxmemory-policy ${backend.evictionPolicy}), so two owners are possible. ` +
      'Set it to noeviction.';
    reasons.push({ code: 'redis-evicts', severity: 'critical', message });
  }
  if ((backend.sweepLateMs ?? 0) > SWEEP_LATE_MS) {
    const late = Math.round((backend.sweepLateMs ?? 0) / 1000);
    const message = `The regular sweep over BullMQ is ${late} s late; restarts after crashes may be late, too.`;
    reasons.push({ code: 'sweep-overdue', severity: 'degraded', message });
  }
  return reasons;
}

/** How each service is, by name. */
export function servicesHealth(services: readonly ServiceInfo[]): ServiceHealthSummary[] {
  const byName = new Map<string, { instances: number; sick: number }>();
  for (const { name, status } of services) {
    const seen = byName.get(name) ?? { instances: 0, sick: 0 };
    byName.set(name, seen);
    seen.instances += 1;
    if (status === 'unhealthy') seen.sick += 1;
  }
  const summaries = [...byName].map(([service, { instances, sick }]): ServiceHealthSummary => {
    const status = sick === 0 ? 'healthy' : sick === instances ? 'critical' : 'degraded';
    return { service, status, instances };
  });
  return summaries.sort((a, b) => (a.service < b.service ? -1 : 1));
}
