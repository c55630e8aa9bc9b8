/**
 * The story of a trace: what a request did on all nodes, collected in one place.
 */
import { Module } from '@nestjs/common';
import { TraceCoordinator } from './trace.coordinator.js';
import { TraceParticipant } from './trace.participant.js';
import { TraceStore } from './trace.store.js';
import { TracesController } from './traces.controller.js';
import { Traces } from './traces.js';

@Module({
  controllers: [TracesController],
  providers: [Traces, TraceCoordinator, TraceParticipant, TraceStore],
  exports: [Traces],
})
export class TraceModule {}
