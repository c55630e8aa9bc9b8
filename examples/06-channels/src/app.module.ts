import { Module } from '@nestjs/common';
import { FoundationModule } from 'nestjs-foundation';
import { PricesController } from './prices.controller.js';

@Module({
  imports: [FoundationModule.forRoot({ cluster: true })],
  controllers: [PricesController],
})
export class AppModule {}
