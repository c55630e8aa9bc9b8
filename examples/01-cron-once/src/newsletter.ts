import { Injectable, Logger } from '@nestjs/common';
import { ClusterCron, type CronRun } from 'nestjs-foundation';

@Injectable()
export class Newsletter {
  readonly #logger = new Logger(Newsletter.name);

  // Each second, so that there is something to see.
  @ClusterCron('* * * * * *', { name: 'newsletter', timeZone: 'UTC' })
  send({ scheduledAt }: CronRun) {
    this.#logger.log(`Sent the newsletter of ${scheduledAt.toISOString()}`);
  }
}
