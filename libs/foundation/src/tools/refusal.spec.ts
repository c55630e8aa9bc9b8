import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { RedisUnavailableError } from '../errors.js';
import { redisError, refusalIn } from './refusal.js';

describe('refusalIn', () => {
  it.each([
    ['WRONGPASS invalid username-password pair or user is disabled.', 'WRONGPASS', /user name and password/],
    ['NOAUTH Authentication required.', 'NOAUTH', /user name and password/],
    ["NOPERM this user has no permissions to run the 'info' command", 'NOPERM: INFO', /missing permission.*doctor/],
    ["NOPERM User app has no permissions to run the 'config|get' command", 'NOPERM: CONFIG|GET', /missing permission/],
    ['NOPERM this user has no permissions to access one of the keys used as arguments', 'NOPERM: a key', /doctor/],
    ['NOPERM No permissions to access a channel', 'NOPERM: a channel', /doctor/],
    [`ERR The user executing the script can't run this command (the 'ZADD' command)`, 'NOPERM: ZADD', /doctor/],
    ['ERR DB index is out of range', 'DB index is out of range', /another database/],
  ])('finds one in %p', (text, reply, advice) => {
    expect(refusalIn(text)).toEqual({ reply, advice: expect.stringMatching(advice) });
  });

  it.each(['connect ECONNREFUSED 127.0.0.1:6379', 'Command timed out', 'LOADING Redis is loading'])(
    'finds none in %p, which passes',
    (text) => expect(refusalIn(text)).toBeUndefined(),
  );
});

describe('redisError', () => {
  it('shows nothing of what was sent, also of an error that has itself among others', () => {
    const cause = Object.assign(new Error('Connection is closed.'), {
      command: { name: 'auth', args: ['hunter2'] as unknown },
      previousErrors: [] as unknown[],
    });
    cause.previousErrors.push(cause, Object.assign(new Error('a'), { command: { name: 'set', args: ['hunter2'] } }));
    const error = redisError('127.0.0.1:6379', 'connecting', cause);
    expect(error).toBeInstanceOf(RedisUnavailableError);
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('hunter2');
  });
});
