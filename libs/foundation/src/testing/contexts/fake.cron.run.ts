/** What a job is given, for the unit test of its class. */
import type { CronRun } from '../../cron/cron.decorator.js';
import { ArgumentError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import { isObject } from '../../wire/decode.js';

/** A {@link CronRun} that the test can end. */
export interface FakeCronRun extends CronRun {
  /** Aborts the signal, as when its node leaves: it is no owner any more. */
  abort(): void;
}

const OPTIONS: readonly string[] = ['name', 'scheduledAt', 'cause', 'epoch'];

/**
 * Makes what a `@ClusterCron` method is called with.
 *
 * ```ts
 * await new Reports(store).closeTheDay(fakeCronRun({ scheduledAt: new Date('2026-01-01T03:00:00Z') }));
 * ```
 *
 * Defaults: the name `test`, now, `tick`, epoch 1.
 *
 * @throws ArgumentError for what is no such option, and for a date that is none.
 */
export function fakeCronRun(
  options: Partial<Pick<CronRun, 'name' | 'scheduledAt' | 'cause' | 'epoch'>> = {},
): FakeCronRun {
  const call = 'fakeCronRun';
  if (!isObject(options)) throw new ArgumentError(call, 'options', show(options), 'an object');
  for (const [option, value] of Object.entries(options)) {
    if (!OPTIONS.includes(option)) throw new ArgumentError(call, option, show(value), OPTIONS.join(', '));
  }
  const { name = 'test', scheduledAt = new Date(), cause = 'tick', epoch = 1 } = options as Partial<CronRun>;
  if (!(scheduledAt instanceof Date) || Number.isNaN(scheduledAt.getTime())) {
    throw new ArgumentError(call, 'scheduledAt', show(scheduledAt), 'a Date');
  }
  const abort = new AbortController();
  return {
    name,
    scheduledAt,
    cause,
    epoch,
    signal: abort.signal,
    isOwner: () => !abort.signal.aborted,
    abort: () => abort.abort(new Error(`The run of "${name}" was ended by the test.`)),
  };
}
