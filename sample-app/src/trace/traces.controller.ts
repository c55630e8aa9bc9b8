/**
 * `POST /traces` begins a trace, `GET /traces/:id` shows what all nodes know of it, `GET /traces` lists them.
 */
import { Controller, Get, Headers, Param, Post } from '@nestjs/common';
import type { TraceData } from './trace.js';
import { type StartedTrace, Traces } from './traces.js';

@Controller('traces')
export class TracesController {
  constructor(private readonly traces: Traces) {}

  @Post()
  start(@Headers('traceparent') traceparent?: string): Promise<StartedTrace> {
    return this.traces.startDistributedTrace(traceparent);
  }

  @Get()
  list(): ReturnType<Traces['list']> {
    return this.traces.list();
  }

  @Get(':id')
  data(@Param('id') id: string): Promise<TraceData> {
    return this.traces.getTraceData(id);
  }
}
