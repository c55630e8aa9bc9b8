/** What a job is given, for the unit test of its class. */
import type { CronRun } from '../../cron/cron.decorator.js';
import { ArgumentError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import { givenOptions } from '../../foreign/given.options.js';
import type { CronCause } from '../../telemetry/events.js';

/** A {@link CronRun} that the test can end. */
export interface FakeCronRun extends CronRun {
  /** Aborts the signal, as when its node leaves: it is no owner any more. */
  abort(): void;
}

const CAUSES: readonly CronCause[] = ['tick', 'catch-up', 'queued', 'manual'];

/**
 * Makes what a `@ClusterCron` method is called with.
 *
 * ```ts
 * await new Reports(store).closeTheDay(fakeCronRun({ scheduledAt: new Date('2026-01-01T03:00:00Z') }));
 * ```
 *
 * Defaults: the name `test`, now, `tick`, epoch 1.
 *
 * @throws ArgumentError for what is no such option, and for a value that no run has.
 */
export function fakeCronRun(
  options: Partial<Pick<CronRun, 'name' | 'scheduledAt' | 'cause' | 'epoch'>> = {},
): FakeCronRun {
  const call = 'fakeCronRun';
  const given = givenOptions<typeof options>(call, options, ['name', 'scheduledAt', 'cause', 'epoch']);
  const { name = 'test', scheduledAt = new Date(), cause = 'tick', epoch = 1 } = given;
  const refuse = (option: string, value: unknown, expected: string): never => {
    throw new ArgumentError(call, option, show(value), expected);
  };
  if (typeof name !== 'string') refuse('name', name, 'a text');
  if (!CAUSES.includes(cause)) refuse('cause', cause, CAUSES.join(', '));
  if (!Number.isSafeInteger(epoch) || epoch < 0) refuse('epoch', epoch, 'a whole number from 0');
  if (!(scheduledAt instanceof Date) || Number.isNaN(scheduledAt.getTime())) {
    refuse('scheduledAt', scheduledAt, 'a Date');
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
