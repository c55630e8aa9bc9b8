// Written by `npm run api -- --write`; the declarations in the sources are what to change.

import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { Server } from 'socket.io';
import type { ServerOptions } from 'socket.io';
import type { Type } from '@nestjs/common';

export interface FoundationAdapterOptions {
    name?: string;
    // Warning: (ae-forgotten-export) The symbol "Gap" needs to be exported by the entry point index.d.ts
    onGap?: (gap: Gap) => unknown;
}

export class FoundationIoAdapter extends IoAdapter {
    constructor(app: INestApplicationContext, options?: FoundationIoAdapterOptions);
    createIOServer(port: number, options?: ServerOptions): Server;
}

export interface FoundationIoAdapterOptions extends Pick<FoundationAdapterOptions, 'onGap'> {
    name?: (port: number, path: string | undefined) => string;
}

// Warning: (ae-forgotten-export) The symbol "Channels" needs to be exported by the entry point index.d.ts
//
export function useFoundationAdapter(io: Server, channels: Channels, options?: FoundationAdapterOptions): void;
