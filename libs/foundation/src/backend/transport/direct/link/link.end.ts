/**
 * Pure: why a link ended, or a connection was rejected: the slug for events, and the same in words for people.
 * Nothing in the words is secret.
 */
import type { LinkEndReason, RejectionReason } from '../../../../telemetry/events.js';

/** How a link or an attempt at one ended. */
export interface LinkEnd {
  reason: LinkEndReason;
  /** What the system, TLS or this node said of it. */
  error?: string;
  /** The other side was rejected, and for this. */
  rejected?: RejectionReason;
}

const REJECTIONS: Readonly<Record<RejectionReason, string>> = {
  'wrong-cookie': 'wrong cookie',
  'no-handshake': 'no handshake',
  'unknown-version': 'another version of the protocol',
  'other-application': 'another application',
  'other-node': 'meant for another node',
  'not-its-turn': 'not its turn to dial',
  malformed: 'malformed',
  'too-many-bytes': 'too many bytes before the proof',
  'no-proof': 'no proof in its time',
  'too-many-of-address': 'too many connections of its address that have proven nothing',
  'too-many-connections': 'too many connections that have proven nothing',
  tls: 'TLS refused it',
  socket: 'the connection could not be accepted',
  'linked-sender': 'a text in the name of a node that is linked to',
};

const ENDS: Readonly<Record<LinkEndReason, string>> = {
  ...REJECTIONS,
  closed: 'closed by the other side',
  'closed-in-handshake': 'closed during the handshake',
  broken: 'the connection failed',
  silent: 'silent for too long',
  replaced: 'replaced by a newer link',
  leaving: 'this node leaves',
  left: 'left the cluster',
  'not-a-member': 'not a member of the cluster',
  'no-address': 'no usable address in its record',
  timeout: 'no link in time',
  unreachable: 'cannot be reached',
  failed: 'what came could not be handled',
};

/** The reason in words. */
export function wordsOf(reason: LinkEndReason): string {
  return ENDS[reason];
}

/** The fields of an event. */
export function detailsOf<R extends LinkEndReason>(reason: R, error?: string): { reason: R; error?: string } {
  return error === undefined ? { reason } : { reason, error };
}

/** Thrown by what reads the bytes of a peer that is rejected. */
export class Rejected extends Error {
  constructor(readonly reason: RejectionReason) {
    super(REJECTIONS[reason]);
  }
}
