/**
 * The entry `nestjs-foundation/prometheus`: the figures of a node for Prometheus. Needs `prom-client`.
 */
export {
  FoundationPrometheus,
  FoundationPrometheusController,
  FoundationPrometheusModule,
} from './foundation.prometheus.js';
