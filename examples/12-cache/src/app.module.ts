import { Module } from '@nestjs/common';
import { FoundationModule } from 'nestjs-foundation';
import { PriceCache } from './price.cache.js';
import { PriceList } from './price.list.js';
import { PricesController } from './prices.controller.js';

@Module({
  imports: [FoundationModule.forRoot({ cluster: true })],
  controllers: [PricesController],
  providers: [PriceList, PriceCache],
})
export class AppModule {}
