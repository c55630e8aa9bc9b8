/**
 * Polls the cluster once a second while anybody watches, and sends what it finds to all viewers.
 * Underneath {@link ClusterPoller}, `Telemetry`, and server-sent events over HTTP.
 */
import type { ServerResponse } from 'node:http';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ClusterView } from '../cluster/cluster.view.js';
import { describe } from '../errors/describe.js';
import { unattended } from '../foreign/gate.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { ClusterPoller } from './cluster.poller.js';
import type { Overview } from './dashboard.overview.js';
import { changesOf, textOf, Timeline, type TimelineEntry } from './event.timeline.js';

const EVERY_MS = 1000;
/** A comment in a stream this often, in milliseconds, keeps proxies from closing it. */
const ALIVE_MS = 10_000;
const MAX_VIEWERS = 50;
/** Of one session: the tabs of one browser do not take all places. */
const MAX_OF_SESSION = 10;
/** The backlog of a viewer that reads slowly, in bytes. */
const MAX_UNREAD = 1024 * 1024;
/** A change of the membership is polled after this many milliseconds, not a second later. */
const SOON_MS = 200;
/** Lines of the time-line in a second; what comes beyond is counted in the rates and in the events of the node. */
const MAX_TOLD = 50;

/** The events shown besides the changes of processes, which come out of the overviews. Arriving messages are rates. */
const SHOWN = [
  'cluster.*',
  'drain.*',
  'service.*',
  'lease.lost',
  'lease.reclaimed',
  'process.crashed',
  'process.escalated',
  'process.end_unrecorded',
  'process.handoff_lost',
  'cron.missed',
  'cron.skipped',
  'cron.interrupted',
  'message.dropped',
  'message.gap',
  'message.dead_letter',
  'message.not_safe',
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
  #isPolling = false;
  #polledAt = -Infinity;
  /** Something changed during a poll. */
  #again = false;
  readonly #timeline = new Timeline();
  readonly #log = new ThrottledLog();
  #shown = { second: 0, count: 0 };
  #detach: (() => void)[] = [];
  #last: Overview | undefined;
  #timer: NodeJS.Timeout | undefined;
  #aliveAt = 0;
  #closed = false;

  constructor(
    @Inject(ClusterView) private readonly membership: ClusterView,
    @Inject(ClusterPoller) private readonly poller: ClusterPoller,
    @Inject(Telemetry) private readonly telemetry: Telemetry,
  ) {}

  onModuleInit(): void {
    this.#detach = SHOWN.map((pattern) =>
      this.telemetry.attach(pattern, (event, payload) => {
        if (event === 'cluster.view_changed') return;
        const fields = payload as unknown as Record<string, unknown>;
        const node = typeof fields['node'] === 'string' ? fields['node'] : undefined;
        this.#show(event, textOf(event, fields), node);
      }),
    );
    this.#detach.push(this.membership.listen({ changed: () => this.#pollSoon() }));
  }

  /** A connection that never ends would keep the server from closing. */
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
    // Not once: a second error without a listener would end the process.
    viewer.on('error', () => this.#viewers.delete(viewer));
    if (this.#timer === undefined && !this.#isPolling) unattended('polling for the dashboard', this.#poll());
    return true;
  }

  /** Ends the streams of a session that was signed out. */
  end(session: string): void {
    for (const [viewer, { value }] of this.#viewers) {
      if (value !== session) continue;
      this.#viewers.delete(viewer);
      viewer.end();
    }
  }

  /** As if the second were over. */
  #pollSoon(): void {
    if (this.#isPolling) this.#again = true;
    else if (this.#timer !== undefined) this.#plan(this.#polledAt + SOON_MS - performance.now());
  }

  #plan(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => unattended('polling for the dashboard', this.#poll()), Math.max(0, ms)).unref();
  }

  async #poll(): Promise<void> {
    const began = performance.now();
    this.#timer = undefined;
    this.#isPolling = true;
    try {
      const overview = await this.poller.poll();
      const before = this.#last;
      this.#last = overview;
      if (before !== undefined)
        for (const { event, text, node } of changesOf(before, overview)) this.#show(event, text, node);
      this.#sendAll('overview', overview);
    } catch (error) {
      this.#log.warn('Failed to poll the cluster for the dashboard', { error: describe(error) });
    }
    if (performance.now() - this.#aliveAt > ALIVE_MS) {
      this.#aliveAt = performance.now();
      for (const viewer of this.#viewers.keys()) viewer.write(': alive\n\n');
    }
    this.#isPolling = false;
    this.#polledAt = performance.now();
    if (this.#closed || this.#viewers.size === 0) return this.#rest();
    this.#plan(this.#again ? SOON_MS : Math.max(50, EVERY_MS - (this.#polledAt - began)));
    this.#again = false;
  }

  /** No viewer: the next one gets a fresh overview. */
  #rest(): void {
    this.#last = undefined;
    this.poller.forget();
  }

  #show(event: string, text: string, node: string | undefined): void {
    const second = Math.floor(Date.now() / 1000);
    if (this.#shown.second !== second) this.#shown = { second, count: 0 };
    this.#shown.count += 1;
    if (this.#shown.count > MAX_TOLD) return;
    this.#sendAll('happened', this.#timeline.add(Date.now(), event, text, node));
  }

  #sendAll(event: string, data: Overview | TimelineEntry): void {
    const text = textOfEvent(event, data);
    for (const [viewer, { until }] of this.#viewers) {
      if (Date.now() > until) {
        this.#viewers.delete(viewer);
        viewer.end();
      } else if (viewer.writableLength > MAX_UNREAD) {
        // It reads slower than we write; it reconnects and gets what is current then.
        this.#viewers.delete(viewer);
        viewer.destroy();
      } else viewer.write(text);
    }
  }
}

function send(viewer: ServerResponse, event: string, data: object): void {
  viewer.write(textOfEvent(event, data));
}

function textOfEvent(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
