import { Controller, Get, Param, Put } from '@nestjs/common';
import { InjectSingleton, type Remote } from 'nestjs-foundation';
import { PriceCache } from './price.cache.js';
import { PriceList } from './price.list.js';

@Controller('prices')
export class PricesController {
  constructor(
    private readonly cache: PriceCache,
    @InjectSingleton(PriceList) private readonly list: Remote<PriceList>,
  ) {}

  @Get(':article')
  async price(@Param('article') article: string) {
    return this.cache.prices.getOrSet({ key: article, ttl: '10m', factory: () => this.list.read(article) });
  }

  @Put(':article/:price')
  async change(@Param('article') article: string, @Param('price') price: string) {
    await this.list.write(article, Number(price));
    await this.cache.prices.delete({ key: article }); // here, and in the memory of all other nodes
  }
}
