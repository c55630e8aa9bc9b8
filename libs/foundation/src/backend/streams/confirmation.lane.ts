/**
 * One connection on which entries are waited for: those that came while it waited go together, into the next wait.
 * Used by `confirmations.ts`; underneath one pipeline of `stream.scripts.ts` and WAIT or WAITAOF.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import { RedisRefusedError } from '../../errors/connection.errors.js';
import { describe } from '../../errors/describe.js';
import { redisError } from '../../errors/refusal.js';
import { unattended } from '../../foreign/gate.js';
import { monotonicNow } from '../../time/monotonic.clock.js';
import { callsOf, toNumber, toTexts } from '../redis/lua.script.js';
import { connected, disconnect } from '../redis/redis.client.js';
import { confirmScript } from './stream.scripts.js';
import type { Safety, Unsafe } from './streams.js';

/** Entries that one script looks for: it reads each of them. */
const IDS_AT_ONCE = 100;
/** After how long a wait that failed, or that ended early, is begun again. */
const RETRY_MS = 100;
/** By so much Redis is to answer before the entries are given up here; it looks at such times ten times a second. */
const MARGIN_MS = 150;

/** WAIT or WAITAOF, for so many milliseconds. */
export function waitCommand(acknowledge: Safety['acknowledge'], ms: number): [string, ...string[]] {
  return acknowledge === 'fsync' ? ['waitaof', '1', '0', `${ms}`] : ['wait', `${acknowledge.replicas}`, `${ms}`];
}

/** What to do about an answer of Redis to these. */
export function adviceFor(acknowledge: Safety['acknowledge'], reply: string): string {
  if (/NOPERM|no permissions/.test(reply)) {
    return `Give its user +${acknowledge === 'fsync' ? 'waitaof' : 'wait'}, or acknowledge from memory.`;
  }
  if (/unknown command/i.test(reply)) return `acknowledge: 'fsync' needs Redis 7.2 or newer, or Valkey.`;
  if (/appendonly/.test(reply)) return `acknowledge: 'fsync' needs appendonly yes.`;
  return 'Look into the log of Redis.';
}

/** What is used to wait. */
export interface ConfirmationParts {
  /** Makes a connection that may block for so many milliseconds. */
  readonly connect: (waitMs: number) => Redis;
  /** Looks for an entry on the connection on which it was kept. */
  readonly isThere: (key: string, id: string) => Promise<boolean>;
  /** How long an unused stream lives. */
  readonly unused: number;
}

interface Pending {
  readonly key: string;
  readonly id: string;
  readonly dueAt: number;
  settle(unsafe?: Unsafe): void;
}

/** See the file header. */
export class ConfirmationLane {
  /** What is not settled, in the order in which it came; bounded by the senders, which wait. */
  readonly #pending = new Set<Pending>();
  #client: Redis | undefined;
  #isWorking = false;
  #isClosed = false;
  /** What the last try failed with. */
  #trouble: unknown;

  constructor(
    private readonly safety: Safety,
    private readonly parts: ConfirmationParts,
  ) {}

  confirm(key: string, id: string): Promise<Unsafe | undefined> {
    if (this.#isClosed) return Promise.resolve(LEFT);
    const { timeout } = this.safety;
    return new Promise((resolve) => {
      const pending: Pending = {
        ...{ key, id, dueAt: monotonicNow() + timeout },
        settle: (unsafe) => {
          clearTimeout(timer);
          this.#pending.delete(pending);
          resolve(unsafe);
        },
      };
      // What has arrived is read before this: in a turn of the event loop, I/O comes between timers and immediates.
      const timer = setTimeout(() => setImmediate(() => pending.settle(this.#late())), timeout);
      this.#pending.add(pending);
      this.#work();
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const pending of this.#pending) pending.settle(LEFT);
    if (this.#client !== undefined) disconnect(this.#client);
  }

  #work(): void {
    if (this.#isWorking) return;
    this.#isWorking = true;
    unattended('waiting until messages are safe', this.#run());
  }

  async #run(): Promise<void> {
    // What is sent in one turn goes together.
    await new Promise(setImmediate);
    while (this.#pending.size > 0) {
      const batch = [...this.#pending];
      const isDone = await this.#ask(batch).catch((error: unknown) => this.#failed(batch, error));
      if (!isDone) await sleep(RETRY_MS);
    }
    this.#isWorking = false;
  }

  /** False when it has to be asked once more. */
  async #ask(batch: readonly Pending[]): Promise<boolean> {
    const client = (this.#client ??= this.parts.connect(this.safety.timeout));
    await connected(client);
    if (client.status !== 'ready') throw new Error('Connection is closed.');
    const { acknowledge } = this.safety;
    const leftUntil = (dueAt: number): number => Math.floor(dueAt - monotonicNow() - MARGIN_MS);
    const dueAt = batch.at(-1)!.dueAt;
    const pipeline = client.pipeline();
    const looks = [...idsByKey(batch)].flatMap(([key, ids]) =>
      callsOf(ids, IDS_AT_ONCE).map((some) => ({ key, some })),
    );
    for (const { key, some } of looks) pipeline.eval(confirmScript.lua, 1, key, this.parts.unused, ...some);
    const [command, ...args] = waitCommand(acknowledge, Math.max(1, leftUntil(dueAt)));
    const replies = (await pipeline.call(command, ...args).exec()) ?? [];
    const failure = replies.find(([error]) => error)?.[0];
    if (failure) throw failure;
    this.#trouble = undefined;
    const gone = new Set(looks.flatMap(({ key }, at) => toTexts(replies[at]?.[1]).map((id) => `${key} ${id}`)));
    const reply = replies.at(-1)?.[1];
    const reached = toNumber(Array.isArray(reply) ? reply[0] : reply);
    const isReached = reached >= (acknowledge === 'fsync' ? 1 : acknowledge.replicas);
    const missing = new Set(batch.filter(({ key, id }) => gone.has(`${key} ${id}`)));
    const isElsewhere = await this.#missed([...missing]);
    // CLIENT UNBLOCK ends a wait early, and there are servers that do not wait.
    if (!isReached && leftUntil(dueAt) > MARGIN_MS) return false;
    for (const pending of batch) {
      if (!missing.has(pending)) pending.settle(isReached ? undefined : this.#tooFew(reached));
    }
    return !isElsewhere;
  }

  /** True when some of these are where they were kept: then this connection leads to a former primary. */
  async #missed(missing: readonly Pending[]): Promise<boolean> {
    const found = await Promise.all(missing.map(({ key, id }) => this.parts.isThere(key, id)));
    for (const [index, pending] of missing.entries()) if (!found[index]) pending.settle(GONE);
    const isElsewhere = found.includes(true);
    if (isElsewhere && this.#client !== undefined) {
      disconnect(this.#client);
      this.#client = undefined;
    }
    return isElsewhere;
  }

  #failed(batch: readonly Pending[], error: unknown): boolean {
    this.#trouble = error;
    const isRefused = redisError('', '', error) instanceof RedisRefusedError;
    const said = describe(error);
    const advice = adviceFor(this.safety.acknowledge, said);
    if (isRefused) {
      for (const each of batch) each.settle({ reason: `Redis refused (${said})`, advice, isKept: true, cause: error });
    } else if (this.#client?.isCluster === true) {
      // Another node may have the streams by now, and a pipeline does not find out.
      (this.#client as unknown as Cluster).refreshSlotsCache();
    }
    return isRefused;
  }

  #late(): Unsafe {
    const why = this.#trouble === undefined ? '' : ` (${describe(this.#trouble)})`;
    const reason = `Redis did not say so within ${this.safety.timeout} ms${why}`;
    return { reason, advice: 'Look at the connection and at Redis.', isKept: true, cause: this.#trouble };
  }

  #tooFew(reached: number): Unsafe {
    const { acknowledge, timeout } = this.safety;
    if (acknowledge === 'fsync') {
      const advice = 'Look at the disk, and at appendfsync: with "no" Redis does not wait for it.';
      return { reason: `it was not on disk within ${timeout} ms`, advice, isKept: true, reached };
    }
    const reason = `${reached} of ${acknowledge.replicas} replicas had it within ${timeout} ms`;
    return { reason, advice: 'Look at INFO replication, or ask for fewer.', isKept: true, reached };
  }
}

const LEFT: Unsafe = {
  reason: 'this node left before Redis said so',
  advice: 'Wait for what is sent before the application is closed.',
  isKept: true,
};

const GONE: Unsafe = {
  reason: 'it is no longer in the stream: Redis lost it with a failover or a restart, or maxLength is too small',
  advice: 'Send it again.',
  isKept: false,
};

function idsByKey(batch: readonly Pending[]): Map<string, string[]> {
  const byKey = new Map<string, string[]>();
  for (const { key, id } of batch) {
    const ids = byKey.get(key) ?? [];
    byKey.set(key, ids);
    ids.push(id);
  }
  return byKey;
}
