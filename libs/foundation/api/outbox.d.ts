// Written by `npm run api -- --write`; the declarations in the sources are what to change.

import { Type } from '@nestjs/common';

export interface FoundationOutboxTransport {
    publish(message: OutboxMessage, options?: {
        signal?: AbortSignal;
    }): Promise<void>;
}

export function FoundationTransport(channel: string, options?: FoundationTransportOptions): Type<FoundationOutboxTransport>;

export interface FoundationTransportOptions {
    // Warning: (ae-forgotten-export) The symbol "Duration" needs to be exported by the entry point index.d.ts
    deduplicateFor?: Duration;
}

export interface OutboxEnvelope {
    createdAt: number;
    headers: Readonly<Record<string, string>>;
    id: string;
    key: string | null;
    payload: unknown;
    topic: string;
}

export interface OutboxMessage {
    readonly createdAt?: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly id: string;
    readonly key?: string | null;
    readonly payload: unknown;
    readonly topic: string;
}
