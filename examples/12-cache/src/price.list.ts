import { Callable, Singleton } from 'nestjs-foundation';

/** What is true, on one node; it stands for your database. */
@Singleton({ name: 'price-list' })
export class PriceList {
  readonly #prices = new Map<string, number>();
  #reads = 0;

  @Callable({ idempotent: true })
  read(article: string) {
    this.#reads += 1;
    return { price: this.#prices.get(article) ?? null, reads: this.#reads };
  }

  @Callable()
  write(article: string, price: number) {
    this.#prices.set(article, price);
  }
}
