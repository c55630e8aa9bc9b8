/**
 * Makes prices on exactly one node of the cluster, and tells all of them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import {
  Channels,
  type OnProcessStart,
  type OnProcessStop,
  type ProcessContext,
  RedisUnavailableError,
  Singleton,
  type StopReason,
} from 'nestjs-foundation';
import { PriceBoard } from './price-board.js';
import { PRICE_TICK, type PriceTick } from './price-tick.js';

const TICK_EVERY_MS = 200;
const OPENING_PRICE = 100;

/** Each start is a fresh instance on whichever node won the lease, so nothing is carried over in its fields. */
@Singleton({ name: 'price-feed' })
export class PriceFeed implements OnProcessStart, OnProcessStop {
  readonly #logger = new Logger(PriceFeed.name);

  // Nest makes one more instance of this class, which is never started: no effects in here.
  constructor(
    private readonly channels: Channels,
    private readonly board: PriceBoard,
  ) {}

  /** Returns at once and goes on in `ctx.run`, so that an error in the loop is a crash and the stop waits for it. */
  onProcessStart(ctx: ProcessContext): void {
    this.#logger.log(`Making prices on ${ctx.node}`, { epoch: ctx.epoch });
    ctx.run((signal) => this.#makePrices(ctx, signal));
  }

  /** The loop has heard `ctx.signal` by now; what else an instance opens is closed here. */
  onProcessStop(reason: StopReason): void {
    this.#logger.log('No more prices from here', { reason });
  }

  async #makePrices(ctx: ProcessContext, signal: AbortSignal): Promise<void> {
    // A successor goes on from what its node has heard, because its predecessor may have had no time for a hand-over.
    let price = this.board.latest?.price ?? OPENING_PRICE;
    for (let tick = 1; ; tick++) {
      price = Math.max(1, Math.round((price + Math.random() - 0.5) * 100) / 100);
      // Asked before each effect: a process that was frozen since the last one learns here that its time is over.
      if (!ctx.isOwner()) return;
      // The epoch goes with each effect, so that a receiver can tell an owner of before from the one of now.
      await this.#publish({ symbol: 'NEST', price, epoch: ctx.epoch, tick });
      await sleep(TICK_EVERY_MS, undefined, { signal });
    }
  }

  async #publish(tick: PriceTick): Promise<void> {
    try {
      await this.channels.broadcast('events', tick, { type: PRICE_TICK });
    } catch (error) {
      if (!(error instanceof RedisUnavailableError)) throw error;
      // One price less for the others. Should Redis stay away, the lease is lost and `ctx.signal` ends the loop.
      this.#logger.warn('A price reached this node only', { tick: tick.tick, error: error.message });
    }
  }
}
