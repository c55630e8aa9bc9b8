import { describe, expect, it } from '@jest/globals';
import { cookieName, cookieOf, EndedSessions, isToken, SESSION_MS, sessionEnd, sessionFor } from './login.session.js';

const TOKEN = 'the token of this spec';
const NOW = 1_760_000_000_000;

describe('a session', () => {
  it('is good for its time and for the token that it was made with', () => {
    const session = sessionFor(TOKEN, NOW);
    expect(sessionEnd(TOKEN, session, NOW + SESSION_MS - 1)).toBe(NOW + SESSION_MS);
    expect(sessionEnd(TOKEN, session, NOW + SESSION_MS)).toBeUndefined();
    expect(sessionEnd('another token of this spec', session, NOW)).toBeUndefined();
    expect(session).not.toContain(TOKEN);
  });

  it('cannot be made longer, or be anything else', () => {
    const session = sessionFor(TOKEN, NOW);
    const [until = '', mac = ''] = session.split('.');
    const others = [
      `${Number(until) + 1}.${mac}`,
      `${session}.`,
      `${session}x`,
      until,
      `.${mac}`,
      '',
      '.',
      `1e99.${mac}`,
    ];
    for (const other of others) expect(sessionEnd(TOKEN, other, NOW)).toBeUndefined();
    expect(sessionEnd(TOKEN, undefined, NOW)).toBeUndefined();
  });

  it('is found among the cookies of a request', () => {
    const name = cookieName(TOKEN);
    expect(cookieOf(TOKEN, `a=1; ${name}=12.ab; b=2`)).toBe('12.ab');
    for (const header of [undefined, '', `${name}x=1`, 'x; =', `${cookieName('another token')}=12.ab`])
      expect(cookieOf(TOKEN, header)).toBeUndefined();
    expect(name).toMatch(/^foundation-dashboard-[\w-]{8}$/);
  });

  it('can be ended before its time, and is forgotten after it', () => {
    const ended = new EndedSessions();
    ended.add('a', NOW + 10, NOW);
    expect([ended.has('a'), ended.has('b')]).toEqual([true, false]);
    ended.add('b', NOW + 20, NOW + 10);
    expect([ended.has('a'), ended.has('b')]).toEqual([false, true]);
  });

  it('begins with the token and nothing like it', () => {
    expect(isToken(TOKEN, TOKEN)).toBe(true);
    for (const shown of ['', `${TOKEN} `, TOKEN.slice(1), undefined, null, 1, {}, [TOKEN]]) {
      expect(isToken(TOKEN, shown)).toBe(false);
    }
  });
});
