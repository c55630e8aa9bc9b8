import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Redis } from 'ioredis';
import type { Lock } from 'redlock';
import type { LeaseTimes } from '../../config/config.js';
import { FoundationConfigError } from '../../errors/config.errors.js';
import { LeaseLostError, StaleEpochError } from '../../errors/process.errors.js';
import type { FoundationEvents } from '../../telemetry/events.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { LIVES } from '../../wire/key.lifetimes.js';
import { keysOf } from '../../wire/keys.js';
import type { HeldLease } from './held.lease.js';
import { LeaseQuorum } from './lease.quorum.js';
import { RedlockLeases } from './redlock.leases.js';
import { StallWatchdog } from './stall.watchdog.js';

const TIMES: LeaseTimes = {
  ...{ ttl: 1500, renewEvery: 350, commandTimeout: 200, margin: 250, deadline: 1233, grace: 1517 },
  onStall: 'fence',
};
/** Between two attempts after one that failed. */
const RETRY_MS = 100;
const never = new Promise<never>(() => undefined);

type Command = (keyCount: number, ...rest: string[]) => Promise<unknown>;

/** The script calls that RedlockLeases makes of its client, each answered by the test. */
class FakeClient {
  readonly calls: { command: string; keys: string[]; args: string[]; at: number }[] = [];
  epoch = 100;
  /** How far its clock is ahead of this node's. */
  ahead = 1_800_000_000_000;
  renewal: (leases: number) => unknown = (leases) => Array<number>(leases).fill(1);
  recovery: (held: string[]) => unknown = (held) => held;
  minted: () => unknown = () => [String(++this.epoch), ''];

  readonly foundationLeaseMint = this.#command('mint', () => this.minted());
  readonly foundationLeaseRenew = this.#command('renew', (keys) => this.#timed(this.renewal(keys.length)));
  readonly foundationLeaseRecover = this.#command('recover', (_keys, args) =>
    this.#timed(this.recovery(args.slice(9).filter((_, index) => index % 4 === 2))),
  );
  prolonged: () => unknown = () => 1;
  readonly foundationLeaseConfirm = this.#command('confirm', () => 1);
  readonly foundationLeaseProlong = this.#command('prolong', () => this.prolonged());
  readonly foundationLeaseFarewell = this.#command('farewell', () => 1);
  readonly foundationLeaseAnnounce = this.#command('announce', () => 1);
  readonly foundationLeaseStanding = this.#command('standing', (keys) => [
    5,
    ...keys.slice(1).map((_, i) => i * 100 - 2),
  ]);
  readonly foundationLeaseOwners = this.#command('owners', (keys) =>
    keys
      .filter((_, index) => index % 2 === 0)
      .map((key) => (key.endsWith(':a') ? ['n1', 'b1', '7', 'running', '12'] : [])),
  );
  readonly foundationFencedSet = this.#command('fencedSet', (_keys, [epoch]) => (Number(epoch) < 50 ? '50' : ''));

  async #timed(answer: unknown): Promise<unknown> {
    const replies = await answer;
    return Array.isArray(replies)
      ? [String(Math.round(performance.now() + this.ahead)), ...(replies as unknown[])]
      : replies;
  }

  #command(command: string, answer: (keys: string[], args: string[]) => unknown): Command {
    return async (count, ...rest) => {
      const [keys, args] = [rest.slice(0, count), rest.slice(count)];
      this.calls.push({ command, keys, args, at: performance.now() });
      return answer(keys, args);
    };
  }

  of(command: string) {
    return this.calls.filter((call) => call.command === command);
  }
}

class FakeRedlock extends EventEmitter {
  clients = new Set<unknown>([1]);
  readonly released: string[] = [];
  count = 0;
  attempt: () => Promise<Lock> = () => Promise.resolve({ value: `token-${++this.count}`, expiration: 0 });
  acquire = jest.fn((_keys: string[], _ttl: number, _settings: object) => this.attempt());
  release = async (lock: Lock): Promise<unknown> => {
    this.released.push(lock.value);
    return undefined;
  };
}

/** As Redlock rejects: an error with attempts, each a promise of its votes. */
const votes = (...against: Error[]) =>
  Object.assign(new Error('The operation was unable to achieve a quorum'), {
    attempts: [Promise.resolve({ votesFor: new Set(), votesAgainst: new Map(against.map((error, i) => [i, error])) })],
  });
const locked = () => Object.assign(new Error('locked'), { name: 'ResourceLockedError' });

describe('RedlockLeases', () => {
  let client: FakeClient;
  let redlock: FakeRedlock;
  let telemetry: Telemetry;
  let events: { event: string; payload: unknown }[];
  let leases: RedlockLeases;
  let skew: number;
  const keys = keysOf('app');

  beforeEach(() => {
    jest.useFakeTimers();
    jest.spyOn(Math, 'random').mockReturnValue(0.5); // no jitter
    Logger.overrideLogger(false);
    skew = 0;
    client = new FakeClient();
    redlock = new FakeRedlock();
    telemetry = new Telemetry();
    events = [];
    telemetry.attach('*', (event, payload) => events.push({ event, payload }));
    leases = make();
  });

  afterEach(() => {
    leases.close();
    expect(jest.getTimerCount()).toBe(0);
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  const make = (lives = LIVES, times = TIMES) =>
    new RedlockLeases({
      quorum: new LeaseQuorum([client as unknown as Redis]),
      control: new LeaseQuorum([client as unknown as Redis]),
      redlock,
      keys,
      times,
      node: { name: 'n1', bootId: 'b1' },
      telemetry,
      now: () => performance.now() + skew,
      lives,
    });

  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
  const payloads = <E extends keyof FoundationEvents>(name: E) =>
    events.filter(({ event }) => event === name).map(({ payload }) => payload as FoundationEvents[E]);
  const held = async (name = 'a') => {
    const lease = await leases.acquire(name);
    if (lease === undefined) throw new Error('not acquired');
    return lease;
  };

  it('refuses a Redlock over another number of clients than leases are on', () => {
    redlock.clients = new Set([1, 2, 3]);
    expect(make).toThrow(FoundationConfigError);
  });

  describe('acquire', () => {
    it('takes the lock in a single attempt, mints under it, and only then reports it', async () => {
      const lease = await held();
      expect(redlock.acquire.mock.calls).toEqual([[[keys.lease('a')], 1500, { retryCount: 0 }]]);
      expect(client.of('mint')[0]).toMatchObject({
        keys: [keys.incarnation, keys.lease('a'), keys.epoch('a'), keys.owner('a')],
        args: ['token-1', '1517', 'n1', 'b1', '1500', '0', '604800000', '86400000'],
      });
      expect(lease).toMatchObject({ name: 'a', epoch: 101 });
      expect(lease.isHeld()).toBe(true);
      expect(payloads('lease.acquired')).toEqual([{ name: 'a', node: 'n1', epoch: 101 }]);
    });

    it('grants nothing while another node holds it', async () => {
      redlock.attempt = () => Promise.reject(votes(locked()));
      expect(await leases.acquire('a')).toBeUndefined();
      expect(client.calls).toEqual([]);
    });

    it.each<[string, Error]>([
      ['one vote', votes(new Error('Command timed out'))],
      ['an error of its own', new Error('Command timed out')],
    ])('rejects when Redis could not say: %s', async (_what, error: Error) => {
      redlock.attempt = () => Promise.reject(error);
      await expect(leases.acquire('a')).rejects.toThrow('timed out');
    });

    it.each([
      [{ code: 'ECONNRESET' }, 'ECONNRESET'],
      ['ECONNRESET', 'ECONNRESET'],
      [null, 'null'],
    ])('rejects with an Error when %j was thrown', async (thrown, words) => {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
      redlock.attempt = () => Promise.reject(thrown);
      const error: unknown = await leases.acquire('a').catch((refused: unknown) => refused);
      expect(error).toBeInstanceOf(Error);
      expect(error).not.toBeInstanceOf(TypeError);
      expect((error as Error).message).toContain(words);
    });

    it('does not wait for votes that never come after Redlock has given up', async () => {
      redlock.attempt = () => Promise.reject(Object.assign(new Error('no quorum'), { attempts: [never] }));
      const acquired = expect(leases.acquire('a')).rejects.toThrow('did not settle');
      await pass(4 * TIMES.commandTimeout);
      await acquired;
    });

    it('renews at once what was won so slowly that it may not last', async () => {
      redlock.attempt = async () => {
        skew += 900;
        return { value: 'slow', expiration: 0 };
      };
      const lease = await held();
      await pass(1);
      expect(client.of('renew')).toHaveLength(1);
      await pass(TIMES.deadline - 1);
      expect(lease.isHeld()).toBe(true);
    });

    it('waits for a Redlock for as long as its servers may take', async () => {
      redlock.attempt = () =>
        new Promise((resolve) => setTimeout(resolve, 3 * TIMES.commandTimeout, { value: 'slow', expiration: 0 }));
      const acquired = leases.acquire('a');
      await pass(3 * TIMES.commandTimeout);
      expect((await acquired)?.isHeld()).toBe(true);
    });

    it('does not wait for a Redlock that never settles, and frees what it takes late', async () => {
      let late!: (lock: Lock) => void;
      redlock.attempt = () => new Promise((resolve) => (late = resolve));
      const acquired = expect(leases.acquire('a')).rejects.toThrow('did not settle');
      await pass(4 * TIMES.commandTimeout);
      await acquired;
      late({ value: 'late', expiration: 0 });
      await pass(0);
      expect(redlock.released).toEqual(['late']);
    });

    it.each([
      ['the epoch was refused', () => ''],
      ['the epoch is no number', () => ['x', '']],
    ])('gives the lock back when %s', async (_what, minted) => {
      client.minted = minted;
      expect(await leases.acquire('a')).toBeUndefined();
      expect(redlock.released).toEqual(['token-1']);
      expect(client.of('farewell')).toHaveLength(1);
      expect(payloads('lease.acquired')).toEqual([]);
    });

    it('gives the lock back and rejects when the epoch could not be minted', async () => {
      client.minted = () => Promise.reject(new Error('Command timed out'));
      await expect(leases.acquire('a')).rejects.toThrow('timed out');
      await pass(0);
      expect(redlock.released).toEqual(['token-1']);
    });

    it('says who had the name before and did not give it back', async () => {
      expect((await leases.acquire('a'))?.before).toBeUndefined();
      client.minted = () => ['200', 'shop-2'];
      expect(await leases.acquire('b')).toMatchObject({ before: 'shop-2', unstarted: undefined });
      client.minted = () => ['300', 'shop-2', '200', '1'];
      expect(await leases.acquire('c')).toMatchObject({ before: 'shop-2', unstarted: 200 });
    });

    it('gives the lock back when the answer came too late to be of use', async () => {
      client.minted = () => {
        skew += TIMES.deadline - TIMES.margin;
        return ['101', ''];
      };
      expect(await leases.acquire('a')).toBeUndefined();
      expect(redlock.released).toEqual(['token-1']);
    });

    it('counts the lease from when the request was sent', async () => {
      redlock.attempt = async () => {
        skew += 600;
        return { value: 'slow', expiration: 0 };
      };
      const lease = await held();
      await pass(TIMES.deadline - 600 - 1 - TIMES.renewEvery);
      expect(lease.isHeld()).toBe(true);
    });

    it('gives the lock back when it was closed meanwhile', async () => {
      const acquiring = leases.acquire('a');
      leases.close();
      expect(await acquiring).toBeUndefined();
      expect(redlock.released).toEqual(['token-1']);
    });
  });

  describe('keeping', () => {
    it('renews all leases with one call at each interval', async () => {
      const [a, b] = [await held('a'), await held('b')];
      await pass(TIMES.renewEvery * 3 + 10);
      expect(client.of('renew')).toHaveLength(3);
      expect(client.of('renew')[0]).toMatchObject({
        keys: [keys.lease('a'), keys.lease('b')],
        args: ['1500', '-1', '200', 'token-1', 'token-2'],
      });
      await pass(60_000);
      expect(a.isHeld() && b.isHeld()).toBe(true);
      expect(payloads('lease.lost')).toEqual([]);
      // One server has what it minted.
      expect(client.of('confirm')).toEqual([]);
    });

    it('renews in time however often others are won meanwhile', async () => {
      await held('a');
      for (let other = 0; other < 4; other++) {
        await pass(TIMES.renewEvery / 2);
        await held(`b${other}`);
      }
      expect(client.of('renew')).toHaveLength(2);
    });

    it('renews and recovers thousands in calls that Redis takes beside others', async () => {
      const all = await Promise.all(Array.from({ length: 1100 }, (_, index) => held(`p${index}`)));
      client.renewal = (some) => (some === 500 ? Promise.reject(new Error('Command timed out')) : Array(some).fill(0));
      await pass(TIMES.renewEvery * 1.1 + 10);
      expect(client.of('renew').map(({ args }) => args.length - 3)).toEqual([500, 500, 100]);
      expect(client.of('recover').map(({ keys: { length } }) => (length - 1) / 3)).toEqual([100]);
      client.renewal = (some) => Array<number>(some).fill(1);
      await pass(RETRY_MS * 1.1 + 10);
      // What was not answered is tried carefully, and only that.
      const [, ...careful] = client.of('recover').map(({ keys: { length } }) => (length - 1) / 3);
      expect(careful).toEqual([500, 500]);
      await pass(5000);
      expect(all.every((lease) => lease.isHeld())).toBe(true);
    });

    it('asks for thousands of names in such calls, and keeps their order', async () => {
      const names = Array.from({ length: 1100 }, (_, index) => (index === 700 ? 'a' : `p${index}`));
      expect((await leases.standing(names)).map(({ name }) => name)).toEqual(names);
      expect(client.of('standing').map(({ keys: { length } }) => length - 1)).toEqual([500, 500, 100]);
      const owners = await leases.owners(names);
      expect([owners.length, owners[700]?.node]).toEqual([1100, 'n1']);
      expect(client.of('owners')).toHaveLength(3);
    });

    it('stops to renew when there is nothing left', async () => {
      await (await held()).release();
      const before = client.of('renew').length;
      await pass(5000);
      expect(client.of('renew').length - before).toBeLessThanOrEqual(1);
    });

    it('watches no deadline when there is nothing left', async () => {
      const lease = await held();
      await lease.release();
      // The next renewal, which finds nothing.
      expect(jest.getTimerCount()).toBe(1);
    });

    it('sets no timer when there is nothing left', async () => {
      const lease = await held();
      await pass(TIMES.renewEvery + 10);
      await lease.release();
      await pass(2 * TIMES.renewEvery);
      expect(jest.getTimerCount()).toBe(0);
    });

    describe('what was won slowly', () => {
      const winSlowly = async (name: string) => {
        const { attempt } = redlock;
        redlock.attempt = async () => {
          skew += 900;
          return { value: `slow-${name}`, expiration: 0 };
        };
        const lease = await held(name);
        redlock.attempt = attempt;
        return lease;
      };
      const renewed = () => client.of('renew').map(({ args }) => args.slice(3).join());

      it('is renewed at once also beside another, and then all go on together', async () => {
        await held('a');
        await pass(50);
        client.calls.length = 0;
        await winSlowly('b');
        await pass(10);
        expect(renewed()).toEqual(['token-1,slow-b']);
        await pass(TIMES.renewEvery * 0.8);
        expect(renewed()).toHaveLength(1);
        await pass(TIMES.renewEvery * 0.4);
        expect(renewed()).toHaveLength(2);
      });

      it('is renewed as soon as the renewal of another has ended that is under way, and not beside it', async () => {
        await held('a');
        let answer!: (replies: number[]) => void;
        client.renewal = () => new Promise((resolve) => (answer = resolve));
        await pass(TIMES.renewEvery * 1.1 + 10);
        const lease = await winSlowly('b');
        await pass(10);
        expect(renewed()).toEqual(['token-1']);
        client.renewal = (some) => Array<number>(some).fill(1);
        answer([1]);
        await pass(10);
        expect(renewed().slice(1)).toEqual(['token-1,slow-b']);
        await pass(TIMES.deadline);
        expect(lease.isHeld()).toBe(true);
      });

      it('is not what was won in time during a renewal: that waits for the next', async () => {
        await held('a');
        let answer!: (replies: number[]) => void;
        client.renewal = () => new Promise((resolve) => (answer = resolve));
        await pass(TIMES.renewEvery * 1.1 + 10);
        await held('b');
        client.renewal = (some) => Array<number>(some).fill(1);
        answer([1]);
        await pass(TIMES.renewEvery / 2);
        expect(renewed()).toEqual(['token-1']);
      });
    });

    it('fences each at its own deadline when nothing answers: what was won slowly before what came meanwhile', async () => {
      const lost = () => payloads('lease.lost').map(({ name }) => name);
      await (await held('before')).release();
      const { attempt } = redlock;
      redlock.attempt = () => new Promise((resolve) => setTimeout(resolve, 600, { value: 'slow', expiration: 0 }));
      const slow = leases.acquire('slow');
      await pass(500);
      redlock.attempt = attempt;
      client.renewal = () => never;
      await held('fast');
      await pass(100);
      expect((await slow)?.isHeld()).toBe(true);
      await pass(TIMES.deadline - 600 - 1);
      expect(lost()).toEqual([]);
      await pass(2);
      expect(lost()).toEqual(['slow']);
      await pass(500);
      expect(lost()).toEqual(['slow', 'fast']);
    });

    it('keeps the lease of a name whose earlier one is released late', async () => {
      const earlier = await held();
      (earlier as HeldLease).lose('replaced');
      const lease = await held();
      await earlier.release();
      await pass(2 * TIMES.deadline);
      expect(lease.isHeld()).toBe(true);
      expect(leases.held()).toBe(1);
    });

    it('fences at the deadline, counted from the sending of the last acknowledged renewal', async () => {
      const lease = await held();
      await pass(TIMES.renewEvery + 1);
      const [acked] = client.of('renew');
      client.renewal = client.recovery = () => Promise.reject(new Error('Command timed out'));
      await pass(TIMES.deadline - 2);
      expect(lease.isHeld()).toBe(true);
      expect(lease.signal.aborted).toBe(false);
      await pass(4);
      expect(lease.isHeld()).toBe(false);
      expect(lease.signal.aborted).toBe(true);
      expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
      expect(performance.now() - acked!.at).toBeLessThan(TIMES.deadline + 10);
      expect(payloads('lease.lost')).toEqual([{ name: 'a', node: 'n1', epoch: 101, reason: 'deadline' }]);
    });

    it('fences at the deadline when the renewal never answers', async () => {
      const lease = await held();
      client.renewal = () => never;
      await pass(TIMES.deadline + 2);
      expect(lease.signal.aborted).toBe(true);
      expect(client.of('renew')).toHaveLength(1);
    });

    it('is no owner after a stall, before any timer has run', async () => {
      const lease = await held();
      skew += 10_000;
      expect(lease.isHeld()).toBe(false);
      await pass(TIMES.renewEvery);
      expect(lease.signal.aborted).toBe(true);
    });

    it('asks only for what is left after a miss, and for the whole again after an answer', async () => {
      const lease = await held();
      const began = performance.now();
      client.renewal = client.recovery = () => Promise.reject(new Error('Command timed out'));
      await pass(TIMES.deadline - 150);
      const [first, ...more] = client.of('renew');
      expect(first!.args[0]).toBe('1500');
      expect(more).toEqual([]);
      const later = client.of('recover');
      expect(later.length).toBeGreaterThan(3);
      for (const { keys: named, args, at } of later) {
        expect(named).toEqual([keys.incarnation, keys.lease('a'), keys.epoch('a'), keys.owner('a')]);
        expect(args.slice(0, 6)).toEqual(['1517', 'n1', 'b1', '1500', '604800000', '86400000']);
        expect(args.slice(6, 10)).toEqual(['-1', '200', '250', 'token-1']);
        expect(Number(args[10])).toBe(Math.round(TIMES.deadline - (at - began) + TIMES.margin));
        expect(args.slice(11)).toEqual(['101', 'starting']);
      }
      expect(lease.isHeld()).toBe(true);
      client.renewal = () => [1];
      client.recovery = (held) => held;
      await pass(110);
      await pass(TIMES.renewEvery * 2);
      expect(lease.isHeld()).toBe(true);
      expect(client.of('renew').at(-1)!.args[0]).toBe('1500');
    });

    it('says when it was sent by the clock of Redis, as its last answer said, and follows one that is set', async () => {
      await held();
      await pass(TIMES.renewEvery * 2 + 5);
      client.ahead = -500;
      await pass(TIMES.renewEvery * 2);
      const [first, second, third, fourth] = client.of('renew');
      expect(first!.args.slice(1, 3)).toEqual(['-1', '200']);
      expect(second!.args[1]).toBe(String(Math.round(second!.at + 1_800_000_000_000)));
      // The third one told the new time.
      expect(third!.args[1]).toBe(String(Math.round(third!.at + 1_800_000_000_000)));
      expect(fourth!.args[1]).toBe(String(Math.round(fourth!.at - 500)));
    });

    it('is kept by the next attempt when Redis takes one for late, because its clock went ahead', async () => {
      const lease = await held();
      await pass(TIMES.renewEvery + 1);
      client.renewal = () => [''];
      client.recovery = () => ['late'];
      client.ahead += 5000;
      await pass(TIMES.renewEvery + 110);
      const [recover] = client.of('recover');
      // By then Redis had told its new time.
      expect(recover!.args[6]).toBe(String(Math.round(recover!.at + client.ahead)));
      expect(lease.isHeld()).toBe(true);
      client.recovery = () => ['150'];
      client.renewal = (count) => Array<number>(count).fill(1);
      await pass(110);
      expect(lease).toMatchObject({ epoch: 150 });
      await pass(TIMES.deadline * 2);
      expect(lease.isHeld()).toBe(true);
      expect(payloads('lease.lost')).toEqual([]);
    });

    it('ends at once when Redis says that the key is not ours', async () => {
      const [a, b] = [await held('a'), await held('b')];
      client.renewal = (count) => (count === 2 ? [1, -1] : [1]);
      await pass(TIMES.renewEvery + 1);
      expect([a.isHeld(), b.isHeld()]).toEqual([true, false]);
      expect((b.signal.reason as LeaseLostError).why).toContain('belongs to another');
      expect(payloads('lease.lost')).toEqual([{ name: 'b', node: 'n1', epoch: 102, reason: 'taken' }]);
    });

    it('goes on with a higher epoch when it was reclaimed after data loss', async () => {
      const lease = await held();
      client.renewal = () => [client.of('recover').length === 0 ? 0 : 1];
      client.recovery = () => ['5000'];
      await pass(TIMES.renewEvery + 1);
      expect(lease.epoch).toBe(5000);
      expect(lease.isHeld()).toBe(true);
      expect(payloads('lease.reclaimed')).toEqual([{ name: 'a', node: 'n1', epoch: 5000, previousEpoch: 101 }]);
    });

    it('a recovery keeps the old deadline, however late it comes', async () => {
      const lease = await held();
      const began = performance.now();
      client.renewal = () => Promise.reject(new Error('Command timed out'));
      client.recovery = (held) => held;
      while (lease.isHeld() && performance.now() - began < 10_000) await pass(10);
      expect(performance.now() - began).toBeLessThanOrEqual(TIMES.deadline + 20);
      expect(client.of('recover').length).toBeGreaterThan(1);
    });

    describe('whose careful renewal was given up, which may still arrive', () => {
      const isOut = () => Promise.reject(new Error('Command timed out'));
      const recoveredAt = () => client.of('recover').map(({ at }) => at);

      /** A renewal without an answer, a recovery without one, and then one with. */
      const givenUp = async () => {
        const lease = await held();
        client.renewal = client.recovery = isOut;
        await pass(TIMES.renewEvery + RETRY_MS + 5);
        expect(recoveredAt()).toHaveLength(1);
        client.renewal = () => [1];
        client.recovery = (epochs) => epochs;
        await pass(RETRY_MS + 1);
        expect(recoveredAt()).toHaveLength(2);
        return lease;
      };

      it('has the epoch that this one minted, of what Redis had lost after a later one was answered', async () => {
        const lease = await givenUp();
        expect(lease.epoch).toBe(101);
        // It arrives, and reclaims.
        client.recovery = () => ['5000'];
        await pass(2 * TIMES.renewEvery);
        expect(lease.epoch).toBe(5000);
        const [given, , last] = recoveredAt();
        expect(last! - given!).toBeGreaterThanOrEqual(2 * TIMES.commandTimeout);
        await pass(10 * TIMES.renewEvery);
        expect(recoveredAt()).toHaveLength(3);
        expect(lease.isHeld()).toBe(true);
      });

      it('is asked for again and again until that is answered', async () => {
        const lease = await givenUp();
        client.recovery = isOut;
        await pass(TIMES.renewEvery + RETRY_MS + 5);
        expect(recoveredAt().length).toBeGreaterThan(3);
        client.recovery = () => ['5000'];
        await pass(2 * TIMES.renewEvery);
        expect(lease.epoch).toBe(5000);
      });
    });

    it('is asked for its epoch no more where each careful renewal was answered', async () => {
      await held();
      client.renewal = () => Promise.reject(new Error('Command timed out'));
      await pass(TIMES.renewEvery + 1);
      client.renewal = () => [1];
      await pass(10 * TIMES.renewEvery);
      expect(client.of('recover')).toHaveLength(1);
    });

    it('ends when the key is gone and Redis has not lost its data', async () => {
      const lease = await held();
      client.renewal = () => [0];
      client.recovery = () => [''];
      await pass(TIMES.renewEvery + 1);
      expect(payloads('lease.lost')).toEqual([{ name: 'a', node: 'n1', epoch: 101, reason: 'taken' }]);
      expect(lease.isHeld()).toBe(false);
    });

    it.each([[null], ['nonsense'], [[]]])('does not count the reply %j as an acknowledgement', async (reply) => {
      const lease = await held();
      client.renewal = () => reply;
      await pass(TIMES.deadline + 2);
      expect(lease.signal.aborted).toBe(true);
    });

    it('ignores an answer for a lease that was released meanwhile', async () => {
      const lease = await held();
      let answer!: (reply: string[]) => void;
      client.renewal = () => new Promise((resolve) => (answer = resolve));
      await pass(TIMES.renewEvery + 1);
      await lease.release();
      answer(['0']);
      await pass(1);
      expect(client.of('recover')).toEqual([]);
      expect(payloads('lease.lost')).toEqual([]);
      expect(lease.signal.aborted).toBe(false);
    });

    it('is not reclaimed when it is overdue by the time that Redis says that it is gone', async () => {
      await held();
      client.renewal = () => {
        skew += TIMES.deadline;
        return [0];
      };
      client.recovery = () => ['late'];
      await pass(TIMES.renewEvery + 1);
      expect(client.of('recover')[0]!.args.slice(-2)).toEqual(['101', '']);
      expect(payloads('lease.lost')).toMatchObject([{ reason: 'deadline' }]);
    });

    it('is over when it is closed, because nothing is renewed from then on', async () => {
      const lease = await held();
      leases.close();
      expect(lease.signal.aborted).toBe(true);
      expect(payloads('lease.lost')).toEqual([{ name: 'a', node: 'n1', epoch: 101, reason: 'abandoned' }]);
    });

    it('tells the watchdog by when it has to be renewed, and nothing once there is nothing left', async () => {
      const told = jest.spyOn(StallWatchdog.prototype, 'expectWithin').mockImplementation(() => undefined);
      const closed = jest.spyOn(StallWatchdog.prototype, 'close');
      leases.close();
      expect(closed).not.toHaveBeenCalled();
      leases = make(LIVES, { ...TIMES, onStall: 'exit' });
      const lease = await held();
      expect(told.mock.lastCall).toEqual([TIMES.deadline]);
      told.mockClear();
      await pass(TIMES.renewEvery + 1);
      expect(told.mock.lastCall?.[0]).toBeGreaterThan(TIMES.deadline - 10);
      // With each renewal, and not again and again.
      expect(told).toHaveBeenCalledTimes(1);
      await lease.release();
      expect(told.mock.lastCall).toEqual([undefined]);
      leases.close();
      expect(closed).toHaveBeenCalledTimes(1);
    });

    describe('asked for an epoch of this life of the data', () => {
      const recovered = () => client.of('recover').length;

      it('is refreshed once where that gives one', async () => {
        const lease = await held();
        client.recovery = () => ['150'];
        await lease.announce();
        expect(await lease.refresh(150)).toBe(150);
        expect(client.of('recover').map(({ args }) => args.at(-1))).toEqual(['running']);
      });

      it('is refreshed twice where the first one did not, because Redis had not said its time yet', async () => {
        const lease = await held();
        client.recovery = (epochs) => [recovered() === 1 ? epochs[0] : '150'];
        expect(await lease.refresh(120)).toBe(150);
        client.recovery = (epochs) => epochs;
        expect(await lease.refresh(200)).toBe(150);
        expect(recovered()).toBe(4);
      });

      it('is not refreshed when it has ended, before or by the first of the two', async () => {
        const lease = await held();
        client.recovery = () => [''];
        await lease.refresh(200);
        expect(payloads('lease.lost')).toMatchObject([{ reason: 'taken' }]);
        expect(recovered()).toBe(1);
        await lease.refresh(200);
        expect(recovered()).toBe(1);
      });
    });

    it('loses all at once', async () => {
      const all = [await held('a'), await held('b')];
      leases.loseAll();
      expect(all.map((lease) => lease.signal.aborted)).toEqual([true, true]);
      expect(payloads('lease.lost').map(({ reason }) => reason)).toEqual(['replaced', 'replaced']);
    });

    it('does not renew what was abandoned', async () => {
      const lease = await held();
      lease.abandon();
      await pass(5000);
      expect(client.of('renew')).toEqual([]);
      expect(redlock.released).toEqual([]);
    });
  });

  describe('release', () => {
    it('reports first, then frees the lock and says farewell', async () => {
      const lease = await held();
      await lease.release();
      expect(payloads('lease.released')).toEqual([{ name: 'a', node: 'n1', epoch: 101 }]);
      expect(redlock.released).toEqual(['token-1']);
      expect(client.of('farewell')[0]).toMatchObject({
        keys: [keys.lease('a'), keys.owner('a'), keys.epoch('a')],
        args: ['token-1', keys.hints, '{"t":"released","name":"a","node":"n1"}', '86400000'],
      });
      expect(lease.isHeld()).toBe(false);
      expect(lease.signal.aborted).toBe(false);
    });

    it('reports a lease that is overdue as lost, although nobody has noticed yet', async () => {
      const lease = await held();
      skew += TIMES.deadline;
      await lease.release();
      expect(payloads('lease.released')).toEqual([]);
      expect(payloads('lease.lost')).toMatchObject([{ name: 'a', reason: 'deadline' }]);
      expect(redlock.released).toEqual(['token-1']);
    });

    it('never rejects', async () => {
      const lease = await held();
      redlock.release = () => Promise.reject(new Error('gone'));
      await expect(lease.release()).resolves.toBeUndefined();
    });

    it('does not report a lost lease as released', async () => {
      const lease = await held();
      leases.loseAll();
      await lease.release();
      expect(payloads('lease.released')).toEqual([]);
    });

    it('does not wait for a Redlock that never settles', async () => {
      const lease = await held();
      redlock.release = () => never;
      let done = false;
      void lease.release().then(() => (done = true));
      await pass(10_000);
      expect(done).toBe(true);
    });
  });

  describe('what belongs to a lease', () => {
    /** An hour of renewals takes long, also with a clock of its own. */
    const EVERY = 10_000;

    beforeEach(() => {
      leases.close();
      leases = make({ ...LIVES, prolongEvery: EVERY });
    });

    it('is prolonged once in a while, for all that are held, in batches', async () => {
      const held = await Promise.all(Array.from({ length: 101 }, (_, index) => leases.acquire(`p${index}`)));
      expect(held.every((lease) => lease !== undefined)).toBe(true);
      await pass(EVERY - 1000);
      expect(client.of('prolong')).toEqual([]);
      await pass(2000);
      const calls = client.of('prolong');
      expect(calls.map(({ keys: { length } }) => length)).toEqual([300, 3]);
      expect(calls[1]!.keys).toEqual([keys.lease('p100'), keys.epoch('p100'), keys.owner('p100')]);
      expect(calls[1]!.args).toEqual(['n1', 'b1', '1500', '604800000', '86400000', 'token-101', '201', 'starting']);
      await pass(EVERY);
      expect(client.of('prolong')).toHaveLength(4);
    });

    it('is not prolonged for what was released while others were', async () => {
      const all = await Promise.all(Array.from({ length: 101 }, (_, index) => leases.acquire(`p${index}`)));
      let answer!: (reply: number) => void;
      client.prolonged = () => new Promise((resolve) => (answer = resolve));
      await pass(EVERY + 1000);
      await all[100]!.release();
      answer(1);
      await pass(1);
      expect(client.of('prolong').map(({ keys: { length } }) => length)).toEqual([300]);
    });

    it('is prolonged soon when that failed, and nothing is lost', async () => {
      const lease = await held();
      client.prolonged = () => {
        throw new Error('away');
      };
      await pass(EVERY + 1000);
      expect(client.of('prolong')).toHaveLength(1);
      await pass(EVERY);
      expect(client.of('prolong')).toHaveLength(2);
      expect(lease.isHeld()).toBe(true);
    });

    it('is prolonged a minute after that failed, however seldom it is else', async () => {
      leases.close();
      leases = make({ ...LIVES, prolongEvery: 20 * EVERY });
      await held();
      client.prolonged = () => {
        throw new Error('away');
      };
      await pass(20 * EVERY + 1000);
      await pass(50_000);
      expect(client.of('prolong')).toHaveLength(1);
      await pass(12_000);
      expect(client.of('prolong')).toHaveLength(2);
    });

    it('is not touched when nothing is held', async () => {
      await (await held()).release();
      await pass(2 * EVERY);
      expect(client.of('prolong')).toEqual([]);
    });
  });

  describe('questions', () => {
    it('ask nothing for no names', async () => {
      expect(await leases.standing([])).toEqual([]);
      expect(await leases.owners([])).toEqual([]);
      expect(client.calls).toEqual([]);
    });

    it('standing is the longer of grace and ttl', async () => {
      expect(await leases.standing(['a', 'b', 'c'])).toEqual([
        { name: 'a', freeInMs: 5, isGrace: true },
        { name: 'b', freeInMs: 98 },
        { name: 'c', freeInMs: 198 },
      ]);
    });

    it('owners are records, and undefined for a name without one', async () => {
      expect(await leases.owners(['a', 'b'])).toEqual([
        { name: 'a', node: 'n1', bootId: 'b1', epoch: 7, state: 'running', since: 12 },
        undefined,
      ]);
    });

    it('a fenced write is refused with both epochs', async () => {
      await expect(leases.fencedSet('k', 'v', 60)).resolves.toBeUndefined();
      const refused = leases.fencedSet('k', 'v', 40);
      await expect(refused).rejects.toBeInstanceOf(StaleEpochError);
      await expect(refused).rejects.toMatchObject({ key: 'k', epoch: 40, storedEpoch: 50 });
      await expect(leases.fencedDelete('k', 40)).rejects.toBeInstanceOf(StaleEpochError);
    });

    it('a fenced write says how long it lives', async () => {
      await leases.fencedSet('k', 'v', 60);
      await leases.fencedSet('k', 'v', 60, 77_000);
      await leases.fencedDelete('k', 60);
      expect(client.of('fencedSet').map(({ args }) => args)).toEqual([
        ['60', '2592000000', 'b1', '1', 'v'],
        ['60', '77000', 'b1', '2', 'v'],
        ['60', '86400000', 'b1', '3'],
      ]);
    });

    it('announces with the token', async () => {
      const lease = await held();
      await lease.announce();
      expect(client.of('announce')[0]!.args).toEqual(['token-1', keys.hints, '{"t":"running","name":"a"}', '86400000']);
    });
  });
});
