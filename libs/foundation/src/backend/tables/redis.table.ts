/**
 * A table in Redis: a hash of rows beside a sorted set of their versions, so that a replica fetches only what is newer
 * than its own. No script inspects more than a batch, however large the table is. Underneath EVALSHA.
 */
import type { Redis } from 'ioredis';
import type { Signer } from '../../security/signer.js';
import { MAX_HINTED, type TableHint } from '../../wire/hint.js';
import { toNumber, toTexts } from '../redis/lua.script.js';
import {
  KEEP_MARKS_MS,
  type MarkLimits,
  MAX_MARKS,
  type RowSeen,
  type Table,
  type TablePage,
  type TableRow,
  type TableWrite,
  type TableWritten,
} from './table.js';
import { putScript, removeScript, restoredScript, restoreScript, sinceScript } from './table.scripts.js';

/** Rows in one call of a script: about a millisecond of Redis. */
const BATCH = 100;
/** Characters of values in one call of a script; a single row may be longer. */
const BATCH_SIZE = 500_000;
/** Rows and characters in one page. */
const PAGE = 500;
const PAGE_SIZE = 1_000_000;
/** Marks dropped in one call; more than a batch of removals makes. */
const TRIM_AT_ONCE = 200;
/** Versions inspected in one call, for marks of nodes that do not list them in `marks`. */
const LOOK_AT_ONCE = 20;

/** Where a table is. */
export interface TableKeys {
  rows: string;
  versions: string;
  marks: string;
  head: string;
  /** The topic of the hints. */
  hints: string;
  /** The hint that is published there. */
  hint: TableHint;
}

/** See {@link Table}. */
export class RedisTable implements Table {
  readonly #keys: Pick<TableKeys, 'rows' | 'versions' | 'marks' | 'head'>;
  /** The topic, and the hint on which every node reads. */
  readonly #hint: [string, string];
  readonly #table: TableHint['t'];

  constructor(
    private readonly client: Redis,
    { hints, hint, ...keys }: TableKeys,
    private readonly seal: Signer,
    private readonly limits: MarkLimits = { keepMs: KEEP_MARKS_MS, max: MAX_MARKS },
  ) {
    this.#keys = keys;
    this.#hint = [hints, openHint(hint)];
    this.#table = hint.t;
  }

  async put(writes: readonly TableWrite[]): Promise<TableWritten> {
    const { rows, versions, marks, head } = this.#keys;
    const written: TableWritten = { versions: [], life: '', follows: undefined };
    let newest: number | undefined;
    for (const batch of batches(writes)) {
      const args = batch.flatMap(({ key, value, expected }) => {
        return [key, this.#sign(key, value), expected];
      });
      const hint = [this.#hint[0], this.#hintOf(batch)];
      const reply = await putScript.run(this.client, [rows, versions, marks, head], [...hint, ...args]);
      const [life = '', before, ...texts] = toTexts(reply);
      written.life = life;
      if (newest === undefined) written.follows = toNumber(before);
      // Another node wrote in between, and may do so again.
      else if (newest !== toNumber(before)) written.follows = undefined;
      for (const index of batch.keys()) {
        const version = texts[index] ? toNumber(texts[index]) : undefined;
        written.versions.push(version);
        newest = version ?? newest;
      }
    }
    return written;
  }

  async since(version: number): Promise<TablePage> {
    const { rows: hash, versions, head } = this.#keys;
    const reply = await sinceScript.run(this.client, [hash, versions, head], [version, PAGE, PAGE_SIZE]);
    const [newest, floor, life = '', ...flat] = toTexts(reply);
    const rows: TableRow[] = [];
    for (let index = 0; index < flat.length; index += 3) {
      const [key, version] = [flat[index]!, toNumber(flat[index + 1])];
      rows.push({ key, version, ...this.#open(key, flat[index + 2]!) });
    }
    const last = rows.at(-1)?.version ?? Infinity;
    return { rows, version: toNumber(newest), floor: toNumber(floor), life, more: last < toNumber(newest) };
  }

  async restore(rows: readonly TableRow[], known: number): Promise<string> {
    const { rows: hash, versions, marks, head } = this.#keys;
    let count = 0;
    let life = '';
    // INVARIANT (I9): what was restored before another loss is lost again, and is not taken for restored.
    const isIn = (now: string): void => {
      if (life !== '' && now !== life) throw new Error('The table lost data while rows were restored.');
      life = now;
    };
    for (const batch of batches(rows)) {
      const args = batch.flatMap((row) => [row.key, row.version, this.#sign(row.key, row.value)]);
      const [restored, now = ''] = toTexts(await restoreScript.run(this.client, [hash, versions, marks, head], args));
      count += toNumber(restored);
      isIn(now);
    }
    if (count === 0 && known === 0) return '';
    const args = [...this.#hint, known, count > 0 ? 1 : 0];
    isIn(String(await restoredScript.run(this.client, [versions, marks, head], args)));
    return life;
  }

  async remove(rows: readonly RowSeen[]): Promise<string[]> {
    const { rows: hash, versions, marks, head } = this.#keys;
    const { keepMs, max } = this.limits;
    const settings = [...this.#hint, keepMs * 1000, max, TRIM_AT_ONCE, LOOK_AT_ONCE];
    const removed: string[] = [];
    for (let at = 0; at === 0 || at < rows.length; at += BATCH) {
      const batch = rows.slice(at, at + BATCH);
      const args = batch.flatMap(({ key, version }) => [key, version]);
      const reply = toTexts(await removeScript.run(this.client, [hash, versions, marks, head], [...settings, ...args]));
      removed.push(...batch.filter((_, index) => reply[index] === '1').map(({ key }) => key));
    }
    return removed;
  }

  /** What the rows are about, as long as each says so and they are few. */
  #hintOf(batch: readonly TableWrite[]): string {
    const about = new Set(batch.map((write) => write.about));
    about.delete('');
    if (about.has(undefined) || about.size > MAX_HINTED) return this.#hint[1];
    return openHint({ t: this.#table, of: [...about] as string[] });
  }

  #sign(key: string, value: string): string {
    return this.seal.sign(placeOf(this.#keys.rows, key), value);
  }

  #open(key: string, value: string): Pick<TableRow, 'value' | 'isForeign'> {
    const opened = value === '' ? value : this.seal.open(placeOf(this.#keys.rows, key), value);
    return opened === undefined ? { value: '', isForeign: true } : { value: opened };
  }
}

/** The hint without its end: the script adds the version. */
function openHint(hint: TableHint): string {
  return JSON.stringify(hint).slice(0, -1);
}

function placeOf(rows: string, key: string): string {
  return `${rows} ${key}`;
}

/** In batches that keep Redis for a moment only. */
function* batches<T extends { value: string }>(rows: readonly T[]): Generator<T[]> {
  let batch: T[] = [];
  let size = 0;
  for (const row of rows) {
    if (batch.length === BATCH || (batch.length > 0 && size + row.value.length > BATCH_SIZE)) {
      yield batch;
      [batch, size] = [[], 0];
    }
    batch.push(row);
    size += row.value.length;
  }
  if (batch.length > 0) yield batch;
}
