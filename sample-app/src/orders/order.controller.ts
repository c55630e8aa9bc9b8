/**
 * `POST /orders` places an order: with the header `traceparent` it is part of that trace.
 */
import { BadRequestException, Body, Controller, Get, Post, UseInterceptors } from '@nestjs/common';
import { InjectSingleton, type Remote } from 'nestjs-foundation';
import { TracedRequests } from '../trace/traced.requests.js';
import { OrderBoard } from './order.board.js';
import { OrderDesk } from './order.desk.singleton.js';
import type { Order } from './order.js';

@Controller('orders')
export class OrderController {
  constructor(
    @InjectSingleton(OrderDesk) private readonly desk: Remote<OrderDesk>,
    private readonly board: OrderBoard,
  ) {}

  @Post()
  @UseInterceptors(TracedRequests)
  async place(@Body() body: unknown): Promise<Order> {
    const item = (body as { item?: unknown } | undefined)?.item ?? 'a book';
    if (typeof item !== 'string' || item.length > 100) {
      throw new BadRequestException('Send { "item": "…" } with a text of up to 100 characters');
    }
    return this.desk.place(item);
  }

  /** What this node has heard of. */
  @Get()
  list(): readonly Order[] {
    return this.board.orders;
  }
}
