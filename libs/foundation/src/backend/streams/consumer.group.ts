/**
 * What a consumer says to its group, and makes it do: all but reading and acknowledging.
 * Used by `redis.consumer.ts`; underneath what `stream.scripts.ts` has.
 */
import type { Redis } from 'ioredis';
import { Log } from '../../logging/log.js';
import { toNumber, toTexts } from '../redis/lua.script.js';
import {
  buryScript,
  forgetScript,
  groupScript,
  keepScript,
  releaseScript,
  sweepScript,
  useScript,
} from './stream.scripts.js';
import type { ConsumerOptions, StreamEntry } from './streams.js';

/** Entries that one sweep inspects. */
const SWEEP = 100;
/** An entry that was delivered this often may be the one that its consumers die of. */
const ALONE_FROM = 2;
/** Dead letters that are kept. */
const MAX_DEAD = 10_000;
/** A consumer that is silent for so long and has nothing pending is one of a node that is gone. */
export const FORGET_AFTER_MS = 600_000;
/** Unused groups that go at a time; see `useScript`. */
const GROUPS_AT_ONCE = 100;

/** What a group is known by. */
export interface ConsumerGroupParts {
  /** Of the consumer. */
  readonly name: string;
  readonly keys: { stream: string; groups: string; dead: string };
  readonly options: ConsumerOptions;
  readonly control: Redis;
  /** See `Lives.unused`. */
  readonly unused: number;
}

/** See the file header. */
export class ConsumerGroup {
  readonly #logger = new Log();

  constructor(private readonly parts: ConsumerGroupParts) {}

  async make(from: string): Promise<void> {
    const { control, keys, options } = this.parts;
    await groupScript.run(control, [keys.stream], [options.group, from]);
  }

  /** Makes an entry a dead letter; false when it is another consumer's by now. */
  async bury({ id, deliveries, text }: StreamEntry, reason: string): Promise<boolean> {
    const { control, keys, options, name, unused } = this.parts;
    const args = [options.group, name, id, deliveries, reason.slice(0, 1000), text, MAX_DEAD, unused];
    return toNumber(await buryScript.run(control, [keys.stream, keys.dead], args)) === 1;
  }

  async release(entries: readonly StreamEntry[]): Promise<void> {
    const { control, keys, options, name } = this.parts;
    const args = entries.flatMap(({ id, deliveries }) => [id, deliveries]);
    await releaseScript.run(control, [keys.stream], [options.group, name, options.retryAfter, ...args]);
  }

  /** What was delivered so often is delivered by itself the next time: it may have ended a consumer. */
  get aloneFrom(): number {
    return Math.min(ALONE_FROM, Math.max(1, this.parts.options.maxDeliveries - 1));
  }

  /**
   * Claims what is due again: whether more is, then the id, the text and the deliveries of each. While others are under
   * way (`isBusy`) nothing is claimed that is to be alone.
   */
  async sweep(isBusy: boolean): Promise<string[]> {
    const { control, keys, options, name, unused } = this.parts;
    const { group, retryAfter, maxDeliveries, batch } = options;
    const limits = [retryAfter, maxDeliveries, this.aloneFrom, batch, SWEEP, MAX_DEAD, unused];
    const args = [group, name, ...limits, isBusy ? 1 : 0];
    return toTexts(await sweepScript.run(control, [keys.stream, keys.dead], args));
  }

  /** These are still being handled. */
  async keep(ids: readonly string[]): Promise<void> {
    const { control, keys, options, name } = this.parts;
    await keepScript.run(control, [keys.stream], [options.group, name, ...ids]);
  }

  /** Says that the group is in use, and removes those that were not used for long. */
  async use(isClosed: () => boolean): Promise<void> {
    const { control, keys, options, unused } = this.parts;
    const { stream: channel, group } = options;
    let removed = 0;
    // In batches, each after the answer to the one before.
    for (let more = true; more && !isClosed();) {
      const reply = await useScript.run(control, [keys.stream, keys.groups, keys.dead], [group, unused]);
      removed += toNumber(reply);
      more = toNumber(reply) >= GROUPS_AT_ONCE;
    }
    if (removed > 0) {
      const details = { channel, count: removed, unusedMs: unused };
      this.#logger.warn('Removed groups of a durable channel that were not used for long', details);
    }
  }

  /** Removes a consumer, or with an empty name those that are silent for long and have nothing pending. */
  async forget(name: string): Promise<void> {
    const { control, keys, options } = this.parts;
    await forgetScript.run(control, [keys.stream], [options.group, name, FORGET_AFTER_MS]);
  }
}
