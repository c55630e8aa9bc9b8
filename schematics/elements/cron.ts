import type { Element } from './element.text';

export const CRON: Element = {
  kind: 'cron',
  suffix: 'Cron',
  imports: ['ClusterCron', 'CronRun', 'Injectable', 'Logger'],
  packages: { cron: '^4.4.0' },
  source: ({ file, type }) => `import { Injectable, Logger } from '@nestjs/common';
import { ClusterCron, type CronRun } from 'nestjs-foundation';

/** Listed on every node; at each of its times the job runs on one of them. */
@Injectable()
export class ${type} {
  readonly #logger = new Logger(${type}.name);
  lastRun?: Date;

  /**
   * Every minute. A time is fired at most once in the cluster. One that passed
   * while no node ran is made up for with \`missed: 'run-once'\`.
   */
  @ClusterCron('0 * * * * *', { name: '${file}', timeZone: 'UTC' })
  run({ scheduledAt, cause }: CronRun): void {
    this.lastRun = scheduledAt;
    this.#logger.log(\`\${cause} of \${scheduledAt.toISOString()}\`);
  }
}
`,
  uses: ['CronJobs'],
  testing: ['eventually'],
  test: ({ file, type }) => ({
    name: 'runs',
    body: `const jobs = app.get(CronJobs);
await eventually(async () => (await jobs.runNow('${file}')) === 'started');
await eventually(() => app.get(${type}).lastRun !== undefined);
const [job] = await jobs.list();
expect(job).toMatchObject({ name: '${file}', timeZone: 'UTC' });
`,
  }),
};
