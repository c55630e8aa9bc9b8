// The loop of the feed over facades that are made up; real ones are in test/integration/dashboard.spec.ts.
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ChannelRuntime } from '../channels/channel.runtime.js';
import { Channels } from '../channels/channels.js';
import { ClusterView } from '../cluster/cluster.view.js';
import type { MembershipListener } from '../cluster/member.js';
import type { ProcessInfo } from '../processes/process.ref.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { eventually } from '../testing/eventually.js';
import { ClusterPoller } from './cluster.poller.js';
import { DashboardFeed } from './dashboard.feed.js';
import { MAX_LINES, type Overview } from './dashboard.overview.js';

type Choose = (known: ProcessInfo[]) => ProcessInfo[];

class Viewer extends EventEmitter {
  readonly overviews: Overview[] = [];
  readonly comments: string[] = [];
  writableLength = 0;
  shouldKeepAlive = true;
  destroyed = false;
  writeHead(): void {}
  end(): void {}
  destroy(): void {
    this.destroyed = true;
  }
  write(text: string): void {
    const [, event, data] = /^event: (\w+)\ndata: (.*)\n\n$/s.exec(text) ?? [];
    if (event === 'overview') this.overviews.push(JSON.parse(data!) as Overview);
    else this.comments.push(text);
  }
}

const known = (count: number): ProcessInfo[] =>
  Array.from({ length: count }, (_, index) => ({
    ...{ name: `p${index}`, type: 'Feed', kind: 'singleton', state: 'waiting', restart: 'permanent' },
  }));

describe('the feed of the dashboard', () => {
  const asked: number[] = [];
  let processes: ProcessInfo[];
  let answer: (chosen: ProcessInfo[]) => Promise<ProcessInfo[]>;
  let changed: () => void;
  let feed: DashboardFeed;

  beforeEach(() => {
    Logger.overrideLogger(false);
    asked.length = 0;
    processes = known(3);
    answer = async (chosen) => chosen.map((info) => ({ ...info, state: 'running', node: 'n1' }));
    const membership = {
      self: { name: 'n1', bootId: 'b1' },
      members: () => [],
      appName: 'shop',
      clusterNow: () => 5,
      listen: (listener: MembershipListener) => {
        changed = () => listener.changed?.();
        return () => undefined;
      },
    };
    const list = async (choose: Choose): Promise<ProcessInfo[]> => {
      const chosen = choose(processes);
      asked.push(chosen.length);
      return answer(chosen);
    };
    const explainPlacement = () => [{ node: 'n1', score: [], reason: 'by hash', excluded: false }];
    const poller = new ClusterPoller(
      ...([
        membership,
        { explainPlacement },
        { list },
        { discoverServices: async () => [] },
        new Channels({ statistics: () => ({}) } as unknown as ChannelRuntime),
        { clusterHealth: async () => ({ status: 'critical', reasons: [], nodes: [], services: [], lastCheck: 0 }) },
        { list: async () => [] },
        { list: () => [] },
      ] as unknown as ConstructorParameters<typeof ClusterPoller>),
    );
    feed = new DashboardFeed(membership as unknown as ClusterView, poller, new Telemetry());
    feed.onModuleInit();
  });
  afterEach(() => feed.beforeApplicationShutdown());

  const watch = (): Viewer => {
    const viewer = new Viewer();
    expect(feed.watch(viewer as unknown as ServerResponse)).toBe(true);
    return viewer;
  };

  it('asks for the owners of what it shows only, and for all of them now and then', async () => {
    processes = known(10_000);
    const viewer = watch();
    const [first, second] = await eventually(() => (viewer.overviews.length > 1 ? viewer.overviews : undefined));
    expect(asked.slice(0, 2)).toEqual([10_000, MAX_LINES]);
    for (const overview of [first!, second!]) {
      expect(overview.processes).toHaveLength(MAX_LINES);
      expect(overview.processesLeftOut).toBe(10_000 - MAX_LINES);
    }
  });

  it('shows those first that were found without an owner', async () => {
    processes = known(10_000);
    answer = async (chosen) =>
      chosen.map((info) => (info.name === 'p9999' ? info : { ...info, state: 'running', node: 'n1' }));
    const viewer = watch();
    const overviews = await eventually(() => (viewer.overviews.length > 1 ? viewer.overviews : undefined));
    for (const { processes: shown } of overviews.slice(0, 2)) {
      expect(shown.at(-1)).toMatchObject({ name: 'p9999', state: 'waiting', why: 'it waits for n1' });
    }
  });

  const shows = (viewer: Viewer, state: string, from = 0): Promise<unknown> =>
    eventually(
      () => viewer.overviews.slice(from).some(({ processes: shown }) => shown.every((each) => each.state === state)),
      { lastSeen: () => viewer.overviews.at(-1) },
    );

  it('shows what was said last while Redis does not say who owns what, whether it refuses or hangs', async () => {
    const viewer = watch();
    await shows(viewer, 'running');
    for (const silence of [
      () => Promise.reject(new Error('ECONNREFUSED')),
      () => new Promise<never>(() => undefined),
    ]) {
      answer = silence;
      // One look may be under way already.
      await shows(viewer, 'running', viewer.overviews.length + 1);
    }
  });

  it('shows what the node knows before Redis has said anything', async () => {
    const said = answer;
    answer = () => Promise.reject(new Error('ECONNREFUSED'));
    const viewer = watch();
    await shows(viewer, 'unknown');
    answer = said;
    await shows(viewer, 'running');
  });

  it('looks at once when the membership changes, and once however often that is said', async () => {
    const viewer = watch();
    await eventually(() => viewer.overviews.length === 1);
    const began = performance.now();
    for (let round = 2; round < 7; round++) {
      processes = known(round);
      for (let time = 0; time < 50; time++) changed();
      await eventually(() => viewer.overviews.length === round);
      expect([viewer.overviews.at(-1)!.processes.length, asked.length]).toEqual([round, round]);
    }
    // Five looks at one a second would take five seconds.
    expect(performance.now() - began).toBeLessThan(4000);
  });

  it('asks nobody anything while nobody watches', async () => {
    const viewer = watch();
    await eventually(() => viewer.overviews.length === 1);
    viewer.emit('close');
    changed();
    await eventually(() => asked.length === 2);
    expect(viewer.overviews).toHaveLength(1);
    // Whoever comes later begins a new loop.
    const later = watch();
    await eventually(() => later.overviews.length === 1);
  });

  it('takes no more viewers than it may', () => {
    const viewers = Array.from({ length: 50 }, watch);
    expect(feed.watch(new Viewer() as unknown as ServerResponse)).toBe(false);
    viewers[0]!.emit('close');
    watch();
  });

  it('drops a viewer that does not read, and hears all its errors', async () => {
    const [slow, quick] = [watch(), watch()];
    await eventually(() => quick.overviews.length === 1);
    slow.writableLength = 2 * 1024 * 1024;
    changed();
    await eventually(() => slow.destroyed && quick.overviews.length === 2);
    expect(slow.overviews).toHaveLength(1);
    slow.emit('error', new Error('write after destroy'));
    slow.emit('error', new Error('write after destroy'));
  });
});
