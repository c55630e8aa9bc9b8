/**
 * A span as it travels from node to node, and the report of a node about one trace; both are checked where they arrive.
 */
import type { RecordedSpan, SpanKindName } from 'nestjs-foundation';

/** What one node keeps of one trace. */
export const MAX_SPANS = 250;
const MAX_TEXT = 200;
const MAX_ATTRIBUTES = 8;
const KINDS: readonly unknown[] = ['internal', 'producer', 'consumer', 'client', 'server'] satisfies SpanKindName[];

/** A piece of work on one node; `end` is there once it has ended. Times are milliseconds since 1970, of the cluster. */
export interface Span {
  id: string;
  parent?: string;
  kind: SpanKindName;
  name: string;
  start: number;
  end?: number;
  error?: string;
  attributes: Record<string, string | number>;
}

/** What a node has of a trace. */
export interface Report {
  node: string;
  /** Tells two lives of a node with one name apart. */
  bootId: string;
  /** When it was made. */
  at: number;
  spans: Span[];
  /** Spans beyond the limit, or malformed ones. */
  leftOut: number;
  /** When the latest of the traces began that the node had forgotten before it was asked for this one; 0 = none. */
  forgotten: number;
}

/** The id of a trace in W3C Trace Context: 32 hexadecimal digits in lower case, not all zeros. */
export function isTraceId(value: unknown): value is string {
  return typeof value === 'string' && value.length === 32 && /^(?!0+$)[0-9a-f]+$/.test(value);
}

/** The id of a span: 16 of them. */
export function isSpanId(value: unknown): value is string {
  return typeof value === 'string' && value.length === 16 && /^(?!0+$)[0-9a-f]+$/.test(value);
}

/** What was recorded here, as it travels; its texts are cut. */
export function spanOf({ spanId, parentId, kind, name, attributes, start, end, error }: RecordedSpan): Span {
  return {
    ...{ id: spanId, kind, name: cut(name), start },
    ...(parentId === undefined ? {} : { parent: parentId }),
    ...(end === undefined ? {} : { end }),
    ...(error === undefined ? {} : { error: cut(error) }),
    attributes: attributesOf(attributes),
  };
}

/** Reads the report of a node. Any value may have been sent; `undefined` for what is not a report. */
export function readReport(value: unknown): Report | undefined {
  if (!isRecord(value) || !Array.isArray(value['spans'])) return undefined;
  const { node, bootId, at, leftOut, forgotten } = value;
  if (!isText(node) || !isText(bootId) || !isTime(at) || !isTime(leftOut) || !isTime(forgotten)) return undefined;
  const given: unknown[] = value['spans'];
  const spans = given.slice(0, MAX_SPANS).flatMap((span) => readSpan(span) ?? []);
  return { node, bootId, at, spans, leftOut: leftOut + given.length - spans.length, forgotten };
}

function readSpan(value: unknown): Span | undefined {
  if (!isRecord(value)) return undefined;
  const { id, parent, kind, name, start, end, error, attributes } = value;
  if (!isSpanId(id) || !KINDS.includes(kind) || typeof name !== 'string' || !isTime(start)) return undefined;
  if (parent !== undefined && !isSpanId(parent)) return undefined;
  if (end !== undefined && !(isTime(end) && end >= start)) return undefined;
  return {
    ...{ id, kind: kind as SpanKindName, name: cut(name), start },
    ...(parent === undefined ? {} : { parent }),
    ...(end === undefined ? {} : { end }),
    ...(typeof error === 'string' ? { error: cut(error) } : {}),
    attributes: isRecord(attributes) ? attributesOf(attributes) : {},
  };
}

function attributesOf(given: Readonly<Record<string, unknown>>): Record<string, string | number> {
  const read = Object.entries(given).flatMap(([name, value]): [string, string | number][] => {
    if (typeof value === 'number' && Number.isFinite(value)) return [[cut(name), value]];
    return typeof value === 'string' ? [[cut(name), cut(value)]] : [];
  });
  // Unlike an assignment, it makes a field of `__proto__`, too.
  return Object.fromEntries(read.slice(0, MAX_ATTRIBUTES));
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isText = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= MAX_TEXT;
const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const cut = (text: string): string => (text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 1)}…`);
