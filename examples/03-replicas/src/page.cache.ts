import { Callable, Replicated } from 'nestjs-foundation';

/** One on every node, those that join later included. */
@Replicated({ name: 'page-cache' })
export class PageCache {
  readonly #pages = new Map<string, string>();

  @Callable()
  keep(path: string, page: string) {
    this.#pages.set(path, page);
  }

  @Callable({ idempotent: true })
  size() {
    return this.#pages.size;
  }
}
