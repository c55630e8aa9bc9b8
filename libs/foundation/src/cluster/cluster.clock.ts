/**
 * Pure: the clock of Redis as a node estimates it from its heartbeats, for times that nodes compare with each other.
 * Kept by `cluster.view.ts`.
 */

/** How far two clocks may drift apart from one heartbeat to the next, in milliseconds. */
const DRIFT_MS = 0.1;

/**
 * Each answer says between which two times Redis read its clock: when the heartbeat was sent, and when its answer came.
 * The narrowest of these counts, until it is too old or a later one shows that it is wrong.
 */
export class ClusterClock {
  #offset = 0;
  #error = Infinity;

  /** What an answer says, with the times of this node. */
  heard(redisNow: number, sentAt: number, receivedAt: number): void {
    const [least, most] = [redisNow - receivedAt, redisNow - sentAt];
    const error = (most - least) / 2;
    this.#error += DRIFT_MS;
    const isWrong = this.#offset < least - this.#error || this.#offset > most + this.#error;
    if (!isWrong && this.#error < error) return;
    this.#offset = (least + most) / 2;
    this.#error = error;
  }

  /** The time of Redis at a time of this node. */
  at(now: number): number {
    return now + this.#offset;
  }
}
