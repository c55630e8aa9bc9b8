/**
 * The loads that nodes tell each other in hints, which decide where processes go: signed with a cookie, and good once.
 * Written by the directory of nodes, read by the backend.
 */
import type { Signer } from '../../security/signer.js';
import type { Hint } from '../../wire/hint.js';

/** By how much clocks may differ, and how many nodes are remembered: as in `replay.guard.ts`. */
const MAX_SKEW_MS = 300_000;
const MAX_HEARD = 10_000;

/** See the file header. */
export class Loads {
  readonly #heard = new Map<string, number>();
  #last = 0;

  constructor(
    private readonly seal: Signer,
    private readonly place: string,
    private readonly now: () => number = Date.now,
  ) {}

  /** The hint of this node. */
  write(node: string, load: number): string {
    if (!this.seal.signs) return JSON.stringify({ t: 'load', node, load } satisfies Hint);
    this.#last = Math.max(this.#last + 1, Math.floor(this.now() * 1000));
    const said = sayingOf(node, load, this.#last);
    const mac = this.seal.sign(this.place, said).slice(0, -said.length);
    return JSON.stringify({ t: 'load', node, load, at: this.#last, mac } satisfies Hint);
  }

  /**
   * False for a load that no node with the cookie has sent, or that is old: the record of the node brings it later.
   */
  isTrue({ node, load, at, mac }: Extract<Hint, { t: 'load' }>): boolean {
    if (!this.seal.signs) return true;
    if (at === undefined || mac === undefined) return false;
    if (at <= (this.#heard.get(node) ?? 0)) return false;
    // A node that is not known here yet; clocks differ as those of messages may.
    if (Math.abs(at / 1000 - this.now()) > MAX_SKEW_MS) return false;
    if (this.seal.open(this.place, mac + sayingOf(node, load, at)) === undefined) return false;
    this.#heard.delete(node);
    this.#heard.set(node, at);
    if (this.#heard.size > MAX_HEARD) this.#heard.delete(this.#heard.keys().next().value!);
    return true;
  }
}

function sayingOf(node: string, load: number, at: number): string {
  return `load ${at} ${load} ${node}`;
}
