/**
 * How long what Foundation keeps in Redis lives; docs/reference/redis-keys.md has the table of all keys.
 * Read by the leases and the streams; a test passes lives of its own, so that it does not wait for a month.
 */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What ends by itself, in milliseconds. What is in use is prolonged, so that it never ends under its user. */
export interface Lives {
  /** The record of who owns a name, from its last prolonging; the record of a lease that is held is prolonged. */
  owner: number;
  /** The last epoch of a name, likewise. It matters only when the clock of Redis is set back, by up to this much. */
  epoch: number;
  /** The last epoch of a name that its owner gave back: of short jobs there may be very many. */
  releasedEpoch: number;
  /**
   * How often a node prolongs what belongs to the leases that it holds: many times within the shortest of the above,
   * and so often because what a client has deleted of it is missed for that long.
   */
  prolongEvery: number;
  /** A fenced value, from its last write, unless the write says something else. */
  fenced: number;
  /** The epoch of a fenced value that was deleted: until then a stale owner cannot write it again. */
  fencedMark: number;
  /**
   * A durable channel, a group of one, and its dead letters, from the last use by any node; what a cron job remembers,
   * from the last look of its owner. Longer than any of them is away and means to come back.
   */
  unused: number;
  /** The journal, from its last entry. */
  journal: number;
  /** What keeps an entry of the journal from being written twice, from the last one of its node. */
  journalMarks: number;
}

/** See {@link Lives}. */
export const LIVES: Readonly<Lives> = {
  owner: DAY,
  epoch: 7 * DAY,
  releasedEpoch: DAY,
  prolongEvery: MINUTE,
  fenced: 30 * DAY,
  fencedMark: DAY,
  unused: 30 * DAY,
  journal: 90 * DAY,
  journalMarks: HOUR,
};
