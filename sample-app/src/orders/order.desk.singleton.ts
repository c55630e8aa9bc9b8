/**
 * Numbers the orders on exactly one node of the cluster, and tells all of them.
 */
import { Callable, Channels, type OnProcessStart, type ProcessContext, Singleton } from 'nestjs-foundation';
import { type Order, ORDER_PLACED } from './order.js';

@Singleton({ name: 'order-desk' })
export class OrderDesk implements OnProcessStart {
  #ctx!: ProcessContext;
  #placed = 0;

  constructor(private readonly channels: Channels) {}

  onProcessStart(ctx: ProcessContext): void {
    this.#ctx = ctx;
  }

  @Callable()
  async place(item: string): Promise<Order> {
    if (typeof item !== 'string' || item.length > 100) throw new TypeError('An item is a text of up to 100 characters');
    // The epoch rises with each owner, so no id is given twice.
    const order = { id: `${this.#ctx.epoch}-${++this.#placed}`, item };
    await this.channels.broadcast('events', order, { type: ORDER_PLACED });
    return order;
  }
}
