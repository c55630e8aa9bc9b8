/**
 * The events of all nodes: answers queries of other nodes from the store of this one, and asks them.
 */
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { type ClusterAnswer, ClusterQueries, type ClusterQueryOptions } from '../cluster/cluster.queries.js';
import { ok, type Result } from '../v1.result.js';
import { byTime } from './event.logic.js';
import { eventOf, fromWire, type KeptEvent, type V1Event, wireOf } from './v1.event.js';

const TYPE = 'events_by_correlation';

/** Events of several nodes, by time. */
export interface ClusterEvents extends ClusterAnswer {
  readonly events: readonly V1Event[];
}

/** See the file header. */
@Injectable()
export class EventQueries implements OnModuleInit {
  /** The events of this node with a correlation id, by time; `Events` sets it. */
  find: (correlationId: string) => readonly KeptEvent[] = () => [];

  constructor(@Inject(ClusterQueries) private readonly queries: ClusterQueries) {}

  async onModuleInit(): Promise<void> {
    await this.queries.answer(TYPE, (id) => (typeof id === 'string' ? this.find(id).map(wireOf) : []));
  }

  async byCorrelation(correlationId: string, options: ClusterQueryOptions): Promise<Result<ClusterEvents>> {
    const asked = await this.queries.ask(TYPE, correlationId, readWire, options);
    if (!asked.ok) return asked;
    const { entries, ...answer } = asked.value;
    return ok({ events: byTime(entries), ...answer });
  }
}

function readWire(value: unknown): V1Event | undefined {
  const event = fromWire(value);
  return event.ok ? eventOf(event.value) : undefined;
}
