/**
 * Loads the package `cron`, which knows what expressions mean; no other file does. Called where something runs by the
 * clock, so that an application without needs no such package.
 */
// eslint-disable-next-line @typescript-eslint/ban-ts-comment -- for the declarations, where the package may be missing
/** @ts-ignore: an application without the package may check them, too (`skipLibCheck: false`). */
import type { CronJob, CronTime } from 'cron';
import { MissingPackageError } from '../errors/config.errors.js';

/** What is used of it. */
export interface CronPackage {
  CronJob: typeof CronJob;
  CronTime: typeof CronTime;
}

/**
 * Underneath: `import('cron')`.
 *
 * @param neededBy says to the user what needs it.
 * @throws MissingPackageError
 */
export async function loadCron(neededBy: string): Promise<CronPackage> {
  try {
    return await import('cron');
  } catch (error) {
    throw new MissingPackageError('cron', neededBy, error);
  }
}
