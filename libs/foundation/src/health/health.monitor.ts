/**
 * The facade over health: collects what this node knows, queries the health of Redis, and makes the report.
 */
import { Injectable } from '@nestjs/common';
import type { Backend, BackendFacts } from '../backend/backend.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { differencesOf } from '../cluster/compatibility.js';
import { expectedBy, knownBy, type Standing, standingBy } from '../cluster/standing.js';
import type { TopologyRunner } from '../cluster/topologies/topology.runner.js';
import type { FoundationConfig } from '../config/config.js';
import { describe } from '../errors/describe.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import type { ProcessRegistry, Stranded } from '../processes/process.registry.js';
import type { ProcessTable } from '../processes/table/process.table.js';
import type { ServiceRegistry } from '../services/service.registry.js';
import { clockOf } from '../time/clock.js';
import { within } from '../time/timeout.js';
import { type ClusterHealth, clusterReport } from './health.report.js';

/** Redis is queried at most this often, however often a probe comes. */
const QUERY_EVERY_MS = 2000;
const QUERY_TIMEOUT_MS = 1000;

/** What the report is made of. */
export interface HealthMonitorParts {
  readonly config: FoundationConfig;
  readonly backend: Pick<Backend, 'inspect' | 'troubles' | 'leases' | 'directory'>;
  readonly membership: ClusterView;
  readonly topologies: Pick<TopologyRunner, 'expectedNodes' | 'status'>;
  readonly table: ProcessTable;
  readonly registry: ServiceRegistry;
  readonly processes: Pick<ProcessRegistry, 'stranded' | 'orphans'>;
}

/** Injectable. How healthy the cluster is, as this node sees it. */
@Injectable()
export class HealthMonitor {
  readonly #logger = new ThrottledLog();
  #queried: { at: number; facts: Promise<BackendFacts | undefined> } | undefined;
  /** Who asks while Redis is asked gets the same answer, so that a flood of probes is one query at a time. */
  #looking: Promise<Standing> | undefined;
  /** When who was there the processes were last gone through. */
  #polled = { at: -Infinity, standing: '' };
  /** The last result; a query may fail. */
  #stranded: readonly Stranded[] = [];

  /** @internal Made by Foundation. */
  constructor(private readonly parts: HealthMonitorParts) {}

  /**
   * The report: status, nodes, services, and a reason for everything that is not healthy. Never rejects.
   *
   * How many nodes there should be is `expectedNodes`, without it what the topology strategies say, without them what
   * other members go by, and without that the highest number that there was, less the nodes that left in order
   * since, which is the same on every node; with
   * fewer than half of them plus one the cluster is critical.
   *
   * Underneath: this node's replicas of membership, process table and services; the beats in Redis, each time; `INFO
   * memory` and BullMQ's `getJobScheduler('sweep')`, at most every two seconds.
   */
  async clusterHealth(): Promise<ClusterHealth> {
    const [backend, standing] = await Promise.all([this.#query(), this.#look()]);
    // They were queried up to two seconds ago; what was stopped or forgotten since waits no more.
    const waited = await this.#pollStranded(standing);
    const stranded = waited.filter(({ name }) => this.parts.table.get(name)?.status === 'wanted');
    const { members, records } = standing;
    const orphans = new Set(this.parts.processes.orphans(standing).map(({ name }) => name));
    const there = new Set(members.map(({ name }) => name));
    return clusterReport({
      now: clockOf(this.parts.membership).wall(),
      clusterNow: this.parts.membership.clusterNow(),
      self: this.parts.membership.self.name,
      state: this.parts.membership.state,
      expected:
        this.parts.config.expectedNodes ??
        this.parts.topologies.expectedNodes() ??
        expectedBy(records) ??
        Math.max(1, this.parts.membership.replica.expected),
      differences: differencesOf(records),
      strategies: this.parts.topologies.status(),
      latencyMs: this.parts.membership.latency,
      members,
      escalated: this.parts.table.escalated().filter(({ of, name }) => !orphans.has(of ?? name)),
      orphans: [...orphans],
      stranded,
      services: this.parts.registry.services().filter(({ node }) => there.has(node)),
      backend,
      troubles: this.parts.backend.troubles?.() ?? [],
      trouble: this.parts.membership.trouble,
      held: this.parts.backend.leases.held(),
    });
  }

  /**
   * For a readiness probe, by the option `readiness`: with `application` true until this node drains, whatever Redis
   * does; with `member` true while it is a member that takes work.
   */
  isReady(): boolean {
    const { state } = this.parts.membership;
    return this.parts.config.readiness === 'member' ? state === 'up' : state !== 'draining' && state !== 'left';
  }

  /**
   * Who is there, by the beats that Redis has at this moment: up to a heartbeat passes until this node's own view says
   * that another one is late or gone, and the command line, which looks at that moment, would say something else. While
   * this node is cut off, its view is all it has.
   */
  #look(): Promise<Standing> {
    this.#looking ??= this.#ask().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #ask(): Promise<Standing> {
    const { membership, backend } = this.parts;
    if (!['up', 'draining', 'observing'].includes(membership.state)) return knownBy(membership);
    try {
      const seen = await within(QUERY_TIMEOUT_MS, backend.directory.look(), 'no answer');
      return standingBy(membership.records(), seen, membership.self.bootId);
    } catch (error) {
      this.#logger.debug('Query of the beats failed', { error: describe(error) });
      return knownBy(membership);
    }
  }

  #query(): Promise<BackendFacts | undefined> {
    const now = performance.now();
    if (this.#queried === undefined || now - this.#queried.at > QUERY_EVERY_MS) {
      const facts = within(QUERY_TIMEOUT_MS, this.parts.backend.inspect(), 'no answer').catch((error: unknown) => {
        this.#logger.debug('Redis health query failed', { error: describe(error) });
        return undefined;
      });
      this.#queried = { at: now, facts };
    }
    return this.#queried.facts;
  }

  async #pollStranded(standing: Standing): Promise<readonly Stranded[]> {
    // While this node is cut off, the owners are unknown.
    if (this.parts.membership.state !== 'up' && this.parts.membership.state !== 'observing') return this.#stranded;
    const [now, who] = [performance.now(), standing.members.map(({ name, state }) => `${name} ${state}`).join()];
    if (who === this.#polled.standing && now - this.#polled.at <= QUERY_EVERY_MS) return this.#stranded;
    this.#polled = { at: now, standing: who };
    try {
      this.#stranded = await within(QUERY_TIMEOUT_MS, this.parts.processes.stranded(standing), 'no answer');
    } catch (error) {
      this.#logger.debug('Query of the waiting processes failed', { error: describe(error) });
    }
    return this.#stranded;
  }
}
