/**
 * The entry `nestjs-foundation/locks`: a store for `@nestjs/locks`. Needs nothing; that package, where it is used.
 */
export { FoundationLockStore, type LockAcquireResult } from './foundation.lock.store.js';
