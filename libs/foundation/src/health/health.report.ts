/**
 * Pure: what a node knows → how healthy the cluster is, and why it is not.
 */
import type { Member } from '../cluster/member.js';
import { LAGGING_MS } from '../processes/placement/placement.js';
import {
  type HealthFacts,
  type HealthReason,
  type HealthStatus,
  reasonsOf,
  type ServiceHealthSummary,
  servicesHealth,
} from './health.reasons.js';

/** One node in the report. */
export interface NodeHealth {
  node: string;
  status: HealthStatus;
  metrics: {
    /** How many processes it owns. */
    processes: number;
    /** The recent delay of its event loop, in milliseconds. */
    lagMs: number;
    /** For how long it has been a member, in milliseconds. */
    memberMs: number;
  };
}

/** The report. */
export interface ClusterHealth {
  status: HealthStatus;
  nodes: NodeHealth[];
  services: ServiceHealthSummary[];
  /** Empty when healthy; the worst ones first. */
  reasons: HealthReason[];
  /** Milliseconds since 1970. */
  lastCheck: number;
}

/** The public report: without the texts of errors. */
export function withoutDetails({ reasons, ...report }: ClusterHealth): ClusterHealth {
  return { ...report, reasons: reasons.map(({ code, severity, message }) => ({ code, severity, message })) };
}

/** Makes the report. */
export function clusterReport(facts: HealthFacts): ClusterHealth {
  const reasons = reasonsOf(facts);
  return {
    status: worst(reasons.map(({ severity }) => severity)),
    nodes: facts.members.map((member) => nodeHealth(member, facts)),
    services: servicesHealth(facts.services),
    reasons,
    lastCheck: facts.now,
  };
}

function nodeHealth(
  { name, state, load, lag, joinedAt }: Member,
  { clusterNow, self, ...facts }: HealthFacts,
): NodeHealth {
  const isCutOff = name === self && facts.state === 'isolated';
  const isBad = state !== 'up' || lag > LAGGING_MS;
  return {
    node: name,
    status: isCutOff ? 'critical' : isBad ? 'degraded' : 'healthy',
    metrics: { processes: load, lagMs: Math.round(lag), memberMs: Math.max(0, Math.round(clusterNow - joinedAt)) },
  };
}

function worst(severities: readonly HealthStatus[]): HealthStatus {
  if (severities.includes('critical')) return 'critical';
  return severities.includes('degraded') ? 'degraded' : 'healthy';
}
