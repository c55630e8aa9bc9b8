import { Controller, Get, Param, Post } from '@nestjs/common';
import { ProcessManager } from 'nestjs-foundation';
import { Carts } from './carts.js';

@Controller('carts')
export class CartsController {
  constructor(private readonly processes: ProcessManager) {}

  @Post(':cart/:item')
  async add(@Param('cart') cart: string, @Param('item') item: string) {
    const carts = await this.processes.startPartitioned(Carts);
    return carts.for(cart).call('add', cart, item); // wherever the owner of this cart is
  }

  @Get(':cart')
  async items(@Param('cart') cart: string) {
    const carts = await this.processes.startPartitioned(Carts);
    return carts.for(cart).call('items', cart);
  }
}
