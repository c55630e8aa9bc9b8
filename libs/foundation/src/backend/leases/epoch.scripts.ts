/**
 * The Lua of epochs: how they are minted, forgotten, and compared by what is fenced with them. Run by
 * `redlock.leases.ts`.
 */
import { LIFE } from '../redis/incarnation.script.js';
import { Script } from '../redis/lua.script.js';

/**
 * Lua: `epoch_in(key)` → the epoch in a key, 0 where there is none. What is no epoch was written by somebody else, and
 * must not keep a name, or all of them, from being owned: the next one is above it by the time of Redis.
 */
export const EPOCH_IN = `
local function counted(text)
  local epoch = type(text) == 'string' and tonumber(text) or 0
  return epoch >= 0 and epoch < ${Number.MAX_SAFE_INTEGER} and epoch or 0
end
local function epoch_in(key) return counted(redis.pcall('GET', key)) end
`;

/**
 * Lua: `mint(key, above, life)` → the next epoch: above what is stored, above `above`, and above every one of an
 * earlier life of Redis because it is at least its time in µs (which also lets the key of a name that is no longer used
 * expire after `life`).
 *
 * INVARIANT (I3): above the highest epoch that was forgotten of any name, which is kept in one key for all of them.
 * Forgetting raises that key before it deletes the other, in one script; so the least that this server mints for a name
 * never falls by it.
 */
export const MINT_EPOCH = `${EPOCH_IN}
local function mint(key, above, life)
  local t = redis.call('TIME')
  -- Beside it, in the same slot.
  local floor = epoch_in(string.match(key, '^(%b{})') .. ':epochs')
  local stored = epoch_in(key)
  local epoch = math.max(stored + 1, floor + 1, above + 1, t[1] * 1000000 + t[2])
  local text = string.format('%.0f', epoch)
  redis.call('SET', key, text, 'PX', life)
  return text
end
`;

/**
 * KEYS highest of the forgotten, then (lease, epoch) of each · ARGV life → 1. Forgets the epochs of names without an
 * owner; see the invariant of `mint`. That of a name that is owned again stays, so that a lookup finds that it was
 * owned since.
 */
export const forgetScript = new Script(
  'foundationLeaseForget',
  `${MINT_EPOCH}
local highest = epoch_in(KEYS[1])
local free = {}
for i = 2, #KEYS, 2 do
  local epoch = redis.call('EXISTS', KEYS[i]) == 0 and redis.pcall('GET', KEYS[i + 1])
  if epoch then
    highest = math.max(highest, counted(epoch))
    free[#free + 1] = KEYS[i + 1]
  end
end
if #free == 0 then return 1 end
redis.call('SET', KEYS[1], string.format('%.0f', highest), 'PX', ARGV[1])
for _, key in ipairs(free) do redis.call('DEL', key) end
return 1
`,
);

/** KEYS epoch → the last one that was minted, or '0'. */
export const lastEpochScript = new Script(
  'foundationLeaseLastEpoch',
  `${EPOCH_IN}
return string.format('%.0f', epoch_in(KEYS[1]))
`,
);

/** Before the least epoch of this life of the data, in the answer to a write with an older one. */
export const LOST = 'lost ';

/**
 * KEYS value, incarnation · ARGV epoch, life, boot id, number of the write, then the value, or nothing to delete it →
 * '' when done, the higher epoch that has written before, or `lost <epoch>` for an epoch that was minted before this
 * life of the data, with the least one that was not.
 *
 * INVARIANT (I4): Redis remembers the highest epoch that wrote, or refuses all that may be lower. When it lost the
 * epoch of a key, or went back to an older one, its life is a new one, and every epoch that it can have forgotten is
 * from before. An owner whose lease outlived that has it raised: see `Lease.refresh`.
 *
 * INVARIANT (I4): of the writes of one owner the last one counts, also where an earlier one was delayed, was given up
 * by its sender, and arrives after it. Each write of a node has a number, so the delayed one is found and changes
 * nothing, as if it had been written over.
 */
export const fencedSetScript = new Script(
  'foundationFencedSet',
  `${LIFE}
local known = redis.call('HMGET', KEYS[1], 'epoch', 'by')
local stored = known[1]
if stored and tonumber(stored) > tonumber(ARGV[1]) then return stored end
local _, _, least = life(KEYS[2])
if tonumber(ARGV[1]) < least then return '${LOST}' .. string.format('%.0f', least) end
local by, number = string.match(known[2] or '', '^(%S+) (%d+)$')
if stored == ARGV[1] and by == ARGV[3] and tonumber(number) > tonumber(ARGV[4]) then return '' end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'by', ARGV[3] .. ' ' .. ARGV[4])
if ARGV[5] then redis.call('HSET', KEYS[1], 'value', ARGV[5]) else redis.call('HDEL', KEYS[1], 'value') end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return ''
`,
);
