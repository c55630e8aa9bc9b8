/**
 * When a node may change a configuration: one change after the other, which need not overtake each other, and after a
 * loss of data not before the other nodes have restored what they know.
 * Used by `config.setter.ts`.
 */
import type { TableReplica } from '../backend/tables/table.replica.js';
import { KeyedSequence } from '../channels/keyed.sequence.js';
import { RedisUnavailableError } from '../errors/connection.errors.js';
import { LimitError } from '../errors/limit.errors.js';
import { type Clock, machineClock, pauseFor } from '../time/clock.js';

/** Changes of one configuration by one node that may wait for each other. */
export const MAX_WAITING_CHANGES = 1_000;

/**
 * After a loss of data, how long the nodes have to restore what they know, in milliseconds: a node hears of it with its
 * next heartbeat at the latest, and one that is this late is hardly a member any longer.
 */
const OTHERS_MS = 3000;

/**
 * INVARIANT (I28): after a loss of data another node may have a newer row than this one, and restores it when it hears
 * of the loss. What is written before that would be newer still, and hide it.
 */
export function haveOthersRestored(replica: Pick<TableReplica<never>, 'sinceLoss'>): boolean {
  return replica.sinceLoss() >= OTHERS_MS;
}

/** Waits until {@link haveOthersRestored}; false when nothing had to be waited for. @throws RedisUnavailableError */
export async function awaitedOthers(
  replica: Pick<TableReplica<never>, 'sinceLoss'>,
  clock: Clock,
  until: number,
  doing: string,
  endpoint: string,
): Promise<boolean> {
  const left = OTHERS_MS - replica.sinceLoss();
  if (left <= 0) return false;
  if (clock.now() + left >= until) {
    const advice = 'The nodes restore what they know: do it once more in three seconds.';
    throw new RedisUnavailableError(endpoint, doing, new Error('it has lost its data'), advice);
  }
  await pauseFor(clock, left);
  return true;
}

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
