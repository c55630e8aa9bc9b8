import { Injectable, Logger } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';

@Injectable()
export class Newsletter {
  readonly #logger = new Logger(Newsletter.name);

  @Cron('* * * * * *')
  send() {
    const scheduledAt = new Date(Math.floor(Date.now() / 1000) * 1000);
    this.#logger.log(`Sent the newsletter of ${scheduledAt.toISOString()}`);
  }
}
