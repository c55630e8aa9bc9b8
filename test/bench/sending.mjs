// What the sending process of a peer does: calls, bursts, paced messages. A window keeps every queue bounded: what is
// sent and not yet acknowledged by all receivers, over IPC, never exceeds it.
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { latency } from './figures.mjs';
import { sharedNow } from './machine.mjs';
import { payloads } from './payloads.mjs';

const GIVE_UP_MS = 3000;
/** What a paced sender that was held up sends in one turn; the rest in the next ones. */
const MOST_AT_ONCE = 1000;

/** So many callers at a time, each waiting for its answer before the next call; `most` calls end it before its time. */
export async function calls({ call }, { seconds, concurrency, size, most = Infinity }) {
  const pool = payloads(size);
  const micros = [];
  const began = sharedNow();
  const end = began + seconds * 1e6;
  let next = 0;
  const caller = async () => {
    for (let at = sharedNow(); at < end && next < most;) {
      await call(pool[next++ % pool.length]);
      const now = sharedNow();
      micros.push(now - at);
      at = now;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  return { count: micros.length, micros: sharedNow() - began, latency: latency(micros) };
}

/** Messages to receivers, with the window. */
export class Sender {
  #sent = 0;
  #acked = [];
  #window = Infinity;
  #wake = () => undefined;

  constructor(publisher, receivers) {
    this.publisher = publisher;
    this.receivers = receivers;
  }

  begin({ window }) {
    this.#sent = 0;
    this.#acked = Array.from({ length: this.receivers }, () => 0);
    this.#window = window;
  }

  acknowledged(receiver, count) {
    this.#acked[receiver] = count;
    this.#wake();
  }

  /** `perTurn` messages in each turn of the event loop, as fast as the window allows; `most` end it before its time. */
  async burst({ seconds, size, perTurn, channel = 'events', most = Infinity }) {
    const pool = payloads(size);
    const began = sharedNow();
    const end = began + seconds * 1e6;
    while (sharedNow() < end && this.#sent < most) {
      if (!this.#room(perTurn)) {
        if (!(await this.#acknowledgement())) break;
        continue;
      }
      for (let i = 0; i < perTurn; i++) this.#publish(channel, pool);
      await turn();
    }
    return { sent: this.#sent, began };
  }

  /** `rate` messages a second, those that are due sent once a millisecond; each says when it was sent. */
  async paced({ seconds, size, rate, channel = 'events' }) {
    const pool = payloads(size);
    return this.#everyMillisecond(seconds, (elapsed) => {
      const due = Math.min(Math.floor((elapsed / 1e6) * rate) - this.#sent, MOST_AT_ONCE);
      if (!this.#room(due)) return;
      const at = sharedNow();
      for (let i = 0; i < due; i++) this.#publish(channel, pool, at);
    });
  }

  /** Small messages on `control` at a steady rate while `data` carries bursts of large ones. */
  async mixed({ seconds, control, data }) {
    const small = payloads(control.size);
    const large = payloads(data.size);
    let controls = 0;
    let bursts = 0;
    const result = await this.#everyMillisecond(seconds, (elapsed) => {
      for (; controls < (elapsed / 1e6) * control.rate; controls++) this.#publish('control', small, sharedNow());
      if (elapsed / 1000 < bursts * data.every || !this.#room(data.count)) return;
      bursts += 1;
      for (let i = 0; i < data.count; i++) this.#publish('data', large);
    });
    return { ...result, bursts };
  }

  async #everyMillisecond(seconds, work) {
    const began = sharedNow();
    for (let elapsed = 0; elapsed < seconds * 1e6; elapsed = sharedNow() - began) {
      work(elapsed);
      await delay(1);
    }
    return { sent: this.#sent, began };
  }

  #publish(channel, pool, at) {
    const message = pool[this.#sent % pool.length];
    if (at !== undefined) message.at = at;
    this.#sent += 1;
    // A rejection ends the process: a benchmark of messages that were not sent means nothing.
    void this.publisher.publish(channel, message);
  }

  #room(count) {
    return this.#sent + count - Math.min(...this.#acked) <= this.#window;
  }

  /** False when none came for so long that messages must have been lost. */
  #acknowledgement() {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), GIVE_UP_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}
