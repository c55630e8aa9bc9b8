import { Module } from '@nestjs/common';
import { FoundationModule } from 'nestjs-foundation';
import { LimitsController } from './limits.controller.js';
import { SETTINGS } from './settings.js';

@Module({
  imports: [FoundationModule.forRoot({ cluster: true, clusterConfig: SETTINGS })],
  controllers: [LimitsController],
})
export class AppModule {}
