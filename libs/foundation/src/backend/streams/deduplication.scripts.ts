/**
 * The Lua that remembers what a group was given of a durable channel, as `deduplication.ts` does, for all members of
 * the group.
 */
import { Script } from '../redis/lua.script.js';
import { MAX_RUNS } from './deduplication.js';

/**
 * Beyond its span a memory lives for so long, in milliseconds: twice what an id and a signed time may be apart, and
 * half of it again.
 */
const KEEP_MS = 900_000;

/**
 * Lua: lets the memory live as long as an entry of its span can be copied, by the clock of Redis, which the ids have.
 */
const LIVE = `
local t = redis.call('TIME')
local function live(key, to)
  local left = to - (t[1] * 1000 + math.floor(t[2] / 1000))
  redis.call('PEXPIRE', key, string.format('%.0f', math.max(0, left) + ${KEEP_MS}))
end
local function runsOf(text)
  local runs = {}
  for first, last in string.gmatch(text or '', '(%d+)-(%d+)') do runs[#runs + 1] = { tonumber(first), tonumber(last) } end
  return runs
end
`;

/**
 * KEYS memory · ARGV end of its span in ms, then sender, number and id of each → whether the memory was there; then 1
 * for each message that is this entry's, 0 for one that is another's or was handled.
 */
export const claimScript = new Script(
  'foundationStreamClaim',
  `${LIVE}
local reply, runs = { redis.call('EXISTS', KEYS[1]) }, {}
for at = 2, #ARGV, 3 do
  local sender, number, id = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  local message = sender .. ' ' .. ARGV[at + 1]
  local was = redis.call('HGET', KEYS[1], message)
  local mine = 1
  if was then
    if was ~= id then mine = 0 end
  else
    runs[sender] = runs[sender] or runsOf(redis.call('HGET', KEYS[1], sender))
    for _, run in ipairs(runs[sender]) do if run[1] <= number and number <= run[2] then mine = 0 end end
    if mine == 1 then redis.call('HSET', KEYS[1], message, id) end
  end
  reply[#reply + 1] = mine
end
live(KEYS[1], tonumber(ARGV[1]))
return reply
`,
);

/** KEYS memory · ARGV end of its span in ms, then sender and number of each → notes that they are handled. */
export const settleScript = new Script(
  'foundationStreamSettle',
  `${LIVE}
local all = {}
for at = 2, #ARGV, 2 do
  local sender, number = ARGV[at], tonumber(ARGV[at + 1])
  redis.call('HDEL', KEYS[1], sender .. ' ' .. ARGV[at + 1])
  all[sender] = all[sender] or runsOf(redis.call('HGET', KEYS[1], sender))
  local runs = all[sender]
  local after = #runs + 1
  while after > 1 and runs[after - 1][1] > number do after = after - 1 end
  local before, next = runs[after - 1], runs[after]
  if not (before and number <= before[2]) then
    local joins = before and before[2] == number - 1
    if next and next[1] == number + 1 then
      if joins then
        before[2] = next[2]
        table.remove(runs, after)
      else
        next[1] = number
      end
    elseif joins then
      before[2] = number
    else
      table.insert(runs, after, { number, number })
    end
  end
  if #runs > ${MAX_RUNS} then table.remove(runs, 1) end
end
for sender, runs in pairs(all) do
  local texts = {}
  for _, run in ipairs(runs) do texts[#texts + 1] = string.format('%.0f-%.0f', run[1], run[2]) end
  redis.call('HSET', KEYS[1], sender, table.concat(texts, ','))
end
live(KEYS[1], tonumber(ARGV[1]))
return 1
`,
);
