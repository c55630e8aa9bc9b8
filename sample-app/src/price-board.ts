/**
 * Shows the prices on every node, whichever node makes them.
 */
import { Injectable } from '@nestjs/common';
import { Channel, type MessageMeta } from 'nestjs-foundation';
import { isPriceTick, PRICE_TICK, type PriceTick } from './price-tick.js';

const KEEP_TICKS = 10;
const KEEP_EPOCHS = 20;

/** A tick and the node that sent it. */
export interface SeenTick extends PriceTick {
  from: string;
}

/** What this node heard from one ownership of the feed; `last - first + 1 - received` ticks in between are missing. */
export interface EpochCount {
  from: string;
  epoch: number;
  first: number;
  last: number;
  received: number;
}

/** A subscriber on every node. */
@Injectable()
export class PriceBoard {
  readonly #ticks: SeenTick[] = [];
  readonly #epochs = new Map<number, EpochCount>();
  #newest = 0;
  #stale = 0;

  /** The latest price, if there was one. */
  get latest(): SeenTick | undefined {
    return this.#ticks.at(-1);
  }

  /** The last ticks, oldest first. */
  get ticks(): readonly SeenTick[] {
    return this.#ticks;
  }

  /** The counts of the last ownerships, oldest first. */
  get epochs(): readonly EpochCount[] {
    return [...this.#epochs.values()];
  }

  /** How many ticks came from an owner that had been succeeded already. */
  get stale(): number {
    return this.#stale;
  }

  @Channel('events', { type: PRICE_TICK })
  onTick(message: unknown, meta: MessageMeta): void {
    if (!isPriceTick(message)) return;
    this.#count(message, meta.from);
    // The receiving half of fencing: after a tick with a higher epoch, one with a lower epoch has no effect.
    if (message.epoch < this.#newest) {
      this.#stale += 1;
      return;
    }
    this.#newest = message.epoch;
    this.#ticks.push({ ...message, from: meta.from });
    if (this.#ticks.length > KEEP_TICKS) this.#ticks.shift();
  }

  #count({ epoch, tick }: PriceTick, from: string): void {
    const count = this.#epochs.get(epoch) ?? { from, epoch, first: tick, last: tick - 1, received: 0 };
    this.#epochs.set(epoch, count);
    if (tick > count.last) {
      count.last = tick;
      count.received += 1;
    }
    const oldest = this.#epochs.keys().next().value;
    if (this.#epochs.size > KEEP_EPOCHS && oldest !== undefined) this.#epochs.delete(oldest);
  }
}
