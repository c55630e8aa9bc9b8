// What nodes remember of jobs, over ticks in memory that lose what they have.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LocalTicks } from '../backend/leases/local.ticks.js';
import type { KeptTicks, Ticks } from '../backend/leases/ticks.js';
import { JobMemory } from './job.memory.js';

const NOW = Date.parse('2026-05-01T03:00:00Z');
const EPOCH = NOW * 1000;

/** One Redis of several nodes. */
class Shared implements Ticks {
  #kept = new LocalTicks(() => NOW);
  readonly listeners: ((kept: KeptTicks) => void)[] = [];
  isSilent = false;
  failure: Error | undefined;

  lose(): void {
    this.#kept = new LocalTicks(() => NOW);
  }

  async write(...args: Parameters<Ticks['write']>) {
    const answer = await this.#kept.write(...args);
    const [job, epoch, record, claim] = args;
    const kept = { job, epoch, claimed: claim?.at ?? 0, record };
    if (answer === 'done' && !this.isSilent) for (const listener of this.listeners) listener(kept);
    return answer;
  }

  onWritten(listener: (kept: KeptTicks) => void): void {
    this.listeners.push(listener);
  }

  open: Ticks['open'] = (...args) => this.#kept.open(...args);
  read: Ticks['read'] = (jobs) => this.#kept.read(jobs);
  restore: Ticks['restore'] = (kept) => this.#kept.restore(kept);
  recall: Ticks['recall'] = (jobs) => {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return this.#kept.recall(jobs);
  };
}

describe('JobMemory', () => {
  let shared: Shared;
  let monotonic: number;
  const node = (...jobs: string[]): JobMemory => {
    const memory = new JobMemory(shared, { monotonic: () => monotonic, wall: () => NOW });
    memory.remember(jobs);
    return memory;
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  beforeEach(() => {
    shared = new Shared();
    monotonic = 1000;
  });
  afterEach(() => void jest.restoreAllMocks());

  async function claimed(owner: JobMemory, epoch = EPOCH): Promise<void> {
    await owner.open('close', epoch);
    expect(await owner.write('close', epoch, '{"rev":1}', { at: NOW - 5000, id: 'x' })).toBe('done');
    expect(await owner.write('close', epoch, '{"rev":2}')).toBe('done');
  }
  const KEPT = { claimed: NOW - 5000, record: '{"rev":2}' };

  it('gives the next owner what the one before claimed, on a node that heard of it', async () => {
    const [owner, other] = [node('close'), node('close')];
    await claimed(owner);
    shared.lose();
    expect(await other.open('close', EPOCH + 1)).toEqual(KEPT);
    expect(await shared.recall(['close'])).toEqual([{ job: 'close', epoch: EPOCH + 1, ...KEPT }]);
  });

  it('gives it to a node that has not, once a node that has finds the loss', async () => {
    const owner = node('close');
    await claimed(owner);
    shared.lose();
    const fresh = node('close');
    owner.lost();
    await settled();
    expect(await fresh.open('close', EPOCH + 1)).toEqual(KEPT);
  });

  it('learns what it has not heard of with a heartbeat, and not with each', async () => {
    shared.isSilent = true;
    const [owner, other] = [node('close'), node('close')];
    other.beat();
    await settled();
    await claimed(owner);
    other.beat();
    await settled();
    const recalled = jest.spyOn(shared, 'recall');
    monotonic += 10_000;
    for (let beat = 0; beat < 3; beat++) {
      other.beat();
      await settled();
    }
    expect(recalled).toHaveBeenCalledTimes(1);
    shared.lose();
    expect(await other.open('close', EPOCH + 1)).toEqual(KEPT);
  });

  it('looks again at the next heartbeat after Redis was away', async () => {
    const owner = node('close');
    await claimed(owner);
    shared.lose();
    shared.failure = new Error('Connection is closed.');
    owner.lost();
    await settled();
    shared.failure = undefined;
    owner.beat();
    await settled();
    expect(await shared.read(['close'])).toEqual(['{"rev":2}']);
  });

  it('puts nothing in the place of a later owner, or of what the same one wrote since', async () => {
    const [owner, stale] = [node('close'), node('close')];
    await claimed(owner);
    shared.isSilent = true;
    shared.lose();
    await shared.open('close', EPOCH + 5);
    await shared.write('close', EPOCH + 5, '{"rev":1}', { at: NOW, id: 'y' });
    stale.lost();
    await settled();
    expect(await shared.open('close', EPOCH + 6)).toEqual({ claimed: NOW, record: '{"rev":1}' });
    shared.lose();
    await shared.write('close', EPOCH, '{"rev":3}', { at: NOW, id: 'y' });
    owner.lost();
    await settled();
    expect(await shared.open('close', EPOCH)).toEqual({ claimed: NOW, record: '{"rev":3}' });
  });

  it('puts back what was claimed beside the last words of its owner', async () => {
    const [owner, other] = [node('close'), node('close')];
    await claimed(owner);
    shared.lose();
    expect(await owner.write('close', EPOCH, '{"rev":3}')).toBe('done');
    other.lost();
    await settled();
    expect(await shared.open('close', EPOCH + 1)).toEqual({ claimed: NOW - 5000, record: '{"rev":3}' });
  });

  it('goes on from data that went back', async () => {
    const owner = node('close');
    await claimed(owner);
    shared.lose();
    await shared.write('close', EPOCH, '{"rev":1}', { at: NOW - 9000, id: 'w' });
    owner.lost();
    await settled();
    expect(await shared.open('close', EPOCH + 1)).toEqual(KEPT);
  });

  it('knows the later of two records by who wrote it, not by who has begun since', async () => {
    const [owner, next, other] = [node('close'), node('close'), node('close')];
    const by = (rev: number): string => `{"rev":${rev},"by":${EPOCH}}`;
    await owner.open('close', EPOCH);
    await owner.write('close', EPOCH, by(1), { at: NOW - 5000, id: 'x' });
    // The next owner begins with what is there, and has not heard of what comes after it.
    const heard = [...shared.listeners];
    shared.listeners.splice(1, 1);
    await owner.write('close', EPOCH, by(2));
    shared.listeners.splice(0, Infinity, ...heard);
    shared.lose();
    await shared.write('close', EPOCH, by(1), { at: NOW - 5000, id: 'x' });
    expect(await next.open('close', EPOCH + 1)).toEqual({ claimed: NOW - 5000, record: by(1) });
    await other.look();
    shared.lose();
    await other.look();
    expect(await shared.recall(['close'])).toEqual([
      { job: 'close', epoch: EPOCH + 1, claimed: NOW - 5000, record: by(2) },
    ]);
  });

  it('remembers what it wrote itself, though it hears nothing, and not what was refused', async () => {
    const owner = node('close');
    shared.isSilent = true;
    await claimed(owner);
    await shared.open('close', EPOCH + 1);
    expect(await owner.write('close', EPOCH, '{"rev":9}')).toBe('stale');
    expect(await owner.open('close', EPOCH)).toBeUndefined();
    shared.lose();
    await owner.look();
    expect(await shared.recall(['close'])).toEqual([{ job: 'close', epoch: EPOCH, ...KEPT }]);
  });

  it('remembers what it found as it began, if that is certain', async () => {
    shared.isSilent = true;
    await claimed(node('close'));
    const next = node('close');
    await next.open('close', EPOCH + 1);
    shared.lose();
    await next.look();
    expect(await shared.recall(['close'])).toEqual([{ job: 'close', epoch: EPOCH + 1, ...KEPT }]);
    // Nothing, and a claimed time that may be wrong.
    const restored = jest.spyOn(shared, 'restore');
    for (const opened of [
      { claimed: 0, record: '' },
      { claimed: 0, record: '{"rev":1}', doubt: { said: '-1', most: NOW } },
    ]) {
      const other = node('close');
      const open = jest.spyOn(shared, 'open').mockResolvedValueOnce(opened);
      expect(await other.open('close', EPOCH + 2)).toBe(opened);
      open.mockRestore();
      shared.lose();
      await other.look();
    }
    expect(restored).not.toHaveBeenCalled();
  });

  it('puts back what is missing, and nothing else', async () => {
    const owner = node('close', 'open');
    await claimed(owner);
    const restored = jest.spyOn(shared, 'restore');
    await owner.look();
    expect(restored).not.toHaveBeenCalled();
    await owner.write('open', EPOCH, '{"rev":1}');
    shared.lose();
    await shared.write('open', EPOCH, '{"rev":1}');
    await owner.look();
    expect(restored.mock.calls).toEqual([[[{ job: 'close', epoch: EPOCH, ...KEPT }]]]);
  });

  it('keeps the highest epoch that it heard of, up to a day ahead', async () => {
    const memory = node('close');
    const [latest, day] = [(NOW + 86_400_000) * 1000, NOW + 86_400_000];
    const hears = (epoch: number, rev: number): void =>
      shared.listeners.forEach((listener) =>
        listener({ job: 'close', epoch, claimed: day, record: `{"rev":${rev},"by":${EPOCH}}` }),
      );
    hears(latest, 1);
    hears(EPOCH, 2);
    await memory.look();
    expect(await shared.recall(['close'])).toEqual([
      { job: 'close', epoch: latest, claimed: day, record: `{"rev":2,"by":${EPOCH}}` },
    ]);
  });

  it('remembers its own jobs only, and no time that no clock said', async () => {
    const memory = node('close');
    const DAY = 86_400_000;
    const hears = (kept: Partial<KeptTicks>): void =>
      shared.listeners.forEach((listener) =>
        listener({ job: 'close', epoch: EPOCH, claimed: 0, record: '{"rev":9}', ...kept }),
      );
    hears({ job: 'other' });
    hears({ epoch: Number.MAX_SAFE_INTEGER });
    hears({ epoch: EPOCH + 2 * DAY * 1000 });
    hears({ claimed: NOW + 2 * DAY });
    memory.lost();
    await settled();
    expect(await shared.recall(['close', 'other'])).toEqual([]);
    hears({});
    memory.lost();
    await settled();
    expect(await shared.recall(['close', 'other'])).toEqual([
      { job: 'close', epoch: EPOCH, claimed: 0, record: '{"rev":9}' },
    ]);
  });

  it('asks nothing where there are no jobs', async () => {
    const recalled = jest.spyOn(shared, 'recall');
    const memory = node();
    memory.beat();
    memory.lost();
    await settled();
    expect(recalled).not.toHaveBeenCalled();
  });
});
