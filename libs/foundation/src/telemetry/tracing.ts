/**
 * What carries a trace from node to node: the port that makes spans, and the check of what arrives.
 * For channels, calls and `Telemetry.span`; filled by `nestjs-foundation/opentelemetry` or a `SpanRecorder`.
 */

import { adopted, Gate, isThenable } from '../foreign/gate.js';

/** The values of W3C Trace Context (https://www.w3.org/TR/trace-context/), as they travel with a message or a call. */
export interface TraceCarrier {
  traceparent: string;
  tracestate?: string;
}

/**
 * The kinds of OpenTelemetry. `internal`, `producer` and `client` belong to what runs here; `consumer` and `server` to
 * what came with their `parent`.
 */
export type SpanKindName = 'internal' | 'producer' | 'consumer' | 'client' | 'server';

/** A span that is to be made. */
export interface SpanDescription {
  kind: SpanKindName;
  name: string;
  attributes: Record<string, string | number>;
  /** What came with a request, a message, a call or a job; only a `consumer` and a `server` have one. */
  parent?: TraceCarrier | undefined;
}

/** What makes spans. `Telemetry.tracing` has one of them, or nothing. */
export interface Tracing {
  /** The context that is active now, as it travels. */
  carry(): TraceCarrier | undefined;
  /** Runs the work in a span, which ends with it; what it throws is noted and thrown. */
  span<T>(description: SpanDescription, work: () => T): T;
}

/** What has the port: `Telemetry`. */
interface Traces {
  tracing: Tracing | undefined;
}

const gate = new Gate();

/** What is active now, as it travels; nothing where nothing makes spans, or where what does is broken. */
export function carried({ tracing }: Traces): TraceCarrier | undefined {
  return tracing === undefined ? undefined : gate.ask('Tracing.carry', undefined, () => tracing.carry());
}

/**
 * Runs the work in a span, and answers what the work answers, also where what makes spans throws before it or after it.
 * A promise of others is made one of ours, since looking at some of them twice does their work twice.
 */
export function spanned<T>({ tracing }: Traces, description: SpanDescription, work: () => T): T {
  if (tracing === undefined) return work();
  let outcome: { value: T } | { error: unknown } | undefined;
  const once = (): T => {
    try {
      const value = work();
      outcome = { value: isThenable(value) ? (adopted(value) as T) : value };
      return outcome.value;
    } catch (error) {
      outcome = { error };
      throw error;
    }
  };
  gate.tell('Tracing.span', () => {
    try {
      const answer: unknown = tracing.span(description, once);
      // Of the work that ends as this does, so it is handled elsewhere.
      if (isThenable(answer)) adopted(answer).catch(() => undefined);
    } catch (error) {
      if (outcome === undefined || !('error' in outcome && outcome.error === error)) throw error;
    }
  });
  if (outcome === undefined) return work();
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

/** Version 00 is the only one there is, and its ids are not all zeros. */
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
/** One `key=value` of the 32 that a state may have. */
const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
/** The length in characters that the specification requires at least; we carry no more. */
const MAX_STATE = 512;
const MAX_MEMBERS = 32;

/**
 * Reads the trace context that came with a request, a job or anything else: the fields `traceparent` and `tracestate`
 * of an object, such as the headers of a request. A `traceparent` that is not one of version 00, in lower case and with
 * ids that are not all zeros, is `undefined`; a malformed `tracestate` is left out. Takes any value and never throws.
 *
 * Underneath: nothing; two regular expressions.
 */
export function readTraceContext(value: unknown): TraceCarrier | undefined {
  try {
    if (typeof value !== 'object' || value === null) return undefined;
    const { traceparent, tracestate } = value as Partial<Record<string, unknown>>;
    return readTrace(traceparent, tracestate);
  } catch {
    return undefined; // A getter, or a proxy.
  }
}

/** What arrived, if it is a trace context; a state that is none is left out. Anybody may have sent it. */
export function readTrace(traceparent: unknown, tracestate: unknown): TraceCarrier | undefined {
  if (typeof traceparent !== 'string' || traceparent.length !== 55 || !TRACEPARENT.test(traceparent)) return undefined;
  return isState(tracestate) ? { traceparent, tracestate } : { traceparent };
}

function isState(value: unknown): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > MAX_STATE) return false;
  const members = value.split(',').map((member) => member.trim());
  return members.length <= MAX_MEMBERS && members.every((member) => MEMBER.test(member));
}
