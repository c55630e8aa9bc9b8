import { Module } from '@nestjs/common';
import { FoundationModule } from 'nestjs-foundation';
import { CheckoutController } from './checkout.controller.js';
import { Payments } from './payments.js';

@Module({
  imports: [FoundationModule.forRoot({ cluster: true })],
  controllers: [CheckoutController],
  providers: [Payments],
})
export class AppModule {}
