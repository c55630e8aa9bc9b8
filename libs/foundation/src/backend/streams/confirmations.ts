/**
 * Waits until entries of streams are safe: on the disk of Redis, or in the memory of replicas.
 * Used by `redis.streams.ts`; a lane, which is a connection, for each way of waiting: one does not delay another.
 */
import type { Redis } from 'ioredis';
import { RedisRefusedError } from '../../errors/connection.errors.js';
import { describe } from '../../errors/describe.js';
import { redisError } from '../../errors/refusal.js';
import { Log } from '../../logging/log.js';
import { toNumber } from '../redis/lua.script.js';
import { serverFacts } from '../redis/redis.info.js';
import { adviceFor, ConfirmationLane, type ConfirmationParts, waitCommand } from './confirmation.lane.js';
import { answersEarly } from './early.answers.js';
import { nameOf } from './safeties.js';
import type { Safety, Unsafe } from './streams.js';

/** Where it is tried what Redis can do. */
export interface ConfirmationTrial {
  readonly control: Redis;
  readonly endpoint: string;
  /** Beside the streams, so that in a Redis Cluster the node that has them is asked. */
  readonly key: string;
}

/** See the file header. */
export class Confirmations {
  readonly #lanes = new Map<string, ConfirmationLane>();
  readonly #log = new Log();
  /** An imitation of Redis has neither disk nor replicas. */
  #isImitated = false;
  #isClosed = false;

  constructor(private readonly parts: ConfirmationParts) {}

  /**
   * Tries what will be asked.
   *
   * @throws RedisRefusedError where it cannot be had: Redis is too old, keeps nothing on disk, or its user may not ask.
   */
  async require(safeties: readonly Safety[], { control, endpoint, key }: ConfirmationTrial): Promise<void> {
    if (safeties.length === 0) return;
    this.#isImitated = serverFacts(await control.info('server').catch(() => '')).isImitation === true;
    if (this.#isImitated) {
      this.#log.warn('This imitation of Redis acknowledges durable messages from its memory alone', { endpoint });
      return;
    }
    for (const { acknowledge } of safeties) {
      const [command, ...args] = waitCommand(acknowledge, 1);
      const replies =
        (await control
          .pipeline()
          .exists(key)
          .call(command, ...args)
          .exec()) ?? [];
      const [error, reached] = replies[1] ?? [new Error('no answer')];
      if (error) throw this.#refused(endpoint, acknowledge, command, error);
      if (acknowledge === 'fsync' && (await answersEarly(control, `${key}:probe`))) {
        this.#log.warn(
          'WAITAOF answers at once. That is right with appendfsync always; with everysec this Redis has the fault ' +
            'redis/redis#13793 and acknowledges what is not on disk: set appendfsync always',
          { endpoint },
        );
      }
      if (acknowledge !== 'fsync' && toNumber(reached) < acknowledge.replicas) {
        const details = { endpoint, asked: acknowledge.replicas, connected: toNumber(reached) };
        this.#log.warn(
          'Redis has fewer replicas than durable channels wait for; none of their messages is safe',
          details,
        );
      }
    }
  }

  #refused(endpoint: string, acknowledge: Safety['acknowledge'], command: string, error: unknown): Error {
    const why = redisError(endpoint, command, error);
    if (!(why instanceof RedisRefusedError)) return why;
    return new RedisRefusedError(
      endpoint,
      `${command}: ${describe(error)}`,
      adviceFor(acknowledge, describe(error)),
      error,
    );
  }

  /** See `Streams.confirm`. */
  confirm(key: string, id: string, safety: Safety): Promise<Unsafe | undefined> {
    if (this.#isImitated) return Promise.resolve(undefined);
    const name = nameOf(safety);
    const lane = this.#lanes.get(name) ?? new ConfirmationLane(safety, this.parts);
    if (this.#isClosed) lane.close();
    else this.#lanes.set(name, lane);
    return lane.confirm(key, id);
  }

  /** What is waited for is not known to be safe. */
  close(): void {
    this.#isClosed = true;
    for (const lane of this.#lanes.values()) lane.close();
  }
}
