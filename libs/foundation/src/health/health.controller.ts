/**
 * Ready-made probes over HTTP, for applications that do not use terminus.
 * Underneath: `HealthMonitor`; nothing but Nest's own HTTP layer.
 */
import { Controller, Get, Inject, Module, ServiceUnavailableException } from '@nestjs/common';
import { HealthMonitor } from './health.monitor.js';
import { type ClusterHealth, withoutDetails } from './health.report.js';

/** Three probes under `/health`. */
@Controller('health')
export class FoundationHealthController {
  constructor(@Inject(HealthMonitor) private readonly monitor: HealthMonitor) {}

  /** `GET /health/live`: 200 as long as this process answers. Do not end a process because the cluster is not well. */
  @Get('live')
  live(): { status: 'live' } {
    return { status: 'live' };
  }

  /** `GET /health/ready`: 200 while this node is a member that takes work, else 503. */
  @Get('ready')
  ready(): { status: 'ready' } {
    if (this.monitor.isReady()) return { status: 'ready' };
    throw new ServiceUnavailableException({ status: 'not ready' });
  }

  /**
   * `GET /health/cluster`: the report of {@link HealthMonitor.clusterHealth} without the texts of errors; 503 when the
   * cluster is critical.
   */
  @Get('cluster')
  async cluster(): Promise<ClusterHealth> {
    const report = withoutDetails(await this.monitor.clusterHealth());
    if (report.status === 'critical') throw new ServiceUnavailableException(report);
    return report;
  }
}

/** Import it beside `FoundationModule` to have the probes. They say names of nodes and services: keep them inside. */
@Module({ controllers: [FoundationHealthController] })
export class FoundationHealthModule {}
