/**
 * The Lua by which Redis is found to have lost its data, for how long new owners then wait, and which epochs are older.
 * Part of the scripts of the leases and of the node directory.
 */

/**
 * For how long after the last heartbeat of a node its leases may count, in milliseconds: by then the last one has run
 * out.
 */
const KEPT_MS = 60_000;

/** No grace is longer, whatever stands in Redis. */
const LONGEST_GRACE_MS = 600_000;

/**
 * Lua: `longest(key, text)` → the longest grace of the nodes of this application, in ms, and for how long it is kept.
 * `text` is that of the caller and, where it is longer, what the caller knew before Redis lost its data; see
 * `grace.period.ts`.
 *
 * INVARIANT (I1): whichever node asks, the grace is at least that of each node with a heartbeat in the last minute.
 */
const LONGEST = `
local function longest(key, text)
  local own, heard, heard_for = string.match(text, '^(%d+) ?(%d*) ?(%d*)$')
  own = tonumber(own)
  local kept = math.min(tonumber(redis.call('GET', key) or '') or 0, ${LONGEST_GRACE_MS})
  local left = kept > 0 and redis.call('PTTL', key) or 0
  local keep = math.max(${KEPT_MS}, own * 4)
  -- Not at each call, because the calls are many.
  if own > kept or own == kept and left < keep / 2 then
    redis.call('SET', key, string.format('%.0f', own), 'PX', keep)
    kept, left = own, keep
  end
  heard = tonumber(heard)
  if heard and heard > kept then
    redis.call('SET', key, string.format('%.0f', heard), 'PX', heard_for)
    kept, left = heard, tonumber(heard_for)
  end
  return kept, left
end
`;

/**
 * Lua: `life(key)` → the Redis time in ms, since when this life of its data lasts, and the least epoch of this life.
 *
 * The scripts keep `<run_id> <ms>` beside the leases: when it is missing or names another life of Redis, the node that
 * sees it first stamps it again. So a restart, empty or not, a flush and a promoted replica begin another life.
 *
 * INVARIANT (I4): an epoch below the least one was minted in an earlier life, and none of this life is below it. An
 * epoch is at least the Redis time in µs at which it was minted, so one of an earlier life is below the stamp, unless
 * the clock of Redis was set back since; and every script that mints has stamped before.
 */
export const LIFE = `
local function life(key)
  local t = redis.call('TIME')
  local now = t[1] * 1000 + math.floor(t[2] / 1000)
  local info = redis.pcall('INFO', 'server')
  local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or '-'
  local seen = redis.call('GET', key)
  local seen_run, since
  if seen then seen_run, since = string.match(seen, '^(%S+) (%d+)$') end
  if seen_run ~= run or tonumber(since) > now then
    since = now
    redis.call('SET', key, run .. ' ' .. string.format('%.0f', now))
  end
  -- The millisecond of the stamp itself may have been one of both lives.
  return now, tonumber(since), (tonumber(since) + 1) * 1000
end
`;

/**
 * Lua: `grace(key, text)` → milliseconds left in which only the last owner may take a lease, the Redis time in ms, the
 * longest grace with the time that it is kept for, and the least epoch of this life.
 *
 * Redis forgets leases when it restarts empty, is flushed or fails over; a new owner could then overlap one that still
 * counts on its lease. So no new owner is accepted for the longest lease time from the beginning of a life. This is the
 * "delayed restart" of the Redlock paper, enforced where it cannot be forgotten.
 */
export const GRACE = `${LONGEST}${LIFE}
local function grace(key, text)
  local ms, kept_for = longest(key .. ':longest', tostring(text))
  local now, since, least = life(key)
  return math.max(0, since + ms - now), now, ms, kept_for, least
end
`;
