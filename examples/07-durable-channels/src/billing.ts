import { Injectable, Logger } from '@nestjs/common';
import { Channel, type MessageMeta } from 'nestjs-foundation';
import { Bank } from './bank.js';
import type { Order } from './orders.controller.js';

@Injectable()
export class Billing {
  readonly #logger = new Logger(Billing.name);

  constructor(private readonly bank: Bank) {}

  /** Each order on one node of the group. What fails, or was on a node that died, comes again: at least once. */
  @Channel('orders', { group: 'billing' })
  async onOrder({ id }: Order, { deliveries }: MessageMeta) {
    await this.bank.bill(id);
    this.#logger.log(`Billed order ${id}${deliveries === 1 ? '' : `, delivery ${deliveries}`}`);
  }
}
