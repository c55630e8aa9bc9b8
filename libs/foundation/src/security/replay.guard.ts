/**
 * Pure: numbers that prevent a signed message from being replayed. They rise with each message of a sender and are
 * about its time in microseconds, so that a node that does not know the sender yet recognizes an old message too. Used
 * by the transport.
 */

/** By how much the clocks of two nodes may differ, in milliseconds: the usual five minutes of Kerberos (RFC 4120). */
const MAX_SKEW_MS = 300_000;
/** How many senders and topics are remembered. */
const MAX_REMEMBERED = 10_000;
/** The most characters of a stamp, all of ASCII. */
export const MAX_STAMP = 218;

/** What is wrong with a stamp. */
export type Refusal = 'replayed' | 'too-old' | 'no-stamp';

/** The stamps that one node writes and has read. */
export class ReplayGuard {
  readonly #heard = new Map<string, number>();
  #last = 0;
  /** How often the clock was found to have been ahead. */
  #began = 0;

  constructor(private readonly bootId: string) {}

  /**
   * The next stamp, which goes before what is sent; `now` in milliseconds since 1970.
   *
   * Stamps never go back. Where the clock was ahead for a while, that would keep them ahead for as long, and a node
   * that did not know this sender before would reject each; so then they begin again, as after a restart.
   */
  next(now: number): string {
    if (this.#last / 1000 > now + MAX_SKEW_MS) {
      this.#began += 1;
      this.#last = 0;
    }
    this.#last = Math.max(this.#last + 1, Math.floor(now * 1000));
    const sequence = this.#began === 0 ? this.bootId : `${this.bootId}+${this.#began}`;
    return `${sequence} ${this.#last} `;
  }

  /**
   * How many characters the stamp has, or what is wrong with it. The caller has checked the signature, and gives at
   * least the first {@link MAX_STAMP} characters.
   */
  take(topic: string, stamped: string, now: number): number | Refusal {
    const [header = '', sender, digits] = /^(\S{1,200}) (\d{1,16}) /.exec(stamped) ?? [];
    if (sender === undefined) return 'no-stamp';
    const stamp = Number(digits);
    const sequence = `${sender} ${topic}`;
    const last = this.#heard.get(sequence);
    if (last !== undefined && stamp <= last) return 'replayed';
    if (last === undefined && Math.abs(stamp / 1000 - now) > MAX_SKEW_MS) return 'too-old';
    // Again at the end: the one that was silent the longest is forgotten first.
    this.#heard.delete(sequence);
    this.#heard.set(sequence, stamp);
    if (this.#heard.size > MAX_REMEMBERED) this.#heard.delete(this.#heard.keys().next().value!);
    return header.length;
  }
}
