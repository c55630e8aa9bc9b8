import { Controller, Get, Post } from '@nestjs/common';
import { InjectSingleton, Membership, type Remote } from 'nestjs-foundation';
import { OrderNumbers } from './order.numbers.js';

@Controller()
export class OrdersController {
  constructor(
    @InjectSingleton(OrderNumbers) private readonly numbers: Remote<OrderNumbers>,
    private readonly membership: Membership,
  ) {}

  /** Waits while the numbers move to another node. */
  @Post('orders')
  async order() {
    return { number: await this.numbers.next() };
  }

  @Get('nodes')
  nodes() {
    return this.membership.members().map(({ name, state, labels }) => ({ name, state, version: labels['version'] }));
  }
}
