/**
 * Pure: messages as they travel. One text carries what a node published on a channel with one priority in one turn:
 * an array of a head, which all of them share, and the messages, numbered from the head's `seq` on.
 */
import type { Origin } from '../backend/streams/streams.js';
import { type ContextValues, readContext } from '../context/context.hook.js';
import type { MessageDropReason } from '../telemetry/events.js';
import { readTrace, type TraceCarrier } from '../telemetry/tracing.js';
import { unbundled, type UnreadableBundle } from '../wire/bundle.js';
import { isObject } from '../wire/decode.js';
import { parseJson } from '../wire/json.js';
import type { Lane } from '../wire/lane.js';
import type { MessageMeta } from './channel.js';

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
export interface Envelope extends Pick<Extras, 'ack' | 'groups' | 'trace'> {
  meta: MessageMeta;
  message: unknown;
  /** About how many characters of JSON it has. */
  size?: number;
  /** The base64 of the message, which is to be inflated first. */
  zip?: string;
  /** Called by each subscription once it is done with the message. */
  settle?: (failure?: string) => void;
}

/** Why a message cannot be read. */
export type UnreadableReason = Extract<
  MessageDropReason,
  'not-json' | 'malformed-envelope' | 'malformed-message' | 'unknown-version' | 'not-inflatable'
>;

/** What was read: each message, or why it is dropped. */
export interface Decoded {
  head: Head;
  entries: (Envelope | UnreadableReason)[];
}

/** Writes the heads of one node. */
export function headsOf(
  from: string,
  bootId: string,
): { prefix: string; head(lane: Lane, seq: number, at: number, keptAt?: number): string } {
  const prefix = `{"v":${ENVELOPE_VERSION},"from":${JSON.stringify(from)},"boot":${JSON.stringify(bootId)},`;
  return {
    /** Every text of this node begins with `[` and this. */
    prefix,
    head: (lane, seq, at, keptAt) =>
      `${prefix}"seq":${seq},"at":${at}${keptAt === undefined ? '' : `,"k":${keptAt}`}${lane === 'normal' ? '' : `,"lane":"${lane}"`}}`,
  };
}

/** One message; `body` is the JSON of the message itself, so that it is written once, or base64. */
export function encode(body: string, extras?: Extras): string {
  if (extras === undefined) return `{"b":${body}}`;
  const { type, ack, groups, zip, trace, context } = extras;
  let head = '{';
  if (type !== undefined) head += `"t":${JSON.stringify(type)},`;
  if (ack !== undefined) head += `"a":${ack},`;
  if (groups !== undefined) head += `"g":${JSON.stringify(groups)},`;
  if (trace !== undefined) head += `"p":${JSON.stringify(trace.traceparent)},`;
  if (trace?.tracestate !== undefined) head += `"s":${JSON.stringify(trace.tracestate)},`;
  if (context !== undefined) head += `"c":${JSON.stringify(context)},`;
  return zip === true ? `${head}"z":"${body}"}` : `${head}"b":${body}}`;
}

/** Reads untrusted text; never throws. Returns the reason where the whole of it is dropped. */
export function decode(channel: string, text: string): Decoded | UnreadableReason | UnreadableBundle {
  const values = unbundled(text);
  if (typeof values === 'string') return values;
  const head = readHead(values[0]);
  if (typeof head === 'string') return head;
  const entries: (Envelope | UnreadableReason)[] = [];
  // The mean suffices for a bound.
  const size = Math.ceil(text.length / Math.max(1, values.length - 1));
  for (let index = 1; index < values.length; index++) {
    const entry = read(channel, head, head.seq + index - 1, values[index]);
    if (typeof entry !== 'string') entry.size = size;
    entries.push(entry);
  }
  return { head, entries };
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

function read(channel: string, head: Head, seq: number, value: unknown): Envelope | UnreadableReason {
  if (typeof value !== 'object' || value === null) return 'malformed-message';
  const { b, t, a, g, z, p, s, c } = value as Record<string, unknown>;
  if ((t !== undefined && !isShort(t)) || (a !== undefined && !isCount(a))) return 'malformed-message';
  if (z === undefined ? b === undefined : typeof z !== 'string') return 'malformed-message';
  if (g !== undefined && !isGroups(g)) return 'malformed-message';
  const { from, bootId, sentAt, lane } = head;
  const meta: MessageMeta = { channel, from, bootId, seq, sentAt, priority: lane };
  if (t !== undefined) meta.type = t;
  // A context that cannot be read does not cost the message; the handler then runs without.
  const context = c === undefined ? undefined : readContext(c);
  if (context !== undefined) meta.context = context;
  const envelope: Envelope = { meta, message: b };
  if (a !== undefined) envelope.ack = a;
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
