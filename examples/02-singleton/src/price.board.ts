import { Controller, Get } from '@nestjs/common';
import { Channel } from 'nestjs-foundation';
import type { Price } from './price.feed.js';

/** On every node. */
@Controller('price')
export class PriceBoard {
  #latest?: Price;

  @Channel('events', { type: 'price' })
  onPrice(price: Price) {
    // What a former owner sent late is older than what the new one has sent.
    if (this.#latest === undefined || price.epoch >= this.#latest.epoch) this.#latest = price;
  }

  @Get()
  latest() {
    return this.#latest ?? {};
  }
}
