/**
 * Keeps the spans of this node for a while, and reports those of one trace when the coordinator asks all nodes.
 */
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Channel, Membership, type RecordedSpan, Service, SpanRecorder, Telemetry } from 'nestjs-foundation';
import { isTraceId, MAX_SPANS, type Report, spanOf } from './span.js';

/** By this capability the coordinator finds all of them. */
export const TRACE_PARTICIPANT = 'trace_participant';
/** The type of its question, on the channel `control`: the message is the id of a trace. */
export const TRACE_REPORT = 'trace.report';

const MAX_TRACES = 50;
const KEEP_MS = 15 * 60_000;

/** What is kept of one trace. */
interface Kept {
  since: number;
  spans: RecordedSpan[];
  leftOut: number;
  /** Somebody asked for it; `forgotten` is what had been forgotten by then. */
  asked?: { forgotten: number };
}

/** One on every node. */
@Service({ name: 'tracing', capabilities: [TRACE_PARTICIPANT] })
@Injectable()
export class TraceParticipant implements OnModuleInit {
  /** By trace id, the oldest first. */
  readonly #kept = new Map<string, Kept>();
  /** When the latest of the forgotten traces began. */
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

  /** What this node has of a trace; nothing is an answer as well. */
  @Channel('control', { type: TRACE_REPORT })
  report(traceId: unknown): Report {
    if (!isTraceId(traceId)) throw new TypeError('Not a trace id');
    const kept = this.#of(traceId);
    kept.asked ??= { forgotten: this.#forgotten };
    const { name: node, bootId } = this.membership.self;
    const { spans, leftOut, asked } = kept;
    return { node, bootId, at: this.membership.clusterNow(), spans: spans.map(spanOf), leftOut, ...asked };
  }

  /** Called with each span when it begins; the object gets its end later. */
  #keep(span: RecordedSpan): void {
    const kept = this.#of(span.traceId);
    // Whoever sends a request may begin a trace, so the spans are limited as the traces are.
    if (kept.spans.length < MAX_SPANS) kept.spans.push(span);
    else kept.leftOut += 1;
  }

  #of(traceId: string): Kept {
    const found = this.#kept.get(traceId);
    if (found !== undefined) return found;
    const now = this.membership.clusterNow();
    for (const [id, { since }] of this.#kept) if (since < now - KEEP_MS) this.#forget(id);
    if (this.#kept.size >= MAX_TRACES) {
      // First the oldest of those that nobody has asked for.
      const ids = [...this.#kept.keys()];
      this.#forget(ids.find((id) => this.#kept.get(id)?.asked === undefined) ?? ids[0]!);
    }
    const fresh = { since: now, spans: [], leftOut: 0 };
    this.#kept.set(traceId, fresh);
    return fresh;
  }

  #forget(traceId: string): void {
    this.#forgotten = Math.max(this.#forgotten, this.#kept.get(traceId)?.since ?? 0);
    this.#kept.delete(traceId);
  }
}
