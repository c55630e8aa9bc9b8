/**
 * Registers the services of a node when it begins to work, and goes on trying while Redis is away just then.
 * Used by the lifecycle.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { NotReadyError } from './errors/cluster.errors.js';
import { RedisUnavailableError } from './errors/connection.errors.js';
import { describe, isA } from './errors/describe.js';
import { unattended } from './foreign/gate.js';
import { ThrottledLog } from './logging/throttled.log.js';

const RETRY_MS = 500;

/** See the file header. */
export class FoundationOffers {
  readonly #log = new ThrottledLog();

  /** @param ending aborts when nothing is offered any more. */
  constructor(
    private readonly register: () => Promise<void>,
    private readonly node: string,
    private readonly ending: AbortSignal,
  ) {}

  /** Returns when they are registered, or are tried again in the background; throws what waiting cannot mend. */
  async offer(): Promise<void> {
    if (!(await this.#offer())) unattended('registering services later', this.#later());
  }

  /** False when Redis was away just then; the node is a member all the same. */
  async #offer(): Promise<boolean> {
    try {
      await this.register();
      return true;
    } catch (error) {
      if (!(isA(error, RedisUnavailableError) || isA(error, NotReadyError))) throw error;
      this.#log.warn('Could not register services; retrying in the background', {
        node: this.node,
        error: error.message,
      });
      return false;
    }
  }

  async #later(): Promise<void> {
    while (!this.ending.aborted) {
      await sleep(RETRY_MS, undefined, { signal: this.ending }).catch(() => undefined);
      try {
        if (this.ending.aborted || (await this.#offer())) return;
      } catch (error) {
        // The application runs already, as with a join; what Redis refuses today it may allow tomorrow, after a change
        // of its ACL.
        const details = { node: this.node, error: describe(error) };
        this.#log.error('Failed to register services; retrying', details);
      }
    }
  }
}
