// How instances end while Redis does: connections killed, replies held back, pauses. Each end is recorded once, a job
// that ran is not run again, a temporary one is started once however many ask, and a hand-over state arrives.
import { describe, expect, it } from '@jest/globals';
import { type ProcessContext, type ProcessInfo, ProcessManager, Singleton, type StartOptions } from 'nestjs-foundation';
import { TcpProxy } from 'nestjs-foundation/testing';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, closeLater, formed, LEASE, MEMBERSHIP, onOwnRedis } from './fixture.js';

const TIMEOUT = 30_000;
/** A blip must be shorter than the lease, also on a busy machine. */
const LONG = { lease: { ...LEASE, ttl: 6000 }, membership: { ...MEMBERSHIP, ttl: 6000 } };

let server: RedisServer;
let appName: string;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, keys } = ground));

interface Life {
  name: string;
  node: string;
  ctx: ProcessContext;
}

/** A class whose instances are noted, and what each does at its start. */
function jobOf(start: (ctx: ProcessContext) => unknown = () => undefined, options: StartOptions = {}) {
  const lives: Life[] = [];
  @Singleton({ name: 'job', backoff: { base: 400, cap: 400 }, ...options })
  class Job {
    async onProcessStart(ctx: ProcessContext): Promise<void> {
      lives.push({ name: ctx.name, node: ctx.node, ctx });
      await start(ctx);
    }
    onHandoff(): unknown {
      return { from: lives.length };
    }
  }
  return { Job, lives };
}

const managerOf = ({ app }: Booted) => app.get(ProcessManager);
const infoOf = async (node: Booted, name = 'job'): Promise<ProcessInfo | undefined> =>
  (await managerOf(node).list()).find((info) => info.name === name);

async function inState(state: ProcessInfo['state'], ...nodes: Booted[]): Promise<ProcessInfo[]> {
  let last: unknown;
  return eventually(
    async () => {
      const infos = await Promise.all(nodes.map((node) => infoOf(node).catch((error: unknown) => error as Error)));
      last = infos;
      const known = infos.flatMap((info) => (info === undefined || info instanceof Error ? [] : [info]));
      return known.length === nodes.length && known.every((info) => info.state === state) ? known : undefined;
    },
    { timeout: TIMEOUT, what: `"job" ${state} everywhere`, lastSeen: () => last },
  );
}

/**
 * So much later nothing that was free is free any more: leases have run out, sweeps and late restarts have been made.
 */
async function settled(ms = LONG.lease.ttl + 1500): Promise<void> {
  const until = performance.now() + ms;
  await eventually(() => performance.now() >= until, { timeout: ms + 5000 });
}

/** Node `a` over a proxy, node `b` not; the job runs on `a`. */
async function pair(Job: new () => object) {
  const proxy = await TcpProxy.open(server.port);
  closeLater(() => proxy.close());
  const url = new URL(server.url);
  url.port = String(proxy.port);
  const a = await boot(url.href, appName, [Job], LONG);
  await eventually(async () => (await managerOf(a).lookupSingleton('job')) !== undefined, { timeout: TIMEOUT });
  const b = await boot(server.url, appName, [Job], LONG);
  await formed(a, b);
  return { proxy, a, b };
}

const killConnections = () => server.cli('CLIENT', 'KILL', 'TYPE', 'normal');
const rowOf = async () => (await server.cli('HGET', keys.processes, 'job')).replace(/^[^{]*/, '');

describe('a transient job that completes', () => {
  it.each([0, 5, 30])('%d ms after its connections were killed is not run again', async (ms) => {
    const { Job, lives } = jobOf(undefined, { restart: 'transient' });
    const { a, b } = await pair(Job);
    await killConnections();
    const at = performance.now() + ms;
    await eventually(() => performance.now() >= at, { every: 1 });
    lives[0]!.ctx.complete();
    await inState('completed', a, b);
    await settled();
    expect(lives).toHaveLength(1);
  });

  it('while replies are lost is recorded when they come again, and not run again', async () => {
    const { Job, lives } = jobOf(undefined, { restart: 'transient' });
    const { proxy, a, b } = await pair(Job);
    proxy.mode = 'noreply';
    lives[0]!.ctx.complete();
    // The first step has reached Redis, and nobody hears of it.
    let row = '';
    const isWritten = async () => (row = await rowOf()).includes('"status":"completed"');
    await eventually(isWritten, { every: 5, lastSeen: () => row });
    proxy.mode = 'cut';
    proxy.mode = 'ok';
    await inState('completed', a, b);
    await settled();
    expect(lives).toHaveLength(1);
  });

  it('is recorded after an outage that cost the lease, when nobody ran it since', async () => {
    const { Job, lives } = jobOf(undefined, { restart: 'transient' });
    const proxy = await TcpProxy.open(server.port);
    closeLater(() => proxy.close());
    const url = new URL(server.url);
    url.port = String(proxy.port);
    const a = await boot(url.href, appName, [Job]);
    await eventually(() => lives.length === 1, { timeout: TIMEOUT });
    await inState('running', a);
    proxy.mode = 'cut';
    lives[0]!.ctx.complete();
    await eventually(() => a.of('process.end_unrecorded').length === 1, { timeout: TIMEOUT });
    proxy.mode = 'ok';
    await inState('completed', a);
    await settled();
    expect(lives).toHaveLength(1);
  });

  it('is not run again after an outage for all, which is over just after the lease is', async () => {
    const { Job, lives } = jobOf(undefined, { restart: 'transient' });
    const [a, b] = [await boot(server.url, appName, [Job]), await boot(server.url, appName, [Job])];
    await formed(a, b);
    await eventually(() => lives.length === 1, { timeout: TIMEOUT });
    const owner = lives[0]!.node === a.name ? a : b;
    await inState('running', a, b);
    await server.cli('CONFIG', 'SET', 'min-replicas-to-write', '1');
    closeLater(async () => void (await server.cli('CONFIG', 'SET', 'min-replicas-to-write', '0')));
    lives[0]!.ctx.complete();
    await eventually(() => owner.of('process.end_unrecorded').length === 1, { timeout: TIMEOUT });
    await eventually(async () => (await server.cli('EXISTS', keys.lease('job'))) === '0', {
      every: 5,
      timeout: TIMEOUT,
    });
    await server.cli('CONFIG', 'SET', 'min-replicas-to-write', '0');
    await inState('completed', a, b);
    await settled();
    expect(lives).toHaveLength(1);
  });
});

describe('a crash', () => {
  it('during a blip keeps its count and its backoff', async () => {
    const { Job, lives } = jobOf();
    const { a, b } = await pair(Job);
    await killConnections();
    const at = performance.now();
    lives[0]!.ctx.fail(new Error('broke'));
    await eventually(() => lives.length === 2, { timeout: TIMEOUT });
    // Half of the delay is random.
    expect(performance.now() - at).toBeGreaterThanOrEqual(200);
    await inState('running', a, b);
    expect(await infoOf(b)).toMatchObject({ crashes: 1, error: 'broke' });
    expect(a.of('process.restart_scheduled')).toHaveLength(1);
  });
});

describe('a job that is started by three nodes at once', () => {
  const names = Array.from({ length: 12 }, (_, index) => `run-${index}`);
  const started = async (Job: new () => object, options: StartOptions) => {
    const nodes = await Promise.all([1, 2, 3].map(() => boot(server.url, appName, [Job])));
    await formed(...nodes);
    const refs = await Promise.all(
      names.flatMap((name) => nodes.map((node) => managerOf(node).startSingleton(Job, [], { ...options, name }))),
    );
    return { nodes, refs };
  };
  const namesOf = (lives: readonly Life[]) => lives.map(({ name }) => name).filter((name) => name !== 'job');

  it('is started once when it is temporary, and not again when its node ends', async () => {
    const { Job, lives } = jobOf();
    const { nodes, refs } = await started(Job, { restart: 'temporary' });
    expect(namesOf(lives).sort()).toEqual([...names].sort());
    for (const name of names) {
      expect(new Set(refs.filter((ref) => ref.name === name).map(({ epoch }) => epoch)).size).toBe(1);
      expect(await server.cli('HGET', keys.processes, name)).toContain('"status":"once"');
    }
    await nodes[0]!.app.close();
    await settled();
    expect(namesOf(lives).sort()).toEqual([...names].sort());
  });

  it.each(['transient', 'temporary'] as const)(
    'resolves for each of them when it is over at once: %s',
    async (restart) => {
      const { Job, lives } = jobOf((ctx) => ctx.name !== 'job' && ctx.complete());
      const { refs } = await started(Job, { restart });
      expect(namesOf(lives).sort()).toEqual([...names].sort());
      for (const ref of refs) {
        const life = lives.find(({ name }) => name === ref.name)!;
        expect({ node: ref.node, epoch: ref.epoch }).toEqual({ node: life.node, epoch: life.ctx.epoch });
      }
    },
  );
});

describe('a planned move', () => {
  it.each<[string, (proxy: TcpProxy) => Promise<unknown>]>([
    ['Redis pauses for 300 ms', () => server.cli('CLIENT', 'PAUSE', '300')],
    ['connections are killed', killConnections],
  ])('brings the state although %s', async (_what, fault) => {
    const { Job, lives } = jobOf(undefined, { handoff: true });
    const { proxy, a, b } = await pair(Job);
    const moving = managerOf(b).move('job', b.name);
    moving.catch(() => undefined);
    await eventually(async () => (await rowOf()).includes('"prefer"'), { every: 1 });
    await fault(proxy);
    await eventually(() => lives.length === 2, { timeout: TIMEOUT });
    await inState('running', a, b);
    const lost = [a, b].flatMap((node) => node.of('process.handoff_lost'));
    // It arrives, or its loss is told; a blip that is shorter than the lease loses nothing.
    expect({ handoff: lives[1]!.ctx.handoff, lost }).toEqual({ handoff: { from: 1 }, lost: [] });
  });
});
