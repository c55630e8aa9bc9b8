/**
 * One connection that tries what a node will need, and says what each thing came to. Keeps nothing in Redis.
 * Underneath plain commands on keys of its own, below the application's hash tag.
 */
import { randomBytes } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import type { RedisClient, RedisEndpoint } from '../../config/options.js';
import { describe } from '../../errors/describe.js';
import { toNumber, toTexts } from './lua.script.js';
import { trials } from './redis.acl.js';
import { createClient, createPubSubClient, disconnect } from './redis.client.js';
import { endpointName } from './redis.endpoint.js';

/** A command that Redis did not carry out, and what it said. */
export interface Refused {
  command: string;
  reply: string;
}

/** A server as one connection sees it. */
export interface RedisProbe {
  /** Without any secret. */
  readonly endpoint: string;
  info(): Promise<string>;
  /** Its clock and ours in milliseconds since 1970, and how long the answer took. */
  time(): Promise<{ theirs: number; ours: number; tookMs: number }>;
  /** The ACL user of this connection. */
  readonly user: string;
  /** Tries the commands of Foundation and BullMQ on keys and topics that begin with `tag`. */
  tryCommands(tag: string): Promise<Refused[]>;
  readonly isCluster: boolean;
  close(): void;
}

/**
 * Connects.
 *
 * @throws what the connection failed with; see {@link refusalIn} for what it means.
 */
export async function openProbe(endpoint: RedisEndpoint | RedisClient, timeoutMs = 3000): Promise<RedisProbe> {
  const options = {
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectionName: 'foundation:cli',
  };
  const client = await ready(createClient(endpoint, options), timeoutMs);
  return {
    endpoint: endpointName(endpoint),
    info: () => client.info(),
    async time() {
      const [sentAt, began] = [Date.now(), performance.now()];
      const [seconds, micros] = toTexts(await client.time());
      const tookMs = performance.now() - began;
      return { theirs: toNumber(seconds) * 1000 + toNumber(micros) / 1000, ours: sentAt + tookMs / 2, tookMs };
    },
    user: userOf(client),
    isCluster: client.isCluster,
    async tryCommands(tag) {
      const scratch = `${tag}:doctor:${randomBytes(6).toString('hex')}`;
      const refused = await tryEach(client, trials(scratch));
      const transaction = client.multi().get(`${scratch}:text`).exec();
      await transaction.catch((error: unknown) => {
        // That the GET in it is refused was found out above.
        if (refused.length === 0) refused.push({ command: 'MULTI', reply: describe(error) });
      });
      const listener = await ready(createPubSubClient(endpoint, options), timeoutMs);
      try {
        return [...refused, ...(await tryEach(listener, [['SUBSCRIBE', scratch]]))];
      } finally {
        disconnect(listener);
      }
    },
    close: () => disconnect(client),
  };
}

async function ready(client: Redis, timeoutMs: number): Promise<Redis> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      client.on('error', reject);
      client.once('ready', () => resolve());
      client.once('end', () => reject(new Error('the connection was closed')));
      timer = setTimeout(() => reject(new Error(`no connection in ${timeoutMs} ms`)), timeoutMs);
    });
    return client;
  } catch (error) {
    disconnect(client);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function tryEach(client: Redis, commands: readonly (readonly [string, ...string[]])[]): Promise<Refused[]> {
  const refused: Refused[] = [];
  for (const [command, ...args] of commands) {
    try {
      // In lower case: ioredis 5 knows by the name as it stands what enters the mode of a subscriber.
      await client.call(command.toLowerCase(), ...args);
    } catch (error) {
      refused.push({ command, reply: describe(error) });
    }
  }
  return refused;
}

/** The user of the last AUTH that ioredis sends; with a password alone it is that of the server's `requirepass`. */
function userOf(client: Redis): string {
  const options = client.isCluster ? (client as unknown as Cluster).options.redisOptions : client.options;
  return options?.username ?? 'default';
}
