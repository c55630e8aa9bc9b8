/**
 * Reads the cluster for the dashboard: one overview for each poll, with what the last polls have left to compare with.
 * Underneath the facades, and a node message to each other node about its channels.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { ChannelStatistics } from '../channels/channel.statistics.js';
import { Channels, runtimeOf } from '../channels/channels.js';
import { ClusterView } from '../cluster/cluster.view.js';
import { type CronJobInfo, CronJobs } from '../cron/cron.jobs.js';
import { describe } from '../errors/describe.js';
import { HealthMonitor } from '../health/health.monitor.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import { ProcessFinder } from '../processes/process.finder.js';
import { ProcessManager } from '../processes/process.manager.js';
import type { ProcessInfo } from '../processes/process.ref.js';
import { ServiceMesh } from '../services/service.mesh.js';
import { within } from '../time/timeout.js';
import {
  type ChannelSeen,
  channelsOf,
  listedOf,
  MAX_LINES,
  type Overview,
  overviewOf,
  type ProcessSeen,
  processSeen,
  whyOf,
} from './dashboard.overview.js';
import { DepartedNodes } from './departed.nodes.js';
import { groupsOf, type ProcessGroupSeen } from './process.groups.js';

/** How long another node may take to answer, in milliseconds. */
const ANSWER_MS = 500;
/** Explaining the placement of a process costs a look at each member; a poll takes this many. */
const MAX_LOOKS = 10_000;
/** Where there are more processes than are shown, the owners of all of them are read in one of this many polls. */
const ALL_EVERY = 10;
/** How long Redis may take to say who owns what, in milliseconds. */
const LIST_MS = 1000;

interface Listed {
  list: readonly ProcessSeen[];
  groups: readonly ProcessGroupSeen[];
  /** How many there are in all. */
  count: number;
}

/** See the file header. */
@Injectable()
export class ClusterPoller {
  readonly #log = new ThrottledLog();
  /** Boot id → what its channels were like at the last poll. */
  readonly #statistics = new Map<string, { figures: ChannelStatistics; at: number }>();
  /** As Redis said last. */
  #listed: Listed | undefined;
  #jobs: readonly CronJobInfo[] = [];
  #polls = 0;
  #ownerless: ReadonlySet<string> = new Set();

  constructor(
    @Inject(ClusterView) private readonly membership: ClusterView,
    @Inject(ProcessManager) private readonly processes: ProcessManager,
    @Inject(ProcessFinder) private readonly finder: ProcessFinder,
    @Inject(ServiceMesh) private readonly services: ServiceMesh,
    @Inject(Channels) private readonly channels: Channels,
    @Inject(HealthMonitor) private readonly health: HealthMonitor,
    @Inject(CronJobs) private readonly cronJobs: CronJobs,
    @Inject(DepartedNodes) private readonly departed: DepartedNodes,
  ) {}

  /** Reads everything once. */
  async poll(): Promise<Overview> {
    const members = this.membership.members();
    const [processes, health, services, jobs, [channels, silentNodes]] = await Promise.all([
      this.#readProcesses(members.length),
      this.health.clusterHealth(),
      this.services.discoverServices(),
      this.#readJobs(),
      this.#readChannels(members),
    ]);
    return overviewOf({
      app: this.membership.appName,
      now: this.membership.clusterNow(),
      self: this.membership.self.name,
      health,
      members,
      processes: processes.list,
      processCount: processes.count,
      groups: processes.groups,
      departed: this.departed.list(),
      services,
      jobs,
      channels,
      silentNodes,
    });
  }

  /** No viewer is left: what was read is of no use to later ones. */
  forget(): void {
    this.#listed = undefined;
    this.#polls = 0;
    this.#statistics.clear();
  }

  /** While Redis does not answer: what it said last, or what this node knows, beside a health that says so. */
  async #readProcesses(members: number): Promise<Listed> {
    const readsAll = this.#polls++ % ALL_EVERY === 0;
    let known: ProcessInfo[] = [];
    const reading = this.finder.list((all) => {
      known = all;
      return readsAll || all.length <= MAX_LINES ? all : listedOf(all, this.#ownerless);
    });
    try {
      const list = await within(LIST_MS, reading, 'Redis does not say who owns what');
      if (readsAll) this.#ownerless = namesOf(list.filter(({ state }) => state !== 'running'));
      const explained = Math.ceil(MAX_LOOKS / Math.max(1, members));
      const seen = listedOf(list, this.#ownerless).map((info, index) =>
        processSeen(info, index < explained ? this.#why(info) : undefined),
      );
      const isAll = readsAll || known.length <= MAX_LINES;
      const groups = isAll ? groupsOf(list) : (this.#listed?.groups ?? []);
      this.#listed = { list: seen, groups, count: known.length };
      return this.#listed;
    } catch (error) {
      this.#log.warn('Failed to list the processes; the dashboard shows the last known ones', {
        error: describe(error),
      });
      const list = known.map(unconfirmed);
      const groups = groupsOf(list);
      return this.#listed ?? { list: listedOf(known, this.#ownerless).map(unconfirmed), groups, count: known.length };
    }
  }

  /** While Redis does not answer: what it said last. */
  async #readJobs(): Promise<readonly CronJobInfo[]> {
    try {
      this.#jobs = await within(LIST_MS, this.cronJobs.list(), 'Redis does not say what the cron jobs did');
    } catch (error) {
      this.#log.warn('Failed to list the cron jobs; the dashboard shows the last known ones', {
        error: describe(error),
      });
    }
    return this.#jobs;
  }

  #why(info: ProcessInfo): string | undefined {
    try {
      return whyOf(info, this.processes.explainPlacement(info.name, info.node));
    } catch {
      return undefined; // One on every node, or gone since.
    }
  }

  async #readChannels(
    members: readonly { name: string; bootId: string; self: boolean }[],
  ): Promise<[ChannelSeen[], string[]]> {
    const runtime = runtimeOf(this.channels);
    const seen: ChannelSeen[] = [];
    const silent: string[] = [];
    const present = new Set(members.map(({ bootId }) => bootId));
    for (const bootId of this.#statistics.keys()) if (!present.has(bootId)) this.#statistics.delete(bootId);
    await Promise.all(
      members.map(async ({ name, bootId, self }) => {
        const figures = self ? runtime.statistics() : await runtime.statisticsOf(bootId, ANSWER_MS);
        if (figures === undefined) return void silent.push(name);
        const at = performance.now();
        seen.push(...channelsOf(name, figures, at, this.#statistics.get(bootId)));
        this.#statistics.set(bootId, { figures, at });
      }),
    );
    seen.sort((a, b) => a.channel.localeCompare(b.channel) || a.node.localeCompare(b.node));
    return [seen, silent.sort()];
  }
}

function namesOf(processes: readonly ProcessInfo[]): Set<string> {
  return new Set(processes.map(({ name }) => name));
}

/** Redis has not said whether it runs. */
function unconfirmed(info: ProcessInfo): ProcessSeen {
  const seen = processSeen(info, undefined);
  return seen.state === 'waiting' ? { ...seen, state: 'unknown' } : seen;
}
