/**
 * Requests with one or several answers: to one of the nodes that answer a pattern, in turn. For Nest's microservices.
 * Underneath node messages, and the records of the nodes.
 */
import type { Transport } from '../backend/transport/transport.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { ContextHook, type ContextValues, readContext } from '../context/context.hook.js';
import { afresh } from '../context/fresh.js';
import { describe } from '../errors/describe.js';
import { RequestError } from '../errors/message.errors.js';
import { Gate } from '../foreign/gate.js';
import { clockOf, type Timer } from '../time/clock.js';
import { anything, ifRight, record, text, whole } from '../wire/decode.js';
import type { NodeAddress, NodeMessages } from './node.messages.js';
import type { Audience } from './sending/audience.js';

/** Called for each request; `reply` may be called several times. Resolves after the last one. */
export type Answerer = (packet: unknown, reply: (answer: unknown) => Promise<void>, from: NodeAddress) => Promise<void>;

/** What becomes of a request. */
export interface RequestListener {
  answer(answer: unknown): void;
  /** It cannot be answered, or whether it was carried out is unknown. */
  fail(error: RequestError): void;
}

interface Pending {
  pattern: string;
  packet: unknown;
  context: ContextValues | undefined;
  listener: RequestListener;
  /** Undefined while it waits for a node that answers. */
  target: string | undefined;
  timer: Timer | undefined;
}

/** Requests that may be pending, and that may be answered, at a time. */
export const MAX_REQUESTS = 50_000;

/** No channel can have this name; in the records of nodes it stands for the patterns they answer. */
const PLACE = '#requests';

/** The longest pattern in characters; Nest writes an object as its JSON. */
const MAX_PATTERN = 10_000;

const readRequest = record<{ id: number; pattern: string; packet?: unknown; context?: ContextValues }>({
  id: whole(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
  pattern: text(MAX_PATTERN, 0),
  packet: ifRight(anything),
  context: ifRight(readContext),
});
const readReply = record<{ id: number; answer?: unknown }>({ id: whole(), answer: ifRight(anything) });

/** See the file header. */
export class Requests {
  /** The newest of a pattern answers; two microservices of one application have the same patterns. */
  readonly #answerers = new Map<string, readonly Answerer[]>();
  readonly #answering = new Set<Promise<void>>();
  readonly #pending = new Map<number, Pending>();
  readonly #gate = new Gate();
  #lastId = 0;

  constructor(
    private readonly audience: Audience,
    private readonly nodeMessages: NodeMessages,
    private readonly membership: ClusterView,
    transport: Transport,
    private readonly context = new ContextHook(undefined),
  ) {
    nodeMessages.on('request', (body, from) => this.#receive(body, from));
    nodeMessages.on('reply', (body, from) => this.#onReply(body, from));
    membership.listen({ changed: () => this.#recheck() });
    transport.onInterrupted((bootId, topic) => {
      if (topic !== undefined) return;
      for (const [id, { target }] of this.#pending) {
        const isFar = target !== undefined && target !== membership.self.bootId;
        if (isFar && (bootId === undefined || bootId === target)) {
          this.#fail(id, 'the connection that brings the answer was cut', true);
        }
      }
    });
  }

  /** From now on this node answers the pattern; returns the function that ends it. */
  answer(pattern: string, answerer: Answerer): () => void {
    const hide = this.audience.add(PLACE, 'any', pattern);
    this.#answerers.set(pattern, [...(this.#answerers.get(pattern) ?? []), answerer]);
    return () => {
      hide();
      const left = (this.#answerers.get(pattern) ?? []).filter((each) => each !== answerer);
      if (left.length === 0) this.#answerers.delete(pattern);
      else this.#answerers.set(pattern, left);
    };
  }

  /** Stops accepting requests; resolves when those in progress are answered. */
  async end(): Promise<void> {
    this.#answerers.clear();
    await Promise.all(this.#answering);
  }

  /** Sends to one of the nodes that answer, and waits `waitMs` for one to appear. Returns the function that cancels. */
  request(pattern: string, packet: unknown, listener: RequestListener, waitMs: number): () => void {
    const id = ++this.#lastId;
    if (this.#pending.size >= MAX_REQUESTS) {
      const why = `${this.#pending.size} requests wait for their answers already`;
      queueMicrotask(() => listener.fail(new RequestError(pattern, why, false)));
      return () => undefined;
    }
    let context: ContextValues | undefined;
    try {
      context = this.context.capture(pattern);
    } catch (error) {
      queueMicrotask(() => listener.fail(new RequestError(pattern, describe(error), false)));
      return () => undefined;
    }
    const pending: Pending = { pattern, packet, context, listener, target: undefined, timer: undefined };
    this.#pending.set(id, pending);
    if (!this.#send(id, pending)) {
      pending.timer = clockOf(this.membership).setTimeout(
        () => this.#fail(id, `no node has answered this pattern for ${waitMs} ms`, false),
        waitMs,
      );
    }
    return () => this.#end(id);
  }

  #send(id: number, pending: Pending): boolean {
    const target = this.audience.pick(PLACE, pending.pattern)?.['any'];
    if (target === undefined) return false;
    clockOf(this.membership).clearTimeout(pending.timer);
    pending.target = target;
    const { pattern, packet, context } = pending;
    this.nodeMessages.send(target, 'request', { id, pattern, packet, ...(context && { context }) }).then(
      (receivers) => {
        if (receivers === 0) this.#fail(id, 'the node that answers is gone', false);
      },
      () => this.#fail(id, 'it could not be sent', false),
    );
    return true;
  }

  /** A node joined or left. */
  #recheck(): void {
    if (this.#pending.size === 0) return;
    if (this.membership.state === 'left') {
      for (const [id, { target }] of this.#pending) this.#fail(id, 'this node left the cluster', target !== undefined);
      return;
    }
    const here = new Set(this.membership.members().map(({ bootId }) => bootId));
    for (const [id, pending] of this.#pending) {
      if (pending.target === undefined) this.#send(id, pending);
      else if (!here.has(pending.target) && pending.target !== this.membership.self.bootId) {
        this.#fail(id, 'the node that was to answer has left', true);
      }
    }
  }

  #receive(body: unknown, from: NodeAddress): void {
    const request = readRequest(body);
    if (request === undefined) return;
    const { id, pattern, packet, context } = request;
    const reply = async (answer: unknown): Promise<void> => {
      await this.nodeMessages.send(from.bootId, 'reply', { id, answer });
    };
    const answerer = this.#answerers.get(pattern)?.at(-1);
    if (answerer === undefined || this.#answering.size >= MAX_REQUESTS)
      this.nodeMessages.send(from.bootId, 'reply', { id }).catch(() => undefined);
    else this.#keep(this.#answer(context, () => answerer(packet, reply, from), reply));
  }

  /** In a context of its own, with what came with the request. */
  async #answer(
    context: ContextValues | undefined,
    work: () => Promise<void>,
    reply: (answer: unknown) => Promise<void>,
  ): Promise<void> {
    try {
      await afresh(() => this.context.run(context, work));
    } catch (error) {
      // Of the hook alone, because an answerer tells its own errors. As Nest tells what is for no client.
      this.#gate.failed('context.run', error);
      await reply({ err: 'Internal server error', isDisposed: true });
    }
  }

  #keep(answering: Promise<void>): void {
    const done = (): void => void this.#answering.delete(kept);
    const kept = answering.then(done, done);
    this.#answering.add(kept);
  }

  #onReply(body: unknown, from: NodeAddress): void {
    const { id = 0, answer } = readReply(body) ?? {};
    const pending = this.#pending.get(id);
    if (pending === undefined || pending.target !== from.bootId) return;
    if (answer === undefined)
      this.#fail(id, 'the node no longer answers this pattern, or answers too many already', false);
    else pending.listener.answer(answer);
  }

  #fail(id: number, why: string, mayBeDone: boolean): void {
    const pending = this.#end(id);
    pending?.listener.fail(new RequestError(pending.pattern, why, mayBeDone));
  }

  #end(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clockOf(this.membership).clearTimeout(pending?.timer);
    return pending;
  }
}
