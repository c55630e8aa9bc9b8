import { Controller, Get, Param, Post } from '@nestjs/common';

@Controller('carts')
export class CartsController {
  readonly #carts = new Map<string, string[]>();

  @Post(':cart/:item')
  add(@Param('cart') cart: string, @Param('item') item: string) {
    const items = [...(this.#carts.get(cart) ?? []), item];
    this.#carts.set(cart, items);
    return items;
  }

  @Get(':cart')
  items(@Param('cart') cart: string) {
    return this.#carts.get(cart) ?? [];
  }
}
