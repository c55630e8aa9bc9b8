/**
 * The Redis of the demo: the one the environment names, else a server on the PATH, else the embedded one.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, delimiter, dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import { TestRedis } from 'nestjs-foundation/testing';

/** A Redis that the demo may use. */
export interface DemoRedis {
  url: string;
  /** What it is and its version, for the summary; holds no secret. */
  name: string;
  /** Stops it, or removes the keys of the application from one that is not the demo's own. */
  close(appName: string): Promise<void>;
}

/** Finds or starts one, which ends with this process, however that ends; `say` is told which. */
export async function provideRedis(say: (line: string) => void): Promise<DemoRedis> {
  for (const variable of ['FOUNDATION_REDIS_URL', 'REDIS_URL']) {
    const url = process.env[variable];
    if (url) return foreign(url, variable, say);
  }
  const binary = onPath('redis-server') ?? onPath('valkey-server');
  if (binary !== undefined) {
    const version = /v=(\S+)/.exec(execFileSync(binary, ['--version'], { encoding: 'utf8' }))?.[1] ?? '?';
    const redis = await TestRedis.start({ server: binary });
    const name = `${basename(binary)} ${version}`;
    say(`Redis: ${name}, started for this demo at ${redis.url}`);
    return own(redis, name);
  }
  return embedded(say);
}

function own(redis: TestRedis, name: string): DemoRedis {
  return { url: redis.url, name, close: () => redis.stop() };
}

async function foreign(url: string, variable: string, say: (line: string) => void): Promise<DemoRedis> {
  const fields = await withClient(url, variable, (client) => client.info('server'));
  const field = (key: string): string | undefined => new RegExp(`^${key}:(\\S+)`, 'm').exec(fields)?.[1];
  const valkey = field('valkey_version');
  const name = valkey === undefined ? `redis ${field('redis_version') ?? '?'}` : `valkey ${valkey}`;
  say(`Redis: ${name}, the one that ${variable} names; the keys of the demo are removed at its end`);
  return {
    url,
    name,
    close: (appName) => withClient(url, variable, (client) => removeKeys(client, appName)),
  };
}

async function embedded(say: (line: string) => void): Promise<DemoRedis> {
  const folder = dirname(createRequire(import.meta.url).resolve('js-redis-server'));
  const { version } = JSON.parse(readFileSync(join(folder, '../package.json'), 'utf8')) as { version: string };
  const redis = await TestRedis.start({ server: 'embedded' });
  say('!'.repeat(100));
  say(`NOT REAL REDIS: no redis-server or valkey-server on the PATH, so this runs on js-redis-server ${version},`);
  say('an imitation in JavaScript. Its figures say nothing. Install Redis, or name one in FOUNDATION_REDIS_URL.');
  say('!'.repeat(100));
  return own(redis, `js-redis-server ${version} (not real Redis)`);
}

async function withClient<T>(url: string, variable: string, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { lazyConnect: true, connectTimeout: 3000, retryStrategy: () => null });
  let reason: Error | undefined;
  client.on('error', (error) => (reason = error));
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    // The URL may hold a password, so the variable is named instead.
    throw new Error(`The Redis that ${variable} names: ${(reason ?? (error as Error)).message}`, { cause: error });
  } finally {
    client.disconnect();
  }
}

async function removeKeys(client: Redis, appName: string): Promise<void> {
  let cursor = '0';
  do {
    const [next, keys] = await client.scan(cursor, 'MATCH', `{foundation:${appName}}*`, 'COUNT', 1000);
    if (keys.length > 0) await client.unlink(...keys);
    cursor = next;
  } while (cursor !== '0');
}

function onPath(name: string): string | undefined {
  const paths = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}
