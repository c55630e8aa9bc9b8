/**
 * The WebSocket adapter of Nest for socket.io, whose servers are one on all nodes.
 */
import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { Server, ServerOptions } from 'socket.io';
import { Channels } from '../channels/channels.js';
import { givenOptions } from '../foreign/given.options.js';
import { type FoundationAdapterOptions, useFoundationAdapter } from './use.foundation.adapter.js';

/** Options of {@link FoundationIoAdapter}. */
export interface FoundationIoAdapterOptions extends Pick<FoundationAdapterOptions, 'onGap'> {
  /**
   * The name of the server on this port and path; servers of one name are one on all nodes. Default: the port and the
   * path as gateways give them, so set it where nodes listen for sockets on different ports.
   */
  name?: (port: number, path: string | undefined) => string;
}

/**
 * For `useWebSocketAdapter`: gateways reach the clients of all nodes.
 *
 * ```ts
 * app.useWebSocketAdapter(new FoundationIoAdapter(app));
 * ```
 *
 * Underneath: `IoAdapter` of `@nestjs/platform-socket.io`, and {@link useFoundationAdapter} for each server that it
 * makes. Clients that poll need sticky sessions, as with every adapter.
 */
export class FoundationIoAdapter extends IoAdapter {
  readonly #channels: Channels;
  readonly #options: FoundationIoAdapterOptions;

  constructor(app: INestApplicationContext, options: FoundationIoAdapterOptions = {}) {
    super(app);
    this.#channels = app.get(Channels, { strict: false });
    this.#options = givenOptions('new FoundationIoAdapter', options, ['name', 'onGap']);
  }

  /** Called by Nest for each port and path. */
  override createIOServer(port: number, options?: ServerOptions): Server {
    const server = super.createIOServer(port, options);
    const { onGap, name = (given, path) => `${given === 0 ? '' : given}${path ?? ''}` } = this.#options;
    useFoundationAdapter(server, this.#channels, { name: name(port, options?.path), ...(onGap && { onGap }) });
    return server;
  }
}
