/**
 * Pure: the nodes that have announced themselves lately, as peers, and the Redis they agree on. Used by `gossip` and
 * `mdns`.
 */
import type { Peer } from '../../../config/topology.strategy.js';
import type { Announcement } from './announcement.js';

/**
 * More nodes than a cluster of these strategies has; what is beyond is ignored, so that no sender can fill the memory.
 */
const MAX_NODES = 1000;

interface Entry {
  announcement: Announcement;
  until: number;
}

/** See the file header. Times are in milliseconds, of a clock that never goes back. */
export class Heard {
  /** By boot id. */
  readonly #entries = new Map<string, Entry>();

  constructor(
    /** A node that is not heard of for so long is left out. */
    private readonly lifeMs: number,
    private readonly max = MAX_NODES,
  ) {}

  /** `new` for a node that was not known, `full` when there are too many: then it is not taken. */
  note(announcement: Announcement, now: number): 'new' | 'changed' | 'same' | 'full' {
    const known = this.#entries.get(announcement.boot);
    if (known === undefined && this.#entries.size >= this.max) return 'full';
    // To the end, so that the node that was heard last is the last one.
    this.#entries.delete(announcement.boot);
    this.#entries.set(announcement.boot, { announcement, until: now + this.lifeMs });
    if (known === undefined) return 'new';
    return JSON.stringify(known.announcement) === JSON.stringify(announcement) ? 'same' : 'changed';
  }

  /** Leaves out those that have not been heard of lately; true when there were any. */
  expire(now: number): boolean {
    const late = [...this.#entries].filter(([, { until }]) => until <= now);
    for (const [boot] of late) this.#entries.delete(boot);
    return late.length > 0;
  }

  /** A node that was started again is there once: as it was heard of last. */
  peers(): Peer[] {
    const nodes = new Map([...this.#entries.values()].map(({ announcement }) => [announcement.node, announcement]));
    return [...nodes.values()].map(({ boot, node, host, address, leaving }) => ({
      ...{ id: boot, node, state: leaving === true ? 'leaving' : 'ready' },
      ...(host === undefined ? {} : { host }),
      ...(address === undefined ? {} : { address }),
    }));
  }

  /** `undefined` when no node knows one, or they differ: each node could choose another one. */
  redis(): string | undefined {
    const [only, ...others] = new Set(
      [...this.#entries.values()].flatMap(({ announcement: { redis } }) => redis ?? []),
    );
    return others.length === 0 ? only : undefined;
  }
}
