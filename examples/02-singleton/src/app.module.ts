import { Module } from '@nestjs/common';
import { FoundationModule } from 'nestjs-foundation';
import { PriceBoard } from './price.board.js';
import { PriceFeed } from './price.feed.js';

@Module({
  imports: [FoundationModule.forRoot({ cluster: true })],
  controllers: [PriceBoard],
  providers: [PriceFeed],
})
export class AppModule {}
