import { Module } from '@nestjs/common';
import { FoundationHealthModule, FoundationModule } from 'nestjs-foundation';
import { OrderNumbers } from './order.numbers.js';
import { OrdersController } from './orders.controller.js';

@Module({
  imports: [
    FoundationModule.forRoot({ cluster: true, labels: { version: process.env['VERSION'] ?? '1' } }),
    FoundationHealthModule,
  ],
  controllers: [OrdersController],
  providers: [OrderNumbers],
})
export class AppModule {}
