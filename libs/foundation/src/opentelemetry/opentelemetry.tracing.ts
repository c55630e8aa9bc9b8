/**
 * Spans and trace contexts of OpenTelemetry behind Foundation's own port.
 * Called through `telemetry.tracing`; underneath `tracer.startActiveSpan`.
 */
import {
  type Context,
  context,
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { VERSION } from '../cluster/version.js';
import { asError, describe } from '../errors/describe.js';
import { unattended } from '../foreign/gate.js';
import { readTrace, type SpanDescription, type TraceCarrier, type Tracing } from '../telemetry/tracing.js';

const KINDS = {
  internal: SpanKind.INTERNAL,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
};

/** See the file header. */
export class OpenTelemetryTracing implements Tracing {
  readonly #tracer = trace.getTracer('nestjs-foundation', VERSION);

  carry(): TraceCarrier | undefined {
    const active = trace.getSpanContext(context.active());
    if (active === undefined || !isSpanContextValid(active)) return undefined;
    const { traceId, spanId, traceFlags, traceState } = active;
    const flags = (traceFlags & 0xff).toString(16).padStart(2, '0');
    // Held to what the other side takes, so that a state of ours that is too long is not sent for nothing.
    return readTrace(`00-${traceId}-${spanId}-${flags}`, traceState?.serialize());
  }

  span<T>({ kind, name, attributes, parent }: SpanDescription, work: () => T): T {
    // A handler runs in the turn of some other message, whose context must not become its own.
    const under = kind === 'consumer' || kind === 'server' ? contextOf(parent) : context.active();
    return this.#tracer.startActiveSpan(name, { kind: KINDS[kind], attributes }, under, (span) => {
      try {
        const result = work();
        if (!isPromise(result)) span.end();
        else {
          const ended = result.then(
            () => span.end(),
            (error: unknown) => fail(span, error),
          );
          unattended('ending a span', ended);
        }
        return result;
      } catch (error) {
        fail(span, error);
        throw error;
      }
    });
  }
}

function contextOf(carrier: TraceCarrier | undefined): Context {
  if (carrier === undefined) return ROOT_CONTEXT;
  const { traceparent, tracestate } = carrier;
  const [, traceId, spanId, flags] = traceparent.split('-') as [string, string, string, string];
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    // The only flag that has a meaning: sampled.
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  });
}

function fail(span: Span, error: unknown): void {
  const message = describe(error);
  span.recordException(asError(error));
  span.setStatus({ code: SpanStatusCode.ERROR, message });
  span.end();
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
