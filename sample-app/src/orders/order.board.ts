/**
 * Hears of every order on every node.
 */
import { Injectable } from '@nestjs/common';
import { Channel } from 'nestjs-foundation';
import { isOrder, type Order, ORDER_PLACED } from './order.js';

const KEEP = 10;

@Injectable()
export class OrderBoard {
  readonly #orders: Order[] = [];

  /** The last orders, oldest first. */
  get orders(): readonly Order[] {
    return this.#orders;
  }

  @Channel('events', { type: ORDER_PLACED })
  onOrder(order: unknown): void {
    if (isOrder(order) && this.#orders.push(order) > KEEP) this.#orders.shift();
  }
}
