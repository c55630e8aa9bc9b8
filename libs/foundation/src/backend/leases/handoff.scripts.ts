/** The Lua by which an owner leaves a state to the next one. Run by `redlock.leases.ts`. */
import { Script } from '../redis/lua.script.js';

/**
 * KEYS lease, handoff, owner · ARGV token, state, ms → 1 when this token is the owner and the state is left. Its record
 * then says so: see the invariant of `inheritScript`.
 */
export const leaveScript = new Script(
  'foundationHandoffLeave',
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
if redis.call('HGET', KEYS[3], 'token') == ARGV[1] then redis.call('HSET', KEYS[3], 'left', ARGV[1]) end
return 1
`,
);

/**
 * KEYS lease, handoff, owner · ARGV token, ms → the state, or false.
 *
 * INVARIANT (I19): it is given to one owner only, the first that inherits, and marked as taken by that one's token; so
 * a second try of the same owner, whose answer was lost, gets it again, and a later owner never does. What is left is
 * JSON, which does not begin like a mark. The mark goes after `ms`, which is longer than an owner goes on asking.
 * An owner that has left a state takes none: a query of it that was delayed until then must not take its own away from
 * the next owner.
 */
export const inheritScript = new Script(
  'foundationHandoffInherit',
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('HGET', KEYS[3], 'left') == ARGV[1] then return false end
local state = redis.call('GET', KEYS[2])
if not state then return false end
local mark = 'taken:' .. ARGV[1] .. ':'
if string.sub(state, 1, #mark) == mark then return string.sub(state, #mark + 1) end
if string.sub(state, 1, 6) == 'taken:' then
  redis.call('DEL', KEYS[2])
  return false
end
redis.call('SET', KEYS[2], mark .. state, 'PX', ARGV[2])
return state
`,
);
