// Written by `npm run api -- --write`; the declarations in the sources are what to change.

export class FoundationLockStore {
    // Warning: (ae-forgotten-export) The symbol "Membership" needs to be exported by the entry point index.d.ts
    constructor(control: unknown, membership: Membership);
    acquire(key: string, owner: string, ttl: number): Promise<LockAcquireResult>;
    release(key: string, owner: string): Promise<boolean>;
    renew(key: string, owner: string, ttl: number): Promise<boolean>;
}

export type LockAcquireResult = {
    acquired: true;
    fencingToken: number;
} | {
    acquired: false;
};
