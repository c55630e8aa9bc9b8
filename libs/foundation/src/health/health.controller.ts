/**
 * Ready-made probes over HTTP, for applications that do not use terminus.
 * Underneath: `HealthMonitor`; nothing but Nest's own HTTP layer.
 */
import { Controller, Get, HttpStatus, Inject, Module, Res, VERSION_NEUTRAL } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { HealthMonitor } from './health.monitor.js';
import { withoutDetails } from './health.report.js';

/**
 * Three probes under `/health`, in every version of the application's API. They answer by themselves, so that no
 * interceptor or filter of the application changes what a probe reads.
 *
 * A global guard guards them too. Mark the class as you mark your own routes: `Public()(FoundationHealthController)`.
 */
@Controller({ path: 'health', version: VERSION_NEUTRAL })
export class FoundationHealthController {
  constructor(
    @Inject(HealthMonitor) private readonly monitor: HealthMonitor,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
  ) {}

  /** `GET /health/live`: 200 as long as this process answers. Do not end a process because the cluster is not well. */
  @Get('live')
  live(@Res() response: unknown): void {
    this.#answer(response, true, { status: 'live' });
  }

  /**
   * `GET /health/ready`: 200 while requests may come, else 503. By default until this node drains, whether Redis is
   * there or not; with `readiness: 'member'` while it is a member that takes work.
   */
  @Get('ready')
  ready(@Res() response: unknown): void {
    const isReady = this.monitor.isReady();
    this.#answer(response, isReady, { status: isReady ? 'ready' : 'not ready' });
  }

  /**
   * `GET /health/cluster`: the report of {@link HealthMonitor.clusterHealth} without the texts of errors; 503 when the
   * cluster is critical.
   */
  @Get('cluster')
  async cluster(@Res() response: unknown): Promise<void> {
    const report = withoutDetails(await this.monitor.clusterHealth());
    this.#answer(response, report.status !== 'critical', report);
  }

  #answer(response: unknown, isWell: boolean, body: object): void {
    this.host.httpAdapter.reply(response, body, isWell ? HttpStatus.OK : HttpStatus.SERVICE_UNAVAILABLE);
  }
}

/** Import it beside `FoundationModule` to have the probes. They say names of nodes and services: keep them inside. */
@Module({ controllers: [FoundationHealthController] })
export class FoundationHealthModule {}
