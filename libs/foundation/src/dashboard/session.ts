/**
 * Pure: who has shown the token gets a cookie that says until when, signed with a key out of the token; nothing is kept.
 * Called by the guard and the controller; they say what time it is.
 */
import { createHmac } from 'node:crypto';
import { isSame } from '../tools/seal.js';

/** The name of the cookie. */
export const SESSION_COOKIE = 'foundation-dashboard';
/** How long a session lasts, in milliseconds. */
export const SESSION_MS = 12 * 3_600_000;

/** The value of a cookie that is good until a session's time after `now`. */
export function sessionFor(token: string, now: number): string {
  const until = String(now + SESSION_MS);
  return `${until}.${macOf(token, until)}`;
}

/** When the session ends that a cookie of this token is good for; `undefined` for any other, and one that is over at `now`. */
export function sessionEnd(token: string, value: string | undefined, now: number): number | undefined {
  const [until = '', mac, ...more] = (value ?? '').split('.');
  if (more.length > 0 || !/^\d{1,16}$/.test(until) || !isSame(mac, macOf(token, until))) return undefined;
  return Number(until) > now ? Number(until) : undefined;
}

/** True for the token itself, found out in a time that tells nothing about it. */
export function isToken(token: string, shown: unknown): boolean {
  return typeof shown === 'string' && isSame(macOf(token, `shown ${shown}`), macOf(token, `shown ${token}`));
}

/** The value of the session cookie among those of a request. */
export function cookieOf(header: string | undefined): string | undefined {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${SESSION_COOKIE}=`))?.slice(SESSION_COOKIE.length + 1);
}

function macOf(token: string, text: string): string {
  return createHmac('sha256', token).update(`foundation dashboard ${text}`).digest('base64url');
}
