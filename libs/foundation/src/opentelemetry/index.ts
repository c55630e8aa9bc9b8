/**
 * The entry `nestjs-foundation/opentelemetry`: metrics and traces of a node. Needs `@opentelemetry/api`.
 */
export { FoundationOpenTelemetry, FoundationOpenTelemetryModule } from './foundation.opentelemetry.js';
