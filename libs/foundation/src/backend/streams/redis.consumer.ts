/**
 * One consumer of one group of a stream: reads on a connection of its own, because it blocks, and acknowledges on
 * another. Called by `redis.streams.ts`; underneath XREADGROUP and XACK, and what `stream.scripts.ts` has.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { describe } from '../../errors/describe.js';
import { unattended } from '../../foreign/gate.js';
import { Log } from '../../logging/log.js';
import { jittered } from '../../time/backoff.js';
import { toNumber, toTexts } from '../redis/lua.script.js';
import { connected, disconnect } from '../redis/redis.client.js';
import { newEntriesOf } from './stream.entries.js';
import {
  buryScript,
  forgetScript,
  groupScript,
  keepScript,
  readScript,
  releaseScript,
  sweepScript,
  useScript,
} from './stream.scripts.js';
import type { Consumer, ConsumerListener, ConsumerOptions, StreamEntry } from './streams.js';

const BLOCK_MS = 1000;
const RETRY_MS = 200;
/** Entries that one sweep inspects. */
const SWEEP = 100;
/** An entry that was delivered this often may be the one that its consumers die of. */
const ALONE_FROM = 2;
/** Dead letters that are kept. */
const MAX_DEAD = 10_000;
/** A consumer that is silent for so long and has nothing pending is one of a node that is gone. */
const FORGET_AFTER_MS = 600_000;
/** Unused groups that go at a time; see `useScript`. */
const GROUPS_AT_ONCE = 100;

/** See {@link Consumer}. */
export class RedisConsumer implements Consumer {
  readonly #logger = new Log();
  readonly #handling = new Set<string>();
  #acknowledged: string[] = [];
  #acknowledging: Promise<void> | undefined;
  /** The last sweep left something that is due. */
  #isMoreDue = false;
  #from: string;
  #closed = false;
  #failing = false;
  #sweepAt = 0;
  #forgetAt = 0;
  #loop: Promise<void> | undefined;
  #keepTimer: NodeJS.Timeout | undefined;
  #ended: () => void = () => undefined;

  constructor(
    private readonly name: string,
    private readonly keys: { stream: string; groups: string; dead: string },
    private readonly options: ConsumerOptions,
    private readonly listener: ConsumerListener,
    private readonly control: Redis,
    private readonly client: Redis,
    /** See `Lives.unused`. */
    private readonly unused: number,
    /** Notes that entries are handled, beside their acknowledgement. */
    private readonly settled: (ids: readonly string[]) => Promise<void> | undefined = () => undefined,
  ) {
    this.#from = options.from;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get stream(): string {
    return this.options.stream;
  }

  onEnd(ended: () => void): void {
    this.#ended = ended;
  }

  async begin(): Promise<void> {
    // At the start of an application the connection is only being made; a group that begins with what comes from now on
    // would begin later than the subscription says.
    await connected(this.control);
    await this.#makeGroup().catch((error: unknown) => this.#failed(error));
    const { retryAfter } = this.options;
    this.#keepTimer = setInterval(
      () => unattended('keeping the messages of a consumer', this.#keep()),
      Math.max(20, retryAfter / 3),
    ).unref();
    this.#loop = this.#run();
  }

  /** All that are acknowledged in one turn are one XACK. What does not get through is redelivered. */
  async acknowledge(id: string): Promise<void> {
    this.#handling.delete(id);
    this.#acknowledged.push(id);
    this.#acknowledging ??= new Promise((resolve) => setImmediate(resolve)).then(async () => {
      const ids = this.#acknowledged;
      this.#acknowledged = [];
      this.#acknowledging = undefined;
      // In this order on one connection: what is acknowledged and not noted is still claimed by its id, so a copy of it
      // does not count.
      await Promise.all([this.settled(ids), this.control.xack(this.keys.stream, this.options.group, ...ids)]);
    });
    await this.#acknowledging.catch((error: unknown) => this.#failed(error));
  }

  async bury(entry: StreamEntry, reason: string): Promise<boolean> {
    this.#handling.delete(entry.id);
    const { stream, dead } = this.keys;
    const { id, deliveries, text } = entry;
    const args = [this.options.group, this.name, id, deliveries, reason.slice(0, 1000), text, MAX_DEAD, this.unused];
    try {
      const isBuried = toNumber(await buryScript.run(this.control, [stream, dead], args)) === 1;
      if (isBuried) await this.settled([id]);
      return isBuried;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  async release(entries: readonly StreamEntry[]): Promise<void> {
    for (const { id } of entries) this.#handling.delete(id);
    const args = entries.flatMap(({ id, deliveries }) => [id, deliveries]);
    const { group, retryAfter } = this.options;
    await releaseScript
      .run(this.control, [this.keys.stream], [group, this.name, retryAfter, ...args])
      .catch((error: unknown) => this.#failed(error));
  }

  /** Ends it without waiting for what it handles: the connections go. */
  stop(): void {
    this.#readNoMore();
    clearInterval(this.#keepTimer);
  }

  async close(): Promise<void> {
    if (this.#closed) return this.#loop;
    this.#readNoMore();
    await this.#loop;
    // Not before: as long as a handler runs, no other consumer may be given its message.
    clearInterval(this.#keepTimer);
    await this.#acknowledging?.catch(() => undefined);
    await this.#forget(this.name).catch(() => undefined);
    this.#ended();
  }

  #readNoMore(): void {
    this.#closed = true;
    // What the blocked read might still bring stays pending, and goes to another consumer.
    disconnect(this.client);
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        const entries = await this.#read();
        this.#failing = false;
        if (entries.length > 0 && !this.#closed) await this.#handle(entries);
      } catch (error) {
        if (this.#closed) return;
        this.#failed(error);
        if (isNoGroup(error)) await this.#makeGroup().catch(() => undefined);
        else await sleep(jittered(RETRY_MS));
      }
    }
  }

  async #handle(entries: StreamEntry[]): Promise<void> {
    for (const { id } of entries) this.#handling.add(id);
    await this.listener.take(entries);
    for (const { id } of entries) this.#handling.delete(id);
  }

  async #read(): Promise<StreamEntry[]> {
    const now = performance.now();
    if (now >= this.#sweepAt) {
      this.#sweepAt = now + jittered(this.options.retryAfter / 2);
      const again = await this.#sweep();
      if (again.length > 0) return again;
    }
    const entries = await this.#readNow();
    // What is due again and what is new take turns, so that neither keeps the other waiting.
    if (this.#isMoreDue) this.#sweepAt = 0;
    return entries.length > 0 || this.#isMoreDue ? entries : this.#wait();
  }

  /**
   * What is there now. While this node was busy more may have come than the stream keeps, so the stream is inspected
   * before it is read.
   */
  async #readNow(): Promise<StreamEntry[]> {
    const { group, batch } = this.options;
    const reply = await readScript.run(this.client, [this.keys.stream], [group, this.name, batch]);
    const [lost, read] = Array.isArray(reply) ? (reply as unknown[]) : [];
    if (toNumber(lost) > 0) this.listener.lost(toNumber(lost));
    return newEntriesOf(read);
  }

  /** What comes next, or nothing after a while. */
  async #wait(): Promise<StreamEntry[]> {
    const { group, batch, retryAfter } = this.options;
    const block = Math.max(1, Math.min(BLOCK_MS, Math.round(retryAfter / 2)));
    const options = ['GROUP', group, this.name, 'COUNT', batch, 'BLOCK', block, 'STREAMS', this.keys.stream, '>'];
    return newEntriesOf(await this.client.call('XREADGROUP', ...options));
  }

  async #sweep(): Promise<StreamEntry[]> {
    const { group, retryAfter, maxDeliveries, batch } = this.options;
    const { stream, dead } = this.keys;
    const aloneFrom = Math.min(ALONE_FROM, Math.max(1, maxDeliveries - 1));
    const reply = await sweepScript.run(
      this.control,
      [stream, dead],
      [group, this.name, retryAfter, maxDeliveries, aloneFrom, batch, SWEEP, MAX_DEAD, this.unused],
    );
    const [more, ...fields] = toTexts(reply);
    this.#isMoreDue = more === '1';
    const again: StreamEntry[] = [];
    let lost = 0;
    for (let at = 0; at + 2 < fields.length; at += 3) {
      const [id, text, deliveries] = [fields[at]!, fields[at + 1]!, toNumber(fields[at + 2])];
      if (deliveries > 0) again.push({ id, text, deliveries });
      else if (deliveries === 0) lost += 1;
      else
        this.listener.buried(
          { id, text, deliveries: -deliveries },
          `delivered ${-deliveries} times without an acknowledgement`,
        );
    }
    if (lost > 0) this.listener.lost(lost);
    if (performance.now() >= this.#forgetAt) {
      this.#forgetAt = performance.now() + FORGET_AFTER_MS / 2;
      // What was claimed is counted, so it is handled whatever becomes of this.
      await this.#use()
        .then(() => this.#forget(''))
        .catch((error: unknown) => this.#failed(error));
    }
    return again;
  }

  /** Says that this consumer still handles its entries, so that no other one is given them. */
  async #keep(): Promise<void> {
    const ids = [...this.#handling];
    if (ids.length === 0) return;
    await keepScript
      .run(this.control, [this.keys.stream], [this.options.group, this.name, ...ids])
      .catch((error: unknown) => this.#failed(error));
  }

  async #makeGroup(): Promise<void> {
    await groupScript.run(this.control, [this.keys.stream], [this.options.group, this.#from]);
    // From here on the group was there: if it is gone, it was lost, and all that is in the stream came after
    // that.
    this.#from = '0';
  }

  /** Says that the group is in use, and removes those that were not used for long. */
  async #use(): Promise<void> {
    const { stream, groups, dead } = this.keys;
    const { stream: channel, group } = this.options;
    let removed = 0;
    // In batches, each after the answer to the one before.
    for (let more = true; more && !this.#closed;) {
      const reply = await useScript.run(this.control, [stream, groups, dead], [group, this.unused]);
      removed += toNumber(reply);
      more = toNumber(reply) >= GROUPS_AT_ONCE;
    }
    if (removed > 0) {
      this.#logger.warn('Removed groups of a durable channel that were not used for long', {
        channel,
        count: removed,
        unusedMs: this.unused,
      });
    }
  }

  async #forget(name: string): Promise<void> {
    await forgetScript.run(this.control, [this.keys.stream], [this.options.group, name, FORGET_AFTER_MS]);
  }

  #failed(error: unknown): void {
    if (this.#failing || this.#closed) return;
    this.#failing = true;
    const { stream, group } = this.options;
    this.#logger.warn('Failed to read a durable channel; retrying', {
      channel: stream,
      group,
      error: describe(error),
    });
  }
}

function isNoGroup(error: unknown): boolean {
  return /NOGROUP|UNBLOCKED/.test(describe(error));
}
