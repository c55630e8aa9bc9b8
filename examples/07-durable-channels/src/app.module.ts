import { Module } from '@nestjs/common';
import { FoundationModule } from 'nestjs-foundation';
import { Bank } from './bank.js';
import { Billing } from './billing.js';
import { OrdersController } from './orders.controller.js';

@Module({
  imports: [
    FoundationModule.forRoot({
      cluster: true,
      channels: { names: { orders: { durable: { retryAfter: '1s', maxDeliveries: 5 } } } },
    }),
  ],
  controllers: [OrdersController],
  providers: [Bank, Billing],
})
export class AppModule {}
