/**
 * Opens one ioredis client per role and closes only its own; with a quorum, two roles have one client per server.
 * Roles are separate so that a blocked or slow one never delays a lease renewal.
 */
import type { Redis, RedisOptions } from 'ioredis';
import type { FoundationConfig } from '../../config/config.js';
import type { RedisClient, RedisEndpoint } from '../../config/options.js';
import { NotReadyError } from '../../errors/cluster.errors.js';
import { FoundationConfigError } from '../../errors/config.errors.js';
import { RedisRefusedError } from '../../errors/connection.errors.js';
import { describe } from '../../errors/describe.js';
import type { FoundationError } from '../../errors/foundation.error.js';
import { redisError } from '../../errors/refusal.js';
import { Log } from '../../logging/log.js';
import type { ConnectionTrouble } from './connection.trouble.js';
import {
  createClient,
  createPubSubClient,
  disconnect,
  endWhenSilent,
  hardened,
  listenFirst,
  metNodes,
  readBeforeTimeout,
  reconnectIn,
  saidBy,
} from './redis.client.js';
import { checkOptions, endpointName, OWN_OPTIONS } from './redis.endpoint.js';
import { OLDEST, serverFacts } from './redis.info.js';
import { writtenTogether } from './written.together.js';

/**
 * The roles; `worker` is BullMQ's, which adds one blocking duplicate of it. A consumer of a durable channel has a
 * `stream`; what waits until messages are safe has an `acknowledge`.
 */
export type RedisRole = 'leases' | 'control' | 'subscriber' | 'publisher' | 'worker' | 'stream' | 'acknowledge';

/** A command fails at once when there is no connection, and is not sent again when the connection was lost. */
const FAST = { maxRetriesPerRequest: 0, enableOfflineQueue: false, autoResendUnfulfilledCommands: false };

/** A socket that is closed while Redis is away is destroyed after this many milliseconds; 2000 by default. */
const CLOSE_MS = 250;
/**
 * After how long without any answer a connection is replaced, in milliseconds: a little more than a command may take.
 */
const SILENT_MS = 2500;
/** The same for BullMQ's blocking connection, on which a command may block for ten seconds. */
const SILENT_WORKER_MS = 15_000;

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
  readonly #down = new Map<Redis, { role: RedisRole; endpoint: string; since: number; isTold: boolean }>();
  #closed = false;

  constructor(private readonly config: FoundationConfig) {
    const { redis, quorum } = config;
    [redis, ...quorum].forEach(checkOptions);
    this.endpoint = [redis, ...quorum].map(endpointName).join(' and ');
    // A command timeout leaves a half-open connection in use, which TCP may take minutes to give up, so silence ends
    // it.
    const { commandTimeout } = config.lease;
    const quick = { ...FAST, commandTimeout };
    const patient = { ...FAST, commandTimeout: 2000 };
    // INVARIANT (I5): a new connection is tried before the deadline of the leases, which leaves room for two renewals
    // that fail: the second one that is not answered ends this connection.
    const quickSilence = 2 * commandTimeout;
    this.leases = this.#open('leases', redis, quick, quickSilence);
    this.control = this.#open('control', redis, patient, SILENT_MS);
    this.quorum = [this.leases, ...quorum.map((each) => this.#open('leases', each, quick, quickSilence))];
    this.quorumControl = [this.control, ...quorum.map((each) => this.#open('control', each, patient, SILENT_MS))];
    // Subscriptions are restored by the transport, which knows the topics; ioredis would know only those that arrived.
    // It also pings, because who only listens never waits for an answer.
    const listening = { maxRetriesPerRequest: null, autoResubscribe: false };
    this.subscriber = this.#open('subscriber', redis, listening, SILENT_MS, createPubSubClient);
    this.publisher = this.#open('publisher', redis, patient, SILENT_MS, createPubSubClient);
    // BullMQ requires null here: its blocking commands must outlive a reconnection.
    this.worker = this.#open('worker', redis, { maxRetriesPerRequest: null }, SILENT_MS);
    this.#keepDuplicatesOf(this.worker);
  }

  /** True when PUBLISH says how many connections of the whole system got the message. */
  get countsReceivers(): boolean {
    return !this.leases.isCluster;
  }

  /**
   * Waits for every client, and in a quorum for enough of the further servers. See {@link Backend.open} for the errors.
   */
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
   * One more client, for reads that block for up to a second, or waits of up to `waitMs`. One that a broken connection
   * interrupts fails instead of being sent again, which could block indefinitely.
   */
  blocking(waitMs?: number): Redis {
    const role = waitMs === undefined ? 'stream' : 'acknowledge';
    const silent = SILENT_MS + (waitMs ?? 1000);
    // An adopted client may have a shorter one.
    const client = this.#open(role, this.config.redis, { ...FAST, commandTimeout: silent }, silent);
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

  /**
   * Closes every client. QUIT could wait for a server that hangs; nothing is in flight, so the sockets just
   * go.
   */
  close(): void {
    this.#closed = true;
    // Whoever asks now would hear that Redis cannot be reached. BullMQ knows the errors of ioredis by their texts.
    const asked = [this.leases, this.control, this.subscriber, this.publisher, ...this.quorum, ...this.quorumControl];
    const why = new NotReadyError(this.config.nodeName, 'left', 0);
    for (const client of new Set(asked)) disconnect(client, why);
    for (const client of [this.worker, ...this.#duplicates]) disconnect(client);
  }

  /** BullMQ duplicates its client for blocking commands, and cannot close the duplicate while Redis does not answer. */
  #keepDuplicatesOf(client: Redis): void {
    const original = client.duplicate.bind(client);
    client.duplicate = (...overrides) => {
      const duplicate = endWhenSilent(hardened(original(...overrides)), SILENT_WORKER_MS);
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
    silentMs: number,
    create: typeof createPubSubClient = createClient,
  ): Redis {
    const options: RedisOptions = {
      ...OWN_OPTIONS,
      connectTimeout: 1000,
      disconnectTimeout: CLOSE_MS,
      retryStrategy: reconnectIn,
      reconnectOnError: (error) => error.message.includes('READONLY'),
      connectionName: `foundation:${this.config.nodeName}:${role}`,
      ...profile,
    };
    const client = create(endpoint, options, () => metNodes(this.leases));
    listenFirst(endWhenSilent(readBeforeTimeout(client), silentMs));
    if (role === 'leases') writtenTogether(client);
    this.#watch(client, role, endpointName(endpoint));
    return client;
  }

  /** The connections that do not work, and why, since when. */
  troubles(): ConnectionTrouble[] {
    return [...this.#down].map(([client, { role, endpoint, since }]) => {
      const error = this.#errorOf(client);
      const forMs = Math.round(performance.now() - since);
      return { role, endpoint, forMs, ...(error === undefined ? {} : { error: describe(error) }) };
    });
  }

  #watch(client: Redis, role: RedisRole, endpoint: string): void {
    const down = (): { isTold: boolean } => {
      const known = this.#down.get(client) ?? { role, endpoint, since: performance.now(), isTold: false };
      this.#down.set(client, known);
      return known;
    };
    client.on('error', (error: Error) => {
      this.#lastErrors.set(client, error);
      const known = down();
      if (known.isTold) return;
      known.isTold = true;
      // Five connections to a server that is away are one piece of news; health names each.
      if (this.#toldOf(endpoint) > 1) return;
      const said = describe(this.#errorOf(client));
      this.#logger.warn('A Redis connection failed; retrying', { endpoint, role, error: said });
    });
    client.on('close', () => {
      if (!this.#closed) down();
    });
    client.on('end', () => this.#down.delete(client));
    client.on('ready', () => {
      this.#lastErrors.delete(client);
      const wasTold = this.#down.get(client)?.isTold === true;
      this.#down.delete(client);
      if (wasTold && this.#toldOf(endpoint) === 0) this.#logger.log('The Redis connections are back', { endpoint });
    });
  }

  /** How many connections to it are away and have said why. */
  #toldOf(endpoint: string): number {
    return [...this.#down.values()].filter((down) => down.isTold && down.endpoint === endpoint).length;
  }

  /** What Redis itself said says more than how the connection broke. */
  #errorOf(client: Redis): unknown {
    const said = saidBy(client);
    return said === undefined ? this.#lastErrors.get(client) : new Error(said, { cause: this.#lastErrors.get(client) });
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
      const onError = (error: unknown): void => done(this.#errorOf(client) ?? error);
      const timer = setTimeout(
        () => done(this.#errorOf(client) ?? new Error(`no connection in ${timeoutMs} ms`)),
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
      // An evicted lease looks free: the next owner would start before this one knows.
      this.#logger.error('Redis may evict leases, so two owners are possible; set maxmemory-policy noeviction', {
        endpoint: this.endpoint,
        policy,
      });
    }
    if (isSupported) return;
    throw new RedisRefusedError(this.endpoint, `version ${version}`, `Use Redis ${OLDEST} or newer, or Valkey.`);
  }

  #classify(error: unknown): FoundationError {
    return redisError(this.endpoint, 'connecting', error);
  }
}
