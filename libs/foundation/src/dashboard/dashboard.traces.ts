/**
 * Pure: what an application says of the traces that it collects, checked and bounded before the page gets it.
 * Named by the option `traces`; read by `trace.reader.ts`.
 */
import { amount, cutText, flag, ifRight, list, map, type Reader, record, text, whole } from '../wire/decode.js';

/** A trace in the list of traces. */
export interface DashboardTraceLine {
  /** 32 hexadecimal digits in lower case. */
  id: string;
  /** Milliseconds since 1970. */
  startedAt: number;
  /** How many spans it has; left out where that is not known. */
  spans?: number;
  /** Whether nothing of it is missing; left out where that is not known. */
  complete?: boolean;
}

/** A span as the page draws it. */
export interface DashboardSpan {
  id: string;
  /** The id of the span that it belongs to. */
  parent?: string;
  /** The node that it ran on. */
  node: string;
  name: string;
  /** Such as `server` or `consumer`; any word. */
  kind?: string;
  /** Milliseconds since 1970. */
  start: number;
  /** Milliseconds since 1970; left out for a span that has not ended. */
  end?: number;
  /** What went wrong. */
  error?: string;
  attributes?: Readonly<Record<string, string | number>>;
}

/** A trace as the page draws it. */
export interface DashboardTrace {
  id: string;
  startedAt: number;
  /** The nodes that took part, those without a span of it included. */
  nodes: readonly string[];
  spans: readonly DashboardSpan[];
  /** Whether nothing is missing. */
  complete: boolean;
  /** What is missing, a sentence each. */
  reasons?: readonly string[];
}

/**
 * Implement, and name the provider in `FoundationDashboardModule.forRoot({ traces })`: the dashboard then lists the
 * traces and draws one as a time-line. Each is asked of the node that serves the page, and may take five seconds.
 */
export interface DashboardTraces {
  /** The newest first; the first 50 are listed. */
  list(): readonly DashboardTraceLine[] | Promise<readonly DashboardTraceLine[]>;
  /** One trace, or `undefined` for one that is not known. `id` is a trace id of W3C Trace Context. */
  get(id: string): DashboardTrace | undefined | Promise<DashboardTrace | undefined>;
}

const MAX_TRACES = 50;
/** Of one trace, in the order in which they come. */
const MAX_SPANS = 1000;
const MAX_TEXT = 200;
const MAX_ATTRIBUTES = 16;
const MAX_NODES = 200;
const MAX_REASONS = 20;
/** Of dates. */
const LAST_DATE = 8.64e15;

/** A trace id of W3C Trace Context. */
export const readTraceId: Reader<string> = (value) =>
  typeof value === 'string' && value.length === 32 && /^(?!0+$)[0-9a-f]+$/.test(value) ? value : undefined;

const time = amount(LAST_DATE);
const word = cutText(MAX_TEXT);
const readLine = record<DashboardTraceLine>({
  ...{ id: readTraceId, startedAt: time },
  ...{ spans: ifRight(whole()), complete: ifRight(flag) },
});
const attribute: Reader<string | number> = (value) => (Number.isFinite(value) ? (value as number) : word(value));
const readSpan = record<DashboardSpan>({
  ...{ id: text(MAX_TEXT), parent: ifRight(text(MAX_TEXT)), node: word, name: word, kind: ifRight(word) },
  ...{ start: time, end: ifRight(time), error: ifRight(word) },
  attributes: ifRight(map(attribute, MAX_ATTRIBUTES, text(MAX_TEXT))),
});

/** Reads the lines of the list. */
export const readLines = list(readLine, MAX_TRACES);

/** What the page gets of a trace. */
export interface TraceSeen extends DashboardTrace {
  /** Spans beyond the limit, and malformed ones. */
  leftOut: number;
}

/** Reads what the application says of a trace; `undefined` for what is not one. */
export function readTraceSeen(value: unknown): TraceSeen | undefined {
  const trace = readParts(value);
  if (trace === undefined) return undefined;
  const { spans: given } = value as { spans: unknown[] };
  return { ...trace, leftOut: given.length - trace.spans.length };
}

const readParts = record<DashboardTrace>({
  ...{ id: readTraceId, startedAt: time, nodes: list(word, MAX_NODES), spans: list(readSpan, MAX_SPANS) },
  ...{ complete: flag, reasons: ifRight(list(word, MAX_REASONS)) },
});
