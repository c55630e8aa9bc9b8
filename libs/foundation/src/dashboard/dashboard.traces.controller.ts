/**
 * The traces of the application for the page, below the path of the dashboard and under the same guards.
 * Made by the module where the option `traces` names who collects them; underneath Nest's own HTTP layer.
 */
import { BadRequestException, Get, HttpException, Inject, NotFoundException, Param, type Type } from '@nestjs/common';
import type { DashboardConfig } from './dashboard.options.js';
import { AnswersAsIs, DashboardRoute } from './dashboard.route.js';
import { type DashboardTraceLine, readTraceId, type TraceSeen } from './dashboard.traces.js';
import { TraceReader } from './trace.reader.js';

/** A controller below this path. */
export function tracesControllerAt(config: DashboardConfig): Type {
  @DashboardRoute(config, '/traces', 'looking')
  class FoundationTracesController {
    constructor(@Inject(TraceReader) private readonly traces: TraceReader) {}

    @Get()
    @AnswersAsIs()
    async list(): Promise<{ traces: DashboardTraceLine[] }> {
      return { traces: answered(await this.traces.list()) };
    }

    @Get(':id')
    @AnswersAsIs()
    async get(@Param('id') given: string): Promise<TraceSeen> {
      const id = readTraceId(given);
      if (id === undefined) throw new BadRequestException('Not a trace id: 32 hexadecimal digits in lower case.');
      const trace = answered(await this.traces.get(id));
      if (trace === undefined) throw new NotFoundException('This trace is not known, or is forgotten.');
      return trace;
    }
  }
  return FoundationTracesController;
}

/** @throws an exception with status 503 when the application did not say. */
function answered<T>(answer: T | 'failed'): T {
  if (answer === 'failed') throw new HttpException('The application did not say; the log of this node says why.', 503);
  return answer;
}
