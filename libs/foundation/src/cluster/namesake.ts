/**
 * Pure: whether another process of this node's name is alive, by what Redis answers to each attempt to join.
 */

/**
 * How often it must be seen to have beaten, or to be another process. Once is not enough: all beats are moved after a
 * jump of Redis' clock, or a delay that looks like one, and a Redis with older data names an older process.
 */
const SIGNS_OF_LIFE = 2;

/** See the file header. */
export class Namesake {
  #last: { otherBootId: string; beatAt: number } | undefined;
  #signs = 0;

  /** One more answer; true once there is no doubt. */
  isAlive(answer: { otherBootId: string; beatAt: number }): boolean {
    const last = this.#last ?? answer;
    this.#last = answer;
    if (answer.beatAt > last.beatAt || answer.otherBootId !== last.otherBootId) this.#signs += 1;
    return this.#signs >= SIGNS_OF_LIFE;
  }
}
