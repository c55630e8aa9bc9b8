/**
 * Pure: how two nodes prove to each other that they know the cookie, before anything else is read.
 * Each answers the other's nonce with an HMAC-SHA256 over all that was said; the cookie itself never travels.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { isSame } from '../../../../security/signer.js';
import { fromJson, isObject } from '../../../../wire/decode.js';
import { PACKED_VERSION } from '../../../../wire/packed.format.js';
import { encodeJson, FRAME, type Frame } from '../stream/frames.js';
import { Rejected } from './link.end.js';

/** Nodes of different versions of this protocol do not link; they reach each other through Redis. */
export const LINK_VERSION = 1;
/** The largest payload before the proof. */
export const MAX_HANDSHAKE_PAYLOAD = 1024;

/** Who takes part. */
export interface Party {
  app: string;
  bootId: string;
  key: Buffer;
  /**
   * What only the two ends of this TLS connection know, as hex; empty without TLS. It ties the proof to the connection.
   */
  binding: string;
}

/** What follows from a frame: what to send, and the boot id of the peer once it is proven. */
export interface Step {
  send?: Buffer;
  proven?: string;
  /** The peer reads bundles that are packed as this node packs them; nodes of the version before say nothing. */
  packs?: boolean;
}

/** One side of a handshake. */
export interface Handshake {
  /** Sent by the dialling side as soon as it is connected. */
  readonly opening?: Buffer;
  /** @throws Rejected when the peer is rejected. */
  receive(frame: Frame): Step;
}

interface Said {
  dialer: string;
  acceptor: string;
  dialerNonce: string;
  acceptorNonce: string;
  /** Which form of packed bundles each of them reads; nodes of the version before do not say. */
  dialerPacks: unknown;
  acceptorPacks: unknown;
}

function proofOf(role: 'dialer' | 'acceptor', { app, key, binding }: Party, said: Said): string {
  const { dialer, acceptor, dialerNonce, acceptorNonce, dialerPacks, acceptorPacks } = said;
  const packs = dialerPacks === undefined || acceptorPacks === undefined ? [] : [dialerPacks, acceptorPacks];
  // The role keeps a proof from being sent back to the one who made it.
  const all = [role, LINK_VERSION, app, dialer, acceptor, dialerNonce, acceptorNonce, binding, ...packs];
  return createHmac('sha256', key).update(JSON.stringify(all)).digest('hex');
}

/**
 * The side that connects: it expects one very node, the one that the membership has at this address. One that only
 * `knocks` checks whether it would be accepted; no link comes of it.
 */
export function dial(self: Party, acceptor: string, { knocks = false } = {}): Handshake {
  const dialerNonce = randomBytes(32).toString('hex');
  let said: Said | undefined;
  return {
    opening: encodeJson(FRAME.hello, {
      v: LINK_VERSION,
      app: self.app,
      from: self.bootId,
      to: acceptor,
      nonce: dialerNonce,
      packs: PACKED_VERSION,
      ...(knocks ? { knocks } : {}),
    }),
    receive(frame) {
      if (said === undefined) {
        const { nonce, packs } = read(frame, FRAME.challenge);
        const nonces = { dialerNonce, acceptorNonce: nonceOf(nonce) };
        said = { dialer: self.bootId, acceptor, ...nonces, dialerPacks: PACKED_VERSION, acceptorPacks: packs };
        return { send: encodeJson(FRAME.proof, { mac: proofOf('dialer', self, said) }) };
      }
      const { mac } = read(frame, FRAME.proved);
      if (!isSame(mac, proofOf('acceptor', self, said))) throw new Rejected('wrong-cookie');
      return { proven: acceptor, packs: said.acceptorPacks === PACKED_VERSION };
    },
  };
}

/**
 * The side that is connected to. It gives no proof before it has seen one, so that a stranger learns nothing from it.
 */
export function accept(self: Party, isExpected: (bootId: string) => boolean): Handshake {
  const acceptorNonce = randomBytes(32).toString('hex');
  let said: Said | undefined;
  let knocks = false;
  return {
    receive(frame) {
      if (said === undefined) {
        const hello = read(frame, FRAME.hello);
        const { v, app, from, to, nonce } = hello;
        if (v !== LINK_VERSION) throw new Rejected('unknown-version');
        if (app !== self.app) throw new Rejected('other-application');
        if (to !== self.bootId) throw new Rejected('other-node');
        knocks = hello['knocks'] === true;
        const isAwaited = typeof from === 'string' && (knocks || isExpected(from));
        if (!isAwaited) throw new Rejected('not-its-turn');
        const nonces = { dialerNonce: nonceOf(nonce), acceptorNonce };
        const packs = { dialerPacks: hello['packs'], acceptorPacks: PACKED_VERSION };
        said = { dialer: from, acceptor: self.bootId, ...nonces, ...packs };
        return { send: encodeJson(FRAME.challenge, { nonce: acceptorNonce, packs: PACKED_VERSION }) };
      }
      const { mac } = read(frame, FRAME.proof);
      if (!isSame(mac, proofOf('dialer', self, said))) throw new Rejected('wrong-cookie');
      const send = encodeJson(FRAME.proved, { mac: proofOf('acceptor', self, said) });
      // A probe is not a node: its connection stays unproven, and ends soon.
      return knocks ? { send } : { send, proven: said.dialer, packs: said.dialerPacks === PACKED_VERSION };
    },
  };
}

function read({ type, payload }: Frame, expected: number): Record<string, unknown> {
  if (type !== expected) throw new Rejected('no-handshake');
  const fields = fieldsOf(payload.toString());
  if (fields === undefined) throw new Rejected('no-handshake');
  return fields;
}

const fieldsOf = fromJson((value) => (isObject(value) ? value : undefined));

function nonceOf(value: unknown): string {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw new Rejected('no-handshake');
  return value;
}
