/**
 * The script that writes the journal.
 * KEYS journal, marks, last number of this node · ARGV most entries, life of the journal, life of the marks, most
 * marks, then number, mark and text of each entry → how many were written.
 */
import { Script } from '../redis/lua.script.js';

/** In one step, so that what was written is known as written. */
export const appendScript = new Script(
  'foundationJournalAppend',
  `
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
local last = tonumber(redis.call('GET', KEYS[3]) or 0) or 0
local written = 0
for at = 5, #ARGV, 3 do
  local number, mark = tonumber(ARGV[at]), ARGV[at + 1]
  if number > last then
    last = number
    if mark == '' or redis.call('ZADD', KEYS[2], 'NX', now, mark) == 1 then
      redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[1], '*', 'm', ARGV[at + 2])
      written = written + 1
    end
  end
end
redis.call('SET', KEYS[3], string.format('%.0f', last), 'PX', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return written
`,
);
