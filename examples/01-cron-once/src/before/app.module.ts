import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { FoundationModule } from 'nestjs-foundation';
import { Newsletter } from './newsletter.js';

@Module({
  imports: [FoundationModule.forRoot({ cluster: true }), ScheduleModule.forRoot()],
  providers: [Newsletter],
})
export class AppModule {}
