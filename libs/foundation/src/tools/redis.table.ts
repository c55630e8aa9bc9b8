/**
 * A table in Redis: a hash of rows beside a sorted set of their versions, so that a copy fetches only what is newer than
 * its own. Called by the process table and the service registry; underneath EVALSHA.
 */
import type { Redis } from 'ioredis';
import { show } from '../config/shape.js';
import { RepeatedLog } from '../telemetry/repeated.log.js';
import type { Hint } from './hints.js';
import { Script, toNumber, toTexts } from './script.js';
import type { Seal } from './seal.js';
import type { Table, TableRow } from './table.js';

/** Lua: `newer(versions)` → a version above all there are, and at least the Redis time in µs, to go on rising after data loss. */
const NEWER = `
local function newer(versions)
  local newest = redis.call('ZRANGE', versions, -1, -1, 'WITHSCORES')
  local t = redis.call('TIME')
  return string.format('%.0f', math.max(tonumber(newest[2] or '0') + 1, t[1] * 1000000 + t[2]))
end
`;

/** KEYS rows, versions · ARGV key, value, expected version, topic, hint → the new version, or '' when the row has another one. */
const putScript = new Script(
  'foundationTablePut',
  `${NEWER}
local version = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 and redis.call('ZSCORE', KEYS[2], ARGV[1]) or '0'
if tonumber(version) ~= tonumber(ARGV[3]) then return '' end
local next = newer(KEYS[2])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], next, ARGV[1])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return next
`,
);

/** KEYS rows, versions · ARGV version → the newest version, then key, version and value ('' = removed) of each newer row. */
const sinceScript = new Script(
  'foundationTableSince',
  `
local newest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
local reply = { newest[2] or '0' }
local rows = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES')
for i = 1, #rows, 2 do
  reply[#reply + 1] = rows[i]
  reply[#reply + 1] = rows[i + 1]
  reply[#reply + 1] = redis.call('HGET', KEYS[1], rows[i]) or ''
end
return reply
`,
);

/**
 * KEYS rows, versions · ARGV topic, hint, then key, version, value of each → how many were put back.
 *
 * A row that comes back gets a new version: copies that have caught up with newer rows already would never see an old one.
 */
const restoreScript = new Script(
  'foundationTableRestore',
  `${NEWER}
local count = 0
for i = 3, #ARGV, 3 do
  local version = redis.call('ZSCORE', KEYS[2], ARGV[i])
  if not version or tonumber(version) < tonumber(ARGV[i + 1]) then
    local newest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
    local as = ARGV[i + 1]
    if newest[2] and tonumber(newest[2]) >= tonumber(as) then as = newer(KEYS[2]) end
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    redis.call('ZADD', KEYS[2], as, ARGV[i])
    count = count + 1
  end
end
if count > 0 then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return count
`,
);

/**
 * KEYS rows, versions · ARGV key, version, topic, hint, keep µs → 1 when the row had this version and is gone.
 *
 * Its version stays, as a mark for copies that have not heard yet; marks older than `keep` go, but never the newest one.
 */
const removeScript = new Script(
  'foundationTableRemove',
  `${NEWER}
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
if tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or '0') ~= tonumber(ARGV[2]) then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
local next = newer(KEYS[2])
redis.call('ZADD', KEYS[2], next, ARGV[1])
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', tonumber(next) - tonumber(ARGV[5]))) do
  if redis.call('HEXISTS', KEYS[1], key) == 0 then redis.call('ZREM', KEYS[2], key) end
end
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
`,
);

const NOT_BELIEVED = 'A row of Redis is not signed with the cookie of this node; it is not read';

/** How long the mark of a removed row is kept. */
const KEEP_MARKS_US = 3_600_000_000;

/** Where a table is. */
export interface TableKeys {
  rows: string;
  versions: string;
  /** The topic on which a change is told. */
  hints: string;
  /** What is said there. */
  hint: Hint;
}

/** See {@link Table}. */
export class RedisTable implements Table {
  readonly #tables: [string, string];
  readonly #hint: [string, string];
  readonly #log = new RepeatedLog();
  /** Rows of somebody with another cookie, and their versions: they count as not there, and may be written over. */
  readonly #foreign = new Map<string, number>();

  constructor(
    private readonly client: Redis,
    { rows, versions, hints, hint }: TableKeys,
    private readonly seal: Seal,
  ) {
    this.#tables = [rows, versions];
    this.#hint = [hints, JSON.stringify(hint)];
  }

  async put(key: string, value: string, expected: number): Promise<number | undefined> {
    const version = expected === 0 ? (this.#foreign.get(key) ?? 0) : expected;
    const args = [key, this.#sign(key, value), version, ...this.#hint];
    const reply = await putScript.run(this.client, this.#tables, args);
    return reply === '' ? undefined : toNumber(reply);
  }

  async since(version: number): Promise<{ version: number; rows: TableRow[] }> {
    const [newest, ...flat] = toTexts(await sinceScript.run(this.client, this.#tables, [version]));
    const rows: TableRow[] = [];
    for (let index = 0; index + 2 < flat.length; index += 3) {
      const [key, version] = [flat[index]!, toNumber(flat[index + 1])];
      rows.push({ key, version, value: this.#open(key, version, flat[index + 2]!) });
    }
    return { version: toNumber(newest), rows };
  }

  async restore(rows: readonly TableRow[]): Promise<void> {
    if (rows.length === 0) return;
    const args = rows.flatMap((row) => [row.key, row.version, this.#sign(row.key, row.value)]);
    await restoreScript.run(this.client, this.#tables, [...this.#hint, ...args]);
  }

  async remove(key: string, version: number): Promise<void> {
    await removeScript.run(this.client, this.#tables, [key, version, ...this.#hint, KEEP_MARKS_US]);
  }

  #sign(key: string, value: string): string {
    return this.seal.sign(placeOf(this.#tables[0], key), value);
  }

  /** A row that somebody else wrote is none: who can write it could have removed it as well. */
  #open(key: string, version: number, value: string): string {
    const opened = value === '' ? value : this.seal.open(placeOf(this.#tables[0], key), value);
    if (opened !== undefined) {
      this.#foreign.delete(key);
      return opened;
    }
    this.#foreign.set(key, version);
    this.#log.warn(NOT_BELIEVED, { table: this.#tables[0], row: show(key) });
    return '';
  }
}

function placeOf(rows: string, key: string): string {
  return `${rows} ${key}`;
}
