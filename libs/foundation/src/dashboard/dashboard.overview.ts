/**
 * Pure: what the page shows of the cluster, as one plain record of a bounded size.
 * Read by the modules of `page/`.
 */
import type { ChannelStatistics } from '../channels/channel.statistics.js';
import type { Member } from '../cluster/member.js';
import type { CronJobInfo } from '../cron/cron.jobs.js';
import type { ClusterHealth } from '../health/health.report.js';
import type { Candidate } from '../processes/placement/placement.js';
import type { ProcessInfo } from '../processes/process.ref.js';
import type { ServiceInfo } from '../services/service.js';
import type { Departed } from './departed.nodes.js';
import type { ProcessGroupSeen } from './process.groups.js';

/** How many lines of each kind the page gets. */
export const MAX_LINES = 500;

/** A process as the page shows it. */
export interface ProcessSeen extends Pick<ProcessInfo, 'name' | 'kind' | 'node' | 'epoch' | 'startedAt' | 'error'> {
  /** `unknown` while Redis does not say whether it runs. */
  state: ProcessInfo['state'] | 'unknown';
  /** How often it crashed since it was started or restarted by a call. */
  restarts: number;
  /** Why it runs where it does. */
  why?: string;
}

/** How a channel is doing on one node. */
export interface ChannelSeen {
  node: string;
  channel: string;
  sentPerSecond: number;
  receivedPerSecond: number;
  waiting: number;
  lagMs: number;
  /** Since the subscriptions began. */
  failed: number;
  dropped: number;
}

/** A cron job as the page shows it. */
export interface JobSeen extends Pick<
  CronJobInfo,
  'name' | 'expression' | 'timeZone' | 'node' | 'next' | 'run' | 'last'
> {
  /** Times that no node could run, since the record began. */
  missed: number;
}

/** See the file header. */
export interface Overview {
  app: string;
  /** Milliseconds since 1970 by the Redis clock. */
  at: number;
  /** The node that says so. */
  self: string;
  health: Pick<ClusterHealth, 'status' | 'reasons'>;
  nodes: (Pick<
    Member,
    'name' | 'load' | 'capacity' | 'lag' | 'version' | 'release' | 'labels' | 'host' | 'pid' | 'joinedAt'
  > & {
    /** `silent`: it did not answer just now; the cluster does not suspect it yet. */
    state: Member['state'] | 'silent';
  })[];
  /** Nodes that have left, for a while. */
  departed: Departed[];
  processes: ProcessSeen[];
  processesLeftOut: number;
  /** Those that have several instances. */
  groups: ProcessGroupSeen[];
  services: (Pick<
    ServiceInfo,
    'name' | 'instanceId' | 'node' | 'capabilities' | 'status' | 'registeredAt' | 'stale'
  > & {
    /** It is reached by an address, which may have a secret in it, and not by calls. */
    isOutside?: true;
  })[];
  servicesLeftOut: number;
  /** The cluster-wide cron jobs. */
  jobs: JobSeen[];
  jobsLeftOut: number;
  channels: ChannelSeen[];
  /** Nodes that did not say how their channels are. */
  silentNodes: string[];
}

/** What an overview is made of. */
export interface Facts {
  app: string;
  now: number;
  self: string;
  health: ClusterHealth;
  members: readonly Member[];
  /** Those that are listed. */
  processes: readonly ProcessSeen[];
  /** How many there are in all. */
  processCount: number;
  groups: readonly ProcessGroupSeen[];
  departed: readonly Departed[];
  services: readonly ServiceInfo[];
  jobs: readonly CronJobInfo[];
  channels: readonly ChannelSeen[];
  silentNodes: readonly string[];
}

/** See the file header. */
export function overviewOf(facts: Facts): Overview {
  const { app, now: at, self, health, members, processes, services, jobs, channels, silentNodes } = facts;
  return {
    app,
    at,
    self,
    health: { status: health.status, reasons: health.reasons.slice(0, 50) },
    nodes: members
      .slice(0, MAX_LINES)
      .map(({ name, state, load, capacity, lag, version, release, labels, host, pid, joinedAt }) => ({
        ...{ name, load, lag, version, labels, host, pid, joinedAt },
        ...(capacity === undefined ? {} : { capacity }),
        ...(release === undefined ? {} : { release }),
        state: state === 'up' && silentNodes.includes(name) ? 'silent' : state,
      })),
    processes: [...processes],
    processesLeftOut: facts.processCount - processes.length,
    groups: facts.groups.slice(0, MAX_LINES),
    departed: [...facts.departed],
    services: services
      .slice(0, MAX_LINES)
      .map(({ name, instanceId, node, capabilities, status, registeredAt, stale, url }) => ({
        ...{ name, instanceId, node, capabilities, status, registeredAt },
        ...(url === undefined ? {} : { isOutside: true as const }),
        ...(stale === undefined ? {} : { stale }),
      })),
    servicesLeftOut: Math.max(0, services.length - MAX_LINES),
    jobs: jobs.slice(0, MAX_LINES).map(jobSeen),
    jobsLeftOut: Math.max(0, jobs.length - MAX_LINES),
    channels: channels.slice(0, MAX_LINES),
    silentNodes: [...silentNodes],
  };
}

/** A collator is made once: without it each comparison makes one, and those of 10,000 names took a second. */
const byName = new Intl.Collator('en', { numeric: true });

/**
 * Those that are shown, in the order of their names: when they are too many, those that are down before the others.
 * What should run is down when it was found without an owner.
 */
export function listedOf(known: readonly ProcessInfo[], ownerless: ReadonlySet<string>): ProcessInfo[] {
  const isDown = ({ name, state }: ProcessInfo): boolean =>
    ownerless.has(name) || (state !== 'running' && state !== 'waiting');
  const first = known.length <= MAX_LINES ? known : [...known.filter(isDown), ...known.filter((each) => !isDown(each))];
  return first.slice(0, MAX_LINES).sort((a, b) => byName.compare(a.name, b.name));
}

function jobSeen({ name, expression, timeZone, node, next, run, last, counts }: CronJobInfo): JobSeen {
  return {
    ...{ name, expression, timeZone, missed: counts.missed },
    ...(node === undefined ? {} : { node }),
    ...(next === undefined ? {} : { next }),
    ...(run === undefined ? {} : { run }),
    ...(last === undefined ? {} : { last }),
  };
}

/** A process as the page shows it. */
export function processSeen(
  { name, kind, state, node, epoch, startedAt, error, crashes = 0 }: ProcessInfo,
  why: string | undefined,
): ProcessSeen {
  return {
    ...{ name, kind, state, restarts: crashes },
    ...(node === undefined ? {} : { node }),
    ...(epoch === undefined ? {} : { epoch }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(error === undefined ? {} : { error }),
    ...(why === undefined ? {} : { why }),
  };
}

/** Why a process is where it is, or why it is nowhere. */
export function whyOf({ node, state, reason }: ProcessInfo, candidates: readonly Candidate[]): string | undefined {
  if (node !== undefined) return candidates.find((candidate) => candidate.node === node)?.reason;
  if (state === 'orphaned') return 'no node declares it any longer';
  if (state !== 'waiting') return undefined;
  if (reason !== undefined) return reason;
  const [best] = candidates;
  if (best === undefined) return 'there is no node';
  return best.excluded ? `no node can run it: of ${best.node}, ${best.reason}` : `it waits for ${best.node}`;
}

/** What a node said of its channels, with a rate where it said something before. */
export function channelsOf(
  node: string,
  figures: ChannelStatistics,
  at: number,
  before: { figures: ChannelStatistics; at: number } | undefined,
): ChannelSeen[] {
  const seconds = before === undefined ? 0 : (at - before.at) / 1000;
  // A subscription that began again has received less than before.
  const rate = (now: number, then: number | undefined): number =>
    then === undefined || seconds <= 0 ? 0 : Math.round((Math.max(0, now - then) / seconds) * 10) / 10;
  return Object.entries(figures).map(([channel, { sent, received, waiting, lag, failed, dropped }]) => {
    const last = before?.figures[channel];
    return {
      ...{ node, channel, waiting, lagMs: lag, failed, dropped },
      sentPerSecond: rate(sent, last?.sent),
      receivedPerSecond: rate(received, last?.received),
    };
  });
}
