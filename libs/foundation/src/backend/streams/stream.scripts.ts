/**
 * The Lua of the durable channels: what has to happen in one step, so that no message is in two places or in none.
 *
 */
import { Script } from '../redis/lua.script.js';

/** What XINFO says as name, value, name, value, as a table. */
const FIELDS_OF = `
local function fieldsOf(flat)
  local is = {}
  for at = 1, #flat, 2 do is[flat[at]] = flat[at + 1] end
  return is
end
`;

/**
 * KEYS stream, mark of the id · ARGV most entries, life of the mark, text, the time that it is for, how far the entry
 * may be from that → the id of the entry, after a `=` where the mark is there: the text was kept before. An entry that
 * is too far, and so cannot be handled, is not marked.
 */
export const appendOnceScript = new Script(
  'foundationStreamAppendOnce',
  `
local before = redis.call('GET', KEYS[2])
if before then return '=' .. before end
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'm', ARGV[3])
local made = tonumber(string.match(id, '^(%d+)-'))
if math.abs(made - tonumber(ARGV[4])) <= tonumber(ARGV[5]) then redis.call('SET', KEYS[2], id, 'PX', ARGV[2]) end
return id
`,
);

/**
 * KEYS stream · ARGV life of the stream, ids → those that are not in it. Writes, so that a WAIT or WAITAOF after it on
 * the same connection is for all that is in the stream by now, whoever wrote that.
 */
export const confirmScript = new Script(
  'foundationStreamConfirm',
  `
local gone = {}
for at = 2, #ARGV do
  if #redis.call('XRANGE', KEYS[1], ARGV[at], ARGV[at]) == 0 then gone[#gone + 1] = ARGV[at] end
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return gone
`,
);

/**
 * KEYS stream · ARGV group, from → makes the group if there is none, and notes how many entries of the stream come
 * before it, so that what is trimmed later can be counted. Redis 7 can note that; for a group that begins in the middle
 * only once it has read to the end.
 */
export const groupScript = new Script(
  'foundationStreamGroup',
  `${FIELDS_OF}
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[2], 'MKSTREAM')
if made.err then
  if string.find(made.err, 'BUSYGROUP', 1, true) then return 0 end
  return made
end
local is = fieldsOf(redis.call('XINFO', 'STREAM', KEYS[1]))
local added = is['entries-added']
if not added then return 1 end
if ARGV[2] == '0' then
  redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], '0', 'ENTRIESREAD', added - is.length)
elseif ARGV[2] == '$' then
  redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], '$', 'ENTRIESREAD', added)
end
return 1
`,
);

/**
 * KEYS stream · ARGV group, consumer, count → how many entries were trimmed before the group read them, and what
 * XREADGROUP says. In one step, so that nothing is trimmed in between.
 *
 * Nothing that is kept was read by the group when its last id is older than all of it; then all that is not kept is
 * read or lost. What is lost is noted as read, so that it is reported once, by one member of the group. Redis 7 can
 * tell.
 */
export const readScript = new Script(
  'foundationStreamRead',
  `${FIELDS_OF}
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('NOGROUP the stream is gone') end
local lost = 0
local stream = fieldsOf(redis.call('XINFO', 'STREAM', KEYS[1]))
for _, each in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = fieldsOf(each)
  local added, read, last = stream['entries-added'], group['entries-read'], group['last-delivered-id']
  if group.name == ARGV[1] and added and read then
    local gone = added - stream.length
    if gone > read and #redis.call('XRANGE', KEYS[1], '-', last, 'COUNT', 1) == 0 then
      lost = gone - read
      redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], last, 'ENTRIESREAD', gone)
    end
  end
end
return {lost, redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '>')}
`,
);

/**
 * KEYS stream, dead letters · ARGV group, consumer, min idle, max deliveries, alone from, batch, count, max dead, life
 * of the dead letters, whether others are under way → 1 when more is due, 2 when one is that is to be alone and others
 * are under way; then id, text, deliveries of each entry that is this consumer's now; the
 * same, with the count negative, of each that was buried; and with the count 0 of each that is gone.
 *
 * A consumer that an entry kills had others, whose deliveries are counted, too. So an entry that was delivered
 * `alone from` times is claimed by itself, once nothing else is due: the innocent ones get past the poisonous one.
 *
 * XAUTOCLAIM would not tell the deliveries; and of deleted entries each version of Redis says something else, so each
 * entry is claimed alone.
 */
export const sweepScript = new Script(
  'foundationStreamSweep',
  `
local reply, claimed, alone, more = {0}, 0, nil, 0
local function add(id, text, deliveries)
  reply[#reply + 1] = id; reply[#reply + 1] = text; reply[#reply + 1] = deliveries
end
local function claim(id, text, deliveries)
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], id)
  claimed = claimed + 1
  add(id, text, deliveries + 1)
end
for _, pending in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', ARGV[7])) do
  local id, deliveries = pending[1], pending[4]
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if not entry then
    redis.call('XACK', KEYS[1], ARGV[1], id)
    add(id, '', 0)
  elseif deliveries >= tonumber(ARGV[4]) then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[8], '*', 'id', id, 'group', ARGV[1], 'deliveries', deliveries,
      'reason', 'delivered ' .. deliveries .. ' times without an acknowledgement', 'message', entry[2][2])
    redis.call('PEXPIRE', KEYS[2], ARGV[9])
    redis.call('XACK', KEYS[1], ARGV[1], id)
    add(id, entry[2][2], -deliveries)
  elseif deliveries >= tonumber(ARGV[5]) then
    if ARGV[10] == '1' then more = 2 elseif alone then more = 1 else alone = {id, entry[2][2], deliveries} end
  elseif claimed >= tonumber(ARGV[6]) then
    more = math.max(more, 1)
  else
    claim(id, entry[2][2], deliveries)
  end
end
if alone and claimed == 0 then claim(unpack(alone)) elseif alone then more = 1 end
reply[1] = more
return reply
`,
);

/**
 * KEYS stream · ARGV group, consumer, retry after, then id and deliveries of each → releases what is still this
 * consumer's: it is due at once, and this time does not count.
 */
export const releaseScript = new Script(
  'foundationStreamRelease',
  `
for at = 4, #ARGV, 2 do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[at], ARGV[at], 1, ARGV[2]) > 0 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[at], 'IDLE', ARGV[3], 'RETRYCOUNT', ARGV[at + 1] - 1, 'JUSTID')
  end
end
return 1
`,
);

/**
 * KEYS stream · ARGV group, consumer, ids → makes those that are still this consumer's look young. None of another
 * consumer are taken away.
 */
export const keepScript = new Script(
  'foundationStreamKeep',
  `
for at = 3, #ARGV do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[at], ARGV[at], 1, ARGV[2]) > 0 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[at], 'JUSTID')
  end
end
return 1
`,
);

/**
 * KEYS stream, dead letters · ARGV group, consumer, id, deliveries, reason, message, max dead, life of the dead letters
 * → 1, or 0 when the entry is no longer this consumer's: another one may be handling it. In one step, so that no
 * entry is in both or in neither.
 */
export const buryScript = new Script(
  'foundationStreamBury',
  `
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then return 0 end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], '*', 'id', ARGV[3], 'group', ARGV[1], 'deliveries', ARGV[4],
  'reason', ARGV[5], 'message', ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[8])
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
return 1
`,
);

/**
 * KEYS stream · ARGV group, consumer, forget after → removes consumers that have nothing pending: this one, or those
 * that are gone.
 */
export const forgetScript = new Script(
  'foundationStreamForget',
  `${FIELDS_OF}
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local is = fieldsOf(consumer)
  local gone = is.name == ARGV[2] or is.idle > tonumber(ARGV[3])
  if gone and is.pending == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], is.name) end
end
return 1
`,
);

/**
 * KEYS stream, groups, dead letters · ARGV group, unused ms → how many groups were removed: those that were not used
 * for that long. Notes that this one is used, and prolongs the life of the channel.
 *
 * INVARIANT (I24): no group is removed that a consumer reads, whatever was noted: nodes of the version before note
 * nothing, and a group that is seen for the first time counts as used then. At most a hundred go at a time, so that
 * Redis is not kept.
 */
export const useScript = new Script(
  'foundationStreamUse',
  `${FIELDS_OF}
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function used(group) redis.call('ZADD', KEYS[2], string.format('%.0f', now), group) end
used(ARGV[1])
local stream = fieldsOf(redis.call('XINFO', 'STREAM', KEYS[1]))
if tonumber(stream.groups or 0) > redis.call('ZCARD', KEYS[2]) then
  for _, each in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local name = fieldsOf(each).name
    if not redis.call('ZSCORE', KEYS[2], name) then used(name) end
  end
end
local function isRead(group)
  local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], group)
  if consumers.err then return false end
  for _, each in ipairs(consumers) do
    if fieldsOf(each).idle < tonumber(ARGV[2]) then return true end
  end
  return false
end
local removed = 0
local limit = string.format('%.0f', now - tonumber(ARGV[2]))
for _, group in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. limit, 'LIMIT', 0, 100)) do
  if isRead(group) then
    used(group)
  else
    removed = removed + redis.call('XGROUP', 'DESTROY', KEYS[1], group)
    redis.call('ZREM', KEYS[2], group)
  end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end
return removed
`,
);
