/**
 * Opens one ioredis client per role and closes only its own; with a quorum, two roles have one client per server.
 * Roles are separate so that a blocked or slow one never delays a lease renewal.
 */
import type { Redis, RedisOptions } from 'ioredis';
import type { FoundationConfig, RedisClient, RedisEndpoint } from '../config/options.js';
import { FoundationConfigError, RedisRefusedError, RedisUnavailableError, describe } from '../errors.js';
import { checkClient, createClient, createPubSubClient, disconnect, hardened, reconnectIn } from './redis.client.js';
import { endpointName } from './redis.names.js';
import { OLDEST, serverFacts } from './redis.server.js';
import { redisError } from './refusal.js';
import { Log } from '../telemetry/log.js';

/** The roles; `worker` is BullMQ's, which adds one blocking duplicate of it. A consumer of a durable channel has a `stream`. */
export type RedisRole = 'leases' | 'control' | 'subscriber' | 'publisher' | 'worker' | 'stream';

/** A command fails at once when there is no connection, and is not sent again when one was lost. */
const FAST = { maxRetriesPerRequest: 0, enableOfflineQueue: false, autoResendUnfulfilledCommands: false };

/** A socket that is closed while Redis is away is destroyed after so long, in milliseconds; 2000 unless told. */
const CLOSE_MS = 250;

/** The clients of one node. */
export class RedisConnections {
  readonly leases: Redis;
  readonly control: Redis;
  readonly subscriber: Redis;
  readonly publisher: Redis;
  readonly worker: Redis;
  /** One per server that leases are on; the first is `leases`. */
  readonly quorum: readonly Redis[];
  /** The same for what may be large or slow; the first is `control`. */
  readonly quorumControl: readonly Redis[];
  /** Where they lead, without any secret. */
  readonly endpoint: string;

  readonly #logger = new Log();
  readonly #lastErrors = new Map<Redis, unknown>();
  readonly #duplicates = new Set<Redis>();
  readonly #down = new Set<Redis>();

  constructor(private readonly config: FoundationConfig) {
    const { redis, quorum } = config;
    [redis, ...quorum].forEach(checkClient);
    this.endpoint = [redis, ...quorum].map(endpointName).join(' and ');
    // A command timeout leaves a half-open connection in use, which TCP may take minutes to give up; socketTimeout ends it.
    const { commandTimeout } = config.lease;
    const quick = { ...FAST, commandTimeout, socketTimeout: 5 * commandTimeout };
    const patient = { ...FAST, commandTimeout: 2000, socketTimeout: 5000 };
    this.leases = this.#open('leases', redis, quick);
    this.control = this.#open('control', redis, patient);
    this.quorum = [this.leases, ...quorum.map((each) => this.#open('leases', each, quick))];
    this.quorumControl = [this.control, ...quorum.map((each) => this.#open('control', each, patient))];
    // Subscriptions are put back by the transport, which knows the topics; ioredis would know only those that arrived.
    const listening = { maxRetriesPerRequest: null, autoResubscribe: false, socketTimeout: 5000 };
    this.subscriber = this.#open('subscriber', redis, listening, createPubSubClient);
    this.publisher = this.#open('publisher', redis, patient, createPubSubClient);
    // BullMQ requires null here: its blocking commands must outlive a reconnection.
    this.worker = this.#open('worker', redis, { maxRetriesPerRequest: null, socketTimeout: 15_000 });
    this.#keepDuplicatesOf(this.worker);
  }

  /** True when PUBLISH says how many connections of the whole system got the message. */
  get countsReceivers(): boolean {
    return !this.leases.isCluster;
  }

  /** Waits for every client, and in a quorum for enough of the further servers. See {@link Engine.open} for the errors. */
  async ready(timeoutMs = 5000): Promise<void> {
    const further = this.quorum.slice(1).map((client, index) => ({ client, control: this.quorumControl[index + 1]! }));
    await Promise.all(this.#all().map((client) => this.#ready(client, timeoutMs)));
    await this.#checkServer(this.control);
    const outcomes = await Promise.allSettled(
      further.map(async ({ client, control }) => {
        await Promise.all([this.#ready(client, timeoutMs), this.#ready(control, timeoutMs)]);
        await this.#checkServer(control);
      }),
    );
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
    const refused = failed.find(({ reason }) => reason instanceof RedisRefusedError);
    const tooFew = failed.length > 0 && failed.length > further.length / 2;
    if (refused !== undefined || tooFew) throw (refused ?? failed[0])?.reason;
    if (further.length > 0) await this.#requireDistinct();
  }

  /**
   * One more client, for commands that block for a second or two. A read that a broken connection interrupts fails instead
   * of being sent again, which could wait for ever.
   */
  blocking(): Redis {
    const client = this.#open('stream', this.config.redis, { ...FAST, socketTimeout: 5000 });
    this.#duplicates.add(client);
    client.once('end', () => this.#duplicates.delete(client));
    return client;
  }

  /** A server that is listed twice would have two votes and die with both of them. */
  async #requireDistinct(): Promise<void> {
    const infos = await Promise.all(this.quorumControl.map((client) => client.info('server').catch(() => '')));
    const ids = infos.map((info) => serverFacts(info).runId).filter((id) => id !== undefined);
    if (new Set(ids).size === ids.length) return;
    throw new FoundationConfigError('redis.quorum', 'the same Redis server twice', 'independent servers');
  }

  /** What Redis does when its memory is full; `undefined` where it has no limit. */
  async evictionPolicy(): Promise<string | undefined> {
    const { policy, hasLimit } = serverFacts(await this.control.info('memory'));
    return hasLimit ? policy : undefined;
  }

  /** Closes every client. QUIT could wait for a server that hangs; nothing is in flight any more, so the sockets just go. */
  close(): void {
    const all = [...this.#all(), ...this.quorum, ...this.quorumControl, ...this.#duplicates];
    new Set(all).forEach(disconnect);
  }

  /** BullMQ duplicates its client for blocking commands, and cannot close the duplicate while Redis does not answer. */
  #keepDuplicatesOf(client: Redis): void {
    const original = client.duplicate.bind(client);
    client.duplicate = (...overrides) => {
      const duplicate = hardened(original(...overrides));
      // While Redis is away it reports the same as the client does.
      duplicate.on('error', () => undefined);
      this.#duplicates.add(duplicate);
      return duplicate;
    };
  }

  #all(): Redis[] {
    return [this.leases, this.control, this.subscriber, this.publisher, this.worker];
  }

  #open(
    role: RedisRole,
    endpoint: RedisEndpoint | RedisClient,
    profile: RedisOptions,
    create: typeof createClient = createClient,
  ): Redis {
    const client = create(endpoint, {
      connectTimeout: 1000,
      disconnectTimeout: CLOSE_MS,
      lazyConnect: false,
      retryStrategy: reconnectIn,
      reconnectOnError: (error) => error.message.includes('READONLY'),
      connectionName: `foundation:${this.config.nodeName}:${role}`,
      ...profile,
    });
    this.#watch(client, role, endpointName(endpoint));
    return client;
  }

  #watch(client: Redis, role: RedisRole, endpoint: string): void {
    client.on('error', (error: Error) => {
      this.#lastErrors.set(client, error);
      if (this.#down.has(client)) return;
      this.#down.add(client);
      this.#logger.warn('Redis connection failed; retrying', { role, endpoint, error: describe(error) });
    });
    client.on('ready', () => {
      if (this.#down.delete(client)) this.#logger.log('Redis connection is back', { role, endpoint });
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

  async #checkServer(client: Redis): Promise<void> {
    let info: string;
    try {
      info = await client.info();
    } catch (error) {
      throw this.#classify(error);
    }
    const { version, isSupported, policy, hasLimit, isImitation } = serverFacts(info);
    if (isImitation === true) {
      this.#logger.warn(
        'This Redis is js-redis-server, an imitation for development only: it keeps nothing once the last node has gone, ' +
          'and says nothing about speed and failures of a real one. Name that in "redis" or FOUNDATION_REDIS_URL',
        { endpoint: this.endpoint },
      );
    }
    if (hasLimit && policy !== undefined && policy !== 'noeviction') {
      // An evicted lease looks like a free one: the next owner would start before this one knows.
      this.#logger.error('Redis may evict leases, so two owners are possible; set maxmemory-policy noeviction', {
        endpoint: this.endpoint,
        policy,
      });
    }
    if (isSupported) return;
    throw new RedisRefusedError(this.endpoint, `version ${version}`, `Use Redis ${OLDEST} or newer, or Valkey.`);
  }

  #classify(error: unknown): RedisRefusedError | RedisUnavailableError {
    return redisError(this.endpoint, 'connecting', error);
  }
}
