/**
 * Pure: what one Redis server's clock says at a moment of this node's own, as its last answer said.
 * Used by `lease.calls.ts`, so that a script that the network held back does nothing; see `IN_TIME`.
 */

/** See the file header. Times are milliseconds; those of this node are monotonic. */
export class ServerClock {
  #ahead: number | undefined;

  /** The server answered with its time to what was sent then. A jump of its clock is known with the next answer. */
  note(sentAt: number, serverNow: number): void {
    this.#ahead = serverNow - sentAt;
  }

  /**
   * A time of this node by the clock of the server: late by what the last question took to get there, and never early.
   * -1 until the server has answered once.
   */
  at(time: number): number {
    return this.#ahead === undefined ? -1 : Math.round(time + this.#ahead);
  }
}
