import { Callable, type OnProcessStart, type ProcessContext, Replicated } from 'nestjs-foundation';

/** Two in the whole cluster, however many nodes it has. */
@Replicated({ name: 'crawler', replicas: 2 })
export class Crawler implements OnProcessStart {
  #share = '';

  onProcessStart(ctx: ProcessContext) {
    this.#share = ctx.index === 0 ? 'even pages' : 'odd pages';
  }

  @Callable({ idempotent: true })
  share() {
    return this.#share;
  }
}
