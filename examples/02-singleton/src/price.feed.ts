import { setTimeout as sleep } from 'node:timers/promises';
import { Channels, type OnProcessStart, type ProcessContext, Singleton } from 'nestjs-foundation';

export interface Price {
  value: number;
  node: string;
  epoch: number;
}

@Singleton({ name: 'price-feed' })
export class PriceFeed implements OnProcessStart {
  constructor(private readonly channels: Channels) {}

  onProcessStart(ctx: ProcessContext) {
    ctx.run(async (signal) => {
      // `isOwner()` before each effect, and the epoch with it: see "What is guaranteed".
      for (let value = 100; ctx.isOwner(); value += Math.random() - 0.5) {
        const price: Price = { value, node: ctx.node, epoch: ctx.epoch };
        await this.channels.broadcast('events', price, { type: 'price' });
        await sleep(100, undefined, { signal });
      }
    });
  }
}
