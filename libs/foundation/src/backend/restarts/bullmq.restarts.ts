/**
 * Delayed restarts and the regular sweep as BullMQ jobs: short, idempotent, guarded by the epoch, visible in any board.
 * Underneath `queue.add`, `queue.upsertJobScheduler`, one `Worker`.
 */
import '../../foreign/fast.strings.js';
import { createHash } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { describe } from '../../errors/describe.js';
import { unattended } from '../../foreign/gate.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import { endsWithin, within } from '../../time/timeout.js';
import type { Keys } from '../../wire/keys.js';
import { callsOf, Script, toNumber } from '../redis/lua.script.js';
import { readRestart, type RestartHandlers, type Restarts } from './restarts.js';

/** The queue's name; its prefix is the application's hash tag. */
export const QUEUE_NAME = 'supervision';
const SWEEP_EVERY_MS = 5000;
const OPEN_TIMEOUT_MS = 5000;
/**
 * A sweep that is due later than this was planned by a clock that is, or was, ahead; one that is late by so much may
 * have lost its job, and each plans the next.
 */
const FAR_MS = 2 * SWEEP_EVERY_MS;
const CLOSE_TIMEOUT_MS = 2000;

/**
 * KEYS crashes · ARGV epoch, window ms → crashes in the window, this one included once however often it is recorded.
 *
 * Our own count, because BullMQ's `attempts` never starts from zero after a healthy hour and does not count stalls.
 */
const crashScript = new Script(
  'foundationProcessCrash',
  `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
-- Crashes of the future are from before the clock of Redis was set back.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')
redis.call('ZADD', KEYS[1], 'NX', now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
`,
);

/**
 * Makes the queue on Foundation's own connection; it writes its version beside the jobs, unless this process only
 * observes.
 */
export function createQueue(publisher: Redis, keys: Keys, observes = false): Queue {
  return closable(new Queue(QUEUE_NAME, { connection: publisher, prefix: keys.tag, skipMetasUpdate: observes }));
}

/**
 * Lets what is closed before its connection is ready fail in silence. BullMQ 5 takes all listeners from a connection
 * that closes, and has it emit `error` when what it asked Redis at first is then refused: that would end the process.
 */
export function closable<T extends object>(user: T): T {
  // Where BullMQ 6 has them it asks for listeners before it emits.
  const { connection, blockingConnection } = user as { connection?: EventEmitter; blockingConnection?: EventEmitter };
  for (const each of [connection, blockingConnection]) {
    if (each === undefined) continue;
    const remove = each.removeAllListeners.bind(each);
    each.removeAllListeners = (...events) => remove(...events).on('error', () => undefined);
  }
  return user;
}

/** What the restarts are made of. */
export interface BullmqRestartsParts {
  readonly client: Redis;
  readonly workerClient: Redis;
  readonly queue: Queue;
  readonly ownsQueue: boolean;
  readonly keys: Keys;
}

/** See {@link Restarts}. */
export class BullmqRestarts implements Restarts {
  /** Made before the first job is taken, so that it can be injected; it takes none until `open`. */
  readonly worker: Worker;
  readonly #repeated = new ThrottledLog();
  #handlers: RestartHandlers | undefined;

  constructor(private readonly parts: BullmqRestartsParts) {
    const { workerClient, queue, ownsQueue, keys } = parts;
    const worker = new Worker(queue.name, (job) => this.#process(job), {
      connection: workerClient,
      prefix: queue.opts.prefix ?? keys.tag,
      autorun: false,
      concurrency: 4,
      lockDuration: 10_000,
      // Our jobs take milliseconds; and BullMQ's renewal timer outlives a close() during which Redis does not answer.
      skipLockRenewal: true,
      // Not more often: a job that a dead worker had is also done by the supervisors, when it is five seconds late.
      stalledInterval: 5000,
      maxStalledCount: 5,
      // A frozen worker of another node can swallow a wake-up for this long (with BullMQ's own 5 s, measured 4.8 s).
      drainDelay: 2,
      runRetryDelay: 1000,
    });
    this.worker = closable(worker);
    // Without a listener BullMQ writes to the console; connection errors are reported by the connections already.
    const quiet = (error: Error): void => this.#repeated.debug('BullMQ reported an error', { error: describe(error) });
    this.worker.on('error', quiet);
    this.worker.on('failed', (job, error) => {
      this.#repeated.warn('A supervision job failed', { job: job?.id, error: describe(error) });
    });
    if (ownsQueue) queue.on('error', quiet);
  }

  async open(handlers: RestartHandlers): Promise<void> {
    this.#handlers = handlers;
    // BullMQ waits for its connection as long as it takes, and the start of the application waits for this.
    await within(OPEN_TIMEOUT_MS, this.ensureSweep(), `not done in ${OPEN_TIMEOUT_MS} ms`);
    // Runs until close; its errors come by the listener.
    if (!this.worker.isRunning())
      unattended(
        'taking restart jobs',
        this.worker.run().catch(() => undefined),
      );
  }

  async crashed(name: string, epoch: number, windowMs: number): Promise<number> {
    return toNumber(await crashScript.run(this.parts.client, [this.parts.keys.crashes(name)], [epoch, windowMs]));
  }

  async forget(...names: string[]): Promise<void> {
    for (const some of callsOf(names))
      await this.parts.client.del(...some.map((name) => this.parts.keys.crashes(name)));
  }

  async schedule(name: string, epoch: number, delayMs: number): Promise<void> {
    // INVARIANT (I6): the id is made of name and epoch, so there is at most one restart job for each crash. It must not
    // be a number (a queue that starts again after data loss would assign it again) and must not hold a colon.
    const jobId = `restart_${createHash('sha256').update(name).digest('hex').slice(0, 24)}_${epoch}`;
    await this.parts.queue.add(
      'restart',
      { name, epoch },
      { jobId, delay: delayMs, removeOnComplete: true, removeOnFail: 100 },
    );
  }

  async ensureSweep(): Promise<void> {
    const dueAt = await this.sweepDueAt();
    const dueIn = dueAt === undefined ? -Infinity : dueAt - Date.now();
    if (dueIn > FAR_MS) {
      // BullMQ plans by the clock of the node that ran the last one, and what is planned already is not planned again.
      await this.parts.queue.removeJobScheduler('sweep');
    } else if (this.worker.isRunning() && (dueIn > -FAR_MS || (await this.#hasJobs()))) return;
    await this.parts.queue.upsertJobScheduler(
      'sweep',
      { every: SWEEP_EVERY_MS },
      { name: 'sweep', data: {}, opts: { removeOnComplete: true, removeOnFail: 10 } },
    );
  }

  /** Where there are some, the sweep may be one of them and late, in a queue that is paused say. */
  async #hasJobs(): Promise<boolean> {
    return (await this.parts.queue.getJobCountByTypes('delayed', 'active')) > 0;
  }

  /** When the next sweep is due, in milliseconds since 1970; BullMQ plans it by the clock of a node. */
  async sweepDueAt(): Promise<number | undefined> {
    return (await this.parts.queue.getJobScheduler('sweep'))?.next;
  }

  async close(): Promise<void> {
    // Worker.close waits without limit for running jobs and for Redis; ours are short, so what is not done is left to
    // others.
    const closing = Promise.allSettled([
      this.worker.close(),
      this.parts.ownsQueue ? this.parts.queue.close() : undefined,
    ]);
    await endsWithin(CLOSE_TIMEOUT_MS, closing);
    this.#handlers = undefined;
  }

  async #process(job: Job<unknown>): Promise<void> {
    if (this.#handlers === undefined) throw new Error('This node is leaving; another one takes the job.');
    if (job.name === 'sweep') return this.#handlers.sweep();
    const restart = job.name === 'restart' ? readRestart(job.data) : undefined;
    if (restart === undefined) {
      throw new UnrecoverableError(`Job "${job.name}" is not one of Foundation's; it was moved to failed.`);
    }
    await this.#handlers.restart(restart.name, restart.epoch);
  }
}
