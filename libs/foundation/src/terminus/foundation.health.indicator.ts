/**
 * The cluster as an indicator of terminus.
 * Used by the application's own health controller; underneath `HealthMonitor` and `HealthIndicatorService`.
 */
import { Inject, Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { HealthMonitor } from '../health/health.monitor.js';

/**
 * Injectable; add it to the providers of the module that has `TerminusModule`.
 *
 * ```ts
 * health.check([() => this.foundation.check('cluster')])
 * ```
 */
@Injectable()
export class FoundationHealthIndicator {
  constructor(
    @Inject(HealthMonitor) private readonly monitor: HealthMonitor,
    @Inject(HealthIndicatorService) private readonly indicators: HealthIndicatorService,
  ) {}

  /**
   * `up` while the cluster is healthy or degraded, which `health` tells apart, and `down` when it is critical; with the
   * reasons. Never rejects.
   */
  async check<Key extends string = 'foundation'>(key = 'foundation' as Key): Promise<HealthIndicatorResult<Key>> {
    const { status: health, nodes, reasons } = await this.monitor.clusterHealth();
    const details = { health, nodes: nodes.length, reasons: reasons.map(({ message }) => message) };
    const indicator = this.indicators.check(key);
    return health === 'critical' ? indicator.down(details) : indicator.up(details);
  }
}
