/**
 * Begins a trace, and says what all nodes know of one: on any node, for the application and for the dashboard.
 */
import { BadRequestException, Injectable, NotFoundException } from '@nestjs/common';
import { InjectSingleton, readTraceContext, type Remote, Telemetry } from 'nestjs-foundation';
import type { DashboardTraces } from 'nestjs-foundation/dashboard';
import { isTraceId } from './span.js';
import { TraceCoordinator } from './trace.coordinator.js';
import type { TraceData } from './trace.js';

/** A trace that has begun: send `traceparent` with every request that belongs to it. */
export interface StartedTrace {
  id: string;
  traceparent: string;
  startedAt: number;
  /** The nodes that take part. */
  nodes: string[];
}

@Injectable()
export class Traces implements DashboardTraces {
  constructor(
    @InjectSingleton(TraceCoordinator) private readonly coordinator: Remote<TraceCoordinator>,
    private readonly telemetry: Telemetry,
  ) {}

  /**
   * Begins a trace, or makes one of the trace that a client has begun (its `traceparent`). Beginning one twice is
   * beginning it once.
   */
  async startDistributedTrace(given?: string): Promise<StartedTrace> {
    // By the span, so that the ids are those of OpenTelemetry where that makes them.
    const context =
      given === undefined
        ? this.telemetry.span({ kind: 'internal', name: 'start trace' }, () => this.telemetry.carry())
        : readTraceContext({ traceparent: given });
    if (context === undefined) {
      throw new BadRequestException(
        'Not a traceparent of W3C Trace Context: 00-<32 hexadecimal digits>-<16 hexadecimal digits>-01, in lower case',
      );
    }
    // Sampled: whoever asks for a trace wants it recorded.
    const traceparent = context.traceparent.replace(/..$/, '01');
    return { traceparent, ...(await this.coordinator.start(traceparent)) };
  }

  /** The spans of a trace from all nodes, and whether anything is missing. */
  async getTraceData(id: string): Promise<TraceData> {
    if (!isTraceId(id)) {
      throw new BadRequestException(
        'Not a trace id of W3C Trace Context: 32 hexadecimal digits in lower case, not all zeros',
      );
    }
    const data = await this.get(id);
    if (data === undefined) throw new NotFoundException(`No trace ${id}: it was never begun here, or is forgotten`);
    return data;
  }

  /** The same for the dashboard: a trace that is not known is not an error. */
  async get(id: string): Promise<TraceData | undefined> {
    return (await this.coordinator.data(id)) ?? undefined;
  }

  /** The traces that are remembered, the newest first. */
  list(): Promise<{ id: string; startedAt: number; spans: number; complete: boolean }[]> {
    return this.coordinator.list();
  }
}
