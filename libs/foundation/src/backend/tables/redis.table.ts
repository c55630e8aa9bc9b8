/**
 * A table in Redis: a hash of rows beside a sorted set of their versions, so that a copy fetches only what is newer
 * than its own. No script looks at more than a batch, however large the table is. Underneath EVALSHA.
 */
import type { Redis } from 'ioredis';
import type { Signer } from '../../security/signer.js';
import { MAX_HINTED, type TableHint } from '../../wire/hint.js';
import { Script, toNumber, toTexts } from '../redis/lua.script.js';
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

/**
 * How the layout is read by the version before, and the other way round: a removed row keeps its version in `versions`,
 * as it always did, so older nodes see it go. What is new stands beside it: `marks` says which of the versions are
 * marks, and `head` holds the watermark and the life. Marks that older nodes leave are found by a few looks with each
 * removal (`LOOK_AT_ONCE`); until then they are only not trimmed.
 */

/** Rows in one call of a script: about a millisecond of Redis. */
const BATCH = 100;
/** Characters of values in one call of a script; a single row may be longer. */
const BATCH_SIZE = 500_000;
/** Rows and characters in one page. */
const PAGE = 500;
const PAGE_SIZE = 1_000_000;
/** Marks dropped in one call; more than a batch of removals makes. */
const TRIM_AT_ONCE = 200;
/** Versions looked at in one call, for marks of nodes that do not list them in `marks`. */
const LOOK_AT_ONCE = 20;

/**
 * Lua: `newer(versions)` → a version above all there are, and at least the Redis time in µs, to go on rising after data
 * loss; and the newest there is. `tell(topic, hint, version)` completes the hint, which lacks its end, and publishes
 * it.
 */
const NEWER = `
local function newer(versions)
  local newest = redis.call('ZRANGE', versions, -1, -1, 'WITHSCORES')
  local t = redis.call('TIME')
  local at = tonumber(newest[2] or '0')
  return math.max(at + 1, t[1] * 1000000 + t[2]), at
end
local function text(version) return string.format('%.0f', version) end
local function tell(topic, hint, version) redis.call('PUBLISH', topic, hint .. ',"version":' .. text(version) .. '}') end
`;

/** Lua: `life(head, version)` → the life of the table; whoever writes into an empty one begins it. */
const LIFE = `
local function life(head, version)
  local life = redis.call('HGET', head, 'life')
  if not life then
    life = text(version)
    redis.call('HSET', head, 'life', life)
  end
  return life
end
`;

/**
 * KEYS rows, versions, marks, head · ARGV topic, hint, then key, value, expected of each → life, the newest version
 * before, then of each its version, or '' where another one is there.
 */
const putScript = new Script(
  'foundationTablePut',
  `${NEWER}${LIFE}
local next, newest = newer(KEYS[2])
local reply, written = { '', text(newest) }, 0
for i = 3, #ARGV, 3 do
  local key = ARGV[i]
  local version = redis.call('HEXISTS', KEYS[1], key) == 1 and redis.call('ZSCORE', KEYS[2], key) or '0'
  if tonumber(version) == tonumber(ARGV[i + 2]) then
    local as = text(next + written)
    redis.call('HSET', KEYS[1], key, ARGV[i + 1])
    redis.call('ZADD', KEYS[2], as, key)
    redis.call('ZREM', KEYS[3], key)
    reply[#reply + 1] = as
    written = written + 1
  else
    reply[#reply + 1] = ''
  end
end
if written > 0 then
  reply[1] = life(KEYS[4], next)
  tell(ARGV[1], ARGV[2], next + written - 1)
else
  reply[1] = redis.call('HGET', KEYS[4], 'life') or ''
end
return reply
`,
);

/**
 * KEYS rows, versions, head · ARGV version, rows, characters → newest version, floor, life, then key, version and value
 * ('' = removed).
 */
const sinceScript = new Script(
  'foundationTableSince',
  `
local newest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
local reply = { newest[2] or '0', redis.call('HGET', KEYS[3], 'floor') or '0', redis.call('HGET', KEYS[3], 'life') or '' }
local rows = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', '0', ARGV[2])
local size = 0
for i = 1, #rows, 2 do
  local value = redis.call('HGET', KEYS[1], rows[i]) or ''
  reply[#reply + 1] = rows[i]
  reply[#reply + 1] = rows[i + 1]
  reply[#reply + 1] = value
  size = size + #value
  if size > tonumber(ARGV[3]) then break end
end
return reply
`,
);

/**
 * KEYS rows, versions, marks · ARGV key, version, value of each → how many were put back.
 *
 * INVARIANT: a row that is put back keeps its version, so of one key the highest version wins, in whatever order and in
 * whatever slices nodes put back: an old "wanted" never wins over a "stopped" that another node has heard of.
 */
const restoreScript = new Script(
  'foundationTableRestore',
  `
local count = 0
for i = 1, #ARGV, 3 do
  local version = redis.call('ZSCORE', KEYS[2], ARGV[i])
  if not version or tonumber(version) < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i])
    redis.call('ZREM', KEYS[3], ARGV[i])
    count = count + 1
  end
end
return count
`,
);

/** KEYS versions, marks, head · ARGV topic, hint, known, 1 when rows were put back → the life. */
const restoredScript = new Script(
  'foundationTableRestored',
  `${NEWER}${LIFE}
local known = tonumber(ARGV[3])
local newest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
local next = math.max(newer(KEYS[1]), known + 1)
local life = life(KEYS[3], next)
if known > tonumber(redis.call('HGET', KEYS[3], 'floor') or '0') then redis.call('HSET', KEYS[3], 'floor', ARGV[3]) end
-- The watermark is never above the newest version.
if ARGV[4] == '1' or known > tonumber(newest[2] or '0') then
  redis.call('ZADD', KEYS[1], text(next), '')
  redis.call('ZADD', KEYS[2], text(next), '')
  tell(ARGV[1], ARGV[2], next)
end
return life
`,
);

/**
 * KEYS rows, versions, marks, head · ARGV topic, hint, keep µs, marks to keep, marks to drop, versions to look at, then
 * key and version of each → 1 for each that had this version and is gone, else 0.
 *
 * Its version stays, as a mark for copies that have not heard yet. Marks that are too old or too many go, oldest first,
 * but never the newest version of all; the newest that has gone is the watermark.
 */
const removeScript = new Script(
  'foundationTableRemove',
  `${NEWER}
local next = newer(KEYS[2])
local reply, gone = {}, 0
for i = 7, #ARGV, 2 do
  local key = ARGV[i]
  if redis.call('HEXISTS', KEYS[1], key) == 1 and tonumber(redis.call('ZSCORE', KEYS[2], key) or '0') == tonumber(ARGV[i + 1]) then
    redis.call('HDEL', KEYS[1], key)
    redis.call('ZADD', KEYS[2], text(next + gone), key)
    redis.call('ZADD', KEYS[3], text(next + gone), key)
    gone = gone + 1
    reply[#reply + 1] = 1
  else
    reply[#reply + 1] = 0
  end
end
if gone > 0 then tell(ARGV[1], ARGV[2], next + gone - 1) end

local seen = redis.call('HGET', KEYS[4], 'seen') or '0'
local looked = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. seen, '+inf', 'WITHSCORES', 'LIMIT', '0', ARGV[6])
for i = 1, #looked, 2 do
  if redis.call('HEXISTS', KEYS[1], looked[i]) == 0 then redis.call('ZADD', KEYS[3], looked[i + 1], looked[i]) end
end
local at = #looked > 0 and looked[#looked] or '0'
if at ~= seen then redis.call('HSET', KEYS[4], 'seen', at) end

local old = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', text(next - tonumber(ARGV[3])), 'WITHSCORES', 'LIMIT', '0', ARGV[5])
if #old == 0 then
  local excess = math.min(redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[4]), tonumber(ARGV[5]))
  if excess > 0 then old = redis.call('ZRANGE', KEYS[3], 0, excess - 1, 'WITHSCORES') end
end
local newest = redis.call('ZRANGE', KEYS[2], -1, -1)
local floor = tonumber(redis.call('HGET', KEYS[4], 'floor') or '0')
local risen = floor
for i = 1, #old, 2 do
  local key = old[i]
  if key ~= newest[1] then
    redis.call('ZREM', KEYS[3], key)
    -- A node of the version before may have written the row again and left the mark.
    if redis.call('HEXISTS', KEYS[1], key) == 0 then
      risen = math.max(risen, tonumber(redis.call('ZSCORE', KEYS[2], key) or '0'))
      redis.call('ZREM', KEYS[2], key)
    end
  end
end
if risen > floor then redis.call('HSET', KEYS[4], 'floor', text(risen)) end
return reply
`,
);

/** Where a table is. */
export interface TableKeys {
  rows: string;
  versions: string;
  marks: string;
  head: string;
  /** The topic on which a change is told. */
  hints: string;
  /** What is said there. */
  hint: TableHint;
}

/** See {@link Table}. */
export class RedisTable implements Table {
  readonly #keys: Pick<TableKeys, 'rows' | 'versions' | 'marks' | 'head'>;
  /** Topic, and what is said when everybody should look. */
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
      // Somebody else was in between, and may be again.
      else if (newest !== toNumber(before)) written.follows = undefined;
      newest = toNumber(before);
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
    for (let index = 0; index + 2 < flat.length; index += 3) {
      const [key, version] = [flat[index]!, toNumber(flat[index + 1])];
      rows.push({ key, version, ...this.#open(key, flat[index + 2]!) });
    }
    const last = rows.at(-1)?.version ?? Infinity;
    return { rows, version: toNumber(newest), floor: toNumber(floor), life, more: last < toNumber(newest) };
  }

  async restore(rows: readonly TableRow[], known: number): Promise<string> {
    const { rows: hash, versions, marks, head } = this.#keys;
    let count = 0;
    for (const batch of batches(rows)) {
      const args = batch.flatMap((row) => [row.key, row.version, this.#sign(row.key, row.value)]);
      count += toNumber(await restoreScript.run(this.client, [hash, versions, marks], args));
    }
    if (count === 0 && known === 0) return '';
    const args = [...this.#hint, known, count > 0 ? 1 : 0];
    return String(await restoredScript.run(this.client, [versions, marks, head], args));
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
