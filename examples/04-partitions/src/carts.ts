import {
  Callable,
  type OnProcessHandoff,
  type OnProcessStart,
  Partitioned,
  type ProcessContext,
} from 'nestjs-foundation';

type Kept = [cart: string, items: string[]][];

/** Sixteen partitions, divided over the nodes. Each cart is in one of them, so in the memory of one node. */
@Partitioned({ name: 'carts', partitions: 16, handoff: true })
export class Carts implements OnProcessStart, OnProcessHandoff {
  #carts = new Map<string, string[]>();

  /** What the last owner left: after a planned move, not after a death. */
  onProcessStart(ctx: ProcessContext) {
    this.#carts = new Map((ctx.handoff ?? []) as Kept);
  }

  /** Asked once no call is under way any longer. */
  onHandoff(): Kept {
    return [...this.#carts];
  }

  @Callable()
  add(cart: string, item: string) {
    const items = [...(this.#carts.get(cart) ?? []), item];
    this.#carts.set(cart, items);
    return items;
  }

  @Callable({ idempotent: true })
  items(cart: string) {
    return this.#carts.get(cart) ?? [];
  }
}
