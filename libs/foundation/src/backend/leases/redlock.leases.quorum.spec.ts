// Leases on three servers, each answered by the test: what a majority says counts, and nothing less.
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Redis } from 'ioredis';
import type { LeaseTimes } from '../../config/config.js';
import { StaleEpochError } from '../../errors/process.errors.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { LIVES } from '../../wire/key.lifetimes.js';
import { keysOf } from '../../wire/keys.js';
import { LOST } from './epoch.scripts.js';
import type { HeldLease } from './held.lease.js';
import { LeaseQuorum } from './lease.quorum.js';
import { RedlockLeases } from './redlock.leases.js';

const TIMES: LeaseTimes = {
  ...{ ttl: 1500, renewEvery: 350, commandTimeout: 200, margin: 250, deadline: 1233, grace: 1517 },
  onStall: 'fence',
};
const NAMES = {
  ...{ mint: 'LeaseMint', confirm: 'LeaseConfirm', renew: 'LeaseRenew', recover: 'LeaseRecover' },
  ...{ prolong: 'LeaseProlong', farewell: 'LeaseFarewell', announce: 'LeaseAnnounce', standing: 'LeaseStanding' },
  ...{ owners: 'LeaseOwners', lastEpoch: 'LeaseLastEpoch', forget: 'LeaseForget', fencedSet: 'FencedSet' },
  ...{ leave: 'HandoffLeave', inherit: 'HandoffInherit' },
} as const;
type Name = keyof typeof NAMES;
/** Of one server; a function makes it anew, an error is thrown. */
type Answer = unknown;
const down = new Error('Connection is closed.');

class Server {
  readonly calls: { name: Name; args: string[] }[] = [];
  readonly answers: Record<Name, Answer> = {
    ...{ mint: ['100', ''], confirm: ['1', '1'], renew: ['1', '1'], recover: ['1', '100'], prolong: 1, farewell: 1 },
    ...{ announce: 1, standing: [0, -2], owners: [[]], lastEpoch: '0', forget: 1, fencedSet: '' },
    ...{ leave: 1, inherit: null },
  };

  constructor() {
    for (const [name, command] of Object.entries(NAMES) as [Name, string][])
      Object.assign(this, {
        [`foundation${command}`]: async (keys: number, ...rest: string[]) => {
          this.calls.push({ name, args: rest.slice(keys) });
          const answer = this.answers[name];
          if (answer instanceof Error) throw answer;
          return typeof answer === 'function' ? (answer as () => unknown)() : answer;
        },
      });
  }

  of(name: Name): string[][] {
    return this.calls.filter((call) => call.name === name).map(({ args }) => args);
  }
}

describe('Leases on three servers', () => {
  let servers: Server[];
  let leases: RedlockLeases;
  let events: { event: string; payload: unknown }[];
  let released: number;
  let skew: number;
  let attempt: () => Promise<{ value: string; expiration: number }>;

  beforeEach(() => {
    jest.useFakeTimers();
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    Logger.overrideLogger(false);
    servers = [new Server(), new Server(), new Server()];
    events = [];
    released = skew = 0;
    attempt = async () => ({ value: 'token', expiration: 0 });
    const telemetry = new Telemetry();
    telemetry.attach('lease.*', (event, payload) => events.push({ event, payload }));
    const quorum = new LeaseQuorum(servers as unknown as Redis[]);
    const redlock = Object.assign(new EventEmitter(), {
      clients: new Set(servers),
      acquire: () => attempt(),
      release: async () => void (released += 1),
    });
    leases = new RedlockLeases({
      ...{ quorum, control: quorum, redlock: redlock, keys: keysOf('app'), times: TIMES },
      ...{ node: { name: 'n1', bootId: 'b1' }, telemetry, now: () => performance.now() + skew, lives: LIVES },
    });
  });
  afterEach(async () => {
    leases.close();
    // What waits for stragglers.
    await pass(300);
    expect(jest.getTimerCount()).toBe(0);
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
  /** What each of them answers from now on. */
  const answer = (name: Name, ...answers: Answer[]) =>
    servers.forEach((server, index) => (server.answers[name] = answers[index]));
  const settled = async <T>(work: Promise<T>): Promise<T> => {
    await pass(100);
    return work;
  };
  const take = async (): Promise<HeldLease> => {
    const lease = await settled(leases.acquire('feed'));
    if (lease === undefined) throw new Error('not acquired');
    return lease as HeldLease;
  };
  const of = (event: string) => events.filter((each) => each.event === event).map(({ payload }) => payload);
  const asked = (name: Name): number[] => servers.map((server) => server.of(name).length);

  describe('taking one', () => {
    it('counts with the highest epoch that was minted, once a majority has it', async () => {
      answer('mint', ['100', ''], ['300', 'n0'], ['200', '']);
      answer('confirm', ['1', '1'], ['1', '0'], ['1', '1']);
      const lease = await take();
      expect(lease).toMatchObject({ epoch: 300, before: 'n0' });
      for (const server of servers) expect(server.of('confirm')[0]!.slice(-3)).toEqual(['token', '300', 'starting']);
      expect(of('lease.acquired')).toEqual([{ name: 'feed', node: 'n1', epoch: 300 }]);
    });

    it('names the latest of the owners before that the servers know', async () => {
      answer('mint', ['100', 'n7', '20', '1'], ['300', 'n8', '40', ''], ['200', 'n9', '30', '']);
      answer('confirm', ['1', '1'], ['1', '1'], ['1', '1']);
      expect(await take()).toMatchObject({ before: 'n8', unstarted: undefined });
    });

    it('waits for no server that hangs', async () => {
      const never = () => new Promise(() => undefined);
      answer('mint', ['100', ''], ['200', ''], never);
      answer('confirm', ['1', '1'], ['1', '1'], never);
      expect(await take()).toMatchObject({ epoch: 200 });
    });

    it('takes it with one server down', async () => {
      answer('mint', ['100', ''], down, ['200', '']);
      answer('confirm', ['1', '1'], down, ['1', '1']);
      expect(await take()).toMatchObject({ epoch: 200 });
    });

    it.each<[string, Name, Answer[]]>([
      ['one server minted', 'mint', [['100', ''], '', '']],
      [
        'one server confirms',
        'confirm',
        [
          ['1', '1'],
          ['1', '0'],
          ['1', '0'],
        ],
      ],
    ])('gives it back when only %s', async (_what, name, answers) => {
      answer(name, ...answers);
      expect(await settled(leases.acquire('feed'))).toBeUndefined();
      expect([released, asked('farewell'), of('lease.acquired')]).toEqual([1, [1, 1, 1], []]);
    });

    const refused = (...errors: Error[]) => {
      const votesAgainst = new Map(errors.map((error, index) => [index, error]));
      attempt = () =>
        Promise.reject(Object.assign(new Error('no quorum'), { attempts: [Promise.resolve({ votesAgainst })] }));
    };
    const locked = Object.assign(new Error('locked'), { name: 'ResourceLockedError' });

    it('is refused when a majority says that another node has it', async () => {
      refused(locked, new Error('Command timed out'), locked);
      expect(await settled(leases.acquire('feed'))).toBeUndefined();
    });

    it('rejects with what went wrong when fewer say so', async () => {
      refused(locked, new Error('Command timed out'), down);
      const acquired = expect(leases.acquire('feed')).rejects.toThrow('timed out');
      await pass(100);
      await acquired;
    });

    it('gives it back and rejects when a majority is down', async () => {
      answer('mint', ['100', ''], down, down);
      const acquired = expect(leases.acquire('feed')).rejects.toThrow('closed');
      await pass(1000);
      await acquired;
      expect(released).toBe(1);
    });
  });

  describe('renewing', () => {
    it('is acknowledged by a majority, and waits for no more', async () => {
      const lease = await take();
      answer('renew', ['1', '1'], ['1', '1'], () => new Promise(() => undefined));
      await pass(TIMES.renewEvery);
      const { ackedAt } = lease;
      await pass(TIMES.renewEvery);
      expect(lease.ackedAt).toBeGreaterThan(ackedAt);
      expect(lease.missed).toBe(false);
    });

    it('is none by one server, and the lease ends at its deadline', async () => {
      const lease = await take();
      answer('renew', ['1', '1'], down, down);
      answer('recover', down, down, down);
      await pass(TIMES.deadline);
      expect(of('lease.lost')).toEqual([{ name: 'feed', node: 'n1', epoch: 100, reason: 'deadline' }]);
      expect(lease.isHeld()).toBe(false);
    });

    it('restores the lease where a server lost it, with its epoch, and only then', async () => {
      const lease = await take();
      const before = asked('confirm');
      await pass(TIMES.renewEvery);
      expect(asked('confirm')).toEqual(before);
      answer('renew', ['1', '1'], ['1', '0'], ['1', '1']);
      await pass(TIMES.renewEvery);
      expect(asked('confirm')).toEqual(before.map((count) => count + 1));
      expect(servers[1]!.of('confirm').at(-1)!.slice(-3)).toEqual(['token', '100', 'starting']);
      expect(lease.isHeld()).toBe(true);
    });

    it('restores nothing that is overdue when the answer comes', async () => {
      const lease = await take();
      const late = (reply: unknown) => () => new Promise((resolve) => setTimeout(resolve, 50, reply));
      answer('renew', late(['1', '1']), late(['1', '0']), late(['1', '1']));
      await pass(TIMES.renewEvery - 60);
      skew += TIMES.deadline;
      await pass(60);
      expect(of('lease.lost')).toMatchObject([{ reason: 'deadline' }]);
      const [, ...restored] = servers[1]!.of('confirm');
      expect([restored.flat().includes('token'), lease.isHeld()]).toEqual([false, false]);
    });

    it('confirms the epoch until every server has it', async () => {
      answer('confirm', ['1', '1'], ['1', '1'], down);
      await take();
      await pass(TIMES.renewEvery);
      expect(asked('confirm')).toEqual([2, 2, 2]);
      answer('confirm', ['1', '1'], ['1', '1'], ['1', '1']);
      await pass(TIMES.renewEvery);
      expect(asked('confirm')).toEqual([3, 3, 3]);
      await pass(2 * TIMES.renewEvery);
      expect(asked('confirm')).toEqual([3, 3, 3]);
    });

    it('tells a server that did not answer once when it was sent, by its clock as before', async () => {
      const lease = await take();
      const timed = () => [String(Math.round(1_000_000 + performance.now())), '1'];
      answer('renew', timed, timed, timed);
      await pass(TIMES.renewEvery);
      answer('renew', timed, timed, () => new Promise(() => undefined));
      await pass(TIMES.renewEvery);
      answer('renew', timed, timed, timed);
      await pass(TIMES.renewEvery);
      const sent = servers.map((server) => server.of('renew').at(-1)![1]);
      expect(sent).toEqual(Array(3).fill(sent[0]));
      expect(Number(sent[0])).toBeGreaterThan(1_000_000);
      expect(lease.missed).toBe(false);
    });

    it('goes on when one server has given it to another node, and ends when a majority has', async () => {
      const lease = await take();
      answer('renew', ['1', '1'], ['1', '-1'], ['1', '1']);
      await pass(2 * TIMES.renewEvery);
      expect(lease.isHeld()).toBe(true);
      answer('renew', ['1', '1'], ['1', '-1'], ['1', '-1']);
      await pass(TIMES.renewEvery);
      expect(of('lease.lost')).toMatchObject([{ reason: 'taken' }]);
    });

    it('tries carefully after answers that decide nothing', async () => {
      const lease = await take();
      answer('renew', ['1', '1'], ['1', '-1'], down);
      // The next attempt comes a tenth of a second later.
      await pass(TIMES.renewEvery - 60);
      expect(lease.missed).toBe(true);
      answer('renew', ['1', '1'], ['1', '1'], ['1', '1']);
      await pass(200);
      expect(asked('recover')[0]).toBeGreaterThan(0);
      expect(lease.missed).toBe(false);
    });
  });

  describe('recovering', () => {
    /** A majority has lost it. */
    const lose = async (): Promise<HeldLease> => {
      const lease = await take();
      answer('renew', ['1', '1'], ['1', '0'], ['1', '0']);
      return lease;
    };

    it('counts with the highest epoch of a reclaim once a majority has it', async () => {
      const lease = await lose();
      answer('recover', ['1', '100'], ['1', '500'], ['1', '400']);
      await pass(TIMES.renewEvery + 50);
      expect(lease.epoch).toBe(500);
      expect(servers[0]!.of('confirm').at(-1)!.slice(-3)).toEqual(['token', '500', 'starting']);
      expect(of('lease.reclaimed')).toEqual([{ name: 'feed', node: 'n1', epoch: 500, previousEpoch: 100 }]);
    });

    it('has no other epoch when it was released while a majority was asked for it', async () => {
      const lease = await lose();
      answer('recover', ['1', '100'], ['1', '500'], ['1', '500']);
      const later = () => new Promise((resolve) => setTimeout(resolve, 100, ['1', '1']));
      answer('confirm', later, later, later);
      await pass(TIMES.renewEvery - 50);
      await settled(lease.release());
      await pass(100);
      expect([lease.epoch, of('lease.reclaimed')]).toEqual([100, []]);
      expect(of('lease.released')).toMatchObject([{ epoch: 100 }]);
    });

    it.each([
      ['a higher', 700],
      ['the same', 500],
    ])('keeps %s epoch that it got while a majority was asked for one, and tells of it once', async (_what, epoch) => {
      const lease = await lose();
      answer('recover', ['1', '500'], ['1', '500'], ['1', '500']);
      const later = () => new Promise((resolve) => setTimeout(resolve, 100, ['1', '1']));
      answer('confirm', later, later, later);
      await pass(TIMES.renewEvery - 50);
      const row = ['1', String(epoch)];
      answer('recover', row, row, row);
      answer('confirm', ['1', '1'], ['1', '1'], ['1', '1']);
      const refreshed = lease.refresh(400);
      await pass(10);
      expect([await refreshed, lease.epoch]).toEqual([epoch, epoch]);
      // The first one is confirmed by now.
      await pass(100);
      expect(lease.epoch).toBe(epoch);
      expect(of('lease.reclaimed')).toEqual([{ name: 'feed', node: 'n1', epoch, previousEpoch: 100 }]);
    });

    it('keeps its epoch, and tries again, until a majority has confirmed the higher one', async () => {
      const lease = await lose();
      answer('recover', ['1', '100'], ['1', '500'], ['1', '500']);
      answer('confirm', ['1', '1'], ['1', '0'], ['1', '0']);
      await pass(TIMES.renewEvery + 50);
      expect([lease.epoch, lease.missed, of('lease.reclaimed')]).toEqual([100, true, []]);
      const before = asked('recover')[0]!;
      answer('confirm', ['1', '1'], ['1', '1'], ['1', '1']);
      await pass(200);
      expect(asked('recover')[0]).toBeGreaterThan(before);
      expect(lease.epoch).toBe(500);
    });

    it('confirms an epoch that a server which was not waited for may have minted', async () => {
      const lease = await lose();
      const before = asked('confirm')[0]!;
      answer('recover', ['1', '100'], ['1', '100'], () => new Promise(() => undefined));
      await pass(TIMES.renewEvery);
      answer('renew', ['1', '1'], ['1', '1'], ['1', '1']);
      await pass(TIMES.renewEvery);
      expect(asked('confirm')[0]).toBe(before + 1);
      expect([lease.epoch, lease.isHeld()]).toEqual([100, true]);
    });

    it.each<[string, Answer[], boolean]>([
      [
        'ends when a majority refuses',
        [
          ['1', '100'],
          ['1', ''],
          ['1', ''],
        ],
        false,
      ],
      ['goes on trying when one refuses and one is down', [['1', '100'], ['1', ''], down], true],
      [
        'goes on trying when it comes too late for them',
        [
          ['1', '100'],
          ['1', 'late'],
          ['1', 'late'],
        ],
        true,
      ],
    ])('%s', async (_what, answers, isHeld) => {
      const lease = await lose();
      answer('recover', ...answers);
      await pass(TIMES.renewEvery + 50);
      expect(lease.isHeld()).toBe(isHeld);
      if (isHeld) expect(lease.missed).toBe(true);
      else expect(of('lease.lost')).toMatchObject([{ reason: 'taken' }]);
    });

    it('has the epoch of servers that minted it late, after fewer than a majority had answered', async () => {
      const lease = await take();
      answer('renew', down, down, down);
      answer('recover', ['1', '100'], down, down);
      await pass(TIMES.renewEvery + 150);
      answer('renew', ['1', '1'], ['1', '1'], ['1', '1']);
      answer('recover', ['1', '100'], ['1', '100'], ['1', '100']);
      await pass(150);
      expect([lease.epoch, lease.missed]).toEqual([100, false]);
      answer('recover', ['1', '100'], ['1', '500'], ['1', '500']);
      await pass(2 * TIMES.renewEvery);
      expect(lease.epoch).toBe(500);
      const before = asked('recover');
      await pass(5 * TIMES.renewEvery);
      expect(asked('recover')).toEqual(before);
    });

    it('changes nothing of a lease that was released meanwhile', async () => {
      const lease = await lose();
      let reply!: (answer: unknown) => void;
      const pending = () => new Promise((resolve) => (reply = resolve));
      answer('recover', ['1', '500'], pending, down);
      await pass(TIMES.renewEvery + 10);
      await settled(lease.release());
      const before = asked('confirm');
      reply(['1', '500']);
      await pass(50);
      // Nothing of it is put back either.
      expect(asked('confirm')).toEqual(before);
      expect([lease.epoch, of('lease.lost'), of('lease.reclaimed')]).toEqual([100, [], []]);
    });
  });

  describe('an answer that comes a little later', () => {
    const later = (reply: unknown) => () => new Promise((resolve) => setTimeout(resolve, 60, reply));

    it('is waited for where those before it decide nothing: an epoch', async () => {
      answer('mint', ['100', ''], '', later(['200', '']));
      expect(await take()).toMatchObject({ epoch: 200 });
    });

    it('is waited for where those before it decide for one name only: a renewal', async () => {
      const [, mail] = [await take(), (await settled(leases.acquire('mail'))) as HeldLease];
      answer('renew', ['1', '1', '1'], ['1', '1', '-1'], later(['1', '1', '1']));
      await pass(TIMES.renewEvery);
      expect(asked('recover')).toEqual([0, 0, 0]);
      expect(mail.missed).toBe(false);
    });

    it('is waited for where those before it decide nothing: a confirmation', async () => {
      answer('confirm', ['1', '1'], ['1', '0'], later(['1', '1']));
      expect(await take()).toMatchObject({ epoch: 100 });
    });

    it('is waited for where those before it decide nothing: a renewal', async () => {
      const lease = await take();
      answer('renew', ['1', '1'], ['1', '-1'], later(['1', '1']));
      await pass(TIMES.renewEvery);
      expect(asked('recover')).toEqual([0, 0, 0]);
      expect(lease.missed).toBe(false);
    });

    it('is waited for where those before it decide for one name only: a recovery', async () => {
      const [feed, mail] = [await take(), (await settled(leases.acquire('mail'))) as HeldLease];
      answer('renew', ['1', '1', '1'], ['1', '0', '0'], ['1', '0', '0']);
      answer('recover', ['1', '200', '200'], ['1', '200', ''], later(['1', '200', '200']));
      answer('confirm', ['1', '1', '1'], ['1', '1', '1'], ['1', '1', '1']);
      // Before another attempt would make up for it.
      await pass(TIMES.renewEvery - 110);
      expect([feed.epoch, mail.epoch]).toEqual([200, 200]);
    });

    it('is waited for where those before it decide for one name only: the epochs of two', async () => {
      const [feed, mail] = [await take(), (await settled(leases.acquire('mail'))) as HeldLease];
      answer('renew', ['1', '1', '1'], ['1', '0', '0'], ['1', '0', '0']);
      answer('recover', ['1', '200', '200'], ['1', '200', '200'], ['1', '200', '200']);
      answer('confirm', ['1', '1', '1'], ['1', '1', '0'], later(['1', '1', '1']));
      await pass(TIMES.renewEvery - 110);
      expect([feed.epoch, mail.epoch]).toEqual([200, 200]);
    });

    it('is waited for where those before it decide nothing: a state', async () => {
      const lease = await take();
      answer('inherit', null, '"s"', later('"s"'));
      expect(await settled(lease.inherit())).toBe('"s"');
    });

    it('is waited for where those before it decide nothing: an owner', async () => {
      const row = [['n2', 'b2', '7', 'running', '5']];
      answer('owners', row, [[]], later(row));
      expect(await settled(leases.owners(['feed']))).toMatchObject([{ node: 'n2' }]);
      expect(asked('owners')).toEqual([1, 1, 1]);
    });

    it('is waited for where those before it decide nothing: the epoch of an owner', async () => {
      const row = (epoch: string) => [['n2', 'b2', epoch, 'running', '5']];
      answer('owners', row('7'), row('9'), later(row('9')));
      expect(await settled(leases.owners(['feed']))).toMatchObject([{ epoch: 9 }]);
      expect(asked('owners')).toEqual([1, 1, 1]);
    });

    it('is waited for where those before it decide for one name only: the owners of two', async () => {
      const row = ['n2', 'b2', '7', 'running', '5'];
      answer('owners', [row, row], [row, []], later([row, row]));
      expect(await settled(leases.owners(['feed', 'mail']))).toMatchObject([{ node: 'n2' }, { node: 'n2' }]);
      expect(asked('owners')).toEqual([1, 1, 1]);
    });

    it('is not waited for where the others have decided: an owner', async () => {
      const row = [['n2', 'b2', '7', 'running', '5']];
      answer('owners', row, row, () => new Promise(() => undefined));
      expect(await settled(leases.owners(['feed']))).toMatchObject([{ node: 'n2' }]);
    });

    it('is waited for where it makes the majority', async () => {
      answer('lastEpoch', '5', later('9'), down);
      expect(await settled(leases.lastEpoch('feed'))).toBe(9);
    });

    it('leaves no timer behind', async () => {
      answer('lastEpoch', '5', '5', () => new Promise((resolve) => setTimeout(resolve, 5, '5')));
      const last = leases.lastEpoch('feed');
      await pass(10);
      await last;
      expect(jest.getTimerCount()).toBe(0);
    });

    it('is not waited for where the others have decided', async () => {
      const lease = await take();
      answer('renew', ['1', '1'], ['1', '1'], () => new Promise(() => undefined));
      await pass(TIMES.renewEvery + 30);
      expect(lease.left()).toBeGreaterThan(TIMES.deadline - 200);
    });

    it('is not waited for where the others have decided: a state', async () => {
      const lease = await take();
      answer('inherit', '"s"', '"s"', () => new Promise(() => undefined));
      expect(await settled(lease.inherit())).toBe('"s"');
    });
  });

  describe('what is asked of them', () => {
    it('is the highest last epoch that any of a majority knows', async () => {
      answer('lastEpoch', '5', '9', down);
      expect(await settled(leases.lastEpoch('feed'))).toBe(9);
    });

    it('is told to all that is forgotten, with its life', async () => {
      await settled(leases.forget(['feed', 'mail']));
      expect(servers.map((server) => server.of('forget'))).toEqual(Array(3).fill([[String(LIVES.epoch)]]));
    });

    it('is a fenced write that a majority takes, and the highest epoch where one refuses', async () => {
      answer('fencedSet', '', '', down);
      await settled(leases.fencedSet('k', 'v', 5));
      answer('fencedSet', '7', '9', '');
      const refused = expect(leases.fencedSet('k', 'v', 5)).rejects.toEqual(new StaleEpochError('k', 5, 9));
      await pass(100);
      await refused;
    });

    it('is a fenced write that is refused where a majority has lost what it knew', async () => {
      answer('fencedSet', '', `${LOST}700`, `${LOST}900`);
      const refused = expect(leases.fencedSet('k', 'v', 5)).rejects.toEqual(new StaleEpochError('k', 5, 900, 'lost'));
      await pass(100);
      await refused;
    });

    it('is a state that a majority was left, or none', async () => {
      const lease = await take();
      answer('leave', 1, 0, 1);
      await settled(lease.leave('"s"'));
      answer('leave', 1, 0, 0);
      const refused = expect(lease.leave('"s"')).rejects.toThrow('no longer held');
      await pass(100);
      await refused;
    });

    it('is the state that a majority has, nothing where most have none, and no answer where they differ', async () => {
      const lease = await take();
      answer('inherit', '"s"', null, '"s"');
      expect(await settled(lease.inherit())).toBe('"s"');
      answer('inherit', null, '"s"', null);
      expect(await settled(lease.inherit())).toBeUndefined();
      answer('inherit', null, '"s"', down);
      const refused = expect(lease.inherit()).rejects.toThrow('do not agree');
      await pass(300);
      await refused;
    });

    it('is free when a majority gives it, and in the grace only where a majority has nobody', async () => {
      answer('standing', [0, -2], [0, 900], [0, -2]);
      expect(await settled(leases.standing(['feed']))).toEqual([{ name: 'feed', freeInMs: 0 }]);
      answer('standing', [0, 900], [0, 400], [0, -2]);
      expect(await settled(leases.standing(['feed']))).toEqual([{ name: 'feed', freeInMs: 400 }]);
      answer('standing', [300, -2], [200, -2], [0, 900]);
      expect(await settled(leases.standing(['feed']))).toEqual([{ name: 'feed', freeInMs: 300, isGrace: true }]);
      answer('standing', [300, 900], [200, -2], [0, -1]);
      expect(await settled(leases.standing(['feed']))).toEqual([{ name: 'feed', freeInMs: 900 }]);
    });

    it('is a name that is taken until a key is deleted: that is said once in a minute, of each', async () => {
      const warn = jest.fn();
      Logger.overrideLogger({ log: warn, warn, error: warn });
      answer('standing', [0, -2, -1, -1], [0, -2, -2, -1], [0, -2, -2, -2]);
      const look = () => settled(leases.standing(['feed', 'mail', 'news']));
      await look();
      await look();
      const said = () => warn.mock.calls.map((words) => JSON.stringify(words));
      expect(said()).toEqual(['mail', 'news'].map((name) => expect.stringContaining(keysOf('app').lease(name))));
      expect(said()[0]).toContain('without an expiry');
      await pass(60_000);
      await look();
      expect(said()).toHaveLength(4);
    });

    it('is not free for as long as nobody could have asked for, and soon again where nobody knows', async () => {
      const most = TIMES.ttl + TIMES.grace;
      answer('standing', [0, 90_000], [0, 90_000], [0, -2]);
      expect((await settled(leases.standing(['feed'])))[0]!.freeInMs).toBe(most);
      answer('standing', [0], [0], [0, -2]);
      expect((await settled(leases.standing(['feed'])))[0]!.freeInMs).toBe(1000);
    });

    it('is an owner that a majority names, with the epoch that counts', async () => {
      const row = (epoch: string, state: string, bootId = 'b2') => [['n2', bootId, epoch, state, '5']];
      answer('owners', row('7', 'starting'), row('9', 'starting'), row('9', 'running'));
      expect(await settled(leases.owners(['feed']))).toMatchObject([{ node: 'n2', epoch: 9, state: 'running' }]);
      // One that went back to older data has minted an epoch of its own for the lease that was put back.
      answer('owners', row('11', 'running'), row('9', 'starting'), row('9', 'starting'));
      expect(await settled(leases.owners(['feed']))).toMatchObject([{ epoch: 9, state: 'starting' }]);
      // Each has minted one, and the owner has written the highest to none yet, and then to a majority.
      answer('owners', row('7', 'starting'), row('8', 'starting'), row('9', 'starting'));
      const soon = leases.owners(['feed']);
      await pass(10);
      answer('owners', row('9', 'running'), row('8', 'starting'), row('9', 'starting'));
      await pass(100);
      expect(await soon).toMatchObject([{ epoch: 9, state: 'running' }]);
      // Where that does not get through, the highest.
      answer('owners', row('7', 'running'), row('9', 'starting'), [[]]);
      const late = leases.owners(['feed']);
      await pass(300);
      expect(await late).toMatchObject([{ epoch: 9, state: 'starting' }]);
      answer('owners', row('7', 'running'), [[]], [[]]);
      expect(await settled(leases.owners(['feed']))).toEqual([undefined]);
      answer('owners', row('7', 'running'), row('7', 'running', 'b3'), [[]]);
      const refused = expect(leases.owners(['feed'])).rejects.toThrow('do not agree who owns feed');
      await pass(1000);
      await refused;
      expect(servers[0]!.of('owners')).toHaveLength(1 + 1 + 2 + 4 + 1 + 4);
    });
  });

  it('say three times that a name is free, until a majority has heard it', async () => {
    const lease = await take();
    let tries = 0;
    const heard = (): number => {
      tries += 1;
      if (tries <= 6) throw down;
      return 1;
    };
    answer('farewell', heard, heard, heard);
    await lease.release();
    expect(asked('farewell')).toEqual([3, 3, 3]);
  });

  it('say it no more than three times, and not at once again', async () => {
    const lease = await take();
    answer('farewell', down, down, down);
    const releasing = lease.release();
    await pass(0);
    expect(asked('farewell')).toEqual([1, 1, 1]);
    await releasing;
    expect(asked('farewell')).toEqual([3, 3, 3]);
  });

  it('are looked up again where the servers agree on some of the names only', async () => {
    const row = (bootId: string) => ['n2', bootId, '7', 'running', '5'];
    answer('owners', [row('b2'), row('b2')], [row('b2'), row('b3')], [row('b2'), []]);
    const owners = leases.owners(['feed', 'mail']);
    await pass(10);
    answer('owners', [row('b2'), row('b3')], [row('b2'), row('b3')], [row('b2'), []]);
    await pass(100);
    expect(await owners).toMatchObject([{ bootId: 'b2' }, { bootId: 'b3' }]);
  });

  it('are named with the epoch that most have written, also where that of another name does not get through', async () => {
    const row = (epoch: string) => ['n2', 'b2', epoch, 'running', '5'];
    answer('owners', [row('7'), row('11')], [row('9'), row('9')], [[], row('9')]);
    const owners = leases.owners(['feed', 'mail']);
    await pass(300);
    expect((await owners).map((owner) => owner?.epoch)).toEqual([9, 9]);
    expect(asked('owners')).toEqual([4, 4, 4]);
  });

  it('count as held only while they are', async () => {
    const lease = await take();
    expect(leases.held()).toBe(1);
    jest.setSystemTime(Date.now());
    Object.assign(lease, { ackedAt: performance.now() - TIMES.deadline });
    expect(leases.held()).toBe(0);
  });
});
