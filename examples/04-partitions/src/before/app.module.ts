import { Module } from '@nestjs/common';
import { FoundationModule } from 'nestjs-foundation';
import { CartsController } from './carts.controller.js';

@Module({ imports: [FoundationModule.forRoot({ cluster: true })], controllers: [CartsController] })
export class AppModule {}
