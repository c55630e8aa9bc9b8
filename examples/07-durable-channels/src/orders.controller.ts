import { Controller, Param, Post } from '@nestjs/common';
import { Channels } from 'nestjs-foundation';

export interface Order {
  id: number;
}

@Controller('orders')
export class OrdersController {
  constructor(private readonly channels: Channels) {}

  /** Answers once Redis has the order: from here on it is billed, whatever dies. */
  @Post(':id')
  async place(@Param('id') id: string) {
    const order: Order = { id: Number(id) };
    await this.channels.broadcast('orders', order);
  }
}
