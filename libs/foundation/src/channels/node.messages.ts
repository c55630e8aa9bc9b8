/**
 * Short texts from one node to another: acknowledgements, and questions about what was sent.
 * Called inside this room; underneath PUBLISH to `…:mail:<bootId>`, one for all letters of a turn to one node.
 */
import { Outbox } from '../backend/transport/outbox.js';
import type { Transport } from '../backend/transport/transport.js';
import type { LocalNode } from '../cluster/local.node.js';
import { describe, show } from '../errors/describe.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import { parseJson } from '../wire/json.js';
import type { Lane } from '../wire/lane.js';

/** The version of the format; a receiver drops what has another one, counts it and tells. */
const LETTERS_VERSION = 1;

/** Who sent a letter. */
export interface NodeAddress {
  name: string;
  bootId: string;
}

/** Called for each letter of its kind; the body may be anything. */
export type LetterListener = (body: unknown, from: NodeAddress) => void;

/** See the file header. */
export class NodeMessages {
  readonly #outbox: Outbox;
  readonly #listeners = new Map<string, LetterListener>();
  readonly #log = new ThrottledLog();

  constructor(
    private readonly node: LocalNode,
    private readonly transport: Transport,
    private readonly topic: (bootId: string) => string,
    /** A letter was dropped. */
    private readonly refused: (reason: 'unknown-version') => void = () => undefined,
  ) {
    this.#outbox = new Outbox(transport);
  }

  /** Listens for letters to this node. */
  async open(): Promise<void> {
    await this.transport.subscribe(this.topic(this.node.bootId), (text) => this.#receive(text));
  }

  /** Lets the last letters out. */
  flush(): Promise<void> {
    return this.#outbox.flush();
  }

  /** One listener for each kind. */
  on(kind: string, listener: LetterListener): void {
    this.#listeners.set(kind, listener);
  }

  /** Resolves with the number of nodes that it went to, where that is known; none = the node is gone. */
  async send(bootId: string, kind: string, body: unknown, lane?: Lane): Promise<number | undefined> {
    const { name: from, bootId: boot } = this.node;
    const text = JSON.stringify({ v: LETTERS_VERSION, from, boot, k: kind, b: body });
    if (bootId !== this.node.bootId) return this.#outbox.add(this.topic(bootId), text, lane);
    // Not in this turn: a loop of requests to this node would otherwise keep timers from firing.
    setImmediate(() => this.#receive(text));
    return 1;
  }

  /** Reads a text that anybody may have published; what is no letter is dropped. */
  #receive(text: string): void {
    let values: unknown;
    try {
      values = parseJson(text);
    } catch {
      return;
    }
    for (const value of Array.isArray(values) ? (values as unknown[]) : [values]) {
      if (typeof value !== 'object' || value === null) continue;
      const { v, from, boot, k, b } = value as Record<string, unknown>;
      if (!isWord(from) || !isWord(boot)) continue;
      if (v !== LETTERS_VERSION) {
        this.#log.warn(
          'A letter of another version of Foundation was dropped: what it answers, or asks for, is missed',
          { from: show(from), version: show(v), known: LETTERS_VERSION },
          `version ${show(from)}`,
        );
        this.refused('unknown-version');
        continue;
      }
      const listener = typeof k === 'string' ? this.#listeners.get(k) : undefined;
      try {
        listener?.(b, { name: from, bootId: boot });
      } catch (error) {
        this.#log.error('A letter was not handled; the others are', { kind: k, error: describe(error) }, k as string);
      }
    }
  }
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 300;
}
