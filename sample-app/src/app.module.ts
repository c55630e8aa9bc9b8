/**
 * The application: one line makes it a node of a cluster.
 * Where Redis is and what the node is called comes from the environment (`FOUNDATION_REDIS_URL`, `FOUNDATION_NODE_NAME`).
 */
import { Module } from '@nestjs/common';
import { FoundationModule } from 'nestjs-foundation';
import { FoundationPrometheusModule } from 'nestjs-foundation/prometheus';
import { PriceBoard } from './price-board.js';
import { PriceFeed } from './price-feed.singleton.js';
import { StatusController } from './status.controller.js';

@Module({
  // The second one answers `GET /metrics`.
  imports: [FoundationModule.forRoot({ cluster: true }), FoundationPrometheusModule],
  controllers: [StatusController],
  providers: [PriceBoard, PriceFeed],
})
export class AppModule {}
