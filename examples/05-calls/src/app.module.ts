import { Module } from '@nestjs/common';
import { FoundationModule } from 'nestjs-foundation';
import { AccountsController } from './accounts.controller.js';
import { Ledger } from './ledger.js';

@Module({
  imports: [FoundationModule.forRoot({ cluster: true })],
  controllers: [AccountsController],
  providers: [Ledger],
})
export class AppModule {}
