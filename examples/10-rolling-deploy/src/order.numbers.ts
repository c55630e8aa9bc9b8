import {
  Callable,
  type OnProcessHandoff,
  type OnProcessStart,
  type ProcessContext,
  Singleton,
} from 'nestjs-foundation';

/** One after the other, in the whole cluster. The count goes from node to node when they are replaced. */
@Singleton({ name: 'order-numbers', handoff: true })
export class OrderNumbers implements OnProcessStart, OnProcessHandoff {
  #last = 0;

  onProcessStart(ctx: ProcessContext) {
    if (typeof ctx.handoff === 'number') this.#last = ctx.handoff;
  }

  onHandoff() {
    return this.#last;
  }

  @Callable()
  next() {
    return ++this.#last;
  }
}
