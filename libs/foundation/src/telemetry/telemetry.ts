/**
 * The event bus of one Foundation: every room emits, the application attaches.
 * Underneath: a map of listeners; no network.
 */
import { Injectable, Logger } from '@nestjs/common';
import { describe } from '../errors.js';
import type { FoundationEventName, FoundationEvents } from './events.js';

/** Called with the event's name and its payload. */
export type TelemetryListener<E extends FoundationEventName> = (event: E, payload: FoundationEvents[E]) => void;

type AnyListener = (event: FoundationEventName, payload: FoundationEvents[FoundationEventName]) => void;

/** Emits and attaches to the typed events of {@link FoundationEvents}. */
@Injectable()
export class Telemetry {
  readonly #listeners = new Map<FoundationEventName | '*', Set<AnyListener>>();
  readonly #logger = new Logger('Foundation');

  /**
   * Calls `listener` for every event of that name, or for all of them with `'*'`; returns the function that detaches it.
   *
   * Underneath: a `Set` per name, called synchronously by the emitter. A listener that throws is logged and harms
   * nobody; one that blocks delays whoever emits.
   */
  attach<E extends FoundationEventName>(event: E | '*', listener: TelemetryListener<E>): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener as AnyListener);
    return () => void listeners.delete(listener as AnyListener);
  }

  /** Emits an event to everyone attached. */
  emit<E extends FoundationEventName>(event: E, payload: FoundationEvents[E]): void {
    for (const key of [event, '*'] as const) {
      for (const listener of this.#listeners.get(key) ?? []) {
        try {
          listener(event, payload);
        } catch (error) {
          this.#logger.error('A telemetry listener threw; the others were served', { event, error: describe(error) });
        }
      }
    }
  }
}
