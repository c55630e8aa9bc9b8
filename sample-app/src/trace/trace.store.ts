/**
 * What the coordinator knows, in Redis, so that it does not die with its node. Every key expires.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { FoundationTools, Membership } from 'nestjs-foundation';
import { isSpanId, isTraceId, readReport, type Report } from './span.js';
import type { TraceRecord } from './trace.js';

/** How long a trace can be read after it was written last. */
const KEEP_MS = 15 * 60_000;
/** The oldest is forgotten when there is one more. */
const MAX_TRACES = 50;

/** The ioredis client of Foundation serves the application as well: it is layer 3, and there to be used. */
@Injectable()
export class TraceStore {
  constructor(
    /** `undefined` without a cluster: then the memory of the coordinator is all there is. */
    @Inject(FoundationTools.control) private readonly redis: Redis | undefined,
    private readonly membership: Membership,
  ) {}

  /** The ids of the traces and when they began, the newest first. */
  async list(): Promise<{ id: string; startedAt: number }[]> {
    const flat = (await this.redis?.zrevrange(this.#index, 0, MAX_TRACES - 1, 'WITHSCORES')) ?? [];
    const traces: { id: string; startedAt: number }[] = [];
    for (let at = 0; at + 1 < flat.length; at += 2) traces.push({ id: flat[at]!, startedAt: Number(flat[at + 1]) });
    return traces.filter(({ id }) => isTraceId(id));
  }

  async read(id: string): Promise<TraceRecord | undefined> {
    const { trace, ...reports } = (await this.redis?.hgetall(this.#key(id))) ?? {};
    const head = trace === undefined ? undefined : (JSON.parse(trace) as Omit<TraceRecord, 'reports'>);
    if (head?.id !== id || !isSpanId(head.root) || !Array.isArray(head.participants)) return undefined;
    const read = Object.values(reports).flatMap((text) => readReport(JSON.parse(text)) ?? []);
    return { ...head, reports: Object.fromEntries(read.map((report) => [report.bootId, report])) };
  }

  /** Writes the trace, and of its reports those that are new. */
  async write({ reports: _, ...head }: TraceRecord, fresh: readonly Report[] = []): Promise<void> {
    const key = this.#key(head.id);
    const fields = fresh.flatMap((report) => [report.bootId, JSON.stringify(report)]);
    await this.redis
      ?.multi()
      .hset(key, 'trace', JSON.stringify(head), ...fields)
      .pexpire(key, KEEP_MS)
      .zadd(this.#index, head.startedAt, head.id)
      .zremrangebyrank(this.#index, 0, -MAX_TRACES - 1)
      .pexpire(this.#index, KEEP_MS)
      .exec();
  }

  get #index(): string {
    return `{${this.membership.appName}}:traces`;
  }

  #key(id: string): string {
    return `{${this.membership.appName}}:trace:${id}`;
  }
}
