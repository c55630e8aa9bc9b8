import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { RedisRefusedError, RedisUnavailableError } from './connection.errors.js';
import { isOfRedis, redisError, refusalIn } from './refusal.js';

describe('refusalIn', () => {
  it.each([
    ['WRONGPASS invalid username-password pair or user is disabled.', 'WRONGPASS', /user name and password/],
    ['NOAUTH Authentication required.', 'NOAUTH', /user name and password/],
    ["NOPERM this user has no permissions to run the 'info' command", 'NOPERM: INFO', /missing permission.*doctor/],
    ["NOPERM User app has no permissions to run the 'config|get' command", 'NOPERM: CONFIG|GET', /missing permission/],
    ['NOPERM this user has no permissions to access one of the keys used as arguments', 'NOPERM: a key', /doctor/],
    ['NOPERM No permissions to access a channel', 'NOPERM: a channel', /doctor/],
    [`ERR The user executing the script can't run this command (the 'ZADD' command)`, 'NOPERM: ZADD', /doctor/],
    [
      `ERR ACL failure in script: User u has no permissions to run the 'zadd' command script: 3`,
      'NOPERM: ZADD',
      /doctor/,
    ],
    [
      `ERR ACL failure in script: No permissions to access a key script: 37df, on @user_script:1.`,
      'NOPERM: a key',
      /doctor/,
    ],
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

/** As ioredis makes it of an answer. */
const replyOf = (text: string) => Object.assign(new Error(text), { name: 'ReplyError' });

describe('what Redis answers', () => {
  it.each([
    ['MISCONF Redis is configured to save RDB snapshots, but it is unable to persist to disk.', /disk is full/],
    ["OOM command not allowed when used memory > 'maxmemory'.", /memory of Redis is full/],
    ['NOREPLICAS Not enough good replicas to write.', /min-replicas-to-write/],
    ["READONLY You can't write against a read only replica.", /a replica/],
    ['LOADING Redis is loading the dataset in memory', /loading/],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", /primary/],
    ['CLUSTERDOWN The cluster is down', /CLUSTER INFO/],
    ['BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.', /SCRIPT KILL/],
    ['ERR max number of clients reached', /maxclients/],
    ['ERR Error running script (call to f_1): @user_script:9: -MISCONF Redis is configured to save', /disk is full/],
  ])('%s is waited for, and the error says what to do', (text, advice) => {
    const error = redisError('h:1', 'joining', replyOf(text));
    expect(error).toBeInstanceOf(RedisUnavailableError);
    expect(error.message).toContain(text);
    expect(error.message).toMatch(/answers and does not do this now.*Foundation keeps trying/);
    expect(error.message).toMatch(advice);
    expect(isOfRedis(replyOf(text))).toBe(true);
  });

  it('what no table of ours has is refused in words of ours', () => {
    const error = redisError(
      'h:1',
      'joining',
      replyOf('WRONGTYPE Operation against a key holding the wrong kind of value'),
    );
    expect(error).toBeInstanceOf(RedisRefusedError);
    expect(error.message).toContain('WRONGTYPE');
    expect(isOfRedis(new TypeError('x is not a function'))).toBe(false);
  });
});
