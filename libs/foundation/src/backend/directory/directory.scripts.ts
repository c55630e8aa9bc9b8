/**
 * The Lua of the node directory, run by `redis.directory.ts`: each change of a record, its beat and the view is one
 * step.
 */
import { GRACE } from '../redis/incarnation.script.js';
import { Script } from '../redis/lua.script.js';

const NOW = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
`;

/** So many changes of the view can be read one by one; who is further behind reads all. */
const KEPT_CHANGES = 128;

/**
 * Lua: `changed()` raises the view's version, above every one of an earlier life of Redis, hints, and logs whose record
 * it was. Each line names the version before, so that a change that another version of this library made without a line
 * is a gap in the log, and is read with all the others.
 */
const CHANGED = `
local function changed(view, log, topic, names)
  local before = redis.call('GET', view) or '0'
  local version = string.format('%.0f', math.max(tonumber(before) + 1, t[1] * 1000000 + t[2]))
  redis.call('SET', view, version)
  for _, name in ipairs(names) do redis.call('ZADD', log, version, version .. ' ' .. before .. ' ' .. name) end
  redis.call('ZREMRANGEBYRANK', log, 0, -${KEPT_CHANGES + 1})
  redis.call('PUBLISH', topic, '{"t":"view"}')
end
`;

/** A node cannot be kept for longer than this after its last beat, in milliseconds. */
export const LONGEST_TTL_MS = 600_000;

/**
 * Lua: `times(name, ttl, late)` → after how long without a beat this node is down, and late; by its own record, since
 * it beats by its own times, and by the given ones where it does not say. In JSON no text and no key of a map can match
 * these.
 */
const TIMES = `
local function times(name, ttl, late)
  local record = redis.call('HGET', KEYS[1], name) or ''
  local own = tonumber(string.match(record, '"ttl":(%d+)') or '')
  if not own then return ttl, late end
  local every = tonumber(string.match(record, '"beatEvery":(%d+)') or '') or own / 2
  return math.min(own, math.max(ttl, ${LONGEST_TTL_MS})), math.min(2 * every, own)
end
`;

/**
 * KEYS nodes, beats, view, incarnation, seal, expected, changes ·
 * ARGV name, bootId, record, ttl, topic, grace, joined before or
 * 0, fingerprint of the cookie, refusal, record that is not believed, or '' → '' and the time of the join when joined,
 * `cookie` when the nodes that live have another one, else bootId and beat of the other. Who joins again keeps its
 * time, and with it its seniority; what it found in the place of its record, and does not believe, is not another node.
 */
export const joinScript = new Script(
  'foundationNodeJoin',
  `${GRACE}${NOW}${CHANGED}${TIMES}
grace(KEYS[4], ARGV[6])
local function lives(name, beat)
  return math.abs(now - beat) < times(name, tonumber(ARGV[4]), 0)
end
local cookie = redis.call('GET', KEYS[5])
if cookie and cookie ~= ARGV[8] then
  local beats = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
  for i = 1, #beats, 2 do
    if lives(beats[i], tonumber(beats[i + 1])) then
      redis.call('PUBLISH', ARGV[5], ARGV[9])
      return { 'cookie', '0' }
    end
  end
end
redis.call('SET', KEYS[5], ARGV[8])
local record = redis.call('HGET', KEYS[1], ARGV[1])
if record and record ~= ARGV[10] then
  local boot = string.match(record, '^(%S+) ')
  local beat = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or '0')
  if boot ~= ARGV[2] and lives(ARGV[1], beat) then return { boot or '?', string.format('%.0f', beat) } end
end
local joined = now
if tonumber(ARGV[7]) > 0 and tonumber(ARGV[7]) < now then joined = tonumber(ARGV[7]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. string.format('%.0f', joined) .. ' ' .. ARGV[3])
redis.call('ZADD', KEYS[2], now, ARGV[1])
local members = redis.call('ZCARD', KEYS[2])
-- Who comes alone begins a cluster anew; who joins again may be alone because the others are missing.
if members > 1 or ARGV[7] ~= '0' then members = math.max(members, tonumber(redis.call('GET', KEYS[6]) or '0')) end
redis.call('SET', KEYS[6], members)
changed(KEYS[3], KEYS[7], ARGV[5], { ARGV[1] })
return { '', string.format('%.0f', joined) }
`,
);

/**
 * KEYS nodes, beats, view, incarnation, table versions, changes ·
 * ARGV name, bootId, ttl, late after ms, grace, topic, record or
 * '', changed 0|1, hint of the load or '', shortest time after which a node is late, ms since the last beat of this
 * node that was answered, or
 * -1 → status, view version, table version, incarnation, now, other boot id, its record, longest grace and for how long
 * it is kept, then the late members.
 *
 * Each heartbeat also evicts the nodes whose time has run out: there is no leader for it, and doing it twice does
 * nothing.
 *
 * INVARIANT (I25): a node is judged by the times that it beats by, which its record says, and never by a clock that
 * jumped: where Redis counted another time since this node's last beat than the node itself, all beats are moved by the
 * difference. Not where another node has beaten within that difference: a clock that jumped had left its beat behind,
 * so what took the time was the way of this one beat. With no other node that lives to tell, a beat that was delayed
 * looks like a jump, and who died is removed later by the delay; a beat is waited for by its command timeout at most.
 */
export const beatScript = new Script(
  'foundationNodeBeat',
  `${GRACE}${NOW}${CHANGED}${TIMES}
local _, _, longest_grace, kept_for = grace(KEYS[4], ARGV[5])
local status, other, theirs = 'ok', '', ''
local record = redis.call('HGET', KEYS[1], ARGV[1])
local boot, joined
if record then boot, joined = string.match(record, '^(%S+) (%d+) ') end
if not record then
  status = 'gone'
elseif boot ~= ARGV[2] then
  status = 'replaced'
  other = boot or '?'
  theirs = record
else
  local last, silent = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or ''), tonumber(ARGV[11])
  local jump = last and silent >= 0 and now - last - silent or 0
  -- Its own last beat is longer ago than that.
  local is_delayed = jump > 1000
    and #redis.call('ZRANGEBYSCORE', KEYS[2], now - jump + 1000, now, 'LIMIT', '0', '1') > 0
  if math.abs(jump) > 1000 and not is_delayed then
    local beats = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
    for i = 1, #beats, 2 do
      local beat = tonumber(beats[i + 1])
      -- One that has beaten since the jump is in the present, and stays there.
      if jump > 0 or beat > now then redis.call('ZADD', KEYS[2], math.min(now, beat + jump), beats[i]) end
    end
  end
  redis.call('ZADD', KEYS[2], now, ARGV[1])
  if ARGV[7] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. joined .. ' ' .. ARGV[7]) end
  if ARGV[8] == '1' then
    changed(KEYS[3], KEYS[6], ARGV[6], { ARGV[1] })
  elseif ARGV[9] ~= '' then
    redis.call('PUBLISH', ARGV[6], ARGV[9])
  end
end
local late, ended = {}, {}
local function look(from, to)
  local beats = redis.call('ZRANGEBYSCORE', KEYS[2], from, to, 'WITHSCORES')
  for i = 1, #beats, 2 do
    local age = math.abs(now - tonumber(beats[i + 1]))
    local ttl, lateAfter = times(beats[i], tonumber(ARGV[3]), tonumber(ARGV[4]))
    if age >= ttl then
      redis.call('ZREM', KEYS[2], beats[i])
      redis.call('HDEL', KEYS[1], beats[i])
      ended[#ended + 1] = beats[i]
    elseif age >= lateAfter then
      late[#late + 1] = beats[i]
    end
  end
end
-- A beat from the future is one from before the clock of Redis was set back.
look('-inf', now - tonumber(ARGV[10]))
look(now + tonumber(ARGV[10]), '+inf')
if #ended > 0 then changed(KEYS[3], KEYS[6], ARGV[6], ended) end
local newest = redis.call('ZRANGE', KEYS[5], -1, -1, 'WITHSCORES')
local reply = { status, redis.call('GET', KEYS[3]) or '0', newest[2] or '0', redis.call('GET', KEYS[4]) or '',
  string.format('%.0f', now), other, theirs,
  string.format('%.0f', longest_grace), string.format('%.0f', kept_for) }
for _, name in ipairs(late) do reply[#reply + 1] = name end
return reply
`,
);

/**
 * KEYS nodes, beats, view, left, expected, changes ·
 * ARGV name, bootId, topic, reason → 1 when this boot id's record was
 * removed. Who leaves in order is not missing: the cluster is to have one node less.
 */
export const leaveScript = new Script(
  'foundationNodeLeave',
  `${NOW}${CHANGED}
local record = redis.call('HGET', KEYS[1], ARGV[1])
if not record or string.match(record, '^(%S+) ') ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[4], ARGV[4], 'PX', 60000)
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('SET', KEYS[5], math.max(tonumber(redis.call('GET', KEYS[5]) or '0') - 1, redis.call('ZCARD', KEYS[2])))
changed(KEYS[3], KEYS[6], ARGV[3], { ARGV[1] })
return 1
`,
);

/**
 * KEYS view, nodes, expected, changes ·
 * ARGV version that the reader has, or '' → version, expected, `all` or `some`,
 * then name and text of all nodes, or of those that have changed since, with '' for those that are gone. `some` only
 * where the log has every change: several lines of one version are one change.
 */
export const viewScript = new Script(
  'foundationNodesView',
  `
local version = redis.call('GET', KEYS[1]) or '0'
local reply = { version, redis.call('GET', KEYS[3]) or '0', 'all' }
if ARGV[1] ~= '' then
  local names, seen, at, before, known = {}, {}, version, version, version == ARGV[1]
  if not known then
    for _, line in ipairs(redis.call('ZREVRANGE', KEYS[4], 0, -1)) do
      local to, from, name = string.match(line, '^(%d+) (%d+) (.*)$')
      if to ~= at then
        known = before == ARGV[1]
        if known or to ~= before then break end
        at = to
      end
      before = from
      if not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
    end
    known = known or before == ARGV[1]
  end
  if known then
    reply[3] = 'some'
    for _, name in ipairs(names) do
      reply[#reply + 1] = name
      reply[#reply + 1] = redis.call('HGET', KEYS[2], name) or ''
    end
    return reply
  end
end
for _, text in ipairs(redis.call('HGETALL', KEYS[2])) do reply[#reply + 1] = text end
return reply
`,
);

/**
 * KEYS view, table versions, incarnation, seal, beats → view version, table version, incarnation, seal, now, then name
 * and beat of each.
 * It reads only: an observer from outside has the times of no node, and must evict none.
 */
export const lookScript = new Script(
  'foundationNodesLook',
  `${NOW}
local newest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
local reply = { redis.call('GET', KEYS[1]) or '0', newest[2] or '0', redis.call('GET', KEYS[3]) or '',
  redis.call('GET', KEYS[4]) or '', string.format('%.0f', now) }
for _, text in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1, 'WITHSCORES')) do reply[#reply + 1] = text end
return reply
`,
);
