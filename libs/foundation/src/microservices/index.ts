/**
 * The entry `nestjs-foundation/microservices`: Nest's microservices over channels. Needs `@nestjs/microservices`.
 */
export { FoundationClient, type FoundationClientOptions } from './foundation.client.js';
export { FoundationContext } from './foundation.context.js';
export { FoundationStrategy, type FoundationStrategyOptions } from './foundation.strategy.js';
