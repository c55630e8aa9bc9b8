/**
 * The event bus of one Foundation: every room emits, the application attaches.
 * Underneath: arrays of listeners, and `node:diagnostics_channel`; no network.
 */
import { type Channel, channel } from 'node:diagnostics_channel';
import { Injectable } from '@nestjs/common';
import { ArgumentError } from '../errors/config.errors.js';
import { show, shown } from '../errors/describe.js';
import { Gate } from '../foreign/gate.js';
import type { FoundationEventName, FoundationEvents } from './events.js';
import { readSpan } from './span.arguments.js';
import { carried, type SpanDescription, spanned, type TraceCarrier, type Tracing } from './tracing.js';
import { WorkFigures } from './work.figures.js';

type RoomOf<E> = E extends `${infer Room}.${string}` ? Room : never;

/** An event's name, all events of a room (`cluster.*`), or all there are (`*`). */
export type TelemetryPattern = FoundationEventName | `${RoomOf<FoundationEventName>}.*` | '*';

/** The names that a pattern means. */
export type TelemetryEventsOf<P extends TelemetryPattern> = P extends '*'
  ? FoundationEventName
  : P extends `${infer Room}.*`
    ? Extract<FoundationEventName, `${Room}.${string}`>
    : Extract<P, FoundationEventName>;

/** An event's name and its payload; with several names, comparing the name narrows the payload. */
export type TelemetryEvent<E extends FoundationEventName = FoundationEventName> = {
  [Name in E]: [event: Name, payload: FoundationEvents[Name]];
}[E];

/** Called with the event's name and its payload; what it returns is ignored, and a promise may reject. */
export type TelemetryListener<E extends FoundationEventName = FoundationEventName> = (
  ...args: TelemetryEvent<E>
) => unknown;

type AnyListener = (event: FoundationEventName, payload: FoundationEvents[FoundationEventName]) => unknown;

/** A span that {@link Telemetry.span} makes. */
export type SpanInput = Omit<SpanDescription, 'attributes'> & Partial<Pick<SpanDescription, 'attributes'>>;

/** Where one event goes. */
interface Route {
  listeners: readonly AnyListener[];
  channel: Channel;
}

/** Emits and attaches to the typed events of {@link FoundationEvents}. */
@Injectable()
export class Telemetry {
  /**
   * Makes spans and carries traces; nothing does while it is not set. `FoundationOpenTelemetryModule` sets it, and an
   * application may set a {@link SpanRecorder}.
   */
  tracing: Tracing | undefined;
  /** @internal How often methods, handlers and jobs of this node run, and how long that takes. */
  readonly figures = new WorkFigures();
  readonly #attached = new Set<{ pattern: string; listener: AnyListener }>();
  /** Made on the first event of its name; discarded when a listener is attached or detached. */
  readonly #routes = new Map<FoundationEventName, Route>();
  readonly #gate = new Gate(this);
  /** For listeners to the failures of listeners: theirs are in the log only. */
  readonly #lastGate = new Gate();

  /**
   * Calls `listener` for every event that the pattern means: a name (`'message.sent'`), a room (`'cluster.*'`) or all
   * (`'*'`). Returns the function that detaches it.
   *
   * ```ts
   * telemetry.attach('cluster.*', (event, payload) => {
   *   if (event === 'cluster.node_left') console.log(payload.reason);
   * });
   * ```
   *
   * Underneath: an array per event, called synchronously by the emitter in the order of attaching. A listener that
   * throws or rejects is logged, counted (`callback.failed`) and harms no other listener; one that blocks delays the
   * emitter. Every event is also published on the `node:diagnostics_channel` of its name,
   * `foundation:cluster:node_joined` for `cluster.node_joined`, by all Foundations of the process; what a subscriber of
   * that throws, Node makes an uncaught exception.
   *
   * @throws ArgumentError for what can be no pattern, or no listener.
   */
  attach<P extends TelemetryPattern>(pattern: P, listener: TelemetryListener<TelemetryEventsOf<P>>): () => void;
  /** For a listener that wants the name only; TypeScript does not see that it takes the first of two. */
  attach<P extends TelemetryPattern>(pattern: P, listener: (event: TelemetryEventsOf<P>) => unknown): () => void;
  attach(pattern: TelemetryPattern, listener: unknown): () => void {
    if (typeof pattern !== 'string' || !/^(\*|[a-z_]+\.(\*|[a-z_]+))$/.test(pattern)) {
      throw new ArgumentError('attach', 'pattern', shown(pattern, 80), `an event's name, 'cluster.*' or '*'`);
    }
    if (typeof listener !== 'function') {
      throw new ArgumentError('attach', 'listener', typeof listener, 'a function');
    }
    const attached = { pattern, listener: listener as AnyListener };
    this.#attached.add(attached);
    this.#routes.clear();
    return () => {
      if (this.#attached.delete(attached)) this.#routes.clear();
    };
  }

  /** False when the event has no listener, so that its payload need not be made. */
  wants(event: FoundationEventName): boolean {
    const { listeners, channel } = this.#routes.get(event) ?? this.#route(event);
    return listeners.length > 0 || channel.hasSubscribers;
  }

  /** Emits an event to everyone attached. */
  emit<E extends FoundationEventName>(event: E, payload: FoundationEvents[E]): void {
    const { listeners, channel } = this.#routes.get(event) ?? this.#route(event);
    const gate = event === 'callback.failed' ? this.#lastGate : this.#gate;
    for (const listener of listeners) gate.tell(`Telemetry.attach('${event}')`, listener, event, payload);
    if (channel.hasSubscribers) channel.publish(payload);
  }

  /**
   * Runs work in a span, and answers what the work answers. Messages and calls of Foundation have spans by themselves;
   * this is for what it does not see: a request, a job of a queue, a step of the application. The span ends with the
   * work, with a promise when that settles, and notes its error.
   *
   * ```ts
   * const parent = readTraceContext(job.data.trace);
   * telemetry.span({ kind: 'consumer', name: 'process invoices', parent }, () => print(job));
   * ```
   *
   * Underneath: `tracing.span`; without tracing the work runs and nothing else happens.
   *
   * @param description `kind`, `name` (1 to 200 characters), `attributes` (texts and finite numbers, default none), and
   *   for a `consumer` or a `server` its `parent`; without one that begins a trace of its own, or has no span.
   * @throws ArgumentError for a description that cannot be one; the work has not run then.
   */
  span<T>(description: SpanInput, work: () => T): T {
    const span = readSpan(description);
    if (typeof work !== 'function') throw new ArgumentError('span', 'work', typeof work, 'a function');
    return spanned(this, span, work);
  }

  /**
   * The trace context that is active now, to send with what Foundation does not send itself, such as a job of a queue
   * or a request. `undefined` outside of a span.
   *
   * Underneath: `tracing.carry`.
   */
  carry(): TraceCarrier | undefined {
    return carried(this);
  }

  #route(event: FoundationEventName): Route {
    if (typeof event !== 'string') throw new ArgumentError('Telemetry', 'event', show(event), `an event's name`);
    const patterns = ['*', `${event.split('.')[0]}.*`, event];
    const listeners = [...this.#attached].flatMap(({ pattern, listener }) =>
      patterns.includes(pattern) ? [listener] : [],
    );
    const route = { listeners, channel: channel(`foundation:${event.replaceAll('.', ':')}`) };
    this.#routes.set(event, route);
    return route;
  }
}
