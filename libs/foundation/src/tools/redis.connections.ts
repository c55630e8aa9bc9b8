/**
 * Opens one ioredis client per role, or duplicates an adopted one, and closes only its own.
 * Roles are separate so that a blocked or slow one never delays a lease renewal.
 */
import { Logger } from '@nestjs/common';
import { Redis, type RedisOptions } from 'ioredis';
import type { FoundationConfig, RedisEndpoint } from '../config/options.js';
import { isClient } from '../config/resolve.js';
import {
  FoundationConfigError,
  NotInThisVersionError,
  RedisRefusedError,
  RedisUnavailableError,
  describe,
} from '../errors.js';

/** The roles; `worker` is BullMQ's, which adds one blocking duplicate of it. A consumer of a durable channel has a `stream`. */
export type RedisRole = 'leases' | 'control' | 'subscriber' | 'publisher' | 'worker' | 'stream';

const MIN_MAJOR = 6;
const MIN_MINOR = 2;

/** The clients of one node. */
export class RedisConnections {
  readonly leases: Redis;
  readonly control: Redis;
  readonly subscriber: Redis;
  readonly publisher: Redis;
  readonly worker: Redis;
  /** Where they lead, without any secret. */
  readonly endpoint: string;

  readonly #logger = new Logger('Foundation');
  readonly #lastErrors = new Map<Redis, unknown>();
  readonly #duplicates = new Set<Redis>();
  readonly #down = new Set<RedisRole>();

  constructor(private readonly config: FoundationConfig) {
    this.endpoint = endpointName(config);
    const fast = { maxRetriesPerRequest: 0, enableOfflineQueue: false, autoResendUnfulfilledCommands: false };
    // A command timeout leaves a half-open connection in use, which TCP may take minutes to give up; socketTimeout ends it.
    const { commandTimeout } = config.lease;
    this.leases = this.#open('leases', { ...fast, commandTimeout, socketTimeout: 5 * commandTimeout });
    const patient = { ...fast, commandTimeout: 2000, socketTimeout: 5000 };
    this.control = this.#open('control', patient);
    // Subscriptions are put back by the transport, which knows the topics; ioredis would know only those that arrived.
    this.subscriber = this.#open('subscriber', {
      maxRetriesPerRequest: null,
      autoResubscribe: false,
      socketTimeout: 5000,
    });
    this.publisher = this.#open('publisher', patient);
    // BullMQ requires null here: its blocking commands must outlive a reconnection.
    this.worker = this.#open('worker', { maxRetriesPerRequest: null, socketTimeout: 15_000 });
    this.#keepDuplicatesOf(this.worker);
  }

  /** Waits for every client. See {@link Engine.open} for the errors. */
  async ready(timeoutMs = 5000): Promise<void> {
    await Promise.all(this.#all().map((client) => this.#ready(client, timeoutMs)));
    await this.#checkServer();
  }

  /**
   * One more client, for commands that block for a second or two. A read that a broken connection interrupts fails instead
   * of being sent again, which could wait for ever.
   */
  blocking(): Redis {
    const client = this.#open('stream', {
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      socketTimeout: 5000,
    });
    this.#duplicates.add(client);
    client.once('end', () => this.#duplicates.delete(client));
    return client;
  }

  /** Closes every client. QUIT could wait for a server that hangs; nothing is in flight any more, so the sockets just go. */
  close(): void {
    for (const client of [...this.#all(), ...this.#duplicates]) client.disconnect();
  }

  /** BullMQ duplicates its client for blocking commands, and cannot close the duplicate while Redis does not answer. */
  #keepDuplicatesOf(client: Redis): void {
    const original = client.duplicate.bind(client);
    client.duplicate = (override) => {
      const duplicate = original(override);
      // While Redis is away it reports the same as the client does.
      duplicate.on('error', () => undefined);
      this.#duplicates.add(duplicate);
      return duplicate;
    };
  }

  #all(): Redis[] {
    return [this.leases, this.control, this.subscriber, this.publisher, this.worker];
  }

  #open(role: RedisRole, profile: RedisOptions): Redis {
    const { redis, nodeName } = this.config;
    const options: RedisOptions = {
      connectTimeout: 1000,
      lazyConnect: false,
      // Short and jittered: an incumbent must be back before its own deadline when Redis restarts.
      retryStrategy: (attempt) => Math.min(500, 25 * 2 ** Math.min(attempt, 5)) + Math.random() * 50,
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
      connectionName: `foundation:${nodeName}:${role}`,
      ...profile,
    };
    const client = isClient(redis) ? duplicate(redis as unknown as Redis, options) : connect(redis, options);
    this.#watch(client, role);
    return client;
  }

  #watch(client: Redis, role: RedisRole): void {
    client.on('error', (error: Error) => {
      this.#lastErrors.set(client, error);
      if (this.#down.has(role)) return;
      this.#down.add(role);
      this.#logger.warn('Redis connection failed; retrying', { role, endpoint: this.endpoint, error: describe(error) });
    });
    client.on('ready', () => {
      if (this.#down.delete(role)) this.#logger.log('Redis connection is back', { role, endpoint: this.endpoint });
    });
  }

  #ready(client: Redis, timeoutMs: number): Promise<void> {
    if (client.status === 'ready') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const done = (error?: unknown): void => {
        clearTimeout(timer);
        client.off('ready', onReady);
        client.off('error', onError);
        if (error === undefined) resolve();
        else reject(this.#classify(error));
      };
      const onReady = (): void => done();
      const onError = (error: unknown): void => done(error);
      const timer = setTimeout(
        () => done(this.#lastErrors.get(client) ?? new Error(`no connection in ${timeoutMs} ms`)),
        timeoutMs,
      );
      client.once('ready', onReady);
      client.once('error', onError);
    });
  }

  async #checkServer(): Promise<void> {
    let info: string;
    try {
      info = await this.control.info();
    } catch (error) {
      throw this.#classify(error);
    }
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction';
    if (policy !== 'noeviction' && !/^maxmemory:0\s/m.test(info)) {
      // An evicted lease looks like a free one: the next owner would start before this one knows.
      this.#logger.error('Redis may evict leases, so two owners are possible; set maxmemory-policy noeviction', {
        endpoint: this.endpoint,
        policy,
      });
    }
    const version = /^redis_version:(\d+)\.(\d+)/m.exec(info);
    if (version === null) return;
    const [major, minor] = [Number(version[1]), Number(version[2])];
    if (major > MIN_MAJOR || (major === MIN_MAJOR && minor >= MIN_MINOR)) return;
    throw new RedisRefusedError(
      this.endpoint,
      `version ${major}.${minor}`,
      `Use Redis ${MIN_MAJOR}.${MIN_MINOR} or newer, or Valkey.`,
    );
  }

  #classify(error: unknown): RedisRefusedError | RedisUnavailableError {
    const text = describe(error);
    const reply = /WRONGPASS|NOAUTH|NOPERM|ERR AUTH|invalid password|invalid username|DB index is out of range/i.exec(
      text,
    );
    if (reply === null) return new RedisUnavailableError(this.endpoint, 'connecting', error);
    const advice =
      reply[0].startsWith('NOPERM') || reply[0].startsWith('DB')
        ? 'Give the user the missing permission, or use another database.'
        : 'Correct the user name and password in "redis" or FOUNDATION_REDIS_URL.';
    return new RedisRefusedError(this.endpoint, reply[0], advice, error);
  }
}

function connect(endpoint: RedisEndpoint, options: RedisOptions): Redis {
  const { url, options: passed, ...parts } = endpoint;
  const all = { ...passed, ...parts, ...options };
  return url === undefined ? new Redis(all) : new Redis(url, all);
}

function duplicate(client: Redis, options: RedisOptions): Redis {
  if (client.isCluster) {
    throw new NotInThisVersionError('redis', 'a client for Redis Cluster', 'a client for one Redis, or Sentinel');
  }
  if (client.options.keyPrefix) {
    throw new FoundationConfigError(
      'redis',
      'a client with a keyPrefix',
      'a client without one, because BullMQ and the scripts of Foundation name their keys themselves (use appName)',
    );
  }
  return client.duplicate(options);
}

function endpointName({ redis }: FoundationConfig): string {
  if (isClient(redis)) {
    const { host, port, path } = redis.options as RedisOptions;
    return path ?? `${host ?? '127.0.0.1'}:${port ?? 6379}`;
  }
  if (redis.url === undefined) return `${redis.host ?? '127.0.0.1'}:${redis.port ?? 6379}`;
  const url = new URL(redis.url);
  return url.protocol === 'unix:' ? url.pathname : `${url.hostname || '127.0.0.1'}:${url.port || '6379'}`;
}
