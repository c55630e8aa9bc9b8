import { Controller, Get, Logger, Param, Put } from '@nestjs/common';
import { Channel, Channels, type Gap, type MessageMeta } from 'nestjs-foundation';
import { PriceChanged } from './price.changed.js';

const logger = new Logger('Prices');

/** Every node answers from its own memory, which all of them keep alike. */
@Controller('prices')
export class PricesController {
  readonly #prices = new Map<string, number>();

  constructor(private readonly channels: Channels) {}

  @Put(':article/:price')
  async change(@Param('article') article: string, @Param('price') price: string) {
    // With a time it waits until every node that listens has handled it.
    const change: PriceChanged = { article, price: Number(price) };
    await this.channels.broadcast('events', change, { type: 'price.changed', timeout: '2s' });
  }

  @Channel('events', {
    type: 'price.changed',
    payload: PriceChanged,
    onGap: ({ from }: Gap) => logger.warn(`Missed a price from ${from}: read them again`),
  })
  onPrice({ article, price }: PriceChanged, { from }: MessageMeta) {
    this.#prices.set(article, price);
    logger.log(`${article} costs ${price} now, says ${from}`);
  }

  @Channel('control', { type: 'prices.known' })
  known() {
    return this.#prices.size;
  }

  @Get(':article')
  price(@Param('article') article: string) {
    return { price: this.#prices.get(article) ?? null };
  }

  /** A question to all nodes. */
  @Get()
  async all() {
    return this.channels.gather<number>('control', null, { type: 'prices.known', timeout: '2s' });
  }
}
