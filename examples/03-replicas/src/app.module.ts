import { Module } from '@nestjs/common';
import { FoundationModule } from 'nestjs-foundation';
import { Crawler } from './crawler.js';
import { PageCache } from './page.cache.js';
import { PagesController } from './pages.controller.js';

@Module({
  imports: [FoundationModule.forRoot({ cluster: true })],
  controllers: [PagesController],
  providers: [PageCache, Crawler],
})
export class AppModule {}
