/**
 * Signs what this application writes into Redis, and opens what comes out of it: more can write there than should be
 * believed. Used by the transport, the directory, the tables and the streams; underneath HMAC-SHA256, its key out of
 * the cookie.
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { Secret } from './secret.js';

/** Begins what is signed; no JSON does. */
const MARK = '~';
const MARK_BYTE = MARK.charCodeAt(0);
const NOTHING = Buffer.alloc(0);
/** 256 bits as base64url. */
const MAC_LENGTH = 43;

/** Signs and opens texts; without a cookie it leaves them as they are. */
export interface Signer {
  /** Tells one cookie from another without telling the cookie; `none` without one. */
  readonly fingerprint: string;
  /** Whether it signs: with a cookie. */
  readonly signs: boolean;
  /** `place` says where the text is written; it is not believed anywhere else. */
  sign(place: string, text: string): string;
  /** The text, or `undefined` unless a node with the same cookie wrote it for this place. */
  open(place: string, sealed: string): string | undefined;
  /** The same for bytes, which come after a text. */
  signBytes(place: string, head: string, bytes: Buffer): Buffer;
  /** What is in them, of a text too: that of the bytes of a text is the signature of the text. */
  openBytes(place: string, sealed: Buffer): Buffer | undefined;
}

/**
 * The seal of an application. A text that is signed is refused without a cookie too: it was not written for this node.
 */
export function createSigner(appName: string, cookie: Secret | undefined): Signer {
  if (cookie === undefined) {
    return {
      fingerprint: 'none',
      signs: false,
      sign: (_place, text) => text,
      open: (_place, sealed) => (sealed.startsWith(MARK) ? undefined : sealed),
      signBytes: (_place, head, bytes) => Buffer.concat([Buffer.from(head), bytes]),
      openBytes: (_place, sealed) => (sealed[0] === MARK_BYTE ? undefined : sealed),
    };
  }
  const key = keyFor(cookie.reveal(), appName, 'seal');
  const macOf = (place: string, text: string, bytes: Buffer = NOTHING): string =>
    createHmac('sha256', key).update(`${place}\n${text}`).update(bytes).digest('base64url');
  return {
    fingerprint: macOf('fingerprint', '').slice(0, 16),
    signs: true,
    sign: (place, text) => `${MARK}${macOf(place, text)}${text}`,
    open: (place, sealed) => {
      const text = sealed.slice(1 + MAC_LENGTH);
      return isSame(sealed.slice(0, 1 + MAC_LENGTH), MARK + macOf(place, text)) ? text : undefined;
    },
    signBytes: (place, head, bytes) =>
      Buffer.concat([Buffer.from(`${MARK}${macOf(place, head, bytes)}${head}`), bytes]),
    openBytes: (place, sealed) => {
      const bytes = sealed.subarray(1 + MAC_LENGTH);
      const seal = sealed.toString('latin1', 0, 1 + MAC_LENGTH);
      return isSame(seal, MARK + macOf(place, '', bytes)) ? bytes : undefined;
    },
  };
}

/** Raised when what is made with a key changes its format. */
const KEY_VERSION = 1;

/** A key for one purpose, out of the cookie. */
export function keyFor(cookie: string, app: string, purpose: 'link' | 'letter' | 'seal'): Buffer {
  return Buffer.from(hkdfSync('sha256', cookie, app, `foundation ${purpose} ${KEY_VERSION}`, 32));
}

/** True when both are the same, compared in a time that reveals nothing about where they differ. */
export function isSame(mac: unknown, expected: string): boolean {
  if (typeof mac !== 'string' || mac.length !== expected.length) return false;
  const [one, other] = [Buffer.from(mac), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}
