/**
 * How often methods, handlers and jobs run and how long they take, for the page, below the path of the dashboard and
 * under the same guards.
 * Made by the module; underneath Nest's own HTTP layer.
 */
import { BadRequestException, Get, Inject, Query, type Type } from '@nestjs/common';
import type { WorkHistory, WorkOfCluster } from '../metrics/cluster.figures.js';
import { readSeriesName } from '../telemetry/figures.report.js';
import type { DashboardConfig } from './dashboard.options.js';
import { AnswersAsIs, DashboardRoute } from './dashboard.route.js';
import { FiguresReader } from './figures.reader.js';

/** A controller below this path. */
export function figuresControllerAt(config: DashboardConfig): Type {
  @DashboardRoute(config, '/figures', 'looking')
  class FoundationFiguresController {
    constructor(@Inject(FiguresReader) private readonly figures: FiguresReader) {}

    @Get()
    @AnswersAsIs()
    work(): Promise<WorkOfCluster> {
      return this.figures.work();
    }

    @Get('history')
    @AnswersAsIs()
    history(@Query() query: unknown): Promise<WorkHistory> {
      const name = readSeriesName(query);
      if (name === undefined) throw new BadRequestException('Send kind, of and work, as the list of figures has them.');
      return this.figures.history(name);
    }
  }
  return FoundationFiguresController;
}
