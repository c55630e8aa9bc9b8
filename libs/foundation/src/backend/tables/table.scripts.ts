/** The Lua of the tables, run by `redis.table.ts`. No script inspects more than a batch, however large the table is. */
import { Script } from '../redis/lua.script.js';

/**
 * How the layout is read by the version before, and the other way round: a removed row keeps its version in `versions`,
 * as it always did, so older nodes see it go. What is new stands beside it: `marks` says which of the versions are
 * marks, and `head` holds the watermark and the life. Marks that older nodes leave are found by inspecting a few
 * versions with each removal (`LOOK_AT_ONCE`); until then they are only not trimmed.
 */

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

/** Lua: `life(head, version)` → the life of the table; the first write into an empty one begins it. */
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
export const putScript = new Script(
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
export const sinceScript = new Script(
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
 * KEYS rows, versions, marks, head · ARGV key, version, value of each → how many were restored, and the life that they
 * are in; '' when there is none.
 *
 * INVARIANT (I9): a row that is restored keeps its version, so of one key the highest version wins, in whatever order
 * and in whatever slices nodes restore rows: an old "wanted" never wins over a "stopped" that another node knows of.
 */
export const restoreScript = new Script(
  'foundationTableRestore',
  `${NEWER}${LIFE}
local count = 0
for i = 1, #ARGV, 3 do
  local version = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[i]) or '-1')
  -- A removal has a version of its own: where this one is left without a row, the hash of rows was deleted.
  local isLeft = version == tonumber(ARGV[i + 1]) and redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0
  if isLeft or version < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i])
    redis.call('ZREM', KEYS[3], ARGV[i])
    count = count + 1
  end
end
if count > 0 then return { count, life(KEYS[4], newer(KEYS[2])) } end
return { 0, redis.call('HGET', KEYS[4], 'life') or '' }
`,
);

/** KEYS versions, marks, head · ARGV topic, hint, known, 1 when rows were restored → the life. */
export const restoredScript = new Script(
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
 * KEYS rows, versions, marks, head · ARGV topic, hint, keep µs, marks to keep, marks to drop, versions to inspect, then
 * key and version of each → 1 for each that had this version and is gone, else 0.
 *
 * Its version stays, as a mark for replicas that have not seen them yet. Marks that are too old or too many go, oldest
 * first, but never the newest version of all; the newest that has gone is the watermark.
 */
export const removeScript = new Script(
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
