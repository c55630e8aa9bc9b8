// Written by `npm run api -- --write`; the declarations in the sources are what to change.

import { BaseRpcContext } from '@nestjs/microservices';
import { ClientProxy } from '@nestjs/microservices';
import { CustomTransportStrategy } from '@nestjs/microservices';
import { Deserializer } from '@nestjs/microservices';
import { ReadPacket } from '@nestjs/microservices';
import { Serializer } from '@nestjs/microservices';
import { Server } from '@nestjs/microservices';
import type { Type } from '@nestjs/common';
import { WritePacket } from '@nestjs/microservices';

export class FoundationClient extends ClientProxy {
    constructor(options: FoundationClientOptions);
    close(): void;
    connect(): Promise<void>;
    protected dispatchEvent<T>(packet: ReadPacket): Promise<T>;
    protected publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void;
    unwrap<T>(): T;
}

export interface FoundationClientOptions {
    channel?: string;
    // Warning: (ae-forgotten-export) The symbol "Channels" needs to be exported by the entry point index.d.ts
    //
    channels: Channels;
    deserializer?: Deserializer;
    serializer?: Serializer;
    // Warning: (ae-forgotten-export) The symbol "Duration" needs to be exported by the entry point index.d.ts
    wait?: Duration;
}

// Warning: (ae-forgotten-export) The symbol "FoundationSource" needs to be exported by the entry point index.d.ts
//
export class FoundationContext extends BaseRpcContext<[string, FoundationSource, Record<string, string>?]> {
    getMetadata(): Record<string, string> | undefined;
    getPattern(): string;
    getSource(): FoundationSource;
}

export class FoundationStrategy extends Server implements CustomTransportStrategy {
    constructor(channels: Channels, options?: FoundationStrategyOptions);
    close(): Promise<void>;
    handleEvent(pattern: string, packet: ReadPacket, context: BaseRpcContext): Promise<void>;
    listen(callback: (error?: unknown) => void): void;
    on(): void;
    readonly propagatesEventHandlerErrors = true;
    readonly transportId: symbol;
    unwrap<T>(): T;
}

export interface FoundationStrategyOptions {
    channel?: string;
    concurrency?: number;
    deserializer?: Deserializer;
    group?: string;
    // Warning: (ae-forgotten-export) The symbol "SubscribeOptions" needs to be exported by the entry point index.d.ts
    queue?: SubscribeOptions['queue'];
    serializer?: Serializer;
}
