/**
 * The Lua of the leases, run by `redlock.leases.ts`. Redlock's own scripts take and free the lock itself.
 * Invariant of every script that grants or prolongs: only for the token that holds the key, or for the last holder in
 * the grace after data loss. And of those that give a lease life: not when they arrive too late; see `IN_TIME`. A key
 * that was turned into something else belongs to a stranger, and says nothing of the other leases in the same call:
 * `pcall`.
 */
import { GRACE } from '../redis/incarnation.script.js';
import { Script } from '../redis/lua.script.js';
import { EPOCH_IN, MINT_EPOCH } from './epoch.scripts.js';

/** Put before Redlock's acquire script: during the grace the name counts as locked. ARGV[2] is Redlock's duration. */
export const ACQUIRE_GUARD = `${GRACE}
if grace(string.match(KEYS[1], '^(%b{})') .. ':incarnation', math.ceil(ARGV[2] * 1.01) + 2) > 0 then return 0 end
`;

/**
 * Lua: `own(key, life, token, node, boot, epoch, state, since, ttl)` writes the record of a new owner, in the place of
 * all that was there.
 */
const OWN = `
local function own(key, life, token, node, boot, epoch, state, since, ttl)
  redis.call('DEL', key)
  redis.call('HSET', key, 'token', token, 'node', node, 'bootId', boot, 'epoch', epoch, 'state', state,
    'since', string.format('%.0f', since), 'ttl', ttl)
  redis.call('PEXPIRE', key, life)
end
`;

/**
 * KEYS incarnation, lease, epoch, owner · ARGV token, grace ms, node, bootId, ttl, floor, life of the epoch, of the
 * owner → the new epoch; of an owner before that did not give the name back its node and epoch, or '', and '1' where it
 * was another node that had not started what it owned; '' when not the holder.
 */
export const mintScript = new Script(
  'foundationLeaseMint',
  `${GRACE}${MINT_EPOCH}${OWN}
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return '' end
local left, now, _, _, least = grace(KEYS[1], ARGV[2])
if left > 0 then return '' end
local epoch = mint(KEYS[3], math.max(tonumber(ARGV[6]), least), ARGV[7])
local was = redis.pcall('HMGET', KEYS[4], 'node', 'state', 'epoch', 'bootId')
local unstarted = was[2] == 'starting' and was[4] ~= ARGV[4]
own(KEYS[4], ARGV[8], ARGV[1], ARGV[3], ARGV[4], epoch, 'starting', now, ARGV[5])
return { epoch, was[1] or '', was[3] or '', unstarted and '1' or '' }
`,
);

/**
 * Lua: `in_time(sent, wait)` → whether this script arrived while its answer is waited for, and the Redis time in ms.
 * `sent` is when it was sent, by this very Redis' clock as its last answer said (see \`server.clock.ts\`),
 * or -1 before its first answer.
 *
 * INVARIANT (I14): a script that gives a lease life does nothing when it arrives later than \`wait\` after it was sent,
 * whatever the network did with it: its owner has given up that attempt, and may have fenced itself. So after the
 * deadline of an owner no script of it makes its lease live longer, or anew in a Redis that lost it, and a lookup names
 * it for no longer than the lease that it had, counted from its last renewal in time.
 *
 * INVARIANT (I1): it only ever refuses: what is granted lasts as long as it did, so no other node can own sooner than
 * before.
 *
 * Clocks: only differences by the clock of one Redis count, over the time since its last answer, a renewal ago. Where
 * that clock went ahead meanwhile, what is in time counts as late: the answer has its new time, and the owner tries
 * once more while it is one. Where it went back by a jump, a late script is not known as such until the next answer:
 * then it is as it was without this rule.
 *
 * What else may come late needs no such rule: \`mint\`, \`announce\` and \`prolong\` write beside a lease that their
 * token holds at that moment, and count with it only; Redlock's acquire makes a lease that names no node until a
 * \`mint\`; \`farewell\` takes away.
 */
const IN_TIME = `
local function in_time(sent, wait)
  local t = redis.call('TIME')
  local now = t[1] * 1000 + math.floor(t[2] / 1000)
  return tonumber(sent) >= 0 and now - tonumber(sent) <= tonumber(wait), string.format('%.0f', now)
end
`;

/**
 * KEYS lease, owner · ARGV token, topic, hint, life of the owner → 1 when this token is the owner and is now shown as
 * running.
 */
export const announceScript = new Script(
  'foundationLeaseAnnounce',
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'state', 'running')
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
`,
);

/**
 * KEYS leases · ARGV ttl, sent, wait, then the token of each → the Redis time, then for each: 1 renewed, 0 gone, -1
 * another node's; '' for all when it came too late. One call for all leases of a node.
 */
export const renewScript = new Script(
  'foundationLeaseRenew',
  `${IN_TIME}
local fresh, now = in_time(ARGV[2], ARGV[3])
-- Before the first answer nothing is known to be late, and a lease that was won slowly must not wait.
fresh = fresh or tonumber(ARGV[2]) < 0
local replies = { now }
for i, lease in ipairs(KEYS) do
  replies[i + 1] = ''
  if fresh then
    local value = redis.pcall('GET', lease)
    if value == ARGV[i + 3] then
      redis.call('PEXPIRE', lease, ARGV[1])
      replies[i + 1] = 1
    else
      replies[i + 1] = value and -1 or 0
    end
  end
end
return replies
`,
);

/**
 * The careful renewal: after an unacknowledged one, for a lease that is gone, and for one whose epoch is older than
 * this life of the data.
 *
 * KEYS incarnation, then (lease, epoch, owner) of each · ARGV grace ms, node, bootId, full ttl, life of the epoch, of
 * the owner, sent, wait, margin, then (token, ttl, held epoch, state to reclaim with, or '') of each → the Redis time,
 * then for each: the epoch that counts, '' when the lease is lost, or 'late' when it came too late to reclaim: then it
 * may be tried again.
 *
 * INVARIANT (I14): a reclaim is over when its owner is: `ttl` is what the owner has left and the margin, so one that
 * arrives when the owner has fenced itself would mint an epoch that no owner ever has. Raising is over then, too.
 */
export const recoverScript = new Script(
  'foundationLeaseRecover',
  `${GRACE}${MINT_EPOCH}${OWN}${IN_TIME}
local fresh, at = in_time(ARGV[7], ARGV[8])
local left, now, _, _, least = grace(KEYS[1], ARGV[1])
local replies = { at }
local function begin(i, held)
  local epoch, owner, token, state = KEYS[i * 3 + 3], KEYS[i * 3 + 4], ARGV[i * 4 + 10], ARGV[i * 4 + 13]
  local minted = mint(epoch, math.max(tonumber(held), least), ARGV[5])
  own(owner, ARGV[6], token, ARGV[2], ARGV[3], minted, state, now, ARGV[4])
  return minted
end
for i = 0, (#KEYS - 1) / 3 - 1 do
  local lease, epoch, owner = KEYS[i * 3 + 2], KEYS[i * 3 + 3], KEYS[i * 3 + 4]
  local token, ttl, held, state = ARGV[i * 4 + 10], ARGV[i * 4 + 11], ARGV[i * 4 + 12], ARGV[i * 4 + 13]
  local value = redis.pcall('GET', lease)
  local reply = ''
  local is_owner = state ~= '' and fresh and in_time(ARGV[7], tonumber(ttl) - tonumber(ARGV[9]))
  if value == token then
    -- Never less than it has: a renewal that arrives late must not shorten a newer one.
    if (fresh or tonumber(ARGV[7]) < 0) and redis.call('PTTL', lease) < tonumber(ttl) then
      redis.call('PEXPIRE', lease, ttl)
    end
    -- The answer to a reclaim may be what was lost: the epoch that it minted is the one that counts.
    local minted = redis.pcall('HGET', owner, 'epoch')
    reply = counted(minted) > tonumber(held) and minted or held
    if tonumber(reply) < least and is_owner then reply = begin(i, reply) end
  elseif not value and state ~= '' and not is_owner then
    reply = 'late'
  elseif not value and state ~= '' then
    if left > 0 and tonumber(held) >= epoch_in(epoch) then
      redis.call('SET', lease, token, 'PX', ttl)
      reply = begin(i, held)
    end
  end
  replies[i + 2] = reply
end
return replies
`,
);

/**
 * KEYS (lease, epoch, owner) of each · ARGV node, bootId, ttl, life of the epoch, of the owner, sent, wait, then
 * (token, epoch, state) of each → the Redis time, then for each: 1 when this server now has the lease with at least
 * this epoch, 0 when the lease is another node's here, or is gone and this came too late to restore it.
 */
export const confirmScript = new Script(
  'foundationLeaseConfirm',
  `${EPOCH_IN}${IN_TIME}
local fresh, now = in_time(ARGV[6], ARGV[7])
local replies = { now }
for i = 0, #KEYS / 3 - 1 do
  local lease, stored, owner = KEYS[i * 3 + 1], KEYS[i * 3 + 2], KEYS[i * 3 + 3]
  local token, epoch, state = ARGV[i * 3 + 8], ARGV[i * 3 + 9], ARGV[i * 3 + 10]
  local value = redis.pcall('GET', lease)
  if not value and fresh then
    redis.call('SET', lease, token, 'PX', ARGV[3])
    value = token
  end
  replies[i + 2] = 0
  if value == token then
    if epoch_in(stored) < tonumber(epoch) then
      redis.call('SET', stored, epoch, 'PX', ARGV[4])
    end
    local known = redis.pcall('HMGET', owner, 'token', 'since', 'state')
    if known.err then redis.call('DEL', owner) end
    local is_known = known[1] == token
    -- A confirmation that was delayed must not take back that its owner runs.
    if is_known and known[3] == 'running' then state = 'running' end
    redis.call('HSET', owner, 'token', token, 'node', ARGV[1], 'bootId', ARGV[2], 'epoch', epoch, 'state', state,
      'since', is_known and known[2] or now, 'ttl', ARGV[3])
    redis.call('PEXPIRE', owner, ARGV[5])
    replies[i + 2] = 1
  end
end
return replies
`,
);

/**
 * KEYS (lease, epoch, owner) of each · ARGV node, bootId, ttl, life of the epoch, of the owner, then (token, epoch,
 * state) of each → prolongs what belongs to the leases that these tokens hold, and restores what is gone of it. The
 * leases themselves are not touched, and nothing is done for one that is another node's.
 */
export const prolongScript = new Script(
  'foundationLeaseProlong',
  `${EPOCH_IN}${OWN}
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 0, #KEYS / 3 - 1 do
  local lease, stored, owner = KEYS[i * 3 + 1], KEYS[i * 3 + 2], KEYS[i * 3 + 3]
  local token, epoch, state = ARGV[i * 3 + 6], ARGV[i * 3 + 7], ARGV[i * 3 + 8]
  if redis.pcall('GET', lease) == token then
    if epoch_in(stored) < tonumber(epoch) then redis.call('SET', stored, epoch) end
    redis.call('PEXPIRE', stored, ARGV[4])
    if redis.pcall('HGET', owner, 'token') ~= token then
      own(owner, ARGV[5], token, ARGV[1], ARGV[2], epoch, state, now, ARGV[3])
    else
      redis.call('PEXPIRE', owner, ARGV[5])
    end
  end
end
return 1
`,
);

/**
 * KEYS lease, owner, epoch · ARGV token, topic, hint, life of the epoch → clears the owner record of this token, lets
 * the epoch go sooner, and hints that the name is free.
 *
 * The lease is gone by now, unless Redlock's release did not arrive; then it goes here, so that no node waits for its
 * ttl.
 */
export const farewellScript = new Script(
  'foundationLeaseFarewell',
  `
if redis.pcall('HGET', KEYS[2], 'token') == ARGV[1] then
  redis.call('DEL', KEYS[2])
  redis.call('PEXPIRE', KEYS[3], ARGV[4])
end
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return 1
`,
);
