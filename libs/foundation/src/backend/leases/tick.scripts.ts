/**
 * The Lua of what jobs that run by the clock remember. Run by `redis.ticks.ts`.
 *
 * INVARIANT (I27): a scheduled time is claimed once. Claimed times of a job only grow, and who claims has the highest
 * epoch that has begun; so what an owner claimed, and may have run, no later one claims again, and an owner that is
 * stale claims nothing once the next has begun. Within one epoch a record is written over by later ones only, so a
 * write that was delayed, and given up by its sender, brings nothing back that has been run since.
 */
import { Script } from '../redis/lua.script.js';
import { BELIEVED_AHEAD_MS, HIGHEST_REVISION, MOST_AHEAD_MS } from './ticks.js';

/** More digits than these no revision of an owner has. */
const REVISION_DIGITS = String(HIGHEST_REVISION).length;

const COUNTED = `
local function counted(text)
  local number = type(text) == 'string' and tonumber(text) or 0
  return number >= 0 and number <= ${Number.MAX_SAFE_INTEGER} and number or 0
end
-- A key that is no hash was written by somebody else, and must not keep the job from its times.
local function valuesOf(key, ...)
  local values = redis.pcall('HMGET', key, ...)
  if not values.err then return values end
  if not string.find(values.err, 'WRONGTYPE', 1, true) then return values end
  redis.call('DEL', key)
  return redis.call('HMGET', key, ...)
end
-- Of a record; 0 where there is none, or one that no owner reaches.
local function revision(record)
  local digits = string.match(record or '', '^{"rev":(%d+)') or ''
  return #digits <= ${REVISION_DIGITS} and tonumber(digits) or 0
end
-- Of a record, see writerOf.
local function writer(record, epoch)
  if not record or record == '' then return -1 end
  local by = string.match(record, '^{"rev":%d+,"by":(%d+)')
  return math.min(tonumber(by or epoch), epoch)
end
local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
-- The claimed time: 0 for none, false for one that no clock said; see the invariant of BELIEVED_AHEAD_MS.
local function claimedBy(text, now)
  if not text then return 0 end
  local at = tonumber(text)
  return at ~= nil and at >= 0 and at <= now + ${BELIEVED_AHEAD_MS} and at
end
`;

/**
 * KEYS ticks · ARGV epoch, life → '' for a stale epoch, else the epoch before, the claimed time, the record, and what
 * stands for the claimed time where that is none; then the claimed time is the latest that any owner can have claimed.
 */
export const openTicksScript = new Script(
  'foundationTicksOpen',
  `${COUNTED}
local known = valuesOf(KEYS[1], 'epoch', 'claimed', 'record')
if known.err then return known end
if counted(known[1]) > tonumber(ARGV[1]) then return '' end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local now = clock()
local claimed = claimedBy(known[2], now)
local said = claimed and '' or '?' .. string.sub(known[2], 1, 40)
return { known[1] or '0', string.format('%.0f', claimed or now + ${MOST_AHEAD_MS}), known[3] or '', said }
`,
);

/**
 * KEYS ticks · ARGV epoch, life, record, topic, hint or '', then the claimed time and the id of the claim, if any → a
 * `TickAnswer`.
 */
export const writeTicksScript = new Script(
  'foundationTicksWrite',
  `${COUNTED}
local known = valuesOf(KEYS[1], 'epoch', 'claimed', 'claim', 'record')
if known.err then return known end
local before, epoch = counted(known[1]), tonumber(ARGV[1])
if before > epoch then return 'stale' end
-- What is written is its owner's, however high it is.
local digits = string.match(ARGV[3], '^{"rev":(%d+)') or '0'
if before == epoch and revision(known[4]) > tonumber(digits) then return 'late' end
if ARGV[6] then
  local now = clock()
  if tonumber(ARGV[6]) > now + ${MOST_AHEAD_MS} then return 'early' end
  local claimed = claimedBy(known[2], now) or 0
  if tonumber(ARGV[6]) < claimed then return 'taken' end
  if tonumber(ARGV[6]) == claimed and known[3] ~= ARGV[7] then return 'taken' end
  redis.call('HSET', KEYS[1], 'claimed', ARGV[6], 'claim', ARGV[7])
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'record', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return 'done'
`,
);

/** KEYS ticks of each → epoch, claimed time and record of each. */
export const readTicksScript = new Script(
  'foundationTicksRead',
  `
local kept = {}
for _, key in ipairs(KEYS) do
  local values = redis.pcall('HMGET', key, 'epoch', 'claimed', 'record')
  for i = 1, 3 do kept[#kept + 1] = not values.err and values[i] or '' end
end
return kept
`,
);

/**
 * KEYS ticks of each · ARGV life, then epoch, claimed time and record of each → 1. Puts back what is later than what is
 * there.
 *
 * INVARIANT (I27): what is put back claims times and gives none free, so nothing is fired twice by it; and an owner
 * that has begun in this life of the data is later than all that was written before. Its epoch is put back as one of
 * now at most: where the clock of Redis was set back, it must not keep the owners to come from their job, and whoever
 * has begun since is later.
 *
 * INVARIANT (I27): the claimed time is put back also where the record is not: the last words of an owner, that its run
 * has ended, may reach a Redis that has just lost its data, and claim nothing themselves.
 */
export const restoreTicksScript = new Script(
  'foundationTicksRestore',
  `${COUNTED}
local now = clock()
for i, key in ipairs(KEYS) do
  local epoch, claimed, record = tonumber(ARGV[i * 3 - 1]), tonumber(ARGV[i * 3]), ARGV[i * 3 + 1]
  local known = valuesOf(key, 'epoch', 'claimed', 'record')
  local before = not known.err and counted(known[1])
  local isBefore = before and before <= epoch and (epoch <= now * 1000 or before == 0 or before == epoch)
  if isBefore then
    local there, back = writer(known[3], before), writer(record, epoch)
    if there < back or there == back and revision(known[3]) < revision(record) then
      redis.call('HSET', key, 'record', record)
    end
    redis.call('HSET', key, 'epoch', string.format('%.0f', math.max(before, math.min(epoch, now * 1000))))
    if claimed > (claimedBy(known[2], now) or 0) then
      redis.call('HSET', key, 'claimed', string.format('%.0f', claimed))
      redis.call('HDEL', key, 'claim')
    end
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
return 1
`,
);
