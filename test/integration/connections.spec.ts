// The matrix of connections: each one of a node × how it breaks × when. One cluster for each fault: a node per role
// whose connection of that role alone is broken, and a witness that nothing happens to. Outcomes are asserted, never
// times.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, type OnModuleInit, type Type } from '@nestjs/common';
import {
  Channel,
  Channels,
  type FoundationOptions,
  HealthMonitor,
  Membership,
  ProcessManager,
  Singleton,
} from 'nestjs-foundation';
import { type RoleFault, TcpProxy } from 'nestjs-foundation/testing';
import { aclRule } from '../../libs/foundation/src/backend/redis/redis.acl.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, CapturedLog, closeLater, formed, onOwnRedis, Teller } from './fixture.js';

const ROLES = ['leases', 'control', 'publisher', 'subscriber', 'worker', 'stream'] as const;
type Role = (typeof ROLES)[number];
const FAULTS: RoleFault[] = ['half-open', 'hung', 'refused', 'full'];
/** A safety limit for what takes a few seconds. */
const LIMIT = 60_000;
const TEST_MS = 150_000;

let server: RedisServer;
let appName: string;
let log: CapturedLog;
onOwnRedis((ground) => ({ server, appName, log } = ground));

/** Long enough for a busy machine; the deadline of a lease leaves room for one new connection and not for two. */
const options: FoundationOptions = {
  lease: { ttl: 2500, renewEvery: 450, commandTimeout: 400, margin: 300 },
  membership: { beatEvery: 400, ttl: 2500 },
  processes: { backoff: { base: 10, cap: 50 }, stopTimeout: 1000 },
  channels: { names: { kept: { durable: { retryAfter: 1000 } } } },
  shutdownTimeout: 6000,
};
/** What a leave may take beyond that: a quarter of a second for each step after the time is over. */
const SLACK = 4000;

interface Victim extends Booted {
  role: Role;
  proxy: TcpProxy;
}

/** What each node of a test has: a singleton that only it can run, and ears. */
function kit(role: string) {
  @Singleton({ name: `held-${role}` })
  class Held extends Teller {}
  @Injectable()
  class Ears {
    readonly heard: unknown[] = [];
    @Channel('events')
    hear(message: unknown): void {
      this.heard.push(message);
    }
    @Channel('kept', { group: role })
    take(message: unknown): void {
      this.heard.push(message);
    }
  }
  return { providers: [Held, Ears] as Type<object>[], Ears: Ears as Type<{ heard: unknown[] }> };
}
const ears = new Map<string, Type<{ heard: unknown[] }>>();
const heardBy = ({ app, name }: Booted): unknown[] => app.get(ears.get(name)!).heard;

async function bootVictim(role: Role, extra: Type<object>[] = [], before?: (proxy: TcpProxy) => void): Promise<Victim> {
  const proxy = await TcpProxy.open(server.port);
  closeLater(() => proxy.close());
  before?.(proxy);
  const { providers, Ears } = kit(role);
  ears.set(role, Ears);
  const url = server.urlAt(proxy.port);
  const node = await boot(url, appName, [...providers, ...extra], { ...options, nodeName: role });
  return { ...node, role, proxy };
}

async function bootWitness(): Promise<Booted> {
  const { providers, Ears } = kit('witness');
  ears.set('witness', Ears);
  return boot(server.url, appName, providers, { ...options, nodeName: 'witness' });
}

const stateOf = ({ app }: Booted) => app.get(Membership).state;
const call = async (from: Booted, name: string, method: 'epoch' | 'crash'): Promise<unknown> =>
  (await from.app.get(ProcessManager).lookupSingleton(name))?.with({ timeout: 1000 }).call(method);

/** Everything goes: members, messages in both directions, durable ones, calls, restarts. */
async function expectAllWell(victims: readonly Victim[], witness: Booted, word: string): Promise<void> {
  await Promise.all(
    victims.map(async (victim) => {
      const { role } = victim;
      let last: unknown;
      const works = (what: string, test: () => Promise<unknown>): Promise<unknown> =>
        eventually(
          () =>
            test().catch((error: unknown) => {
              last = error;
              return undefined;
            }),
          { timeout: LIMIT, every: 100, what: `${role}: ${what}`, lastSeen: () => [stateOf(victim), last] },
        );
      await works('member', async () => {
        last = witness.app
          .get(Membership)
          .members()
          .map(({ name, state }) => `${name} ${state}`);
        return stateOf(victim) === 'up' && (last as string[]).includes(`${role} up`);
      });
      for (const [channel, from, to] of [
        ['events', victim, witness],
        ['events', witness, victim],
        ['kept', victim, witness],
        ['kept', witness, victim],
      ] as const) {
        const message = `${word} ${channel} ${from.name} ${to.name}`;
        await works(message, async () => {
          if (heardBy(to).includes(message)) return true;
          await from.app.get(Channels).broadcast(channel, message);
          return heardBy(to).includes(message);
        });
      }
      await works('its singleton answers', async () => Number(await call(witness, `held-${role}`, 'epoch')) > 0);
      await works('it calls others', async () => Number(await call(victim, 'held-witness', 'epoch')) > 0);
    }),
  );
}

/** Restarts go through BullMQ and the control connection. */
async function expectRestart(victim: Victim, witness: Booted): Promise<void> {
  const epoch = (): Promise<number> => call(witness, `held-${victim.role}`, 'epoch').then(Number, () => 0);
  const before = await eventually(epoch, { timeout: LIMIT, what: `${victim.role}: an epoch` });
  await call(witness, `held-${victim.role}`, 'crash').catch(() => undefined);
  await eventually(async () => (await epoch()) > before, { timeout: LIMIT, what: `${victim.role}: a restart` });
}

async function cluster(): Promise<{ victims: Victim[]; witness: Booted }> {
  const witness = await bootWitness();
  const victims = await Promise.all(ROLES.map((role) => bootVictim(role)));
  await formed(witness, ...victims);
  await expectAllWell(victims, witness, 'before');
  return { victims, witness };
}

function expectKept(victims: readonly Victim[], witness: Booted): void {
  for (const victim of victims) {
    // Beats go over the connection of the leases: on a busy machine its node may be isolated for a moment, and keeps
    // all it owns.
    const seen = [...victim.of('lease.lost'), ...(victim.role === 'leases' ? [] : victim.of('cluster.isolated'))];
    expect([victim.role, ...seen]).toEqual([victim.role]);
  }
  const names: string[] = victims.map(({ role }) => role);
  expect(witness.of('cluster.node_left').filter(({ node }) => names.includes(node))).toEqual([]);
}

describe.each(FAULTS)('a connection that is %s', (fault) => {
  it(
    'while the node runs: takes no other part of it out, and all is well again without anybody doing anything',
    async () => {
      const { victims, witness } = await cluster();
      for (const { proxy, role } of victims) proxy.break(role, fault);
      if (fault !== 'half-open') {
        // The fault lasts until each node has told of it. BullMQ may wait on its connection for longer than this test.
        await Promise.all(
          victims
            .filter(({ role }) => role !== 'worker')
            .map(({ app, role }) => {
              let last: unknown;
              return eventually(
                async () => {
                  const { reasons } = await app.get(HealthMonitor).clusterHealth();
                  last = reasons;
                  return reasons.some(
                    (reason) => reason.message.includes(`"${role}"`) && reason.code === 'redis-connection',
                  );
                },
                { timeout: LIMIT, every: 100, what: `${role}: a reason in health`, lastSeen: () => last },
              );
            }),
        );
      }
      for (const { proxy } of victims) proxy.heal();
      await expectAllWell(victims, witness, 'after');
      await Promise.all(victims.map((victim) => expectRestart(victim, witness)));
      // Without any way to renew them no leases can be kept; a new connection that works is soon enough.
      expectKept(fault === 'half-open' ? victims : victims.filter(({ role }) => role !== 'leases'), witness);
      if (fault === 'full') {
        expect(log.lines.filter((line) => line.includes('max number of clients reached')).length).toBeGreaterThan(0);
      }
    },
    TEST_MS,
  );

  it(
    'at the start: the application starts all the same, and the node joins by itself',
    async () => {
      const witness = await bootWitness();
      const victims = await Promise.all(
        ROLES.map((role) => {
          if (fault !== 'half-open') return bootVictim(role, [], (proxy) => proxy.break(role, fault));
          let proxy: TcpProxy;
          const slow = slowModule(
            () => proxy,
            (opened) => opened.break(role, fault),
          );
          return bootVictim(role, [slow], (opened) => (proxy = opened));
        }),
      );
      // All have started: boot() has returned. Those whose fault is over, or not in the way, are members.
      for (const { proxy } of victims) if (fault !== 'half-open') proxy.heal();
      await expectAllWell(victims, witness, 'started');
    },
    TEST_MS,
  );

  it(
    'while the node leaves: it ends in time, and nothing stays open',
    async () => {
      const { victims } = await cluster();
      for (const { proxy, role } of victims) proxy.break(role, fault);
      const took = await Promise.all(
        victims.map(async ({ app, role }) => {
          const began = performance.now();
          await app.close();
          return { role, ms: performance.now() - began };
        }),
      );
      expect(took.filter(({ ms }) => ms > Number(options.shutdownTimeout) + SLACK)).toEqual([]);
      await eventually(() => victims.every(({ proxy }) => proxy.roles.length === 0), {
        timeout: 5000,
        what: 'Every connection closed',
        lastSeen: () => victims.map(({ role, proxy }) => `${role}: ${proxy.roles.join()}`),
      });
    },
    TEST_MS,
  );
});

/** As another module that takes some time to initialise, and what happens meanwhile once all connections are there. */
function slowModule(proxyOf: () => TcpProxy, meanwhile: (proxy: TcpProxy) => void): Type<object> {
  @Injectable()
  class Slow implements OnModuleInit {
    async onModuleInit(): Promise<void> {
      const five = ['leases', 'control', 'publisher', 'subscriber', 'worker'];
      await eventually(() => five.every((role) => proxyOf().roles.includes(role)), { timeout: LIMIT });
      meanwhile(proxyOf());
    }
  }
  return Slow;
}

describe('a Redis that hangs altogether', () => {
  it(
    'after the connections were made: the application starts all the same, and the node joins by itself',
    async () => {
      let proxy!: TcpProxy;
      const hang = slowModule(
        () => proxy,
        (opened) => (opened.mode = 'blackhole'),
      );
      const node = await bootVictim('control', [hang], (opened) => (proxy = opened));
      expect(stateOf(node)).toBe('joining');
      proxy.mode = 'ok';
      await expectAllWell([node], await bootWitness(), 'started');
    },
    TEST_MS,
  );

  it(
    'while the node leaves: it ends in time, and nothing stays open',
    async () => {
      const node = await bootVictim('control');
      await eventually(() => call(node, 'held-control', 'epoch'), { timeout: LIMIT });
      node.proxy.mode = 'blackhole';
      const began = performance.now();
      await node.app.close();
      expect(performance.now() - began).toBeLessThan(Number(options.shutdownTimeout) + SLACK);
      await eventually(() => node.proxy.roles.length === 0, { timeout: 5000, lastSeen: () => node.proxy.roles });
    },
    TEST_MS,
  );
});

/** What Redis answers to writes, and what makes it answer so. */
const READ_ONLY = [
  ['NOREPLICAS', ['CONFIG', 'SET', 'min-replicas-to-write', '1'], ['CONFIG', 'SET', 'min-replicas-to-write', '0']],
  ['OOM', ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0']],
  ['READONLY', ['REPLICAOF', '127.0.0.1', '1'], ['REPLICAOF', 'NO', 'ONE']],
] as const;

describe.each(READ_ONLY)('a Redis that takes no writes: %s', (word, wrong, right) => {
  const set = ([command, ...args]: readonly [string, ...string[]]): Promise<unknown> => server.cli(command, ...args);
  beforeEach(() => closeLater(() => set(right)));

  it(
    'at the start: the node says what Redis said, and joins by itself once it takes them',
    async () => {
      await set(wrong);
      const { providers, Ears } = kit('control');
      ears.set('a', Ears);
      const node = await boot(server.url, appName, providers, { ...options, nodeName: 'a' });
      expect(stateOf(node)).toBe('joining');
      const reasonOf = async () =>
        (await node.app.get(HealthMonitor).clusterHealth()).reasons.find(({ code }) => code === 'not-joined')?.message;
      await eventually(async () => (await reasonOf())?.includes(word), { timeout: LIMIT });
      // The word of Redis is in health, and in whichever try the log reports; the first one may meet a connection of
      // before.
      expect(log.lines.join('\n')).toMatch(/Could not join the cluster; retrying in the background/);
      await set(right);
      await eventually(() => stateOf(node) === 'up', { timeout: LIMIT, lastSeen: () => stateOf(node) });
      await eventually(() => call(node, 'held-control', 'epoch').catch(() => undefined), { timeout: LIMIT });
    },
    TEST_MS,
  );

  it(
    'while a node runs: health says what is true, and all is well again once it takes them',
    async () => {
      const { providers } = kit('control');
      const node = await boot(server.url, appName, providers, { ...options, nodeName: 'a' });
      await eventually(() => call(node, 'held-control', 'epoch'), { timeout: LIMIT });
      await set(wrong);
      await eventually(() => stateOf(node) === 'isolated', { timeout: LIMIT, lastSeen: () => stateOf(node) });
      const isolated = async () =>
        (await node.app.get(HealthMonitor).clusterHealth()).reasons.find(({ code }) => code === 'isolated')?.message ??
        '';
      // Renewals need no memory, so in OOM what is owned runs on; a Redis without its replicas refuses them as well.
      const truth = word === 'OOM' ? /1 of its processes hold their lease and run on/ : /its singletons have stopped/;
      let seen: string | undefined;
      await eventually(async () => truth.test((seen = await isolated())) && seen.includes(word), {
        timeout: LIMIT,
        lastSeen: () => seen,
      });
      expect(node.of('lease.lost').length > 0).toBe(word !== 'OOM');
      await set(right);
      await eventually(() => stateOf(node) === 'up', { timeout: LIMIT, lastSeen: () => stateOf(node) });
      await eventually(() => call(node, 'held-control', 'epoch').catch(() => undefined), { timeout: LIMIT });
    },
    TEST_MS,
  );

  it(
    'while a node leaves: it ends in time',
    async () => {
      const { providers } = kit('control');
      const node = await boot(server.url, appName, providers, { ...options, nodeName: 'a' });
      await set(wrong);
      const began = performance.now();
      await node.app.close();
      expect(performance.now() - began).toBeLessThan(Number(options.shutdownTimeout) + SLACK);
    },
    TEST_MS,
  );
});

describe('what waiting alone does not mend', () => {
  it(
    'does not end an application that has started: it says so, and joins once somebody has mended it',
    async () => {
      await server.cli('ACL', 'SETUSER', 'less', 'on', '>word', ...aclRule('*'), '-hset');
      const proxy = await TcpProxy.open(server.port);
      closeLater(() => proxy.close());
      proxy.mode = 'cut';
      const url = (password: string) => server.urlAt(proxy.port).replace(/:\/\/.*@/, `://less:${password}@`);
      const nodes = await Promise.all(['word', 'another'].map((password) => boot(url(password), appName, [], options)));
      expect(nodes.map(stateOf)).toEqual(['joining', 'joining']);
      proxy.mode = 'ok';
      const reasons = () =>
        Promise.all(
          nodes.map(async ({ app }) => {
            const all = (await app.get(HealthMonitor).clusterHealth()).reasons;
            return all.find(({ code }) => code === 'not-joined')?.message ?? '';
          }),
        );
      let last: string[] = [];
      await eventually(
        async () => {
          last = await reasons();
          return /NOPERM: HSET/.test(last[0]!) && /WRONGPASS/.test(last[1]!);
        },
        { timeout: LIMIT, lastSeen: () => last },
      );
      await server.cli('ACL', 'SETUSER', 'less', '+hset', '>another');
      await eventually(() => nodes.every((node) => stateOf(node) === 'up'), {
        timeout: LIMIT,
        lastSeen: () => nodes.map(stateOf),
      });
    },
    TEST_MS,
  );
});
