import { BadRequestException, Body, Controller, Get, Param, Post, ServiceUnavailableException } from '@nestjs/common';
import { CallInterruptedError, InjectSingleton, type Remote, RemoteError } from 'nestjs-foundation';
import { Ledger, type Payment } from './ledger.js';

@Controller('accounts')
export class AccountsController {
  // Never `ledger: Ledger`: a call takes its time, and its type says so.
  constructor(@InjectSingleton(Ledger) private readonly ledger: Remote<Ledger>) {}

  @Post()
  async pay(@Body() payment: Payment) {
    try {
      return { balance: await this.ledger.pay(payment) };
    } catch (error) {
      // The ledger, or what it was called with, said no: nothing was paid.
      if (error instanceof RemoteError) throw new BadRequestException(error.message);
      // Its node died in the midst of it: nobody knows whether it was paid, so nothing pays once more by itself.
      if (error instanceof CallInterruptedError) throw new ServiceUnavailableException(error.message);
      throw error;
    }
  }

  @Get(':account')
  async balance(@Param('account') account: string) {
    return { balance: await this.ledger.balance(account) };
  }
}
