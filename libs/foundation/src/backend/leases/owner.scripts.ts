/** The Lua that says who owns names, and when they can be had. Run by `redlock.leases.ts`. */
import { GRACE } from '../redis/incarnation.script.js';
import { Script } from '../redis/lua.script.js';

/**
 * The longest that a lease may last whose owner did not write down its ttl, in milliseconds: a node of a version before
 * this one, or one that died between Redlock's script and ours. Far above every sensible `lease.ttl`.
 */
const LONGEST_TTL_MS = 60_000;

/**
 * Lua: `overlong(lease, owner, pttl)` → the ttl of this lease when Redis would keep it for longer than its owner ever
 * requested, else false. That is so when the clock of Redis was set back, or the key was changed by hand: its owner
 * need not be alive.
 */
const OVERLONG = `
local function overlong(lease, owner, pttl)
  local known = redis.pcall('HMGET', owner, 'token', 'ttl')
  local isOwned = known[1] and redis.pcall('GET', lease) == known[1]
  local ttl = isOwned and tonumber(known[2] or '')
  if ttl and (pttl > ttl or pttl == -1) then return ttl end
  if not ttl and pttl > ${LONGEST_TTL_MS} then return ${LONGEST_TTL_MS} end
  return false
end
`;

/**
 * KEYS incarnation, then leases · ARGV grace ms, own ttl → grace left, then the PTTL of each (-2 = free).
 *
 * INVARIANT (I1): a lease is shortened to the ttl of its own owner only, counted from now. Its last acknowledged
 * renewal was sent before, so the owner has fenced itself by then; one that lives renews it for the full ttl again.
 */
export const standingScript = new Script(
  'foundationLeaseStanding',
  `${GRACE}${OVERLONG}
local left = grace(KEYS[1], ARGV[1])
local replies = { left }
for i = 2, #KEYS do
  local pttl = redis.call('PTTL', KEYS[i])
  if pttl == -1 or pttl > tonumber(ARGV[2]) then
    -- Beside the lease, in the same slot; named here because it is hardly ever needed.
    local owner = string.gsub(KEYS[i], ':lease:', ':owner:', 1)
    local ttl = overlong(KEYS[i], owner, pttl)
    if ttl then
      redis.call('PEXPIRE', KEYS[i], ttl)
      pttl = ttl
    end
  end
  replies[i] = pttl
end
return replies
`,
);

/**
 * KEYS (lease, owner) of each → for each: node, bootId, epoch, state, since, or nothing without a true owner.
 *
 * INVARIANT (I14): a lease that lasts longer than its owner ever requested is no sign of life.
 */
export const ownersScript = new Script(
  'foundationLeaseOwners',
  `${OVERLONG}
local replies = {}
for i = 1, #KEYS, 2 do
  local token = redis.pcall('GET', KEYS[i])
  local owner = redis.pcall('HMGET', KEYS[i + 1], 'token', 'node', 'bootId', 'epoch', 'state', 'since')
  if token and owner[1] == token and not overlong(KEYS[i], KEYS[i + 1], redis.call('PTTL', KEYS[i])) then
    replies[#replies + 1] = { owner[2], owner[3], owner[4], owner[5], owner[6] }
  else
    replies[#replies + 1] = {}
  end
end
return replies
`,
);
