/**
 * The changes that one node makes to a configuration, one after the other: they need not overtake each other.
 * Used by `config.setter.ts`.
 */
import { KeyedSequence } from '../channels/keyed.sequence.js';
import { LimitError } from '../errors/limit.errors.js';
import { type Clock, machineClock } from '../time/clock.js';

/** Changes of one configuration by one node that may wait for each other. */
export const MAX_WAITING_CHANGES = 1_000;

/** See the file header. */
export class ChangeTurns {
  readonly #turns = new KeyedSequence();

  constructor(private readonly clock: Clock = machineClock) {}

  /**
   * Does the work in its turn. One whose time is over before that never begins, and rejects with `late` then.
   *
   * @throws LimitError
   */
  async take<T>(until: number, late: () => Error, work: () => Promise<T>): Promise<T> {
    if (this.#turns.waiting >= MAX_WAITING_CHANGES) {
      throw new LimitError('ClusterConfig.set', 'changes of this node that wait', MAX_WAITING_CHANGES);
    }
    let hasBegun = false;
    const begin = (): Promise<T> => {
      if (this.clock.now() >= until) throw late();
      hasBegun = true;
      return work();
    };
    const turn = this.#turns.take('changes', begin);
    return new Promise((resolve, reject) => {
      const timer = this.clock.setTimeout(() => hasBegun || reject(late()), Math.max(0, until - this.clock.now()));
      turn.then(resolve, reject).finally(() => this.clock.clearTimeout(timer));
    });
  }
}
