/**
 * Sends calls to the node that owns a process and waits for the answers; also this node's inbox.
 * Called by `call.router.ts`; underneath PUBLISH to `…:inbox:<bootId>`, one for all calls of a turn.
 */
import type { Backend } from '../backend/backend.js';
import { Outbox } from '../backend/transport/outbox.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { LocalNode } from '../cluster/local.node.js';
import type { FoundationConfig } from '../config/config.js';
import { ContextHook } from '../context/context.hook.js';
import { CallInterruptedError, type CallSubject, CallTimeoutError } from '../errors/call.errors.js';
import { ArgumentError } from '../errors/config.errors.js';
import { describe } from '../errors/describe.js';
import { OverloadedError } from '../errors/limit.errors.js';
import { onAbort } from '../foreign/abort.signals.js';
import { unattended } from '../foreign/gate.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import type { MessageDropReason } from '../telemetry/events.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { carried } from '../telemetry/tracing.js';
import type { Duration } from '../time/duration.js';
import { keysOf } from '../wire/keys.js';
import { type CallReply, type CallRequest, decodeCalls, encodeCall } from './call.codec.js';
import type { CallMark } from './call.marks.js';
import type { CallServer } from './call.server.js';
import { chain, onBehalfOf } from './waiting.js';

/** Where a call goes. */
export interface CallTarget {
  name: string;
  node: string;
  bootId: string;
  epoch: number;
  /** For a partition: of how many the caller takes it to be one. */
  partitions?: number;
  /** It is Foundation that calls, not the application. */
  isInternal?: true;
}

/** Options of one call. */
export interface CallOptions {
  /** Milliseconds, or a text such as `'30s'`. Default: that of `@Callable`, then `calls.timeout`. */
  timeout?: Duration;
  /** Gives up waiting; what was sent may still be carried out. */
  signal?: AbortSignal;
}

/** Options of a call to a known place. */
export interface CallAtOptions extends CallOptions {
  /** What `@Callable()` says of the method there. */
  mark?: CallMark | undefined;
  /** When the first attempt began, by `performance.now()`: the time of a call is that of all its attempts. */
  since?: number;
}

/** The same with the timeout that counts. */
export interface TimedCall extends CallOptions {
  /** Milliseconds. */
  timeout: number;
  /** The method is marked so; said in the errors. */
  idempotent?: boolean;
}

interface Pending {
  subject: CallSubject;
  bootId: string;
  settle(reply: CallReply): void;
  /** With whatever it is; the reason of a signal may be anything. */
  fail(reason: unknown): void;
}

/** So many calls may wait for their answers; each of them holds its arguments' text until it is sent, and a timer. */
export const MAX_PENDING_CALLS = 50_000;

/** A call that reached no node: it was not carried out. */
export const UNDELIVERED = { kind: 'reply', id: '', outcome: 'stale' } as const;

/** What the client needs. */
export interface CallClientParts {
  readonly config: FoundationConfig;
  readonly node: Pick<LocalNode, 'bootId'>;
  readonly backend: Pick<Backend, 'transport' | 'database'>;
  readonly membership: Pick<ClusterView, 'members' | 'listen' | 'state'>;
  readonly server: Pick<CallServer, 'handle'>;
  readonly telemetry: Telemetry;
}

/** See the file header. */
export class CallClient {
  readonly #pending = new Map<string, Pending>();
  readonly #outbox: Outbox;
  readonly #inbox: (bootId: string) => string;
  readonly #log = new ThrottledLog();
  readonly #context: ContextHook;
  #lastId = 0;

  constructor(private readonly parts: CallClientParts) {
    const { config, backend, membership } = parts;
    this.#outbox = new Outbox(backend.transport);
    this.#context = new ContextHook(config.context);
    const keys = keysOf(config.appName, backend.database);
    this.#inbox = (bootId) => keys.inbox(bootId);
    const isOther = (bootId: string): boolean => bootId !== parts.node.bootId;
    backend.transport.onInterrupted((from) => {
      const concerns = (bootId: string): boolean => isOther(bootId) && (from === undefined || bootId === from);
      this.#interrupt(concerns, 'the connection that brings the answer was cut');
    });
    membership.listen({
      changed: () => {
        // Nothing comes any more, not even from this node.
        if (membership.state === 'left') return this.#interrupt(() => true, 'this node left the cluster');
        const alive = new Set(membership.members().map(({ bootId }) => bootId));
        this.#interrupt((bootId) => isOther(bootId) && !alive.has(bootId), 'the node left the cluster');
      },
    });
  }

  /** Listens for calls and answers. Called by the lifecycle. */
  async open(): Promise<void> {
    await this.parts.backend.transport.subscribe(this.#inbox(this.parts.node.bootId), (text) => this.#receive(text));
  }

  /** Lets the last answers out. Called by the lifecycle. */
  flush(): Promise<void> {
    return this.#outbox.flush();
  }

  /**
   * Resolves with the answer, or with {@link UNDELIVERED}.
   *
   * @throws CallTimeoutError, `CallInterruptedError`, `ArgumentError` for what cannot be sent, `OverloadedError` when
   * too many calls wait, the reason of the signal.
   */
  async call(target: CallTarget, method: string, args: readonly unknown[], options: TimedCall): Promise<CallReply> {
    options.signal?.throwIfAborted();
    if (this.#pending.size >= MAX_PENDING_CALLS) {
      throw new OverloadedError(`${target.name}.${method}`, `${this.#pending.size} calls wait for their answers`);
    }
    const request = this.#request(target, method, args, options.timeout, this.parts.node.bootId);
    const subject = subjectOf(target, method, options.idempotent);
    return new Promise((resolve, reject) => {
      const { signal, timeout } = options;
      const ends = (): boolean => {
        if (!this.#pending.delete(request.id)) return false;
        clearTimeout(timer);
        unheed?.();
        return true;
      };
      const settle = (reply: CallReply): void => void (ends() && resolve(reply));
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the reason is the user's
      const fail = (reason: unknown): void => void (ends() && reject(reason));
      const timer = setTimeout(() => fail(new CallTimeoutError(subject, timeout)), timeout);
      const unheed = signal && onAbort(signal, () => fail(signal.reason));
      this.#pending.set(request.id, { subject, bootId: target.bootId, settle, fail });
      this.#deliver(target, request, subject).then((delivered) => delivered || settle(UNDELIVERED), fail);
    });
  }

  /** Resolves with false when the call reached no node. */
  cast(target: CallTarget, method: string, args: readonly unknown[]): Promise<boolean> {
    const request = this.#request(target, method, args, this.parts.config.calls.timeout, '');
    return this.#deliver(target, request, subjectOf(target, method));
  }

  #request(target: CallTarget, method: string, args: readonly unknown[], timeout: number, from: string): CallRequest {
    const context = target.isInternal === true ? undefined : this.#context.capture(`${target.name}.${method}`);
    this.#lastId += 1;
    // Nobody waits for a cast, and a call of this node begins within what waits for it.
    const waiting = from === '' || target.bootId === this.parts.node.bootId ? [] : chain();
    return {
      kind: 'call',
      id: `${this.parts.node.bootId}.${this.#lastId}`,
      from,
      process: target.name,
      epoch: target.epoch,
      method,
      args: [...args],
      ...(target.partitions === undefined ? {} : { partitions: target.partitions }),
      timeout,
      longest: this.parts.config.channels.maxMessageBytes,
      trace: carried(this.parts.telemetry),
      ...(context === undefined ? {} : { context }),
      ...(waiting.length === 0 ? {} : { chain: waiting }),
    };
  }

  /**
   * A call to a process of this node does not leave it, but its arguments are copied as if it did.
   *
   * @throws ArgumentError, `CallInterruptedError`, `OverloadedError`.
   */
  async #deliver(target: CallTarget, request: CallRequest, subject: CallSubject): Promise<boolean> {
    const text = this.#write(request);
    if (target.bootId === this.parts.node.bootId) {
      // Not in this turn: a loop of local calls would otherwise keep the event loop, and with it the renewal of leases.
      setImmediate(() => this.#receive(text));
      return true;
    }
    try {
      return (await this.#outbox.add(this.#inbox(target.bootId), text)) !== 0;
    } catch (error) {
      // It was refused before it left.
      if (error instanceof OverloadedError) throw error;
      // A PUBLISH without an answer may have arrived.
      throw new CallInterruptedError(subject, `Redis did not confirm that it passed it on: ${describe(error)}`);
    }
  }

  #write(request: CallRequest): string {
    const subject = `${request.process}.${request.method}`;
    let text: string;
    try {
      text = encodeCall(request);
    } catch {
      throw new ArgumentError(subject, 'args', 'a value that JSON cannot write', 'plain values');
    }
    const { maxMessageBytes } = this.parts.config.channels;
    if (Buffer.byteLength(text) <= maxMessageBytes) return text;
    throw new ArgumentError(
      subject,
      'args',
      `more than ${maxMessageBytes} bytes`,
      'less than channels.maxMessageBytes',
    );
  }

  #receive(text: string): void {
    const messages = decodeCalls(text);
    if (typeof messages === 'string') return this.#drop(messages, 1);
    let dropped = 0;
    for (const message of messages) {
      if (message === undefined) dropped += 1;
      else if (message.kind === 'call') unattended('answering a call', this.#answer(message));
      else this.#pending.get(message.id)?.settle(message);
    }
    if (dropped > 0) this.#drop('not-a-call', dropped);
  }

  #drop(reason: MessageDropReason, count: number): void {
    this.parts.telemetry.emit('message.dropped', { channel: 'inbox', reason, count });
  }

  async #answer(request: CallRequest): Promise<void> {
    const handle = (): Promise<string> => this.parts.server.handle(request);
    // What waits for a call of this node is what ran when it was sent; of another node, what the call says.
    const isOwn = request.from === this.parts.node.bootId;
    const text = await (isOwn ? handle() : onBehalfOf(request.chain ?? [], handle));
    if (request.from === '') return;
    if (isOwn) return this.#receive(text);
    // An answer that cannot be sent is one that does not come: the caller's timeout tells it, and the log why.
    await this.#outbox.add(this.#inbox(request.from), text).catch((error: unknown) => {
      const { process: name, method } = request;
      this.#log.warn('Failed to send the answer to a call', { process: name, method, error: describe(error) });
    });
  }

  #interrupt(concerns: (bootId: string) => boolean, why: string): void {
    for (const pending of [...this.#pending.values()]) {
      if (concerns(pending.bootId)) pending.fail(new CallInterruptedError(pending.subject, why));
    }
  }
}

/** What the errors of a call say it was about. */
export function subjectOf(
  { name, node }: Pick<CallTarget, 'name' | 'node'>,
  method: string,
  idempotent = false,
): CallSubject {
  return { processName: name, method, node, ...(idempotent ? { idempotent } : {}) };
}
