/**
 * The entry `nestjs-foundation/health`: the indicator for terminus. Needs `@nestjs/terminus`.
 */
export { FoundationHealthIndicator } from './foundation.health.indicator.js';
