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
import { ArgumentError } from '../errors/config.errors.js';
import { describe, isA } from '../errors/describe.js';
import { OverloadedError } from '../errors/limit.errors.js';
import { requireNotAborted } from '../foreign/abort.signals.js';
import { unattended } from '../foreign/gate.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import type { MessageDropReason } from '../telemetry/events.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { carried } from '../telemetry/tracing.js';
import { clockOf } from '../time/clock.js';
import type { Bundle } from '../wire/bundle.js';
import { keysOf } from '../wire/keys.js';
import { hasToJson } from '../wire/packed.kinds.js';
import {
  type AnswerWriter,
  type CallReply,
  type CallRequest,
  decodeCalls,
  encodeCall,
  isLonger,
  wordsOf,
  writeAnswer,
} from './call.codec.js';
import { Confirmations } from './call.confirmations.js';
import { failureOf } from './call.outcome.js';
import type { CallServer } from './call.server.js';
import { type CallTarget, subjectOf, type TimedCall } from './call.target.js';
import { GoneNodes } from './gone.nodes.js';
import { type PendingCall, PendingCalls } from './pending.calls.js';
import { chain, onBehalfOf } from './waiting.js';

/** So many calls may wait for their answers; each of them holds its arguments' text until it is sent. */
export const MAX_PENDING_CALLS = 50_000;

/**
 * In bytes, of calls or answers in one bundle on a link: so few that the other side works on some while this one writes
 * others and reads answers. With all that is there in one bundle, both sides would take turns, and one of them always
 * wait. Through Redis, where each text costs more, that does not pay.
 */
const BYTES_OF_CALLS = 8 * 1024;

/** In place of the text of an answer that is on its way already. */
const PACKED = '';
const NOBODY: readonly string[] = [];

/** A call that reached no node: it was not carried out. */
export const UNDELIVERED = { kind: 'reply', id: '', outcome: 'stale' } as const;

/** What the client needs. */
export interface CallClientParts {
  readonly config: FoundationConfig;
  readonly node: Pick<LocalNode, 'bootId'>;
  readonly backend: Pick<Backend, 'transport' | 'database' | 'clock'>;
  readonly membership: Pick<ClusterView, 'members' | 'listen' | 'state'>;
  readonly server: Pick<CallServer, 'handle'>;
  readonly telemetry: Telemetry;
}

/** See the file header. */
export class CallClient {
  readonly #pending: PendingCalls;
  readonly #calls = new Confirmations<PendingCall>(
    (call, receivers) => void (receivers === 0 && call.settle(UNDELIVERED)),
    (call, error) => call.fail(failureOf(call.subject, error)),
  );
  readonly #answers = new Confirmations<CallRequest>(
    () => undefined,
    // An answer that cannot be sent is one that does not come: the caller's timeout tells it, and the log why.
    ({ process: name, method }, error) =>
      this.#log.warn('Failed to send the answer to a call', { process: name, method, error: describe(error) }),
  );
  readonly #outbox: Outbox;
  readonly #inbox: (bootId: string) => string;
  readonly #log = new ThrottledLog();
  readonly #context: ContextHook;
  #lastId = 0;
  readonly #gone = new GoneNodes();
  #unsubscribe: () => Promise<void> = () => Promise.resolve();

  constructor(private readonly parts: CallClientParts) {
    const { config, backend, membership } = parts;
    this.#pending = new PendingCalls(clockOf(backend));
    this.#outbox = new Outbox(backend.transport, { packed: BYTES_OF_CALLS, isPrompt: true, company: 0 });
    this.#context = new ContextHook(config.context);
    const keys = keysOf(config.appName, backend.database);
    this.#inbox = (bootId) => keys.inbox(bootId);
    const isOther = (bootId: string): boolean => bootId !== parts.node.bootId;
    backend.transport.onInterrupted((from, topic) => {
      if (topic !== undefined) return;
      const concerns = (bootId: string): boolean => isOther(bootId) && (from === undefined || bootId === from);
      this.#pending.interrupt(concerns, 'the connection that brings the answer was cut');
    });
    membership.listen({
      changed: () => {
        // Nothing comes any more, not even from this node.
        if (membership.state === 'left') return this.#pending.interrupt(() => true, 'this node left the cluster');
        const alive = new Set(membership.members().map(({ bootId }) => bootId));
        this.#gone.note(alive);
        this.#pending.interrupt((bootId) => isOther(bootId) && !alive.has(bootId), 'the node left the cluster');
      },
    });
  }

  /** Listens for calls and answers. Called by the lifecycle. */
  async open(): Promise<void> {
    this.#unsubscribe = await this.parts.backend.transport.subscribe(this.#inbox(this.parts.node.bootId), (bundle) =>
      this.#receive(bundle),
    );
  }

  /**
   * Takes no more calls, and lets the last answers out. Called by the lifecycle, before this node leaves: a call that
   * is sent later goes to nobody, so its sender knows at once that it was not carried out.
   */
  async close(): Promise<void> {
    await this.#unsubscribe();
    await this.#outbox.flush();
  }

  /**
   * Resolves with the answer, or with {@link UNDELIVERED}.
   *
   * @throws CallTimeoutError, `CallInterruptedError`, `ArgumentError` for what cannot be sent, `OverloadedError` when
   * too many calls wait, the reason of the signal.
   */
  call(target: CallTarget, method: string, args: readonly unknown[], options: TimedCall): Promise<CallReply> {
    // What is thrown in here rejects.
    return new Promise((resolve, reject) => {
      requireNotAborted(options.signal);
      if (this.#pending.size >= MAX_PENDING_CALLS) {
        throw new OverloadedError(`${target.name}.${method}`, `${this.#pending.size} calls wait for their answers`);
      }
      if (this.#gone.has(target.bootId)) return resolve(UNDELIVERED);
      const { bootId } = this.parts.node;
      const request = this.#request(target, method, args, options.timeout, bootId);
      // Now: a getter, or a `toJSON`, of an argument may make a call of its own while this one is written.
      const id = this.#lastId;
      const sent = target.bootId === bootId ? this.#deliver(this.#write(request)) : this.#send(target.bootId, request);
      const call = this.#pending.add({ id, target, method, options, resolve, reject });
      if (sent !== undefined) this.#calls.add(sent, call);
    });
  }

  /** Resolves with false when the call reached no node. */
  async cast(target: CallTarget, method: string, args: readonly unknown[]): Promise<boolean> {
    if (this.#gone.has(target.bootId)) return false;
    const request = this.#request(target, method, args, this.parts.config.calls.timeout, '');
    if (target.bootId === this.parts.node.bootId) {
      this.#deliver(this.#write(request));
      return true;
    }
    const sent = this.#send(target.bootId, request);
    try {
      return (await sent) !== 0;
    } catch (error) {
      throw failureOf(subjectOf(target, method), error);
    }
  }

  #request(target: CallTarget, method: string, args: readonly unknown[], timeout: number, from: string): CallRequest {
    const isBare = target.isInternal === true || !this.#context.isSet;
    const context = isBare ? undefined : this.#context.capture(`${target.name}.${method}`);
    this.#lastId += 1;
    // Nobody waits for a cast, and a call of this node begins within what waits for it.
    const waiting = from === '' || target.bootId === this.parts.node.bootId ? undefined : chain();
    return {
      kind: 'call',
      id: this.#lastId,
      from,
      process: target.name,
      epoch: target.epoch,
      method,
      // Written before anything else can change them.
      args: args as unknown[],
      partitions: target.partitions,
      timeout,
      longest: this.parts.config.channels.maxMessageBytes,
      trace: carried(this.parts.telemetry),
      context,
      chain: waiting,
    };
  }

  /** A call to a process of this node does not leave it, but its arguments are copied as if it did. */
  #deliver(text: string): undefined {
    // Not in this turn: a loop of local calls would otherwise keep the event loop, and with it the renewal of leases.
    setImmediate(() => this.#receive(text));
  }

  /** @throws ArgumentError */
  #send(bootId: string, request: CallRequest): Promise<number | undefined> {
    const topic = this.#inbox(bootId);
    if (!this.#outbox.packs) return this.#outbox.add(topic, this.#write(request));
    const most = this.parts.config.channels.maxMessageBytes;
    const tooLarge = (copy: unknown): Error | undefined =>
      isLonger(JSON.stringify(copy), most) ? this.#tooLong(request) : undefined;
    try {
      return this.#outbox.pack(topic, wordsOf(request), { most, tooLarge });
    } catch (error) {
      throw isA(error, ArgumentError) ? error : unwritable(request);
    }
  }

  /** @throws ArgumentError */
  #write(request: CallRequest): string {
    let text: string;
    try {
      text = encodeCall(request);
    } catch {
      throw unwritable(request);
    }
    if (isLonger(text, this.parts.config.channels.maxMessageBytes)) throw this.#tooLong(request);
    return text;
  }

  #tooLong(request: CallRequest): ArgumentError {
    const given = `more than ${this.parts.config.channels.maxMessageBytes} bytes`;
    return new ArgumentError(nameOf(request), 'args', given, 'less than channels.maxMessageBytes');
  }

  #receive(bundle: Bundle): void {
    const messages = decodeCalls(bundle);
    if (typeof messages === 'string') return this.#drop(messages, 1);
    let dropped = 0;
    for (const message of messages) {
      if (message === undefined) dropped += 1;
      else if (message.kind === 'call') this.#answer(message);
      else this.#pending.settle(message);
    }
    if (dropped > 0) this.#drop('not-a-call', dropped);
  }

  #drop(reason: MessageDropReason, count: number): void {
    this.parts.telemetry.emit('message.dropped', { channel: 'inbox', reason, count });
  }

  /** In the turn in which the method is over, if that is at once. Never throws. */
  #answer(request: CallRequest): void {
    try {
      const isOwn = request.from === this.parts.node.bootId;
      const isPacked = this.#outbox.packs && !isOwn && request.from !== '';
      const write = isPacked ? this.#packer(request) : writeAnswer;
      const handle = (): string | Promise<string> => this.parts.server.handle(request, write);
      // What waits for a call of this node is what ran when it was sent; of another node, what the call says.
      const text = isOwn ? handle() : onBehalfOf(request.chain ?? NOBODY, handle);
      if (typeof text === 'string') return this.#reply(request, text);
      const work = text.then((late) => this.#reply(request, late));
      unattended('answering a call', work);
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever was thrown
      unattended('answering a call', Promise.reject(error));
    }
  }

  /** Packs the answer for another node where it is made; there is nothing left to be sent then. */
  #packer(request: CallRequest): AnswerWriter {
    const { from } = request;
    let isAnswered = false;
    return (reply, limits) => {
      // An instance that ended meanwhile has answered already.
      if (isAnswered) return PACKED;
      this.#answers.add(this.#outbox.pack(this.#inbox(from), wordsOf(asPacked(reply)), limits), request);
      isAnswered = true;
      return PACKED;
    };
  }

  #reply(request: CallRequest, text: string): void {
    const { from } = request;
    if (from === '' || text === PACKED) return;
    if (from === this.parts.node.bootId) return this.#receive(text);
    this.#answers.add(this.#outbox.add(this.#inbox(from), text), request);
  }
}

function nameOf({ process: name, method }: CallRequest): string {
  return `${name}.${method}`;
}

function unwritable(request: CallRequest): ArgumentError {
  return new ArgumentError(nameOf(request), 'args', 'a value that JSON cannot write', 'plain values');
}

/** JSON asks a value by itself with another key than one that is part of an answer. */
function asPacked(reply: CallReply): CallReply {
  if (reply.outcome !== 'value' || !hasToJson(reply.value)) return reply;
  const json = JSON.stringify(reply.value) as string | undefined;
  return { ...reply, value: json === undefined ? undefined : (JSON.parse(json) as unknown) };
}
