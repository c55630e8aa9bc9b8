/**
 * Pure but for the randomness: an announcement ⇄ an encrypted packet.
 * Called by `gossip.ts`. A packet: `FDN1`, four bytes of the hash of the application's name, nonce (12), AES-256-GCM,
 * tag (16).
 */
import { type CipherKey, createCipheriv, createDecipheriv, createHash, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import type { Secret } from '../../../security/secret.js';
import { parseJson } from '../../../wire/json.js';
import { MAX_PACKET } from '../announce/announcement.js';

const VERSION = Buffer.from('FDN1');
const HEADER = 8;
/** Random, 96 bits: NIST SP 800-38D allows 2^32 packets of one key, which 100 nodes need two years for. */
const NONCE = 12;
const TAG = 16;
const CIPHER = 'aes-256-gcm';

/** What becomes of a packet: what was in it, or why it is dropped. */
export type Opened = { value: unknown } | { why: 'malformed' | 'foreign' | 'undecipherable' };

/**
 * The key that a secret gives for one application.
 *
 * By scrypt, because packets can be recorded, a secret may be a phrase of 16 characters, and guessing it should be
 * slow. Some 50 ms.
 */
export function keyFrom(secret: Secret, appName: string): Promise<CipherKey> {
  return promisify<string, string, number, Buffer>(scrypt)(secret.reveal(), `foundation gossip ${appName}`, 32);
}

/** The packet of an application: encrypted, and authenticated with its header. */
export function seal(content: object, appName: string, key: CipherKey): Buffer {
  const header = headerOf(appName);
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG }).setAAD(header);
  const text = Buffer.concat([cipher.update(JSON.stringify(content), 'utf8'), cipher.final()]);
  return Buffer.concat([header, nonce, text, cipher.getAuthTag()]);
}

/** What is in a packet that one of the keys opens; never throws. */
export function open(packet: Buffer, appName: string, keys: readonly CipherKey[]): Opened {
  const hasRightSize = packet.length > HEADER + NONCE + TAG && packet.length <= MAX_PACKET;
  if (!hasRightSize || !packet.subarray(0, VERSION.length).equals(VERSION)) return { why: 'malformed' };
  const header = packet.subarray(0, HEADER);
  // Not a secret: it tells the packets of another application, which are no reason to worry, from those with a wrong
  // secret.
  if (!header.equals(headerOf(appName))) return { why: 'foreign' };
  for (const key of keys) {
    const text = decipher(packet, header, key);
    if (text !== undefined) return parsed(text);
  }
  return { why: 'undecipherable' };
}

function headerOf(appName: string): Buffer {
  const name = createHash('sha256').update(appName).digest();
  return Buffer.concat([VERSION, name.subarray(0, HEADER - VERSION.length)]);
}

function decipher(packet: Buffer, header: Buffer, key: CipherKey): string | undefined {
  const nonce = packet.subarray(HEADER, HEADER + NONCE);
  const text = packet.subarray(HEADER + NONCE, packet.length - TAG);
  try {
    const opening = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG })
      .setAAD(header)
      .setAuthTag(packet.subarray(packet.length - TAG));
    return opening.update(text, undefined, 'utf8') + opening.final('utf8');
  } catch {
    return undefined;
  }
}

function parsed(text: string): Opened {
  try {
    return { value: parseJson(text) };
  } catch {
    return { why: 'malformed' };
  }
}
