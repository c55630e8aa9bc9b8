/**
 * Pure: what servers of socket.io say to each other over a channel, as it is written and as it is read of anybody.
 */
import {
  anyList,
  anyText,
  anything,
  flag,
  ifRight,
  isObject,
  list,
  oneOf,
  record,
  text,
  whole,
} from '../wire/decode.js';
import { readBytes, type TakenBytes, withoutBytes } from './packet.bytes.js';

/** Which sockets, as socket.io says it. */
export interface Selection {
  rooms: Set<string>;
  except?: Set<string>;
  flags?: { local?: boolean; timeout?: number };
}

/** A socket of another node, as `RemoteSocket` takes it. */
export interface SocketDetails {
  id: string;
  handshake: unknown;
  rooms: unknown;
  data: unknown;
}

/** The kinds of messages; those that are answered come last. */
const KINDS = ['emit', 'join', 'leave', 'disconnect', 'tell', 'ask', 'fetch', 'query'] as const;
export type Kind = (typeof KINDS)[number];

/** What one server says to the others. */
export interface Said {
  kind: Kind;
  nsp: string;
  rooms?: unknown[];
  except?: unknown[];
  flags?: Record<string, unknown>;
  /** The packet, the arguments, or the rooms to join or to leave. */
  body?: unknown;
  bytes?: TakenBytes;
  close?: boolean;
  /** Under which acknowledgements of clients come back. */
  id?: number;
  timeout?: number;
  /** Boot id → the last socket that this node sent; of the others nothing more is wanted. */
  after?: Record<string, unknown>;
}

/** The type of a packet with an event, in the protocol of socket.io. */
const EVENT = 2;
/** The longest name of a server or a namespace, in characters. */
const LONGEST_WORD = 200;
/** As socket.io waits where the caller says nothing. */
export const DEFAULT_TIMEOUT_MS = 5000;
const MAX_TIMEOUT_MS = 3_600_000;

export const readSaid = record<Said>({
  kind: oneOf(...KINDS),
  nsp: text(LONGEST_WORD),
  rooms: ifRight(anyList),
  except: ifRight(anyList),
  flags: ifRight((value) => (isObject(value) ? value : undefined)),
  body: ifRight(anything),
  bytes: ifRight(readBytes),
  close: ifRight(flag),
  id: ifRight(whole()),
  timeout: ifRight(whole(MAX_TIMEOUT_MS)),
  after: ifRight((value) => (isObject(value) ? value : undefined)),
});
export const readPacket = record<{ type: number; data: unknown[] }>({ type: oneOf(EVENT), data: anyList });
export const readAcks = record<{ id: number; value?: unknown; bytes?: TakenBytes }>({
  id: whole(),
  value: ifRight(anything),
  bytes: ifRight(readBytes),
});
export const readCount = record<{ clients: number }>({ clients: whole() });
export const readPage = record<{ sockets: SocketDetails[]; more?: boolean }>({
  sockets: list(
    record<SocketDetails>({ id: anyText, handshake: anything, rooms: anyList, data: ifRight(anything) as never }),
    1_000_000,
  ),
  more: ifRight(flag),
});
export const readResponse = record<{ response?: unknown; bytes?: TakenBytes }>({
  response: ifRight(anything),
  bytes: ifRight(readBytes),
});

export function said(words: Said, body: unknown, selection?: Selection): Said {
  const { value, bytes } = withoutBytes(body);
  const sockets = selection && {
    rooms: [...selection.rooms],
    except: [...(selection.except ?? [])],
    flags: { ...selection.flags },
  };
  return { ...words, ...sockets, ...(value !== undefined && { body: value }), ...(bytes && { bytes }) };
}

export function selectionOf({ rooms = [], except = [], flags = {} }: Said): Selection {
  return { rooms: new Set(rooms as string[]), except: new Set(except as string[]), flags };
}

export function timeoutOf({ flags }: Selection, otherwise = DEFAULT_TIMEOUT_MS): number {
  const given = Math.ceil(Number(flags?.timeout ?? otherwise));
  return Math.min(Math.max(1, Number.isNaN(given) ? otherwise : given), MAX_TIMEOUT_MS);
}
