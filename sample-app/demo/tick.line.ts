/**
 * The ticks of the last half minute as the nodes heard them, each once: the line of the page.
 */
import type { SeenTick } from '../src/price-board.js';

/** Half a minute at five ticks a second, and some more. */
const MAX_TICKS = 160;
const TICK_EVERY_MS = 200;

/** A tick, and when the demo saw it first. */
export interface LineTick {
  at: number;
  price: number;
  tick: number;
  epoch: number;
  from: string;
}

/** See the file header. */
export class TickLine {
  readonly #ticks: LineTick[] = [];

  /** The ticks, oldest first. */
  get ticks(): readonly LineTick[] {
    return this.#ticks;
  }

  /** Takes what a node has heard; what another one told before is known. */
  take(heard: readonly SeenTick[], now: number): void {
    const last = this.#ticks.at(-1);
    const fresh = heard.filter(
      ({ epoch, tick }) => last === undefined || epoch > last.epoch || (epoch === last.epoch && tick > last.tick),
    );
    for (const [index, { price, tick, epoch, from }] of fresh.entries()) {
      // Several at once were made one after the other.
      const at = Math.max(last?.at ?? 0, now - (fresh.length - 1 - index) * TICK_EVERY_MS);
      this.#ticks.push({ at, price, tick, epoch, from });
    }
    this.#ticks.splice(0, this.#ticks.length - MAX_TICKS);
  }
}
