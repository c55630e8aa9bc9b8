/**
 * One handler of one subscription: reads the payload, calls the handler in the span of its message, and counts and
 * reports what became of it. What follows, a drop or a dead letter, is up to the subscription.
 */
import type { ContextHook } from '../context/context.hook.js';
import { afresh, isolated } from '../context/fresh.js';
import { describe, read } from '../errors/describe.js';
import { awaitable } from '../foreign/gate.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import { nameOfSchema, readAs } from '../schemas/payload.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { WorkSeries } from '../telemetry/work.series.js';
import type { MessageHandler, MessageMeta, SubscribeOptions } from './channel.js';
import { traced } from './channel.tracing.js';
import type { Envelope } from './envelope.js';

/** What a runner works with. */
export interface HandlerSubject {
  channel: string;
  handler: MessageHandler;
  payload: SubscribeOptions['payload'] | undefined;
  /** Of the spans; as it is called in Redis on a durable channel. */
  group: string | undefined;
  /** Messages are handled where no storage has a store already; see {@link isolated}. */
  isOfNobody?: true;
  /** What the handler is called in the figures. Default: its name. */
  label?: string;
  /** Called for each message that is given to the handler. */
  received?: (meta: MessageMeta) => void;
}

/** What a runner needs. */
export interface RunnerTools {
  telemetry: Telemetry;
  /** Default: nothing travels with messages. */
  context?: ContextHook;
}

/** The handler was not called: the message is not what the schema says. Counted and reported already. */
export class InvalidPayload extends Error {
  constructor(
    readonly payload: string,
    readonly errors: readonly string[],
  ) {
    super(`not a valid ${payload}`);
  }
}

/** See the file header. */
export class HandlerRunner {
  received = 0;
  failed = 0;
  invalid = 0;
  readonly #log = new ThrottledLog();
  // Fields of its own, because they are read for each message.
  readonly #handler: MessageHandler;
  readonly #received: HandlerSubject['received'];
  readonly #apart: typeof afresh;
  readonly #series: WorkSeries | undefined;

  constructor(
    private readonly subject: HandlerSubject,
    private readonly tools: RunnerTools,
  ) {
    const { handler } = subject;
    this.#handler = (message, meta) => awaitable(handler(message, meta));
    this.#received = subject.received;
    const { channel, label = handlerName(subject.handler) } = subject;
    this.#series = tools.telemetry.figures.handler(channel, label);
    this.#apart = subject.isOfNobody === true ? isolated : afresh;
  }

  /**
   * Gives the message to the handler. Not async, because most handlers are not, and a promise for each message would
   * cost more than the rest of the call.
   *
   * @throws InvalidPayload, or what the handler throws; a promise rejects with the same.
   */
  run(envelope: Envelope): unknown {
    return this.subject.payload === undefined ? this.#call(envelope, envelope.message) : this.#readFirst(envelope);
  }

  /** Records that the handler is over, `tookMs` after it was given a message. `now` is `performance.now()`. */
  took(tookMs: number, hasFailed: boolean, now: number): void {
    if (this.#series !== undefined) this.#series.record(tookMs, hasFailed, now);
  }

  /** Counts and reports a failure of the handler; returns its text. `details` are for the log. */
  fail(error: unknown, details: object): string {
    const { channel } = this.subject;
    const text = describe(error);
    this.failed += 1;
    this.tools.telemetry.emit('message.handler_failed', { channel, error: text });
    this.#log.error('A message handler failed', { channel, ...details, error: text }, '', 1, error);
    return text;
  }

  #call({ meta, trace }: Envelope, message: unknown): unknown {
    this.received += 1;
    if (this.#received !== undefined) this.#received(meta);
    const { telemetry, context } = this.tools;
    // Nearly always, and a closure for each message would cost something.
    if (telemetry.tracing === undefined && context?.isSet !== true) return this.#apart(this.#handler, message, meta);
    const handle = (): unknown =>
      traced(telemetry, meta, trace, this.subject.group, () => this.#handler(message, meta));
    return this.#apart(() => (context === undefined ? handle() : context.run(meta.context, handle)));
  }

  async #readFirst(envelope: Envelope): Promise<unknown> {
    const { channel, payload } = this.subject;
    const { from, type } = envelope.meta;
    const { value, errors } = await readAs(payload, envelope.message);
    if (errors === undefined) return this.#call(envelope, value);
    this.invalid += 1;
    this.tools.telemetry.emit('message.invalid', { channel, from, type, errors });
    throw new InvalidPayload(nameOfSchema(payload!), errors);
  }
}

/** A function may have any name, or a getter for it. */
export function handlerName(handler: MessageHandler): string {
  const name = read(handler, 'name');
  return typeof name === 'string' ? name : '';
}
