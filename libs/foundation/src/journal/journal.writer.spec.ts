import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { JournalStore, JournalWrite } from '../backend/streams/journal.store.js';
import { LocalJournal } from '../backend/streams/local.journal.js';
import { ManualTimers } from '../testing/local/manual.timers.js';
import { Journal } from './journal.js';
import { JournalWriter, MAX_EVERYDAY, MAX_WAITING } from './journal.writer.js';

/** Redis, as far as it is there. */
class Flaky implements JournalStore {
  isAway = false;
  /** Takes what comes, and its answer is lost. */
  losesAnswer = false;
  readonly calls: JournalWrite[][] = [];
  readonly kept = new LocalJournal(() => Date.now());

  async append(entries: readonly JournalWrite[], most: number): Promise<void> {
    this.calls.push([...entries]);
    if (this.isAway) throw new Error('Connection is closed.');
    await this.kept.append(entries, most);
    if (this.losesAnswer) throw new Error('Command timed out');
  }

  forgotten = 0;
  async forget(): Promise<void> {
    this.forgotten += 1;
    if (this.isAway) throw new Error('Connection is closed.');
    await this.kept.forget();
  }

  read: LocalJournal['read'] = (span) => this.kept.read(span);
}

let store: Flaky;
let clock: ManualTimers;
let writer: JournalWriter;

beforeEach(() => {
  Logger.overrideLogger(false);
  store = new Flaky();
  clock = new ManualTimers({ startsAt: Date.now(), patienceMs: 1000 });
  writer = new JournalWriter({ store, node: 'n1', maxEntries: 10_000, now: () => 5, clock });
});
afterEach(() => writer.close(100));

const read = () => new Journal({ store, writer, endpoint: 'redis', now: Date.now }).read({ limit: 1000 });
const add = (process: string, isEveryday = false) =>
  writer.add({ kind: 'process.started', node: 'n1', process }, { isEveryday });
const advance = (ms: number) => clock.advance(ms);

describe('what is added', () => {
  it('is found by how long ago it was, by the clock that its times are of', async () => {
    add('a'); // at 5
    await advance(100);
    const found = (now: number) =>
      new Journal({ store, writer, endpoint: 'redis', now: () => now }).read({ since: '1m' });
    expect(await found(60_005)).toHaveLength(1);
    expect(await found(60_006)).toEqual([]);
  });

  it('is written together, soon, and not at once', async () => {
    for (const name of ['a', 'b', 'c']) add(name);
    expect(store.calls).toHaveLength(0);
    await advance(100);
    expect(store.calls).toHaveLength(1);
    expect((await read()).map(({ process }) => process)).toEqual(['c', 'b', 'a']);
    await advance(60_000);
    expect(store.calls).toHaveLength(1);
  });

  it('waits while Redis is away, in its order, and is there once', async () => {
    store.isAway = true;
    add('a');
    await advance(3000);
    add('b');
    await advance(3000);
    const tries = store.calls.length;
    expect(tries).toBeGreaterThan(1);
    expect(tries).toBeLessThan(10);
    store.isAway = false;
    store.losesAnswer = true;
    await advance(10_000);
    store.losesAnswer = false;
    await advance(10_000);
    expect((await read()).map(({ process }) => process)).toEqual(['b', 'a']);
  });

  it('is bounded while Redis is away, and what was left out is counted in an entry', async () => {
    store.isAway = true;
    for (let index = 0; index < MAX_WAITING + 30; index++) add(`p${index}`);
    writer.add({ kind: 'process.crashed', node: 'n1' });
    await advance(20_000);
    store.isAway = false;
    await advance(60_000);
    const rows = await store.kept.read({ count: 2000 });
    expect(rows).toHaveLength(1000); // as many as there are in memory
    const [newest] = await read();
    expect(newest).toMatchObject({ kind: 'journal.left_out', node: 'n1', count: 31 });
    expect(newest!.reason).toBe('process.started 30, process.crashed 1');
  });

  it('leaves room for what matters: starts and stops are limited, and counted', async () => {
    for (let index = 0; index < MAX_EVERYDAY + 20; index++) add(`p${index}`, true);
    writer.add({ kind: 'process.crashed', node: 'n1', process: 'x' });
    await advance(30_000);
    const kinds = (await read()).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'process.started')).toHaveLength(MAX_EVERYDAY);
    expect(kinds).toContain('process.crashed');
    expect(kinds[0]).toBe('journal.left_out');
    for (let index = 0; index < 40; index++) add(`q${index}`, true);
    await advance(1000);
    // One more with each second.
    const more = (await read()).filter(({ process }) => process?.startsWith('q'));
    expect(more.length).toBe(30);
  });

  it('is written at the end, which does not wait for a Redis that is away', async () => {
    add('a');
    await writer.close(1000);
    expect([store.calls.length, store.forgotten]).toEqual([1, 1]);
    add('b');
    await advance(10_000);
    expect(store.calls).toHaveLength(1);
    const other = new JournalWriter({ store, node: 'n1', maxEntries: 100, now: () => 5 });
    store.append = () => new Promise(() => undefined);
    other.add({ kind: 'process.started', node: 'n1' });
    await other.close(50);
    // Another try of what waits may still arrive, and must be known as such.
    expect(store.forgotten).toBe(1);
  });

  it('ends all the same where nothing can be forgotten any longer, and forgets nothing that it has not written', async () => {
    add('a');
    await advance(1000);
    store.isAway = true;
    await writer.close(1000);
    expect(store.forgotten).toBe(1);
    await new JournalWriter({ store, node: 'n2', maxEntries: 100, now: () => 5 }).close(1000);
    expect(store.forgotten).toBe(1);
  });
});
