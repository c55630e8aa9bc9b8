/**
 * Makes the events of a node: with an id of its own, the time, its name; and those that 1.x has words for.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import type { Result } from '../v1.result.js';
import { V1Service } from '../v1.service.js';
import { captured, type KeptEvent, readEvent, type V1Event } from './v1.event.js';

/** What a new event has instead of what it would get. */
export type EventOptions = Partial<Omit<V1Event, 'eventType' | 'data'>>;

/** Of `Events.functionEntry`: who called. */
export interface FunctionEntryOptions extends EventOptions {
  callerModule?: string;
  callerFunction?: string;
  callerLine?: number;
}

/** Of `Events.stateChange`: what caused it. */
export interface StateChangeOptions extends EventOptions {
  triggerMessage?: unknown;
  triggerCallId?: number;
}

/** See the file header. */
@Injectable()
export class EventFactory {
  /** Ids are unique on this node, and hardly ever the same on two. */
  #lastId = randomInt(2 ** 47);

  constructor(@Inject(V1Service) private readonly service: Pick<V1Service, 'now' | 'node'>) {}

  make(eventType: string, data: unknown, options: EventOptions = {}): Result<KeptEvent> {
    // `null` means none, and is kept. Field by field: what is given may have millions of others.
    const {
      eventId = this.#nextId(),
      timestamp = this.service.now(),
      wallTime = new Date(),
      node = this.service.node,
      pid = process.pid,
      correlationId = randomUUID(),
      parentId,
    } = options;
    return readEvent({ eventType, eventId, timestamp, wallTime, node, pid, correlationId, parentId, data });
  }

  entry(
    { module, fun, arity }: { module: string; fun: string; arity: number },
    args: unknown,
    options: FunctionEntryOptions,
  ): Result<KeptEvent> {
    const { callerModule = null, callerFunction = null, callerLine = null } = options;
    const caller = { callerModule, callerFunction, callerLine };
    const data = { callId: this.#nextId(), module, function: fun, arity, args: this.#captured(args), ...caller };
    return this.make('function_entry', data, options);
  }

  exit(
    { module, fun, arity }: { module: string; fun: string; arity: number },
    { result, ...outcome }: { callId: number; result: unknown; durationNs: number; exitReason: string },
    options: EventOptions,
  ): Result<KeptEvent> {
    const data = { module, function: fun, arity, result: this.#captured(result), ...outcome };
    return this.make('function_exit', data, options);
  }

  change(
    { server, callback }: { server: unknown; callback: string },
    { oldState, newState }: { oldState: unknown; newState: unknown },
    options: StateChangeOptions,
  ): Result<KeptEvent> {
    const { triggerMessage = null, triggerCallId = null } = options;
    const states = { oldState: this.#captured(oldState), newState: this.#captured(newState) };
    const trigger = { triggerMessage: this.#captured(triggerMessage), triggerCallId };
    const stateDiff = isSame(oldState, newState) ? 'no_change' : 'changed';
    const data = { serverPid: this.#captured(server), callback, ...states, stateDiff, ...trigger };
    return this.make('state_change', data, options);
  }

  #captured(value: unknown): unknown {
    return captured(value, new Date());
  }

  #nextId(): number {
    return (this.#lastId += 1);
  }
}

function isSame(a: unknown, b: unknown): boolean {
  try {
    return isDeepStrictEqual(a, b);
  } catch {
    return false;
  }
}
