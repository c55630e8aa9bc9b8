/**
 * Looks at the cluster once a second while somebody watches, and sends what it sees to all who do.
 * Called by the controller; underneath the facades, letters to the other nodes, and server-sent events over HTTP.
 */
import type { ServerResponse } from 'node:http';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { ChannelStatistics } from '../channels/channel.statistics.js';
import { Channels } from '../channels/channels.js';
import { Membership } from '../cluster/membership.js';
import { describe } from '../errors/describe.js';
import { unattended } from '../foreign/gate.js';
import { HealthMonitor } from '../health/health.monitor.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import { ProcessManager } from '../processes/process.manager.js';
import type { ProcessInfo } from '../processes/process.ref.js';
import { ServiceMesh } from '../services/service.mesh.js';
import { Telemetry } from '../telemetry/telemetry.js';
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
import { changesOf, textOf, Timeline, type TimelineEntry } from './event.timeline.js';

const EVERY_MS = 1000;
const ANSWER_MS = 500;
const ALIVE_MS = 10_000;
const MAX_VIEWERS = 50;
/** So many of them with one session: the tabs of one browser do not take all places. */
const MAX_OF_SESSION = 10;
/** What may wait for one who reads slowly, in bytes. */
const MAX_UNREAD = 1024 * 1024;
/** To say why a process is where it is costs a look at each member; so many looks are taken. */
const MAX_LOOKS = 10_000;
/** A change of the membership is not left for the next second. */
const SOON_MS = 200;
/** Of more processes than are shown, all owners are asked for once in so many looks. */
const ALL_EVERY = 10;
/** How long Redis may take to say who owns what, in milliseconds. */
const LIST_MS = 1000;
/**
 * So many happenings are told in a second; what comes beyond that is counted in the rates and in the events of the
 * node.
 */
const MAX_TOLD = 50;

interface Listed {
  list: readonly ProcessSeen[];
  /** How many there are in all. */
  count: number;
}

/** What is told besides the changes of processes, which come out of the overviews. Messages that arrive are rates. */
const TOLD = [
  'cluster.*',
  'drain.*',
  'service.*',
  'lease.lost',
  'lease.reclaimed',
  'process.crashed',
  'process.escalated',
  'process.end_unrecorded',
  'process.handoff_lost',
  'message.dropped',
  'message.gap',
  'message.dead_letter',
  'message.invalid',
  'message.handler_failed',
  'transport.link_up',
  'transport.link_down',
  'transport.refused',
] as const;

/** See the file header. */
@Injectable()
export class DashboardFeed implements OnModuleInit, BeforeApplicationShutdown {
  /** And the session of each, which ends at a time, in milliseconds since 1970. */
  readonly #viewers = new Map<ServerResponse, { value?: string; until: number }>();
  #looking = false;
  #lookedAt = -Infinity;
  /** Something changed during a look. */
  #again = false;
  readonly #timeline = new Timeline();
  readonly #log = new ThrottledLog();
  readonly #figures = new Map<string, { figures: ChannelStatistics; at: number }>();
  /** As Redis said last. */
  #listed: Listed | undefined;
  #looks = 0;
  #ownerless: ReadonlySet<string> = new Set();
  #told = { second: 0, count: 0 };
  #detach: (() => void)[] = [];
  #last: Overview | undefined;
  #timer: NodeJS.Timeout | undefined;
  #aliveAt = 0;
  #closed = false;

  constructor(
    @Inject(Membership) private readonly membership: Membership,
    @Inject(ProcessManager) private readonly processes: ProcessManager,
    @Inject(ServiceMesh) private readonly services: ServiceMesh,
    @Inject(Channels) private readonly channels: Channels,
    @Inject(HealthMonitor) private readonly health: HealthMonitor,
    @Inject(Telemetry) private readonly telemetry: Telemetry,
  ) {}

  onModuleInit(): void {
    this.#detach = TOLD.map((pattern) =>
      this.telemetry.attach(pattern, (event, payload) => {
        if (event === 'cluster.view_changed') return;
        const fields = payload as unknown as Record<string, unknown>;
        const node = typeof fields['node'] === 'string' ? fields['node'] : undefined;
        this.#tell(event, textOf(event, fields), node);
      }),
    );
    this.#detach.push(this.membership.listen({ changed: () => this.#lookSoon() }));
  }

  /** A connection that is open for ever would keep the server from closing. */
  beforeApplicationShutdown(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const detach of this.#detach) detach();
    for (const viewer of this.#viewers.keys()) viewer.end();
    this.#viewers.clear();
  }

  /**
   * Sends everything to this response until its session ends; false when there are too many viewers, or the node
   * leaves.
   */
  watch(viewer: ServerResponse, session: { value?: string; until: number } = { until: Infinity }): boolean {
    if (this.#closed || this.#viewers.size >= MAX_VIEWERS) return false;
    const same = [...this.#viewers.values()].filter(({ value }) => value !== undefined && value === session.value);
    if (same.length >= MAX_OF_SESSION) return false;
    // The connection ends with the stream.
    viewer.shouldKeepAlive = false;
    viewer.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    viewer.write('retry: 1000\n\n');
    for (const line of this.#timeline.lines) send(viewer, 'happened', line);
    if (this.#last !== undefined && this.#viewers.size > 0) send(viewer, 'overview', this.#last);
    this.#viewers.set(viewer, session);
    viewer.once('close', () => this.#viewers.delete(viewer));
    // Not once: a second error that nobody hears would end the process.
    viewer.on('error', () => this.#viewers.delete(viewer));
    if (this.#timer === undefined && !this.#looking) unattended('looking for the dashboard', this.#look());
    return true;
  }

  /** Somebody has logged out: the streams of the session end with it. */
  end(session: string): void {
    for (const [viewer, { value }] of this.#viewers) {
      if (value !== session) continue;
      this.#viewers.delete(viewer);
      viewer.end();
    }
  }

  /** As if the second were over. */
  #lookSoon(): void {
    if (this.#looking) this.#again = true;
    else if (this.#timer !== undefined) this.#plan(this.#lookedAt + SOON_MS - performance.now());
  }

  #plan(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => unattended('looking for the dashboard', this.#look()), Math.max(0, ms)).unref();
  }

  async #look(): Promise<void> {
    const began = performance.now();
    this.#timer = undefined;
    this.#looking = true;
    try {
      const overview = await this.#overview();
      const before = this.#last;
      this.#last = overview;
      if (before !== undefined)
        for (const { event, text, node } of changesOf(before, overview)) this.#tell(event, text, node);
      this.#sendAll('overview', overview);
    } catch (error) {
      this.#log.warn('The dashboard could not look at the cluster', { error: describe(error) });
    }
    if (performance.now() - this.#aliveAt > ALIVE_MS) {
      this.#aliveAt = performance.now();
      for (const viewer of this.#viewers.keys()) viewer.write(': alive\n\n');
    }
    this.#looking = false;
    this.#lookedAt = performance.now();
    if (this.#closed || this.#viewers.size === 0) return this.#rest();
    this.#plan(this.#again ? SOON_MS : Math.max(50, EVERY_MS - (this.#lookedAt - began)));
    this.#again = false;
  }

  /** Nobody watches: what was seen is of no use to whoever comes later. */
  #rest(): void {
    this.#last = undefined;
    this.#listed = undefined;
    this.#looks = 0;
    this.#figures.clear();
  }

  async #overview(): Promise<Overview> {
    const members = this.membership.members();
    const [processes, health, services, [channels, silentNodes]] = await Promise.all([
      this.#processes(members.length),
      this.health.clusterHealth(),
      this.services.discoverServices(),
      this.#channels(members),
    ]);
    return overviewOf({
      app: this.processes.appName,
      now: this.membership.clusterNow(),
      self: this.membership.self.name,
      health,
      members,
      processes: processes.list,
      processCount: processes.count,
      services,
      channels,
      silentNodes,
    });
  }

  /** While Redis does not answer it is what it said last, or what this node knows, beside a health that says so. */
  async #processes(members: number): Promise<Listed> {
    const asksAll = this.#looks++ % ALL_EVERY === 0;
    let known: ProcessInfo[] = [];
    const asked = this.processes.list((all) => {
      known = all;
      return asksAll || all.length <= MAX_LINES ? all : listedOf(all, this.#ownerless);
    });
    try {
      const list = await within(LIST_MS, asked, 'Redis does not say who owns what');
      if (asksAll) this.#ownerless = namesOf(list.filter(({ state }) => state !== 'running'));
      const explained = Math.ceil(MAX_LOOKS / Math.max(1, members));
      const seen = listedOf(list, this.#ownerless).map((info, index) =>
        processSeen(info, index < explained ? this.#why(info) : undefined),
      );
      this.#listed = { list: seen, count: known.length };
      return this.#listed;
    } catch (error) {
      this.#log.warn('The dashboard shows the processes as they were last seen', { error: describe(error) });
      return this.#listed ?? { list: listedOf(known, this.#ownerless).map(unasked), count: known.length };
    }
  }

  #why(info: ProcessInfo): string | undefined {
    try {
      return whyOf(info, this.processes.explainPlacement(info.name, info.node));
    } catch {
      return undefined; // One on every node, or gone since.
    }
  }

  async #channels(
    members: readonly { name: string; bootId: string; self: boolean }[],
  ): Promise<[ChannelSeen[], string[]]> {
    const seen: ChannelSeen[] = [];
    const silent: string[] = [];
    const present = new Set(members.map(({ bootId }) => bootId));
    for (const bootId of this.#figures.keys()) if (!present.has(bootId)) this.#figures.delete(bootId);
    await Promise.all(
      members.map(async ({ name, bootId, self }) => {
        const figures = self ? this.channels.figures() : await this.channels.figuresOf(bootId, ANSWER_MS);
        if (figures === undefined) return void silent.push(name);
        const at = performance.now();
        seen.push(...channelsOf(name, figures, at, this.#figures.get(bootId)));
        this.#figures.set(bootId, { figures, at });
      }),
    );
    seen.sort((a, b) => a.channel.localeCompare(b.channel) || a.node.localeCompare(b.node));
    return [seen, silent.sort()];
  }

  #tell(event: string, text: string, node: string | undefined): void {
    const second = Math.floor(Date.now() / 1000);
    if (this.#told.second !== second) this.#told = { second, count: 0 };
    this.#told.count += 1;
    if (this.#told.count > MAX_TOLD) return;
    this.#sendAll('happened', this.#timeline.add(Date.now(), event, text, node));
  }

  #sendAll(event: string, data: Overview | TimelineEntry): void {
    const text = textOfEvent(event, data);
    for (const [viewer, { until }] of this.#viewers) {
      if (Date.now() > until) {
        this.#viewers.delete(viewer);
        viewer.end();
      } else if (viewer.writableLength > MAX_UNREAD) {
        // It reads slower than we write; it connects anew, and gets what is then.
        this.#viewers.delete(viewer);
        viewer.destroy();
      } else viewer.write(text);
    }
  }
}

function namesOf(processes: readonly ProcessInfo[]): Set<string> {
  return new Set(processes.map(({ name }) => name));
}

/** Nobody has said whether it runs. */
function unasked(info: ProcessInfo): ProcessSeen {
  const seen = processSeen(info, undefined);
  return seen.state === 'waiting' ? { ...seen, state: 'unknown' } : seen;
}

function send(viewer: ServerResponse, event: string, data: object): void {
  viewer.write(textOfEvent(event, data));
}

function textOfEvent(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
