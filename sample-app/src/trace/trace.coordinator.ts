/**
 * Collects the reports of all participants, on one node of the cluster. When that node dies the next coordinator goes
 * on from what is in Redis, and asks the participants again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import {
  Callable,
  Channels,
  Membership,
  type OnProcessStart,
  type ProcessContext,
  readTraceContext,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import { isTraceId, readReport, type Report } from './span.js';
import { dataOf, takeIn, type TraceData, type TraceRecord, withinRoom } from './trace.js';
import { TRACE_PARTICIPANT, TRACE_REPORT } from './trace.participant.js';
import { TraceStore } from './trace.store.js';

/** A report that is in Redis survives the node that made it, so they are not only collected when somebody asks. */
const COLLECT_EVERY_MS = 500;
/** A trace in which nothing has happened for so long is collected only when somebody asks. */
const REST_AFTER_MS = 60_000;
const ANSWER_MS = 2000;
const MAX_TRACES = 50;

/** A trace, and when something of it changed last. */
interface Known {
  trace: TraceRecord;
  changedAt: number;
}

@Singleton({ name: 'trace-coordinator' })
export class TraceCoordinator implements OnProcessStart {
  readonly #logger = new Logger(TraceCoordinator.name);
  /** A cache of what is in Redis, the oldest first. */
  readonly #known = new Map<string, Known>();
  #ctx!: ProcessContext;

  constructor(
    private readonly store: TraceStore,
    private readonly mesh: ServiceMesh,
    private readonly channels: Channels,
    private readonly membership: Membership,
  ) {}

  async onProcessStart(ctx: ProcessContext): Promise<void> {
    this.#ctx = ctx;
    for (const { id } of (await this.store.list()).reverse()) await this.#find(id);
    ctx.run((signal) => this.#collectAlways(signal));
  }

  /** Begins a trace with the span that the context names; a trace that has begun already is left as it is. */
  @Callable({ idempotent: true })
  async start(traceparent: string): Promise<{ id: string; startedAt: number; nodes: string[] }> {
    const context = readTraceContext({ traceparent });
    if (context === undefined) throw new TypeError('Not a traceparent');
    const [, id, root] = context.traceparent.split('-') as [string, string, string];
    const known = await this.#find(id);
    const trace = known?.trace ?? (await this.#begin(id, root));
    return { id, startedAt: trace.startedAt, nodes: trace.participants.map(({ node }) => node).sort() };
  }

  /** What is known of a trace now, after every participant was asked; `null` for one that is not known. */
  @Callable({ idempotent: true, timeout: '10s' })
  async data(id: string): Promise<TraceData | null> {
    if (!isTraceId(id)) throw new TypeError('Not a trace id');
    const known = await this.#find(id);
    if (known === undefined) return null;
    await this.#collect(known);
    return dataOf(known.trace);
  }

  /** The traces, the newest first. */
  @Callable({ idempotent: true })
  list(): { id: string; startedAt: number; spans: number; complete: boolean }[] {
    return [...this.#known.values()]
      .map(({ trace }) => dataOf(trace))
      .map(({ id, startedAt, spans, complete }) => ({ id, startedAt, spans: spans.length, complete }))
      .reverse();
  }

  async #begin(id: string, root: string): Promise<TraceRecord> {
    const found = await this.mesh.discoverServices({ capabilities: TRACE_PARTICIPANT });
    // Another call may have begun it meanwhile.
    const begun = this.#known.get(id)?.trace;
    if (begun !== undefined) return begun;
    const participants = found.map(({ node, bootId }) => ({ node, bootId }));
    const trace = { id, root, startedAt: this.membership.clusterNow(), participants, reports: {} };
    this.#remember(trace);
    await this.store.write(trace);
    return trace;
  }

  async #find(id: string): Promise<Known | undefined> {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const trace = await this.store.read(id);
    // Another call may have found it meanwhile.
    return this.#known.get(id) ?? (trace && this.#remember(trace));
  }

  #remember(trace: TraceRecord): Known {
    const known = { trace, changedAt: this.membership.clusterNow() };
    this.#known.set(trace.id, known);
    const oldest = this.#known.keys().next().value;
    if (this.#known.size > MAX_TRACES && oldest !== undefined) this.#known.delete(oldest);
    return known;
  }

  async #collectAlways(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(COLLECT_EVERY_MS, undefined, { signal });
      const since = this.membership.clusterNow() - REST_AFTER_MS;
      const lively = [...this.#known.values()].filter(({ changedAt }) => changedAt >= since);
      try {
        await Promise.all(lively.map((known) => this.#collect(known)));
      } catch (error) {
        // Redis may be away for a moment: the participants have their spans, and are asked again.
        this.#logger.warn(`Collected less than there is: ${(error as Error).message}`);
      }
    }
  }

  /** Asks every participant there is, and keeps what it says in Redis. */
  async #collect(known: Known): Promise<void> {
    const { trace } = known;
    const present = await this.mesh.discoverServices({ capabilities: TRACE_PARTICIPANT });
    const { answers, missing } = await this.channels.gather('control', trace.id, {
      type: TRACE_REPORT,
      timeout: ANSWER_MS,
    });
    const now = this.membership.clusterNow();
    const reports = answers.flatMap(({ value }) => readReport(value) ?? []);
    const fresh: Report[] = [];
    for (const { node, bootId } of present) {
      const found = reports.find((one) => one.bootId === bootId);
      const report = found && withinRoom(trace, found);
      let participant = trace.participants.find((one) => one.bootId === bootId);
      // One that came later takes part once it has something to say, or does not say whether it has.
      if (participant === undefined && found?.spans.length !== 0) participant = takeIn(trace, { node, bootId });
      if (participant === undefined) continue;
      if (report === undefined) {
        const { reason, message } = missing.find((one) => one.node === node) ?? { reason: 'not a report' };
        participant.silent = message ?? reason;
        continue;
      }
      delete participant.silent;
      // It was cut off, and is back with all that it has.
      delete participant.goneAt;
      if (JSON.stringify(trace.reports[bootId]?.spans) !== JSON.stringify(report.spans)) known.changedAt = now;
      trace.reports[bootId] = report;
      fresh.push(report);
    }
    for (const participant of trace.participants) {
      if (!present.some(({ bootId }) => bootId === participant.bootId)) participant.goneAt ??= now;
    }
    // A coordinator whose time is over must not overwrite what its successor has written.
    if (this.#ctx.isOwner()) await this.store.write(trace, fresh);
  }
}
