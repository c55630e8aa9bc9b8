// Written by `npm run api -- --write`; the declarations in the sources are what to change.

import type { Type } from '@nestjs/common';

export interface CacheInvalidationOptions {
    cache: InvalidatedCache;
    // Warning: (ae-forgotten-export) The symbol "Channels" needs to be exported by the entry point index.d.ts
    //
    channels: Channels;
    memory: MemoryStore;
    name?: string;
}

export interface FoundationBusDriver {
    factory: () => FoundationBusTransport;
    options: {
        retryQueue?: {
            enabled?: boolean;
        };
    };
}

export function foundationBusDriver(options: FoundationBusOptions): FoundationBusDriver;

export interface FoundationBusOptions {
    channels: Channels;
    prefix?: string;
}

export interface FoundationBusTransport {
    disconnect(): Promise<void>;
    onReconnect(callback: () => void): void;
    publish(channel: string, message: unknown): Promise<void>;
    setId(id: string): FoundationBusTransport;
    subscribe<T>(channel: string, handler: (message: T) => unknown): Promise<void>;
    unsubscribe(channel: string): Promise<void>;
}

export function invalidateAcrossNodes(options: CacheInvalidationOptions): Promise<() => Promise<void>>;

export interface InvalidatedCache {
    off?(event: 'set' | 'del' | 'clear', listener: (data: never) => void): unknown;
    on(event: 'set' | 'del' | 'clear', listener: (data: never) => void): unknown;
}

export interface MemoryStore {
    clear(): unknown;
    delete(key: string): unknown;
}
