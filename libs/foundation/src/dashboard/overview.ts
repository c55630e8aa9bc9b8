/**
 * Pure: what the page shows of the cluster, as one plain record of a bounded size.
 * Called by the feed; read by `page/page.js`.
 */
import type { Figures } from '../channels/channel.figures.js';
import type { Member } from '../cluster/membership.js';
import type { ClusterHealth } from '../health/report.js';
import type { ProcessInfo } from '../processes/process.ref.js';
import type { ServiceInfo } from '../services/service.js';

/** How many lines of each kind the page gets. */
export const MAX_LINES = 500;

/** A process as the page shows it. */
export interface ProcessSeen extends Pick<
  ProcessInfo,
  'name' | 'kind' | 'state' | 'node' | 'epoch' | 'startedAt' | 'error'
> {
  /** Crashes that are remembered. */
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

/** See the file header. */
export interface Overview {
  app: string;
  /** Milliseconds since 1970 by the Redis clock. */
  at: number;
  /** The node that says so. */
  self: string;
  health: Pick<ClusterHealth, 'status' | 'reasons'>;
  nodes: (Pick<Member, 'name' | 'load' | 'capacity' | 'lag' | 'version' | 'labels' | 'host' | 'pid' | 'joinedAt'> & {
    /** `silent`: it did not answer just now; the cluster does not suspect it yet. */
    state: Member['state'] | 'silent';
  })[];
  processes: ProcessSeen[];
  processesLeftOut: number;
  services: Pick<ServiceInfo, 'name' | 'instanceId' | 'node' | 'capabilities' | 'status' | 'registeredAt' | 'stale'>[];
  servicesLeftOut: number;
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
  processes: readonly ProcessInfo[];
  services: readonly ServiceInfo[];
  /** By process: crashes, and why it is where it is; for those that are listed. */
  about: ReadonlyMap<string, { restarts: number; why?: string }>;
  channels: readonly ChannelSeen[];
  silentNodes: readonly string[];
}

/** See the file header. */
export function overviewOf(facts: Facts): Overview {
  const { app, now: at, self, health, members, services, about, channels, silentNodes } = facts;
  const listed = listedOf(facts.processes);
  return {
    app,
    at,
    self,
    health: { status: health.status, reasons: health.reasons.slice(0, 50) },
    nodes: members
      .slice(0, MAX_LINES)
      .map(({ name, state, load, capacity, lag, version, labels, host, pid, joinedAt }) => ({
        ...{ name, load, lag, version, labels, host, pid, joinedAt },
        ...(capacity === undefined ? {} : { capacity }),
        state: state === 'up' && silentNodes.includes(name) ? 'silent' : state,
      })),
    processes: listed.map(({ name, kind, state, node, epoch, startedAt, error }) => ({
      ...{ name, kind, state },
      ...(node === undefined ? {} : { node }),
      ...(epoch === undefined ? {} : { epoch }),
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(error === undefined ? {} : { error }),
      ...(about.get(name) ?? { restarts: 0 }),
    })),
    processesLeftOut: facts.processes.length - listed.length,
    services: services
      .slice(0, MAX_LINES)
      .map(({ name, instanceId, node, capabilities, status, registeredAt, stale }) => ({
        ...{ name, instanceId, node, capabilities, status, registeredAt },
        ...(stale === undefined ? {} : { stale }),
      })),
    servicesLeftOut: Math.max(0, services.length - MAX_LINES),
    channels: channels.slice(0, MAX_LINES),
    silentNodes: [...silentNodes],
  };
}

/** Making one for each comparison would take a second for 10,000 names. */
const byName = new Intl.Collator('en', { numeric: true });

/** Those that are shown, in the order of their names: when they are too many, those that do not run before the others. */
export function listedOf(processes: readonly ProcessInfo[]): ProcessInfo[] {
  const down = processes.filter(({ state }) => state !== 'running').slice(0, MAX_LINES);
  const running = processes.filter(({ state }) => state === 'running').slice(0, MAX_LINES - down.length);
  return [...down, ...running].sort((a, b) => byName.compare(a.name, b.name));
}

/** What a node said of its channels, with a rate where it said something before. */
export function channelsOf(
  node: string,
  figures: Figures,
  at: number,
  before: { figures: Figures; at: number } | undefined,
): ChannelSeen[] {
  const seconds = before === undefined ? 0 : (at - before.at) / 1000;
  // A subscription that began anew has received less than before.
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
