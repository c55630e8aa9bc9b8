// What a receiving process of a peer does: counts, acknowledges, and measures how long messages were on their way.
// Until the first phase it acknowledges only what is exactly the probe, so that a peer that delivers something else
// fails.
import { isDeepStrictEqual } from 'node:util';
import { Latencies } from './figures.mjs';
import { sharedNow } from './machine.mjs';
import { payloads } from './payloads.mjs';

const QUIET_MS = 1500;

export class Receiver {
  #received = 0;
  #acked = 0;
  #ackEvery = Infinity;
  #timed;
  #latencies = new Latencies();
  #expected = Infinity;
  #complete = () => undefined;
  #probing = true;

  constructor(acknowledge) {
    this.acknowledge = acknowledge;
  }

  /** `timed` is the channel whose messages say when they were sent. */
  begin({ ackEvery, timed }) {
    this.#probing = false;
    this.#received = 0;
    this.#acked = 0;
    this.#ackEvery = ackEvery;
    this.#timed = timed;
    this.#latencies.clear();
    this.#expected = Infinity;
  }

  take(channel, message) {
    if (this.#probing && isDeepStrictEqual(message, payloads(100)[0])) this.acknowledge(1);
    this.#received += 1;
    if (channel === this.#timed) this.#latencies.add(sharedNow() - message.at);
    if (this.#received - this.#acked >= this.#ackEvery) {
      this.#acked = this.#received;
      this.acknowledge(this.#received);
    }
    if (this.#received === this.#expected) this.#complete();
  }

  /** Resolves when so many have come, or when none has come for a while: the others are lost. */
  async finish({ sent }) {
    const all = new Promise((resolve) => (this.#complete = resolve));
    this.#expected = sent;
    if (this.#received < sent) await Promise.race([all, this.#quiet()]);
    return {
      received: this.#received,
      at: sharedNow(),
      latency: this.#latencies.summary(),
    };
  }

  #quiet() {
    return new Promise((resolve) => {
      let last = this.#received;
      const timer = setInterval(() => {
        if (this.#received < this.#expected && this.#received !== last) return void (last = this.#received);
        clearInterval(timer);
        resolve();
      }, QUIET_MS);
    });
  }
}
