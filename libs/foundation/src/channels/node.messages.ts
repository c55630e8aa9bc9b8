/**
 * Node messages: from one node to one other, for acknowledgements, requests and queries about what was sent.
 * Underneath PUBLISH to `…:mail:<bootId>`, one for all node messages of a turn to one node.
 */
import { Outbox } from '../backend/transport/outbox.js';
import type { Transport } from '../backend/transport/transport.js';
import type { LocalNode } from '../cluster/local.node.js';
import { describe, show } from '../errors/describe.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import { type Bundle, unbundled, type UnreadableBundle } from '../wire/bundle.js';
import type { Lane } from '../wire/lane.js';

/** The version of the format; a receiver drops, counts and reports any other. */
const NODE_MESSAGES_VERSION = 1;

/** The sender of a node message. */
export interface NodeAddress {
  name: string;
  bootId: string;
}

/** Called for each node message of its kind; the body may be anything. */
export type NodeMessageListener = (body: unknown, from: NodeAddress) => void;

/** See the file header. */
export class NodeMessages {
  readonly #outbox: Outbox;
  readonly #listeners = new Map<string, NodeMessageListener>();
  readonly #log = new ThrottledLog();

  constructor(
    private readonly node: LocalNode,
    private readonly transport: Transport,
    private readonly topic: (bootId: string) => string,
    /** A node message was dropped, or a whole text. */
    private readonly refused: (reason: 'unknown-version' | UnreadableBundle) => void = () => undefined,
  ) {
    this.#outbox = new Outbox(transport);
  }

  /** Subscribes to the node messages to this node. */
  async open(): Promise<void> {
    await this.transport.subscribe(this.topic(this.node.bootId), (bundle) => this.#receive(bundle));
  }

  /** Sends the backlog. */
  flush(): Promise<void> {
    return this.#outbox.flush();
  }

  /** One listener for each kind. */
  on(kind: string, listener: NodeMessageListener): void {
    this.#listeners.set(kind, listener);
  }

  /** Resolves with the number of nodes that it went to, where that is known; 0 = the node is gone. */
  async send(bootId: string, kind: string, body: unknown, lane?: Lane): Promise<number | undefined> {
    const { name: from, bootId: boot } = this.node;
    const message = { v: NODE_MESSAGES_VERSION, from, boot, k: kind, b: body };
    if (bootId !== this.node.bootId) return this.#outbox.send(this.topic(bootId), message, lane);
    const text = JSON.stringify(message);
    // In a later turn: otherwise a loop of requests to this node would keep timers from firing.
    setImmediate(() => this.#receive(text));
    return 1;
  }

  /** Reads what anybody may have sent; drops what is not a node message. */
  #receive(bundle: Bundle): void {
    const values = unbundled(bundle);
    if (typeof values === 'string') return this.refused(values);
    for (const value of values) {
      if (typeof value !== 'object' || value === null) continue;
      const { v, from, boot, k, b } = value as Record<string, unknown>;
      if (!isWord(from) || !isWord(boot)) continue;
      if (v !== NODE_MESSAGES_VERSION) {
        this.#log.warn(
          'Dropped a node message of another version of Foundation; its sender gets no answer',
          { from: show(from), version: show(v), known: NODE_MESSAGES_VERSION },
          `version ${show(from)}`,
        );
        this.refused('unknown-version');
        continue;
      }
      const listener = typeof k === 'string' ? this.#listeners.get(k) : undefined;
      try {
        listener?.(b, { name: from, bootId: boot });
      } catch (error) {
        this.#log.error(
          'Handling a node message failed; the others were handled',
          { kind: k, error: describe(error) },
          k as string,
        );
      }
    }
  }
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 300;
}
