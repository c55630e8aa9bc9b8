/**
 * Trace contexts without OpenTelemetry: ids, and which span is active.
 * What a `SpanRecorder` uses where nothing else makes spans; underneath `AsyncLocalStorage`.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import type { SpanDescription, TraceCarrier, Tracing } from './tracing.js';

/**
 * See the file header. A trace begins with an `internal` span outside of every other one, and is sampled. What has no
 * parent otherwise runs without a span, so that traffic that belongs to no trace costs nothing.
 */
export class LocalTracing implements Tracing {
  readonly #active = new AsyncLocalStorage<TraceCarrier | undefined>();

  carry(): TraceCarrier | undefined {
    return this.#active.getStore();
  }

  span<T>({ kind, parent }: SpanDescription, work: () => T): T {
    // A handler runs in the turn of some other message, whose context must not become its own.
    const under = kind === 'consumer' || kind === 'server' ? parent : this.carry();
    if (under === undefined) return this.#active.run(kind === 'internal' ? begun() : undefined, work);
    const [, traceId, , flags] = under.traceparent.split('-');
    return this.#active.run({ ...under, traceparent: `00-${traceId}-${randomId(8)}-${flags}` }, work);
  }
}

function begun(): TraceCarrier {
  return { traceparent: `00-${randomId(16)}-${randomId(8)}-01` };
}

/** In hexadecimal digits; not all zeros, which would not be an id. */
function randomId(bytes: number): string {
  const id = randomBytes(bytes);
  if (id.every((byte) => byte === 0)) id[0] = 1;
  return id.toString('hex');
}
