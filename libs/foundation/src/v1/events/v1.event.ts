/**
 * Pure: an event of 1.x, whether a value is one, and its forms for a store, for the wire and for bytes.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { isA, shown } from '../../errors/describe.js';
import { isObject } from '../../wire/decode.js';
import { parseJson } from '../../wire/json.js';
import { isName } from '../../wire/names.js';
import { fail, type Failure, ok, type Result } from '../v1.result.js';

/** `Foundation.Types.Event`: frozen, and `data` is a copy as JSON writes it. */
export interface V1Event {
  /** An atom in 1.x: 1 to 200 characters. */
  readonly eventType: string;
  /** Unique on its node. */
  readonly eventId: number;
  /** Milliseconds since 1970 by a clock that never goes back on its node. */
  readonly timestamp: number;
  readonly wallTime: Date | null;
  readonly node: string | null;
  /** The number of the operating system process. */
  readonly pid: number | null;
  readonly correlationId: string | null;
  /** The id of the event that this one follows from. */
  readonly parentId: number | null;
  readonly data: unknown;
}

/** An event as it is kept, so that no caller can change it, and as it travels: its data is a text. */
export interface KeptEvent {
  readonly head: Omit<V1Event, 'data'>;
  /** JSON. */
  readonly data: string;
}

/** The most data of an event, in bytes of JSON. */
export const MAX_DATA_BYTES = 1_000_000;
/** The longest correlation id, in characters. */
const MAX_CORRELATION = 1000;
/** The longest event as bytes of JSON before it is deflated: its data and its head. */
const MAX_EVENT_BYTES = MAX_DATA_BYTES + 16 * 1024;
/** Arguments, results and states in events are cut above so many bytes of JSON. */
const MAX_CAPTURED = 10_000;
const PREVIEW = 100;
/** The first byte of a serialized event. */
const FORMAT = 1;

/** The event and the JSON of its data; or 2001, 2002 or 2003. It may be any value at all. */
export function readEvent(value: unknown): Result<KeptEvent> {
  let fields: Partial<Record<keyof V1Event, unknown>>;
  try {
    if (!isObject(value)) return mismatch('Expected an event');
    const { eventType, eventId, timestamp, wallTime, node, pid, correlationId, parentId, data } = value;
    fields = { eventType, eventId, timestamp, wallTime, node, pid, correlationId, parentId, data };
  } catch {
    return mismatch('An event that cannot be read');
  }
  const head = readHead(fields);
  if (!head.ok) return head;
  const text = jsonOf(fields.data ?? null);
  if (text === undefined) return mismatch('Event data must be a value that JSON can write');
  const size = Buffer.byteLength(text);
  return size > MAX_DATA_BYTES ? tooLarge(size) : ok({ head: head.value, data: text });
}

/** As callers get it. */
export function eventOf({ head, data }: KeptEvent): V1Event {
  return Object.freeze({ ...head, data: parseJson(data) });
}

/** As it travels in messages. */
export function wireOf({ head, data }: KeptEvent): Record<string, unknown> {
  return { ...head, wallTime: head.wallTime?.toISOString() ?? null, data: parseJson(data) };
}

/** What another node, or a text of anyone, says is an event. */
export function fromWire(value: unknown): Result<KeptEvent> {
  if (!isObject(value)) return mismatch('Expected an event');
  const { wallTime } = value;
  const isText = typeof wallTime === 'string' && wallTime.length <= 40;
  return readEvent(isText ? { ...value, wallTime: new Date(wallTime) } : value);
}

/** Deflated JSON behind one byte that names the format. */
export function toBytes(event: KeptEvent): Buffer {
  return Buffer.concat([Buffer.of(FORMAT), deflateRawSync(JSON.stringify(wireOf(event)))]);
}

/** @throws for bytes that are not an event, or inflate to more than one can be. */
export function fromBytes(bytes: Uint8Array): Result<KeptEvent> {
  if (bytes[0] !== FORMAT) throw new RangeError('another format');
  const text = inflateRawSync(bytes.subarray(1), { maxOutputLength: MAX_EVENT_BYTES }).toString();
  return fromWire(parseJson(text));
}

/** What was captured of a running program: cut when it is large, a text where JSON cannot write it. */
export function captured(value: unknown, at: Date): unknown {
  const text = jsonOf(value ?? null);
  if (text === undefined) return shown(value);
  const originalSize = Buffer.byteLength(text);
  if (originalSize <= MAX_CAPTURED) return parseJson(text);
  return { truncated: true, originalSize, preview: `${text.slice(0, PREVIEW)}...`, timestamp: at };
}

function readHead({ data: _data, ...fields }: Partial<Record<keyof V1Event, unknown>>): Result<KeptEvent['head']> {
  const { eventType, eventId, timestamp, wallTime, node, pid, correlationId, parentId } = fields;
  const missing = Object.entries({ 'Event ID': eventId, 'Event type': eventType, Timestamp: timestamp }).find(
    ([, value]) => value === null || value === undefined,
  );
  if (missing !== undefined) {
    return fail({
      ...INVALID,
      errorType: 'validation_failed',
      code: 2001,
      message: `${missing[0]} cannot be nil`,
      severity: 'high',
    });
  }
  if (!isId(eventId)) return mismatch('Event ID must be a positive integer');
  if (!isName(eventType)) return mismatch('Event type must be a text of 1 to 200 characters in one line');
  if (!Number.isSafeInteger(timestamp)) return mismatch('Timestamp must be an integer');
  if (!isNone(wallTime) && !isTime(wallTime)) return mismatch('Wall time must be a Date');
  if (!isNone(node) && !isName(node)) return mismatch('Node must be the name of a node');
  if (!isNone(pid) && !isId(pid)) return mismatch('PID must be the number of a process');
  if (!isNone(correlationId) && !isCorrelation(correlationId)) {
    return mismatch(`Correlation ID must be a string of at most ${MAX_CORRELATION} characters`);
  }
  if (!isNone(parentId) && !isId(parentId)) return mismatch('Parent ID must be a positive integer');
  const optional = {
    wallTime: wallTime ?? null,
    node: node ?? null,
    pid: pid ?? null,
    correlationId: correlationId ?? null,
    parentId: parentId ?? null,
  };
  return ok({ eventType, eventId, timestamp: timestamp as number, ...optional });
}

const INVALID = { category: 'data', subcategory: 'validation' } as const;

function mismatch(message: string): Failure {
  return fail({ ...INVALID, errorType: 'type_mismatch', code: 2002, message, severity: 'medium' });
}

function tooLarge(size: number): Failure {
  const context = { size, maxSize: MAX_DATA_BYTES };
  return fail({
    ...INVALID,
    errorType: 'data_too_large',
    code: 2003,
    message: 'Event data too large',
    severity: 'high',
    context,
  });
}

function isNone(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function isTime(value: unknown): value is Date {
  return isA(value, Date) && Number.isFinite(Number(value));
}

function isCorrelation(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_CORRELATION;
}

/** `undefined` for what JSON cannot write, or not read again. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
