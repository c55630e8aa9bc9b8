/**
 * Notifies an application of every sampled span of its node, with or without OpenTelemetry.
 * Set as `Telemetry.tracing` by the application; underneath another `Tracing`, which makes the ids.
 */
import { ArgumentError } from '../errors/config.errors.js';
import { describe, read, show } from '../errors/describe.js';
import { Gate, isThenable, unattended } from '../foreign/gate.js';
import { givenOptions } from '../foreign/given.options.js';
import { LocalTracing } from './local.tracing.js';
import type { SpanDescription, SpanKindName, TraceCarrier, Tracing } from './tracing.js';

/** A span as it was recorded: it has begun, and `end` is there once it has ended. */
export interface RecordedSpan {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** The span that it belongs to; a span that begins a trace has none. */
  readonly parentId?: string;
  readonly kind: SpanKindName;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** Milliseconds since 1970. */
  readonly start: number;
  /** Milliseconds since 1970, never before `start`; set by the recorder when the span ends. */
  end?: number;
  /** What the work threw or rejected with, as a text; set with `end`. */
  error?: string;
}

/** What a recorder is made of. */
export interface SpanRecorderParts {
  /**
   * Called with each span when it begins. Keep the object: it gets `end` when the span ends. What it throws is logged.
   */
  keep: (span: RecordedSpan) => void;
  /** What makes the spans and their ids. Default: what Foundation has for applications without OpenTelemetry. */
  tracing?: Tracing | undefined;
  /** Milliseconds since 1970. Default `Date.now`; `Membership.clusterNow` is the same clock on all nodes. */
  now?: () => number;
}

/**
 * Makes spans as the `Tracing` below it does, and notifies of those that are sampled: set it as `telemetry.tracing`.
 *
 * ```ts
 * onModuleInit() {
 *   // Around that of OpenTelemetry where there is one, so that the ids are the same.
 *   const { tracing } = this.telemetry;
 *   this.telemetry.tracing = new SpanRecorder({ keep: (span) => this.spans.push(span), tracing });
 * }
 * ```
 *
 * Underneath: `tracing.span`; by default an `AsyncLocalStorage`, in which a trace begins with a span of the kind
 * `internal` and is sampled, and what belongs to no trace has no span. With OpenTelemetry its sampler decides; without
 * an SDK nothing is recorded.
 *
 * The recorder keeps nothing itself: bound what you keep, since whoever sends a request may begin a trace.
 */
export class SpanRecorder implements Tracing {
  readonly #gate = new Gate();
  readonly #tracing: Tracing;
  readonly #now: () => number;

  /** @throws ArgumentError for parts that are none, or do not fit. */
  constructor(private readonly parts: SpanRecorderParts) {
    checkParts(parts);
    this.#tracing = parts.tracing ?? new LocalTracing();
    this.#now = parts.now ?? Date.now;
  }

  carry(): TraceCarrier | undefined {
    return this.#tracing.carry();
  }

  span<T>(description: SpanDescription, work: () => T): T {
    const { kind, parent } = description;
    const under = kind === 'consumer' || kind === 'server' ? parent : this.carry();
    return this.#tracing.span(description, () => {
      const span = this.#begin(description, under, this.carry());
      if (span === undefined) return work();
      const begun = performance.now();
      const end = (error?: string): void => {
        // By the monotonic clock: one that is set back ends nothing before it began.
        span.end = span.start + Math.max(0, performance.now() - begun);
        if (error !== undefined) span.error = error;
      };
      try {
        const result = work();
        if (!isThenable(result)) end();
        else {
          // Before whoever waits for the result hears of it.
          const ended = (result as PromiseLike<unknown>).then(
            () => end(),
            (error: unknown) => end(describe(error)),
          );
          unattended('ending a span', ended);
        }
        return result;
      } catch (error) {
        end(describe(error));
        throw error;
      }
    });
  }

  /** Nothing for a trace that is not sampled, and where the work runs without a span of its own. */
  #begin(
    { kind, name, attributes }: SpanDescription,
    under: TraceCarrier | undefined,
    here: TraceCarrier | undefined,
  ): RecordedSpan | undefined {
    if (here === undefined || here.traceparent === under?.traceparent) return undefined;
    const [, traceId, spanId, flags] = here.traceparent.split('-') as [string, string, string, string];
    if ((Number.parseInt(flags, 16) & 1) === 0) return undefined;
    const parentId = under?.traceparent.split('-')[2];
    const span: RecordedSpan = {
      ...{ traceId, spanId, kind, name, attributes: { ...attributes }, start: this.#now() },
      ...(parentId === undefined ? {} : { parentId }),
    };
    this.#gate.tell('SpanRecorder.keep', this.parts.keep, span);
    return span;
  }
}

function checkParts(parts: unknown): void {
  const call = 'new SpanRecorder';
  const known = ['keep', 'tracing', 'now'] as const;
  const given = givenOptions<Partial<Record<(typeof known)[number], unknown>>>(call, parts, known, 'parts');
  const { keep, tracing, now } = given;
  if (typeof keep !== 'function') throw new ArgumentError(call, 'keep', show(keep), 'a function');
  if (now !== undefined && typeof now !== 'function') throw new ArgumentError(call, 'now', show(now), 'a function');
  const has = (method: string): boolean => typeof read(tracing, method) === 'function';
  if (tracing === undefined || (has('carry') && has('span'))) return;
  throw new ArgumentError(call, 'tracing', show(tracing), 'an object with two functions, { carry, span }');
}
