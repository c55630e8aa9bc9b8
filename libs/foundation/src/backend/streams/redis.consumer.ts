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
import { toNumber } from '../redis/lua.script.js';
import { connected, disconnect } from '../redis/redis.client.js';
import { ConsumerGroup, FORGET_AFTER_MS } from './consumer.group.js';
import { newEntriesOf } from './stream.entries.js';
import { readScript } from './stream.scripts.js';
import type { Consumer, ConsumerListener, ConsumerOptions, StreamEntry } from './streams.js';

const BLOCK_MS = 1000;
const RETRY_MS = 200;
/** What a consumer needs. */
export interface RedisConsumerParts {
  readonly name: string;
  readonly keys: { stream: string; groups: string; dead: string };
  readonly options: ConsumerOptions;
  readonly listener: ConsumerListener;
  readonly control: Redis;
  readonly client: Redis;
  /** See `Lives.unused`. */
  readonly unused: number;
  /** Notes that entries are handled, beside their acknowledgement. */
  readonly settled?: (ids: readonly string[]) => Promise<void> | undefined;
}

/** See {@link Consumer}. */
export class RedisConsumer implements Consumer {
  readonly #logger = new Log();
  /** With the batch that each came with: one that failed may come again before the rest of its batch is handled. */
  readonly #handling = new Map<string, readonly StreamEntry[]>();
  /** What `take` has not resolved for. */
  readonly #taking = new Set<Promise<void>>();
  readonly #group: ConsumerGroup;
  #acknowledged: string[] = [];
  #acknowledging: Promise<void> | undefined;
  /** The last sweep left something that is due. */
  #isMoreDue = false;
  /** And something that is to be alone, while others were under way. */
  #isAloneDue = false;
  #from: string;
  #closed = false;
  #failing = false;
  #sweepAt = 0;
  #forgetAt = 0;
  #loop: Promise<void> | undefined;
  #keepTimer: NodeJS.Timeout | undefined;
  #ended: () => void = () => undefined;
  readonly #settled: (ids: readonly string[]) => Promise<void> | undefined;

  constructor(private readonly parts: RedisConsumerParts) {
    const { options, settled = () => undefined } = parts;
    this.#settled = settled;
    this.#group = new ConsumerGroup(parts);
    this.#from = options.from;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get stream(): string {
    return this.parts.options.stream;
  }

  onEnd(ended: () => void): void {
    this.#ended = ended;
  }

  async begin(): Promise<void> {
    // At the start of an application the connection is only being made; a group that begins with what comes from now on
    // would begin later than the subscription says.
    await connected(this.parts.control);
    await this.#makeGroup().catch((error: unknown) => this.#failed(error));
    const { retryAfter } = this.parts.options;
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
      await Promise.all([
        this.#settled(ids),
        this.parts.control.xack(this.parts.keys.stream, this.parts.options.group, ...ids),
      ]);
    });
    await this.#acknowledging.catch((error: unknown) => this.#failed(error));
  }

  async bury(entry: StreamEntry, reason: string): Promise<boolean> {
    this.#handling.delete(entry.id);
    try {
      const isBuried = await this.#group.bury(entry, reason);
      if (isBuried) await this.#settled([entry.id]);
      return isBuried;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  leave(id: string): void {
    this.#handling.delete(id);
  }

  async release(entries: readonly StreamEntry[]): Promise<void> {
    for (const { id } of entries) this.#handling.delete(id);
    await this.#group.release(entries).catch((error: unknown) => this.#failed(error));
  }

  /** Ends it without waiting for what it handles: the connections go. */
  stop(): void {
    this.#readNoMore();
    clearInterval(this.#keepTimer);
  }

  async close(): Promise<void> {
    if (this.#closed) return this.#loop?.then(() => this.#taken());
    this.#readNoMore();
    await this.#loop;
    await this.#taken();
    // Not before: as long as a handler runs, no other consumer may be given its message.
    clearInterval(this.#keepTimer);
    await this.#acknowledging?.catch(() => undefined);
    await this.#group.forget(this.parts.name).catch(() => undefined);
    this.#ended();
  }

  #readNoMore(): void {
    this.#closed = true;
    // What the blocked read might still bring stays pending, and goes to another consumer.
    disconnect(this.parts.client);
  }

  async #run(): Promise<void> {
    // Reading from a connection that is only being made fails, and would be in the log of every other start.
    await connected(this.parts.client);
    while (!this.#closed) {
      try {
        await this.parts.listener.room?.();
        const entries = this.#closed ? [] : await this.#read();
        this.#failing = false;
        if (entries.length > 0 && !this.#closed) await this.#handle(entries);
        if (this.#isAloneDue) await this.#makeAlone();
      } catch (error) {
        if (this.#closed) return;
        this.#failed(error);
        if (isNoGroup(error)) await this.#makeGroup().catch(() => undefined);
        else await sleep(jittered(RETRY_MS));
      }
    }
  }

  /** Resolves when more may be read. What has perhaps ended consumers before is alone. */
  async #handle(entries: StreamEntry[]): Promise<void> {
    for (const { id } of entries) this.#handling.set(id, entries);
    const taking = this.parts.listener.take(entries).finally(() => {
      this.#taking.delete(taking);
      for (const { id } of entries) if (this.#handling.get(id) === entries) this.#handling.delete(id);
    });
    this.#taking.add(taking);
    const isAlone = entries.some(({ deliveries }) => deliveries > this.#group.aloneFrom);
    if (this.parts.listener.room === undefined || isAlone) await taking;
    else taking.catch((error: unknown) => this.#failed(error));
  }

  async #makeAlone(): Promise<void> {
    await this.#taken();
    this.#isAloneDue = false;
    this.#sweepAt = 0;
  }

  async #taken(): Promise<void> {
    await Promise.allSettled(this.#taking);
  }

  async #read(): Promise<StreamEntry[]> {
    const now = performance.now();
    if (now >= this.#sweepAt) {
      this.#sweepAt = now + jittered(this.parts.options.retryAfter / 2);
      const again = await this.#sweep();
      if (again.length > 0 || this.#isAloneDue) return again;
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
    const { client, keys, name, options } = this.parts;
    const reply = await readScript.run(client, [keys.stream], [options.group, name, this.#room]);
    const [lost, read] = Array.isArray(reply) ? (reply as unknown[]) : [];
    if (toNumber(lost) > 0) this.parts.listener.lost(toNumber(lost));
    return newEntriesOf(read);
  }

  /** What comes next, or nothing after a while. */
  async #wait(): Promise<StreamEntry[]> {
    const { group, retryAfter } = this.parts.options;
    const block = Math.max(1, Math.min(BLOCK_MS, Math.round(retryAfter / 2)));
    const { client, name, keys } = this.parts;
    const options = ['GROUP', group, name, 'COUNT', this.#room, 'BLOCK', block, 'STREAMS', keys.stream, '>'];
    return newEntriesOf(await client.call('XREADGROUP', ...options));
  }

  /** How many more may be under way. */
  get #room(): number {
    return Math.max(1, this.parts.options.batch - this.#handling.size);
  }

  async #sweep(): Promise<StreamEntry[]> {
    // INVARIANT (I24): what is under way here looks young, so that it is not claimed as if nobody handled it.
    const isBusy = this.#taking.size > 0;
    if (isBusy) await this.#group.keep([...this.#handling.keys()]);
    const [more, ...fields] = await this.#group.sweep(isBusy);
    this.#isMoreDue = more === '1';
    this.#isAloneDue = more === '2';
    const again: StreamEntry[] = [];
    let lost = 0;
    for (let at = 0; at + 2 < fields.length; at += 3) {
      const [id, text, deliveries] = [fields[at]!, fields[at + 1]!, toNumber(fields[at + 2])];
      if (deliveries > 0) again.push({ id, text, deliveries });
      else if (deliveries === 0) lost += 1;
      else
        this.parts.listener.buried(
          { id, text, deliveries: -deliveries },
          `delivered ${-deliveries} times without an acknowledgement`,
        );
    }
    if (lost > 0) this.parts.listener.lost(lost);
    if (performance.now() >= this.#forgetAt) {
      this.#forgetAt = performance.now() + FORGET_AFTER_MS / 2;
      // What was claimed is counted, so it is handled whatever becomes of this.
      await this.#group
        .use(() => this.#closed)
        .then(() => this.#group.forget(''))
        .catch((error: unknown) => this.#failed(error));
    }
    return again;
  }

  /** Says that this consumer still handles its entries, so that no other one is given them. */
  async #keep(): Promise<void> {
    if (this.#handling.size === 0) return;
    await this.#group.keep([...this.#handling.keys()]).catch((error: unknown) => this.#failed(error));
  }

  async #makeGroup(): Promise<void> {
    await this.#group.make(this.#from);
    // From here on the group was there: if it is gone, it was lost, and all that is in the stream came after that.
    this.#from = '0';
  }

  #failed(error: unknown): void {
    if (this.#failing || this.#closed) return;
    this.#failing = true;
    const { stream, group } = this.parts.options;
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
