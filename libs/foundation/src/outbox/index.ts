/**
 * The entry `nestjs-foundation/outbox`: a transport of `@nestjs/outbox` onto a durable channel. Needs nothing; that
 * package, where it is used.
 */
export {
  FoundationTransport,
  type FoundationOutboxTransport,
  type FoundationTransportOptions,
  type OutboxEnvelope,
  type OutboxMessage,
} from './foundation.transport.js';
