import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { Channels } from 'nestjs-foundation';
import { foundationBusDriver } from 'nestjs-foundation/cache';

const cacheOf = (channels: Channels) => {
  const store = bentostore().useL1Layer(memoryDriver()).useBus(foundationBusDriver({ channels }));
  return new BentoCache({ default: 'prices', stores: { prices: store } });
};

/** One in the memory of every node; what one of them changes, all others drop. */
@Injectable()
export class PriceCache implements OnModuleDestroy {
  readonly prices: ReturnType<typeof cacheOf>;

  constructor(channels: Channels) {
    this.prices = cacheOf(channels);
  }

  /** Its bus has a timer, which would keep the process alive. */
  async onModuleDestroy() {
    await this.prices.disconnectAll();
  }
}
