/**
 * The entry `nestjs-foundation/socket.io`: gateways and servers of socket.io that are one on all nodes. Needs
 * `@nestjs/websockets` and `@nestjs/platform-socket.io`.
 */
export { FoundationIoAdapter, type FoundationIoAdapterOptions } from './foundation.io.adapter.js';
export { type FoundationAdapterOptions, useFoundationAdapter } from './use.foundation.adapter.js';
