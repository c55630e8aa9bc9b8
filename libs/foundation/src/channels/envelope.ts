/**
 * Pure: messages as they travel. One text carries what a node published on a channel with one priority in one turn:
 * an array of a head, which all of them share, and the messages, numbered from the head's `seq` on.
 */
import type { Origin } from '../backend/streams/streams.js';
import { type ContextValues, readContext } from '../context/context.hook.js';
import type { MessageDropReason } from '../telemetry/events.js';
import { readTrace, type TraceCarrier } from '../telemetry/tracing.js';
import {
  type Bundle,
  MAX_UNBUNDLED,
  type OpenedText,
  openText,
  type UnreadableBundle,
  type UnreadableText,
} from '../wire/bundle.js';
import { isObject } from '../wire/decode.js';
import { parseJson } from '../wire/json.js';
import type { Lane } from '../wire/lane.js';
import { openPacked, type PackedReader } from '../wire/packed.reader.js';
import type { MessageMeta } from './channel.js';
import type { HandlerOutcome, NodeAnswer } from './node.answer.js';

/** The version of the format; a receiver drops and counts any other. */
export const ENVELOPE_VERSION = 2;

/** A message as JSON. */
export interface Written {
  body: string;
  /** In bytes. */
  size: number;
}

/** Channel → priority → number of the last message. */
export type Lasts = Record<string, Partial<Record<Lane, number>>>;

/** What all messages of one text share. */
export interface Head {
  from: string;
  bootId: string;
  lane: Lane;
  /** Of the first message. */
  seq: number;
  sentAt: number;
  /** Of a message that is kept: the time of the stream that it was signed for, where that is another one. */
  keptAt?: number;
}

/** What may travel with a single message. */
export interface Extras {
  type?: string;
  /** The sender waits for an acknowledgement with this number. */
  ack?: number;
  /** With what the handlers return. */
  asks?: boolean;
  /** Group → boot id of the member that handles the message. */
  groups?: Record<string, string>;
  /** The message is deflated, and its body the base64 of that. */
  zip?: boolean;
  /** The trace that it belongs to. */
  trace?: TraceCarrier | undefined;
  /** What the application of the sender has travel with it. */
  context?: ContextValues | undefined;
}

/** What travels with a message whether its sender asked for it or not. */
export type Carried = Pick<Extras, 'trace' | 'context'>;

/** A message with what travels with it. */
export interface Envelope extends Pick<Extras, 'ack' | 'asks' | 'groups' | 'trace'> {
  meta: MessageMeta;
  message: unknown;
  /** About how many characters of JSON it has. */
  size?: number;
  /** The base64 of the message, which is to be inflated first. */
  zip?: string;
  /** Called by each subscription once it is done with the message; `more` is for a sender that asks. */
  settle?: (failure?: string, more?: HandlerOutcome) => void;
  /** Called once with what all handlers of this node answered, for a sender that asks; in the place of `settle`. */
  answer?: (answer: NodeAnswer) => void;
}

/** Why a message cannot be read. */
export type UnreadableReason = Extract<
  MessageDropReason,
  'not-json' | 'malformed-envelope' | 'malformed-message' | 'unknown-version' | 'not-inflatable'
>;

/** A bundle whose head was read: its messages are read one by one, in order. */
export interface Opened {
  readonly head: Head;
  /** How many messages there are. */
  readonly count: number;
  /** In characters, or in bytes where they are packed. */
  readonly size: number;
  /** The next message, or why it is dropped. */
  next(): Envelope | UnreadableReason;
}

/** Writes the heads of one node. */
export interface Heads {
  /** Every text of this node begins with `[` and this. */
  readonly prefix: string;
  head(lane: Lane, seq: number, at: number, keptAt?: number): string;
  /** The same to be packed. */
  value(lane: Lane, seq: number, at: number): object;
}

export function headsOf(from: string, bootId: string): Heads {
  const prefix = `{"v":${ENVELOPE_VERSION},"from":${JSON.stringify(from)},"boot":${JSON.stringify(bootId)},`;
  return {
    prefix,
    head: (lane, seq, at, keptAt) =>
      `${prefix}"seq":${seq},"at":${at}${keptAt === undefined ? '' : `,"k":${keptAt}`}${lane === 'normal' ? '' : `,"lane":"${lane}"`}}`,
    value: (lane, seq, at) => ({ v: ENVELOPE_VERSION, from, boot: bootId, seq, at, lane }),
  };
}

/** One message; `body` is the JSON of the message itself, so that it is written once, or base64. */
export function encode(body: string, extras?: Extras): string {
  if (extras === undefined) return `{"b":${body}}`;
  const { type, ack, asks, groups, zip, trace, context } = extras;
  let head = '{';
  if (type !== undefined) head += `"t":${JSON.stringify(type)},`;
  if (ack !== undefined) head += `"a":${ack},`;
  if (asks === true) head += '"q":1,';
  if (groups !== undefined) head += `"g":${JSON.stringify(groups)},`;
  if (trace !== undefined) head += `"p":${JSON.stringify(trace.traceparent)},`;
  if (trace?.tracestate !== undefined) head += `"s":${JSON.stringify(trace.tracestate)},`;
  if (context !== undefined) head += `"c":${JSON.stringify(context)},`;
  return zip === true ? `${head}"z":"${body}"}` : `${head}"b":${body}}`;
}

/** The same to be packed: of a message, or of the base64 of one. */
export function entryOf(message: unknown, extras?: Extras): object {
  if (extras === undefined) return { b: message };
  const { type, ack, asks, groups, zip, trace, context } = extras;
  const entry = {
    t: type,
    a: ack,
    g: groups,
    p: trace?.traceparent,
    s: trace?.tracestate,
    c: context,
    ...(asks === true && { q: 1 }),
  };
  return zip === true ? { ...entry, z: message } : { ...entry, b: message };
}

/** Reads what anybody may have sent; never throws. Returns the reason where the whole of it is dropped. */
export function open(channel: string, bundle: Bundle): Opened | UnreadableReason | UnreadableBundle {
  return typeof bundle === 'string' ? openMessages(channel, bundle) : openBytes(channel, bundle);
}

function openMessages(channel: string, text: string): Opened | UnreadableReason | UnreadableText {
  const opened = openText(text);
  if (typeof opened === 'string') return opened;
  const first = nextOf(opened);
  if (first === undefined) return 'not-json';
  const head = readHead(first.value);
  if (typeof head === 'string') return head;
  let { seq } = head;
  const next = (): Envelope | UnreadableReason => {
    const message = nextOf(opened);
    const number = seq++;
    return message === undefined ? 'malformed-message' : read(channel, head, number, message.value, message.size);
  };
  return { head, count: opened.count - 1, size: text.length, next };
}

function nextOf(opened: OpenedText): ReturnType<OpenedText['next']> | undefined {
  try {
    return opened.next();
  } catch {
    return undefined;
  }
}

function openBytes(channel: string, bytes: Buffer): Opened | UnreadableReason | UnreadableBundle {
  let values: PackedReader;
  let count: number;
  let head: Head | UnreadableReason;
  try {
    ({ count, values } = openPacked(bytes));
    if (count > MAX_UNBUNDLED) return 'too-many-messages';
    head = readHead(values.next());
  } catch {
    return 'not-packed';
  }
  if (typeof head === 'string') return head;
  return openedBytes(channel, { head, count: count - 1, size: bytes.length }, values);
}

/** As JSON a value is about twice as long. */
const CHARACTERS_OF_A_BYTE = 2;

/** Packed messages are read when it is their turn, so that few of them are there at a time. */
function openedBytes(channel: string, { head, count, size }: Omit<Opened, 'next'>, values: PackedReader): Opened {
  let seq = head.seq;
  let isWhole = true;
  const next = (): Envelope | UnreadableReason => {
    if (!isWhole) return 'malformed-message';
    const from = values.at;
    try {
      const value = values.next();
      return read(channel, head, seq++, value, CHARACTERS_OF_A_BYTE * (values.at - from));
    } catch {
      // What comes after it cannot be found.
      isWhole = false;
      return 'malformed-message';
    }
  };
  return { head, count, size, next };
}

/** The one message of a text that was kept, as {@link open} reads it. */
export function decode(channel: string, text: string): Envelope | UnreadableReason | UnreadableText {
  const opened = openMessages(channel, text);
  if (typeof opened === 'string') return opened;
  return opened.count === 0 ? 'malformed-message' : opened.next();
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function readHead(value: unknown): Head | UnreadableReason {
  if (typeof value !== 'object' || value === null) return 'malformed-envelope';
  const { v, from, boot, seq, at, k, lane = 'normal' } = value as Record<string, unknown>;
  if (v !== ENVELOPE_VERSION) return 'unknown-version';
  if (!isShort(from) || !isShort(boot) || !isCount(seq) || !isTime(at)) return 'malformed-envelope';
  if (lane !== 'normal' && lane !== 'high' && lane !== 'low') return 'malformed-envelope';
  if (k !== undefined && !isTime(k)) return 'malformed-envelope';
  return { from, bootId: boot, lane, seq, sentAt: at, ...(k === undefined ? {} : { keptAt: k }) };
}

/** Which message a kept text is; `undefined` for one that cannot be read. */
export function originOf(text: string): Origin | undefined {
  // As `headsOf` writes it, so that the message itself is not parsed twice; otherwise all of it.
  let head = readHead(parsed(text.slice(1, text.indexOf('}') + 1)));
  if (typeof head === 'string') {
    const values = parsed(text);
    head = readHead(Array.isArray(values) ? values[0] : undefined);
  }
  if (typeof head === 'string' || /\s/.test(head.bootId)) return undefined;
  return { sender: head.bootId, number: head.seq, at: head.keptAt ?? head.sentAt };
}

function read(channel: string, head: Head, seq: number, value: unknown, size: number): Envelope | UnreadableReason {
  if (typeof value !== 'object' || value === null) return 'malformed-message';
  const { b, t, a, q, g, z, p, s, c } = value as Record<string, unknown>;
  if ((t !== undefined && !isShort(t)) || (a !== undefined && !isCount(a))) return 'malformed-message';
  if (z === undefined ? b === undefined : typeof z !== 'string') return 'malformed-message';
  if (g !== undefined && !isGroups(g)) return 'malformed-message';
  const { from, bootId, sentAt, lane } = head;
  const meta: MessageMeta = { channel, from, bootId, seq, sentAt, priority: lane };
  if (t !== undefined) meta.type = t;
  // A context that cannot be read does not cost the message; the handler then runs without.
  const context = c === undefined ? undefined : readContext(c);
  if (context !== undefined) meta.context = context;
  const envelope: Envelope = { meta, message: b, size };
  if (a !== undefined) envelope.ack = a;
  if (q === 1) envelope.asks = true;
  if (g !== undefined) envelope.groups = g;
  if (z !== undefined) envelope.zip = z as string;
  // Nor does an unreadable trace.
  const trace = p === undefined ? undefined : readTrace(p, s);
  if (trace !== undefined) envelope.trace = trace;
  return envelope;
}

/** The most groups of one message. */
const MAX_GROUPS = 1000;

function isGroups(value: unknown): value is Record<string, string> {
  if (!isObject(value)) return false;
  const entries = Object.entries(value);
  return entries.length <= MAX_GROUPS && entries.every(([group, bootId]) => group.length <= 200 && isShort(bootId));
}

/** Milliseconds since 1970, of a `Date`. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 8.64e15;
}

function isShort(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 200;
}

/** Numbers near the limit of exact integers would let those of the messages collide. */
function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= 2 ** 52;
}
