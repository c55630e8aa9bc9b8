/**
 * A cache of cache-manager whose memory follows the other nodes. It takes what it needs of that package by its shape,
 * and imports nothing of it.
 */
import type { Channels } from '../channels/channels.js';
import { requireChannels } from '../channels/require.channels.js';
import { ArgumentError } from '../errors/config.errors.js';
import { describe, read, show } from '../errors/describe.js';
import { unattended } from '../foreign/gate.js';
import { givenOptions } from '../foreign/given.options.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import { anyText, ifRight, listOfAll, record } from '../wire/decode.js';
import { isName } from '../wire/names.js';
import { Invalidations } from './invalidations.js';

/** What is used of a cache of cache-manager 6 and later. */
export interface InvalidatedCache {
  on(event: 'set' | 'del' | 'clear', listener: (data: never) => void): unknown;
  off?(event: 'set' | 'del' | 'clear', listener: (data: never) => void): unknown;
}

/** What is used of the store that is in memory: a Keyv, or another one with these methods. */
export interface MemoryStore {
  delete(key: string): unknown;
  clear(): unknown;
}

/** Options of {@link invalidateAcrossNodes}. */
export interface CacheInvalidationOptions {
  channels: Channels;
  /** As `CACHE_MANAGER` of `@nestjs/cache-manager` gives it, or `createCache` of cache-manager. */
  cache: InvalidatedCache;
  /** Its store in memory, which is what gets stale; a store that all nodes share is not touched. */
  memory: MemoryStore;
  /** Caches of one name are one on all nodes. Default `default`. */
  name?: string;
}

/** What changes a cache. */
const EVENTS = ['set', 'mset', 'del', 'mdel', 'refresh', 'clear'];
/** Keys of one change; with more the memory is cleared. */
const MAX_CHANGED_KEYS = 10_000;

const RETRY_MS = 1000;
const CALL = 'invalidateAcrossNodes';

const readChange = record<{ keys?: string[] }>({ keys: ifRight(listOfAll(anyText, MAX_CHANGED_KEYS)) });

/**
 * From now on what this node sets, deletes or clears in the cache is dropped from the memory of all other nodes, and
 * the other way round. When messages may have been lost, the memory of this node is cleared. Resolves with what ends
 * it.
 *
 * Underneath: the events of the cache, and a channel of Foundation's own. A message that cannot be sent is logged, and
 * the others are told to clear their memory as soon as they can be.
 *
 * @throws ArgumentError
 */
export async function invalidateAcrossNodes(options: CacheInvalidationOptions): Promise<() => Promise<void>> {
  const known = ['channels', 'cache', 'memory', 'name'] as const;
  const { cache, memory, name = 'default', ...given } = givenOptions<CacheInvalidationOptions>(CALL, options, known);
  const channels = requireChannels(CALL, given.channels, 'inject them');
  const refuse = (field: string, value: unknown, expected: string): never => {
    throw new ArgumentError(CALL, field, show(value), expected);
  };
  if (!isName(name)) return refuse('name', name, '1 to 200 characters in one line');
  if (typeof read(cache, 'on') !== 'function') return refuse('cache', cache, 'a cache of cache-manager 6 or later');
  const hasStore = typeof read(memory, 'delete') === 'function' && typeof read(memory, 'clear') === 'function';
  if (!hasStore) return refuse('memory', memory, 'the store in memory, with delete and clear');
  const invalidations = new Invalidations(channels, `manager:${name}`);
  const log = new ThrottledLog();
  const dropped = (work: () => unknown): void => {
    const failed = (error: unknown): void =>
      log.error('A cache did not drop what has changed, and may be stale', { cache: name, error: describe(error) });
    unattended('dropping from a cache', new Promise((resolve) => resolve(work())).catch(failed));
  };
  const clear = (): void => dropped(() => memory.clear());
  const end = await invalidations.listen({
    said: (message) => {
      const { keys } = readChange(message) ?? {};
      if (keys === undefined) return clear();
      for (const key of keys) dropped(() => memory.delete(key));
    },
    missed: clear,
  });
  let isOwing = false;
  const say = (message: object): void => {
    invalidations.say(message).catch((error: unknown) => {
      log.warn('Could not tell the other nodes what has changed in a cache', { cache: name, error: describe(error) });
      // They would learn of it with the next message of this node only.
      if (!isOwing) setTimeout(settle, RETRY_MS).unref();
      isOwing = true;
    });
  };
  const settle = (): void => {
    isOwing = false;
    if (!hasEnded) say({});
  };
  let hasEnded = false;
  const changed = (data: unknown): void => say({ keys: keysOf(data) });
  for (const event of EVENTS) cache.on(event as 'set', changed);
  return async () => {
    hasEnded = true;
    for (const event of EVENTS) cache.off?.(event as 'set', changed);
    await end();
  };
}

/** Those that an event is about; none for all of them. */
function keysOf(data: unknown): unknown[] | undefined {
  const [key, keys, list] = ['key', 'keys', 'list'].map((field) => read(data, field));
  if (typeof key === 'string') return [key];
  if (Array.isArray(keys)) return keys as unknown[];
  return Array.isArray(list) ? list.map((each) => read(each, 'key')) : undefined;
}
