/**
 * The application: one line makes it a node of a cluster.
 * Where Redis is, how nodes are found and what this one is called comes from the environment (`FOUNDATION_REDIS_URL`,
 * `FOUNDATION_CLUSTER`, `FOUNDATION_NODE_NAME`).
 */
import { Module } from '@nestjs/common';
import { FoundationHealthModule, FoundationModule } from 'nestjs-foundation';
import { FoundationDashboardModule } from 'nestjs-foundation/dashboard';
import { FoundationPrometheusModule } from 'nestjs-foundation/prometheus';
import { OrdersModule } from './orders/orders.module.js';
import { PriceBoard } from './price-board.js';
import { PriceFeed } from './price-feed.singleton.js';
import { StatusController } from './status.controller.js';
import { TraceModule } from './trace/trace.module.js';
import { Traces } from './trace/traces.js';

// The page at `/foundation`, for whoever knows the token; without one there is no page.
const { FOUNDATION_DASHBOARD_TOKEN: token } = process.env;
const dashboard = token === undefined ? [] : [FoundationDashboardModule.forRoot({ token, traces: Traces })];

@Module({
  imports: [
    FoundationModule.forRoot({ cluster: true }),
    FoundationHealthModule, // `GET /health/live`, `/health/ready` and `/health/cluster`
    FoundationPrometheusModule, // `GET /metrics`
    ...dashboard,
    TraceModule,
    OrdersModule,
  ],
  controllers: [StatusController],
  providers: [PriceBoard, PriceFeed],
})
export class AppModule {}
