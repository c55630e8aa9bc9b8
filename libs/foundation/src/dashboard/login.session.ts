/**
 * Pure: who has shown the token gets a cookie that says until when, signed with a key out of the token; nothing is
 * kept. The callers pass the time.
 */
import { createHmac } from 'node:crypto';
import { isSame } from '../security/signer.js';

/** What is read of the header, which Node limits to 16 KiB, and how many ended sessions are remembered. */
const MAX_HEADER = 16_384;
const MAX_ENDED = 10_000;
/** Begins the name of the cookie. */
export const SESSION_COOKIE = 'foundation-dashboard';
/** How long a session lasts, in milliseconds. */
export const SESSION_MS = 12 * 3_600_000;

/** The value of a cookie that is good until a session's time after `now`. */
export function sessionFor(token: string, now: number): string {
  const until = String(now + SESSION_MS);
  return `${until}.${macOf(token, until)}`;
}

/**
 * When the session ends that a cookie of this token is good for; `undefined` for any other, and one that is over at
 * `now`.
 */
export function sessionEnd(token: string, value: string | undefined, now: number): number | undefined {
  const [until = '', mac, ...more] = (value ?? '').split('.');
  if (more.length > 0 || !/^\d{1,16}$/.test(until) || !isSame(mac, macOf(token, until))) return undefined;
  return Number(until) > now ? Number(until) : undefined;
}

/** True for the token itself, found out in a time that tells nothing about it. */
export function isToken(token: string, shown: unknown): boolean {
  return typeof shown === 'string' && isSame(macOf(token, `shown ${shown}`), macOf(token, `shown ${token}`));
}

/** The name of the cookie: another one for another token, since a browser takes all ports of a host for one place. */
export function cookieName(token: string): string {
  return `${SESSION_COOKIE}-${macOf(token, 'name').slice(0, 8)}`;
}

/** The value of the session cookie among those of a request. */
export function cookieOf(token: string, header: string | undefined): string | undefined {
  const name = `${cookieName(token)}=`;
  const pairs = (header ?? '').slice(0, MAX_HEADER).split(';');
  return pairs
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(name))
    ?.slice(name.length);
}

/** Sessions that were ended before their time, as long as they would have lasted. */
export class EndedSessions {
  readonly #ended = new Map<string, number>();

  add(value: string, until: number, now: number): void {
    for (const [each, end] of this.#ended) if (end <= now) this.#ended.delete(each);
    // Only who had a session can end one.
    if (this.#ended.size >= MAX_ENDED) this.#ended.delete(this.#ended.keys().next().value!);
    this.#ended.set(value, until);
  }

  has(value: string): boolean {
    return this.#ended.has(value);
  }
}

function macOf(token: string, text: string): string {
  return createHmac('sha256', token).update(`foundation dashboard ${text}`).digest('base64url');
}
