// redlock 5.0.0-beta.2 ships types that its "exports" hide from NodeNext resolution (TS7016); this is what we use of
// it.
declare module 'redlock' {
  import type { EventEmitter } from 'node:events';

  export interface Settings {
    retryCount?: number;
    driftFactor?: number;
  }

  export interface ExecutionStats {
    readonly votesFor: Set<unknown>;
    readonly votesAgainst: Map<unknown, Error>;
  }

  export class ResourceLockedError extends Error {}

  export class ExecutionError extends Error {
    readonly attempts: readonly Promise<ExecutionStats>[];
  }

  export interface Lock {
    readonly value: string;
    expiration: number;
  }

  export default class Redlock extends EventEmitter {
    readonly clients: Set<unknown>;
    constructor(
      clients: Iterable<unknown>,
      settings?: Settings,
      scripts?: { readonly acquireScript?: (script: string) => string },
    );
    acquire(resources: string[], duration: number, settings?: Settings): Promise<Lock>;
    release(lock: Lock, settings?: Settings): Promise<unknown>;
  }
}
