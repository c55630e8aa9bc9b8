import { BadRequestException, Controller, Get, Logger, Param, Put } from '@nestjs/common';
import { ClusterConfig, ConfigValueError } from 'nestjs-foundation';
import type { Settings } from './settings.js';

const logger = new Logger('Limits');

@Controller('limit')
export class LimitsController {
  constructor(private readonly config: ClusterConfig<Settings>) {
    config.watch('uploads.limit', ({ before, value, node }) => logger.log(`${before} became ${value}, set on ${node}`));
  }

  /** Here and now, without a network call. */
  @Get()
  limit() {
    return { limit: this.config.get('uploads.limit') };
  }

  /** On all nodes, or on none. */
  @Put(':limit')
  async change(@Param('limit') limit: string) {
    try {
      const { revision, accepted } = await this.config.set('uploads.limit', Number(limit));
      return { revision, accepted };
    } catch (error) {
      if (error instanceof ConfigValueError) throw new BadRequestException(error.errors);
      throw error;
    }
  }
}
