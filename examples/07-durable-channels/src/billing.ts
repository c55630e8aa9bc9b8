import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { Channel, type MessageMeta } from 'nestjs-foundation';
import type { Order } from './orders.controller.js';

@Injectable()
export class Billing {
  readonly #logger = new Logger(Billing.name);

  /** Each order on one node of the group. What fails, or was on a node that died, comes again: at least once. */
  @Channel('orders', { group: 'billing' })
  async onOrder({ id }: Order, { deliveries }: MessageMeta) {
    await sleep(100); // the bank takes its time
    // It may have been billed by a node that died before it could say so: let the bank refuse a second bill of one id.
    this.#logger.log(`Billed order ${id}${deliveries === 1 ? '' : `, delivery ${deliveries}`}`);
  }
}
