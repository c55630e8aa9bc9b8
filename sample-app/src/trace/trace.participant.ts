/**
 * Keeps the spans of this node for a while, and reports those of one trace when it is asked.
 */
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Callable, Membership, type RecordedSpan, Service, SpanRecorder, Telemetry } from 'nestjs-foundation';
import { isTraceId, MAX_SPANS, type Report, spanOf } from './span.js';

/** By this capability the coordinator finds all of them. */
export const TRACE_PARTICIPANT = 'trace_participant';

const MAX_TRACES = 50;
const KEEP_MS = 15 * 60_000;

interface Kept {
  since: number;
  spans: RecordedSpan[];
  leftOut: number;
}

/** One on every node. */
@Service({ name: 'tracing', capabilities: [TRACE_PARTICIPANT] })
@Injectable()
export class TraceParticipant implements OnModuleInit {
  /** By trace id, the oldest first. */
  readonly #kept = new Map<string, Kept>();
  /** When the latest of the forgotten traces began: whoever asks for an older one must not think that it has all. */
  #forgotten = 0;

  constructor(
    private readonly telemetry: Telemetry,
    private readonly membership: Membership,
  ) {}

  onModuleInit(): void {
    // Around the tracing of OpenTelemetry where there is one, so that both have the same ids.
    const { tracing } = this.telemetry;
    const now = (): number => this.membership.clusterNow();
    this.telemetry.tracing = new SpanRecorder({ keep: (span) => this.#keep(span), tracing, now });
  }

  /** What this node has of a trace; nothing is no error. */
  @Callable({ idempotent: true })
  report(traceId: string): Report {
    if (!isTraceId(traceId)) throw new TypeError('Not a trace id');
    this.#forgetOld();
    const { spans = [], leftOut = 0 } = this.#kept.get(traceId) ?? {};
    const { name: node, bootId } = this.membership.self;
    const at = this.membership.clusterNow();
    return { node, bootId, at, spans: spans.map(spanOf), leftOut, forgotten: this.#forgotten };
  }

  /** Called with each span when it begins; the object gets its end later. */
  #keep(span: RecordedSpan): void {
    let trace = this.#kept.get(span.traceId);
    if (trace === undefined) {
      this.#forgetOld();
      this.#kept.set(span.traceId, (trace = { since: span.start, spans: [], leftOut: 0 }));
      if (this.#kept.size > MAX_TRACES) this.#forgetOldest();
    }
    // Whoever sends a request may begin a trace, so both numbers are limited.
    if (trace.spans.length < MAX_SPANS) trace.spans.push(span);
    else trace.leftOut += 1;
  }

  #forgetOld(): void {
    const limit = this.membership.clusterNow() - KEEP_MS;
    while ((this.#kept.values().next().value?.since ?? Infinity) < limit) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const [oldest] = this.#kept;
    if (oldest === undefined) return;
    const [id, { since }] = oldest;
    this.#kept.delete(id);
    this.#forgotten = Math.max(this.#forgotten, since);
  }
}
