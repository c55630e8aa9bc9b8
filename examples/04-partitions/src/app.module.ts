import { Module } from '@nestjs/common';
import { FoundationModule } from 'nestjs-foundation';
import { CartsController } from './carts.controller.js';
import { Carts } from './carts.js';

@Module({
  imports: [FoundationModule.forRoot({ cluster: true })],
  controllers: [CartsController],
  providers: [Carts],
})
export class AppModule {}
