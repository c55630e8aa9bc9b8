/**
 * What nodes say to each other about keys that have changed, over a channel of Foundation's own. Whatever may have been
 * missed is said, so that a cache can be cleared instead of being stale.
 */
import type { Subscription } from '../channels/channel.js';
import { type Channels, runtimeOf } from '../channels/channels.js';
import type { ReservedChannel } from '../channels/reserved.channel.js';
import { describe } from '../errors/describe.js';
import { Log } from '../logging/log.js';
import { ThrottledLog } from '../logging/throttled.log.js';

/** Who hears the others. */
export interface InvalidationListener {
  said(message: unknown): void;
  /** Something that was said may not have arrived. */
  missed(): void;
}

/** See the file header. */
export class Invalidations {
  readonly #channel: ReservedChannel;
  readonly #log = new ThrottledLog();

  constructor(
    channels: Channels,
    private readonly name: string,
  ) {
    this.#channel = runtimeOf(channels).reserve(`#cache:${name}`, { isLasting: true });
  }

  /** Resolves and rejects as `Channels.broadcast` does. */
  say(message: unknown): Promise<void> {
    return this.#channel.send(message);
  }

  /** Never rejects; what keeps it from hearing is logged. Returns what ends it. */
  async listen(listener: InvalidationListener): Promise<() => Promise<void>> {
    const { bootId } = this.#channel.self;
    const missed = (details: object): void => {
      this.#log.warn('Cleared a cache, because messages about changed keys may have been lost', {
        cache: this.name,
        ...details,
      });
      listener.missed();
    };
    const stop = this.#channel.onInterrupted(() => missed({}));
    const subscription = await this.#channel
      .subscribe((message, meta) => meta.bootId !== bootId && listener.said(message), {
        onGap: ({ from }) => missed({ from }),
      })
      .catch((error: unknown): Subscription | undefined => {
        const message = 'A cache does not hear the other nodes, and may be stale';
        new Log().error(message, { cache: this.name, error: describe(error) }, error);
        return undefined;
      });
    return async () => {
      stop();
      await subscription?.unsubscribe();
    };
  }
}
