/**
 * Waits until every node that listens has handled a message, and tells senders that this node has.
 * Called by the facade for broadcasts with a `timeout`; underneath one letter for each message and node.
 */
import type { ClusterView } from '../../cluster/cluster.view.js';
import { OverloadedError } from '../../errors/limit.errors.js';
import { AcknowledgementError, type MissingAcknowledgement } from '../../errors/message.errors.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { UNSUBSCRIBED } from '../message.drops.js';
import type { NodeAddress, NodeMessages } from '../node.messages.js';

interface Waiting {
  channel: string;
  timeoutMs: number;
  /** Boot id → why it has not acknowledged, and its name. */
  missing: Map<string, MissingAcknowledgement>;
  resolve: () => void;
  reject: (error: AcknowledgementError) => void;
  timer: NodeJS.Timeout;
}

/** A message that is waited for. */
export interface Receipt {
  /** Goes with the message. */
  id: number;
  acknowledged: Promise<void>;
  /** For this node's own handlers. */
  settle(failure?: string): void;
  /** Nobody waits any more: the message was not sent. */
  cancel(): void;
}

const NO_ANSWER = 'no answer';
/** So many messages may be waited for at a time. */
export const MAX_AWAITED = 50_000;

/** See the file header. */
export class Acknowledgements {
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #leaving = false;

  constructor(
    private readonly membership: ClusterView,
    private readonly letters: NodeMessages,
    telemetry: Telemetry,
  ) {
    letters.on('ack', (body, from) => this.#heard(body, from));
    telemetry.attach('cluster.node_left', (_event, { bootId, reason }) => {
      if (reason === 'shutdown') this.#forget(bootId);
    });
  }

  /**
   * Waits for these nodes, of which this one may be one.
   *
   * @throws OverloadedError when too many messages are waited for.
   */
  expect(channel: string, nodes: readonly NodeAddress[], timeoutMs: number): Receipt {
    if (this.#waiting.size >= MAX_AWAITED) {
      throw new OverloadedError(channel, `${this.#waiting.size} messages wait for acknowledgements`);
    }
    const id = ++this.#lastId;
    const missing = new Map(nodes.map(({ name, bootId }) => [bootId, { node: name, reason: NO_ANSWER }]));
    const acknowledged = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => this.#giveUp(id), timeoutMs);
      this.#waiting.set(id, { channel, timeoutMs, missing, resolve, reject, timer });
    });
    // Whoever does not come to wait for it, because the message was not sent, has an error of its own.
    acknowledged.catch(() => undefined);
    this.#resolveIfDone(id);
    return {
      id,
      acknowledged,
      settle: (failure) => this.#note(id, this.membership.self.bootId, failure),
      cancel: () => this.#end(id),
    };
  }

  /** From now on this node's subscriptions end because it leaves. Called by the facade, before they do. */
  leave(): void {
    this.#leaving = true;
  }

  /**
   * Tells the sender that the handlers of this node are done with its message. What arrives at a node that leaves is
   * not refused: nobody waits for that node once it has said that it is gone, and a refusal could overtake that.
   */
  tell(sender: string, id: number, failure?: string): void {
    if (this.#leaving && failure === UNSUBSCRIBED) return;
    this.letters.send(sender, 'ack', failure === undefined ? [id] : [id, failure], 'high').catch(() => undefined);
  }

  #heard(body: unknown, { bootId }: NodeAddress): void {
    if (!Array.isArray(body)) return;
    const [id, failure] = body as unknown[];
    if (typeof id !== 'number' || (failure !== undefined && typeof failure !== 'string')) return;
    this.#note(id, bootId, failure?.slice(0, 500));
  }

  #note(id: number, bootId: string, failure: string | undefined): void {
    const waiting = this.#waiting.get(id);
    const node = waiting?.missing.get(bootId);
    if (waiting === undefined || node === undefined) return;
    if (failure === undefined) waiting.missing.delete(bootId);
    else waiting.missing.set(bootId, { ...node, reason: failure });
    this.#resolveIfDone(id);
  }

  /**
   * A node that said that it leaves listens to nothing. One that is gone without a word may have died before it handled
   * the message, or is there all the same and Redis has lost its data: its answer is waited for.
   */
  #forget(bootId: string): void {
    for (const [id, { missing }] of this.#waiting) if (missing.delete(bootId)) this.#resolveIfDone(id);
  }

  #resolveIfDone(id: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    const reasons = [...waiting.missing.values()].map(({ reason }) => reason);
    if (reasons.length === 0) this.#end(id)?.resolve();
    // Nobody is left who could still answer.
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
    clearTimeout(waiting?.timer);
    return waiting;
  }
}
