// Cluster-wide cron jobs of the test application: they write down for which time they were called, and work for a part
// of a second, so that a fault meets some of them at work.
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { ClusterCron, type CronRun } from 'nestjs-foundation';
import { Journal } from './node.processes.js';

/** How often each is due; in names as the test looks for them. */
export const JOBS = { seconds: 1000, lagging: 2000 } as const;

const WORK_MS = 150;

@Injectable()
export class Clockwork {
  constructor(private readonly journal: Journal) {}

  @ClusterCron('* * * * * *', { name: 'seconds', timeZone: 'UTC' })
  seconds(run: CronRun): Promise<void> {
    return this.#note(run);
  }

  @ClusterCron('*/2 * * * * *', { name: 'lagging', timeZone: 'UTC', missed: 'run-once', overlap: 'queue' })
  lagging(run: CronRun): Promise<void> {
    return this.#note(run);
  }

  async #note({ name: job, scheduledAt, cause, epoch }: CronRun): Promise<void> {
    const scheduled = scheduledAt.getTime();
    if (cause !== 'manual') this.journal.recorder.record('test.cron_fired', { job, scheduled, cause, epoch });
    await delay(WORK_MS);
  }
}
