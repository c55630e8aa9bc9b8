import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Lease, Standing } from '../../backend/leases/leases.js';
import { machineClock } from '../../time/clock.js';
import { wakeUps } from '../../time/wake.ups.js';
import { Candidacy } from './candidacy.js';

const RANK_STEP = 25;

/** Names that are free unless `taken` says for how long not, and everything that was asked, with its time. */
class FakeLeases {
  readonly taken = new Map<string, number>();
  readonly asked: { at: number; names: string[] }[] = [];
  readonly tried: { at: number; name: string }[] = [];
  fail = 0;
  failAcquire = 0;
  pending: Promise<void> | undefined;

  standing = async (names: readonly string[]): Promise<Standing[]> => {
    this.asked.push({ at: now(), names: [...names] });
    if (this.fail-- > 0) throw new Error('ECONNREFUSED');
    return names.map((name) => ({ name, freeInMs: Math.max(0, (this.taken.get(name) ?? 0) - now()) }));
  };

  acquire = async (name: string): Promise<Lease | undefined> => {
    this.tried.push({ at: now(), name });
    await this.pending;
    if (this.failAcquire-- > 0) throw new Error('timed out');
    return (this.taken.get(name) ?? 0) > now() ? undefined : ({ name } as Lease);
  };
}

const now = () => performance.now();

describe('Candidacy', () => {
  let leases: FakeLeases;
  let won: { at: number; name: string }[];
  let ranks: Record<string, number>;
  let queueMs: Record<string, number>;
  let candidacy: Candidacy;
  let began: number;
  let recoveredAt: number | undefined;

  beforeEach(() => {
    jest.useFakeTimers();
    jest.spyOn(Math, 'random').mockReturnValue(0);
    Logger.overrideLogger(false);
    began = now();
    leases = new FakeLeases();
    won = [];
    ranks = {};
    queueMs = {};
    recoveredAt = -Infinity;
    candidacy = new Candidacy(
      leases,
      (name) => ({ rank: ranks[name] ?? 0, queueMs: queueMs[name] ?? 0 }),
      ({ name }) => won.push({ at: now() - began, name }),
      { ...machineClock, monotonic: now },
      () => recoveredAt,
    );
  });

  afterEach(() => {
    void candidacy.close();
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
  /** A name that is waited for answers a hint with a question. */
  const isForgotten = async (name: string) => {
    const { length } = leases.asked;
    candidacy.hint(name);
    await pass(1000);
    expect(leases.asked).toHaveLength(length);
    expect(candidacy.isTrying(name)).toBe(false);
  };

  it('knows which names it may win at once: not those that another node has', async () => {
    leases.taken.set('b', began + 1000);
    candidacy.want('a');
    candidacy.want('b');
    candidacy.want('c', true);
    ranks['c'] = 1;
    expect(candidacy.open()).toEqual(['a', 'b', 'c']);
    await pass(5);
    expect(candidacy.open()).toEqual(['c']);
    await pass(RANK_STEP);
    expect(candidacy.open()).toEqual([]);
    expect(won.map(({ name }) => name)).toEqual(['a', 'c']);
  });

  it('takes nothing that had an owner until a heartbeat has worked again, and a moment longer', async () => {
    leases.taken.set('a', began + 500);
    candidacy.want('a');
    await pass(400);
    recoveredAt = undefined;
    await pass(3000);
    expect(leases.tried).toEqual([]);
    recoveredAt = now();
    await pass(299);
    expect(won).toEqual([]);
    await pass(302);
    expect(won.map(({ name }) => name)).toEqual(['a']);
  });

  it('takes what is new all the same', async () => {
    recoveredAt = undefined;
    candidacy.want('a', true);
    await pass(10);
    expect(won.map(({ name }) => name)).toEqual(['a']);
  });

  it('takes at once what is free and its own', async () => {
    candidacy.want('a');
    await pass(1);
    expect(won.map(({ name }) => name)).toEqual(['a']);
    await isForgotten('a');
  });

  describe('for a name without a previous owner', () => {
    it('takes it without a question when it is its own', async () => {
      candidacy.want('feed', true);
      await pass(5);
      expect(won).toMatchObject([{ name: 'feed' }]);
      expect(leases.asked).toEqual([]);
    });

    it('tries in its turn when another node comes first, and not before', async () => {
      ranks['feed'] = 2;
      candidacy.want('feed', true);
      await pass(2 * RANK_STEP - 5);
      expect([leases.asked, leases.tried]).toEqual([[], []]);
      leases.taken.set('feed', began + 400);
      await pass(10);
      expect(leases.asked).toHaveLength(1);
      expect(leases.tried).toEqual([]);
      await pass(500);
      expect(won).toHaveLength(1);
    });

    it('does not try when it is no longer wanted by then', async () => {
      ranks['feed'] = 2;
      candidacy.want('feed', true);
      await pass(RANK_STEP);
      candidacy.unwant('feed');
      await pass(500);
      expect([leases.asked, leases.tried]).toEqual([[], []]);
    });

    it('tries as for any other name once another node was faster', async () => {
      leases.taken.set('feed', began + 400);
      candidacy.want('feed', true);
      await pass(10);
      expect(leases.tried).toHaveLength(1);
      await pass(10);
      expect(leases.asked).toHaveLength(1);
      await pass(500);
      expect(won).toHaveLength(1);
    });
  });

  it('asks once for all names that are due', async () => {
    for (const name of ['a', 'b', 'c']) candidacy.want(name);
    candidacy.want('a');
    await pass(10);
    expect(leases.asked.map(({ names }) => names)).toEqual([['a', 'b', 'c']]);
    expect(won).toHaveLength(3);
  });

  it.each([1, 2, 5])('of rank %i waits for those before it', async (rank) => {
    ranks['a'] = rank;
    candidacy.want('a');
    await pass(rank * RANK_STEP - 1);
    expect(leases.tried).toEqual([]);
    await pass(15);
    expect(won).toHaveLength(1);
    expect(won[0]!.at).toBeGreaterThanOrEqual(rank * RANK_STEP);
  });

  it('waits for what the first of those before it is to take before', async () => {
    ranks['b'] = 1;
    queueMs = { a: 400, b: 400 };
    candidacy.want('a');
    candidacy.want('b');
    await pass(5);
    expect(won.map(({ name }) => name)).toEqual(['a']);
    await pass(RANK_STEP + 380);
    expect(leases.tried).toHaveLength(1);
    await pass(40);
    expect(won.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('sleeps until the lease can expire, and only then asks again', async () => {
    leases.taken.set('a', now() + 1000);
    candidacy.want('a');
    await pass(990);
    expect(leases.asked).toHaveLength(1);
    expect(leases.tried).toEqual([]);
    await pass(30);
    expect(won).toHaveLength(1);
    expect(won[0]!.at).toBeGreaterThanOrEqual(1000);
    expect(won[0]!.at).toBeLessThan(1020);
  });

  it('does not lose its turn when the owner renews in between', async () => {
    leases.taken.set('a', now() + 500);
    candidacy.want('a');
    await pass(400);
    leases.taken.set('a', now() + 500);
    await pass(450);
    expect(won).toEqual([]);
    await pass(80);
    expect(won).toHaveLength(1);
  });

  it('does not poll while the name is taken', async () => {
    leases.taken.set('a', now() + 60_000);
    candidacy.want('a');
    await pass(50_000);
    expect(leases.asked).toHaveLength(1);
  });

  it('looks at once after a hint, in its own turn', async () => {
    ranks['b'] = 2;
    for (const name of ['a', 'b']) leases.taken.set(name, now() + 5000);
    candidacy.want('a');
    candidacy.want('b');
    await pass(100);
    leases.taken.clear();
    candidacy.hint('a');
    candidacy.hint('b');
    await pass(1);
    expect(won.map(({ name }) => name)).toEqual(['a']);
    await pass(2 * RANK_STEP + 15);
    expect(won.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(won[1]!.at).toBeGreaterThanOrEqual(100 + 2 * RANK_STEP);
  });

  it('is not put off by a wrong hint', async () => {
    leases.taken.set('a', now() + 1000);
    candidacy.want('a');
    await pass(100);
    candidacy.hint('a');
    await pass(10);
    expect(won).toEqual([]);
    await pass(950);
    expect(won).toHaveLength(1);
  });

  it('ignores a hint for a name it does not want', async () => {
    candidacy.hint('a');
    await pass(100);
    expect(leases.asked).toEqual([]);
  });

  it('asks again after Redis did not answer', async () => {
    leases.fail = 2;
    candidacy.want('a');
    await pass(250);
    expect(leases.asked).toHaveLength(1);
    await pass(500);
    expect(leases.asked).toHaveLength(3);
    expect(won).toHaveLength(1);
  });

  it('tries again after an acquire failed, not at once', async () => {
    leases.failAcquire = 1;
    candidacy.want('a');
    await pass(250);
    expect(leases.tried).toHaveLength(1);
    expect(candidacy.isTrying('a')).toBe(false);
    expect(won).toEqual([]);
    await pass(100);
    expect(won).toHaveLength(1);
  });

  it('goes on waiting when another node was faster', async () => {
    candidacy.want('a');
    leases.pending = Promise.resolve().then(() => void leases.taken.set('a', now() + 500));
    await pass(100);
    expect(won).toEqual([]);
    expect(candidacy.isTrying('a')).toBe(false);
    expect(leases.tried.length).toBeLessThan(5);
    await pass(450);
    expect(won).toHaveLength(1);
  });

  it('does not try the same name twice at once', async () => {
    let go!: () => void;
    leases.pending = new Promise((resolve) => (go = resolve));
    candidacy.want('a');
    await pass(5);
    candidacy.hint('a');
    candidacy.want('a');
    await pass(1000);
    expect(leases.tried).toHaveLength(1);
    expect(candidacy.isTrying('a')).toBe(true);
    go();
    await pass(1);
    expect(won).toHaveLength(1);
    expect(candidacy.isTrying('a')).toBe(false);
  });

  it('forgets names that are no longer wanted', async () => {
    leases.taken.set('a', now() + 100);
    candidacy.want('a');
    await pass(10);
    candidacy.unwant('a');
    await pass(1000);
    expect(leases.tried).toEqual([]);
    expect(won).toEqual([]);
  });

  it('hands over a lease that came after the name was not wanted any more, so that it can be given back', async () => {
    let go!: () => void;
    leases.pending = new Promise((resolve) => (go = resolve));
    candidacy.want('a');
    await pass(1);
    candidacy.unwant('a');
    go();
    await pass(1);
    expect(won.map(({ name }) => name)).toEqual(['a']);
    await isForgotten('a');
  });

  it('is not held up by one name that hangs', async () => {
    let go!: () => void;
    leases.pending = new Promise((resolve) => (go = resolve));
    candidacy.want('slow');
    await pass(1);
    leases.pending = undefined;
    candidacy.want('quick');
    await pass(900);
    const before = won.map(({ name }) => name);
    go();
    await pass(5);
    // An acquire is bounded by 4 command timeouts, so "held up" is at most that; what it must not do is get lost.
    expect([...before, ...won.map(({ name }) => name)]).toContain('quick');
  });

  it('takes many names at once', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `p${index}`);
    for (const name of names) candidacy.want(name);
    await pass(50);
    expect(won.map(({ name }) => name).sort()).toEqual([...names].sort());
    expect(leases.asked).toHaveLength(1);
  });

  it('waits at its close for what is being acquired, and hands it over', async () => {
    let go!: () => void;
    leases.pending = new Promise((resolve) => (go = resolve));
    candidacy.want('a');
    await pass(1);
    let closed = false;
    const closing = candidacy.close().then(() => (closed = true));
    await pass(1000);
    expect(closed).toBe(false);
    expect(won).toEqual([]);
    go();
    await closing;
    expect(won.map(({ name }) => name)).toEqual(['a']);
  });

  it('tries nothing more once it is closed, not even what it was about to', async () => {
    let go!: () => void;
    leases.pending = new Promise((resolve) => (go = resolve));
    for (let index = 0; index < 20; index++) candidacy.want(`p${index}`);
    await pass(1);
    const { length } = leases.tried;
    expect(length).toBeLessThan(20);
    const closing = candidacy.close();
    go();
    await closing;
    await pass(1000);
    expect(leases.tried).toHaveLength(length);
    expect(won).toHaveLength(length);
  });

  it('stops polling once it is closed', async () => {
    leases.taken.set('a', now() + 100);
    candidacy.want('a');
    await pass(10);
    void candidacy.close();
    await pass(1000);
    expect(leases.asked).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  describe('with other wake-ups of this node', () => {
    it('polls what another node has along with what is due, and takes it at the same moment as without', async () => {
      leases.taken.set('a', began + 1000);
      leases.taken.set('b', began + 700);
      candidacy.want('a');
      candidacy.want('b');
      await pass(705);
      expect(leases.asked.map(({ names }) => names)).toEqual([
        ['a', 'b'],
        ['a', 'b'],
      ]);
      expect(won.map(({ name }) => name)).toEqual(['b']);
      await pass(295);
      expect(won).toHaveLength(1);
      await pass(10);
      expect(won.map(({ name }) => name)).toEqual(['b', 'a']);
    });

    it('polls a name that another node has only so often, however many come', async () => {
      leases.taken.set('a', began + 60_000);
      leases.standing = (names) => {
        leases.asked.push({ at: now(), names: [...names] });
        return Promise.resolve(names.map((name) => ({ name, freeInMs: 1000 })));
      };
      candidacy.want('a');
      for (let ms = 10; ms <= 5000; ms += 10) wakeUps.within(ms, ms, () => undefined);
      await pass(5000);
      expect(leases.asked.length).toBeLessThan(12);
    });

    it('does not try what is free before its turn', async () => {
      ranks['a'] = 2;
      candidacy.want('a');
      for (let ms = 5; ms <= 45; ms += 10) wakeUps.within(ms, ms, () => undefined);
      await pass(2 * RANK_STEP - 2);
      expect(leases.tried).toEqual([]);
      await pass(5);
      expect(won).toMatchObject([{ name: 'a' }]);
    });
  });
});
