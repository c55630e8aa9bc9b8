/**
 * The facade over the journal: what happened in the cluster, who asked for it, and why. Keeps nothing.
 * Used by the application, the dashboard and the command line. Underneath: a capped stream in Redis.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { JournalSpan, JournalStore } from '../backend/streams/journal.store.js';
import { actingAs } from '../context/actor.js';
import { ArgumentError } from '../errors/config.errors.js';
import { RedisUnavailableError } from '../errors/connection.errors.js';
import { isA, show } from '../errors/describe.js';
import { inRedis } from '../errors/refusal.js';
import { checkSignal, givenOptions } from '../foreign/given.options.js';
import { type JournalEntry, readEntry } from './journal.entry.js';
import { type CheckedQuery, checkQuery, FOLLOWED, isMeant, type JournalQuery } from './journal.query.js';
import type { JournalWriter } from './journal.writer.js';

export type { JournalEntry, JournalQuery };
export type { JournalTime } from './journal.query.js';

/** Rows in one question to Redis. */
const PAGE = 1000;
/** As many pages as the longest journal has. */
const MAX_PAGES = 101;
/** What was buffered by a node that was cut off is written late; so much it may be early by the clock of its node. */
const EARLY_MS = 60_000;
const FOLLOW_EVERY_MS = 1000;

/** What the facade is made of. */
export interface JournalParts {
  store: JournalStore;
  /** `undefined` where this node writes nothing. */
  writer: Pick<JournalWriter, 'flush'> | undefined;
  /** Of Redis, for errors. */
  endpoint: string;
  /** Milliseconds since 1970 by the clock of Redis, as the times of entries are. */
  now: () => number;
}

/** Injectable. Reads what happened in the cluster, from any node. */
@Injectable()
export class Journal {
  readonly #parts: JournalParts;

  /** @internal Made by Foundation. */
  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  /**
   * The entries that are meant, the newest first.
   *
   * ```ts
   * const crashes = await journal.read({ process: 'billing', kind: 'process.crashed', since: '1d' });
   * ```
   *
   * Underneath: `XREVRANGE …:journal`, 1000 at a time. An entry is there about 50 ms after what it tells of. Those of
   * a node that was cut off from Redis come when it is back, with the time at which it happened.
   *
   * @throws ArgumentError, `RedisUnavailableError`, `RedisRefusedError`, `NotReadyError` once this node has left.
   */
  async read(query: JournalQuery = {}): Promise<JournalEntry[]> {
    const checked = checkQuery('read', query, this.#parts.now());
    const { entries } = await this.#scan(checked);
    return entries.sort((one, other) => other.at - one.at);
  }

  /**
   * The entries that are written from now on, the oldest first, until the loop or the signal ends it.
   *
   * ```ts
   * for await (const { kind, process } of journal.follow({ kind: 'process.*' })) console.log(kind, process);
   * ```
   *
   * Underneath: {@link read} every second. While Redis is away it waits.
   *
   * @throws ArgumentError with the first entry that is asked for, `NotReadyError` once this node has left.
   */
  async *follow(
    query: Omit<JournalQuery, 'limit' | 'until' | 'since'> = {},
    options: { signal?: AbortSignal } = {},
  ): AsyncGenerator<JournalEntry, void, undefined> {
    const { signal } = givenOptions<typeof options>('follow', options, ['signal']);
    checkSignal('follow', signal);
    const checked = checkQuery('follow', query, 0, FOLLOWED);
    let after = checked.after ?? (await this.#newest());
    while (signal?.aborted !== true) {
      const { entries, newest } = await this.#scan({ ...checked, after, limit: Infinity }).catch((error: unknown) => {
        if (isA(error, RedisUnavailableError)) return { entries: [], newest: undefined };
        throw error;
      });
      after = newest ?? after;
      for (const entry of entries.reverse()) yield entry;
      await sleep(FOLLOW_EVERY_MS, undefined, { ...(signal === undefined ? {} : { signal }) }).catch(() => undefined);
    }
  }

  /**
   * Runs work whose commands (`move`, `stop`, `drain` …) the journal ascribes to somebody, with a reason.
   *
   * ```ts
   * await journal.actAs({ name: 'ada', reason: 'new disk' }, () => processes.move('billing', 'node-2'));
   * ```
   *
   * Underneath: an `AsyncLocalStorage` that the commands ask. Nothing checks the name.
   *
   * @param actor `name` and `reason` of up to 100 and 200 characters; longer ones are cut.
   * @throws ArgumentError for what is no actor; the work has not run then.
   */
  actAs<T>(actor: { name?: string; reason?: string }, work: () => T): T {
    const { name, reason } = givenOptions<typeof actor>('actAs', actor, ['name', 'reason'], 'actor');
    for (const [word, value] of Object.entries({ name, reason })) {
      if (value !== undefined && typeof value !== 'string')
        throw new ArgumentError('actAs', word, show(value), 'a text');
    }
    if (typeof work !== 'function') throw new ArgumentError('actAs', 'work', typeof work, 'a function');
    return actingAs({ via: 'code', name, reason }, work);
  }

  /** The id after which everything is new. */
  async #newest(): Promise<string> {
    const { newest = '0-0' } = await this.#scan(checkQuery('follow', { limit: 1 }, 0));
    return newest;
  }

  /** What is meant, the newest first, and the id of the newest row, whatever it is. */
  async #scan(checked: CheckedQuery): Promise<{ entries: JournalEntry[]; newest: string | undefined }> {
    const { store, writer, endpoint } = this.#parts;
    await writer?.flush();
    const entries: JournalEntry[] = [];
    let newest: string | undefined;
    let span: JournalSpan = { from: checked.since - EARLY_MS, after: checked.after, count: PAGE };
    for (let page = 0; page < MAX_PAGES && entries.length < checked.limit; page++) {
      const rows = await inRedis(endpoint, 'reading the journal', () => store.read(span));
      newest ??= rows[0]?.id;
      for (const row of rows) {
        const entry = readEntry(row);
        if (entry !== undefined && entries.length < checked.limit && isMeant(checked, entry)) entries.push(entry);
      }
      if (rows.length < PAGE) break;
      span = { ...span, before: rows.at(-1)!.id };
    }
    return { entries, newest };
  }
}
