import { Controller, Get, Param, Put } from '@nestjs/common';
import { ProcessManager } from 'nestjs-foundation';
import { Crawler } from './crawler.js';
import { PageCache } from './page.cache.js';

@Controller()
export class PagesController {
  constructor(private readonly processes: ProcessManager) {}

  /** Asks all replicas at once; one that fails is in `missing`, and spoils nothing. */
  @Put('pages/:path')
  async keep(@Param('path') path: string) {
    const { answers, missing } = await this.processes.all(PageCache).call('keep', path, `<h1>${path}</h1>`);
    return { kept: answers.map(({ node }) => node), missing };
  }

  @Get('cached')
  async cached() {
    const { answers } = await this.processes.all(PageCache).with({ timeout: '2s' }).call('size');
    return Object.fromEntries(answers.map(({ node, value }) => [node, value]));
  }

  @Get('crawlers')
  async crawlers() {
    const { answers } = await this.processes.all(Crawler).call('share');
    return answers.map(({ node, value }) => ({ node, share: value }));
  }
}
