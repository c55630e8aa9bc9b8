/**
 * Waits until every listening node has handled a message, and acknowledges messages of other nodes. For broadcasts with
 * a `timeout`, and for gathers, whose acknowledgements have the answers with them. Underneath one node message for each
 * message and node.
 */
import type { Gathering } from '../../calls/gathering.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import { OverloadedError } from '../../errors/limit.errors.js';
import { AcknowledgementError, type MissingAcknowledgement } from '../../errors/message.errors.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { clockOf, type Timer } from '../../time/clock.js';
import { UNSUBSCRIBED } from '../message.drops.js';
import { type NodeAnswer, takeAnswer, writeAnswer } from '../node.answer.js';
import type { NodeAddress, NodeMessages } from '../node.messages.js';

interface Waiting {
  channel: string;
  timeoutMs: number;
  /** Boot id → why it has not acknowledged, and its name. */
  missing: Map<string, MissingAcknowledgement>;
  resolve: () => void;
  reject: (error: AcknowledgementError) => void;
  timer: Timer;
}

/** A message whose acknowledgements are awaited. */
export interface Receipt {
  /** Travels with the message. */
  id: number;
  acknowledged: Promise<void>;
  /** For this node's own handlers. */
  settle(failure?: string): void;
  /** The same where it is asked what they return. */
  answer?(this: void, answer: NodeAnswer): void;
  /** Stops waiting: the message was not sent. */
  cancel(): void;
}

/** A longer answer, in characters, does not go before what waits. */
const SMALL_ANSWER = 4096;
const NO_ANSWER = 'no answer';
/** Messages that may await acknowledgements at a time. */
export const MAX_AWAITED = 50_000;

/** See the file header. */
export class Acknowledgements {
  readonly #waiting = new Map<number, Waiting>();
  readonly #gathering = new Map<number, Gathering>();
  #lastId = 0;
  #leaving = false;

  constructor(
    private readonly membership: ClusterView,
    private readonly nodeMessages: NodeMessages,
    telemetry: Telemetry,
  ) {
    membership.listen({ changed: () => membership.state === 'left' && this.#endAll() });
    nodeMessages.on('ack', (body, from) => this.#onAck(body, from));
    telemetry.attach('cluster.node_left', (_event, { bootId, reason }) => {
      if (reason === 'shutdown') this.#forget(bootId);
      for (const gathering of [...this.#gathering.values()]) gathering.miss(bootId, 'left');
    });
  }

  /**
   * Waits for these nodes; this one may be among them.
   *
   * @throws OverloadedError when too many messages await acknowledgements.
   */
  expect(channel: string, nodes: readonly NodeAddress[], timeoutMs: number): Receipt {
    if (this.#waiting.size >= MAX_AWAITED) {
      throw new OverloadedError(channel, `${this.#waiting.size} messages wait for acknowledgements`);
    }
    const id = ++this.#lastId;
    const missing = new Map(nodes.map(({ name, bootId }) => [bootId, { node: name, reason: NO_ANSWER }]));
    const acknowledged = new Promise<void>((resolve, reject) => {
      const timer = clockOf(this.membership).setTimeout(() => this.#giveUp(id), timeoutMs);
      this.#waiting.set(id, { channel, timeoutMs, missing, resolve, reject, timer });
    });
    // When the message was not sent, the caller gets that error and never awaits this promise.
    acknowledged.catch(() => undefined);
    this.#resolveIfDone(id);
    return {
      id,
      acknowledged,
      settle: (failure) => this.#record(id, this.membership.self.bootId, failure),
      cancel: () => this.#end(id),
    };
  }

  /** The answers of its places, which it has by their boot ids, come to it from now on. */
  gather(gathering: Gathering): Receipt {
    const id = ++this.#lastId;
    this.#gathering.set(id, gathering);
    const cancel = (): void => void this.#gathering.delete(id);
    gathering.onEnd(cancel);
    const { bootId } = this.membership.self;
    return {
      id,
      acknowledged: Promise.resolve(),
      settle: () => undefined,
      // As it would arrive from another node.
      answer: (answer) => takeAnswer(gathering, bootId, writeAnswer(id, answer)),
      cancel,
    };
  }

  /** Call before the subscriptions end because this node leaves; see {@link acknowledge}. */
  leave(): void {
    this.#leaving = true;
  }

  /**
   * Reports to the sender that the handlers of this node are done with its message. A leaving node rejects nothing that
   * arrives: senders stop waiting for it once it has announced that it leaves, and a rejection could overtake that.
   */
  acknowledge(sender: string, id: number, failure?: string): void {
    if (this.#leaving && failure === UNSUBSCRIBED) return;
    this.nodeMessages.send(sender, 'ack', failure === undefined ? [id] : [id, failure], 'high').catch(() => undefined);
  }

  /** Answers a sender that asks, see {@link acknowledge}. */
  answer(sender: string, id: number, answer: NodeAnswer): void {
    if (this.#leaving && answer.failure?.reason === UNSUBSCRIBED && answer.values.length === 0) return;
    const isSmall = answer.values.every(({ length }) => length <= SMALL_ANSWER);
    this.nodeMessages.send(sender, 'ack', writeAnswer(id, answer), isSmall ? 'high' : 'normal').catch(() => undefined);
  }

  #onAck(body: unknown, { bootId }: NodeAddress): void {
    if (!Array.isArray(body)) return;
    const [id, failure] = body as unknown[];
    const gathering = this.#gathering.get(id as number);
    if (gathering !== undefined) return takeAnswer(gathering, bootId, body);
    if (typeof id !== 'number' || (failure !== undefined && typeof failure !== 'string')) return;
    this.#record(id, bootId, failure?.slice(0, 500));
  }

  #record(id: number, bootId: string, failure: string | undefined): void {
    const waiting = this.#waiting.get(id);
    const node = waiting?.missing.get(bootId);
    if (waiting === undefined || node === undefined) return;
    if (failure === undefined) waiting.missing.delete(bootId);
    else waiting.missing.set(bootId, { ...node, reason: failure });
    this.#resolveIfDone(id);
  }

  /**
   * A node that announced that it leaves listens to nothing. One that disappeared may have died before it handled the
   * message, or is alive and Redis has lost its data: its answer is still awaited.
   */
  #forget(bootId: string): void {
    for (const [id, { missing }] of this.#waiting) if (missing.delete(bootId)) this.#resolveIfDone(id);
  }

  /** This node has left: no answer comes any more. */
  #endAll(): void {
    for (const gathering of [...this.#gathering.values()]) gathering.end('closing');
    for (const [id, { missing }] of [...this.#waiting]) {
      for (const [bootId, { node, reason }] of missing) {
        if (reason === NO_ANSWER)
          missing.set(bootId, { node, reason: 'the sender left the cluster before it answered' });
      }
      this.#resolveIfDone(id);
    }
  }

  #resolveIfDone(id: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    const reasons = [...waiting.missing.values()].map(({ reason }) => reason);
    if (reasons.length === 0) this.#end(id)?.resolve();
    // No node is left that could still answer.
    else if (!reasons.includes(NO_ANSWER)) this.#giveUp(id);
  }

  #giveUp(id: number): void {
    const waiting = this.#end(id);
    if (waiting === undefined) return;
    const { channel, timeoutMs, missing, reject } = waiting;
    reject(new AcknowledgementError(channel, [...missing.values()], timeoutMs));
  }

  #end(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    clockOf(this.membership).clearTimeout(waiting?.timer);
    return waiting;
  }
}
