import { describe, expect, it } from '@jest/globals';
import { SESSION_MS, cookieOf, isToken, sessionEnd, sessionFor } from './session.js';

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
    expect(cookieOf('a=1; foundation-dashboard=12.ab; b=2')).toBe('12.ab');
    for (const header of [undefined, '', 'foundation-dashboardx=1', 'x; =']) expect(cookieOf(header)).toBeUndefined();
  });

  it('begins with the token and nothing like it', () => {
    expect(isToken(TOKEN, TOKEN)).toBe(true);
    for (const shown of ['', `${TOKEN} `, TOKEN.slice(1), undefined, null, 1, {}, [TOKEN]]) {
      expect(isToken(TOKEN, shown)).toBe(false);
    }
  });
});
