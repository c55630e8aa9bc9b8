/**
 * The entry `nestjs-foundation/cache`: caches in memory that follow the other nodes, of bentocache and of
 * cache-manager. Needs the one that is used.
 */
export {
  type CacheInvalidationOptions,
  invalidateAcrossNodes,
  type InvalidatedCache,
  type MemoryStore,
} from './cache.invalidation.js';
export {
  type FoundationBusDriver,
  foundationBusDriver,
  type FoundationBusOptions,
  type FoundationBusTransport,
} from './foundation.bus.js';
