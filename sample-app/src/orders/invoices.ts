/**
 * One node hears of an order and queues a job; whichever node is free prints the invoice. The trace goes with the job.
 */
import { type BeforeApplicationShutdown, Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { type Job, Queue, Worker } from 'bullmq';
import { Channel, FoundationTools, Membership, readTraceContext, Telemetry } from 'nestjs-foundation';
import { isOrder, ORDER_PLACED } from './order.js';

const QUEUE = 'invoices';

@Injectable()
export class Invoices implements OnModuleInit, BeforeApplicationShutdown {
  readonly #logger = new Logger(Invoices.name);
  #queue: Queue | undefined;
  #worker: Worker | undefined;

  constructor(
    /** Foundation has a BullMQ worker itself, with a connection as BullMQ wants it; `undefined` without a cluster. */
    @Inject(FoundationTools.worker) private readonly foundation: Worker | undefined,
    private readonly membership: Membership,
    private readonly telemetry: Telemetry,
  ) {}

  onModuleInit(): void {
    if (this.foundation === undefined) return;
    const options = { connection: this.foundation.opts.connection, prefix: `{${this.membership.appName}}` };
    this.#queue = new Queue(QUEUE, { ...options, defaultJobOptions: { removeOnComplete: true, removeOnFail: 100 } });
    this.#worker = new Worker<unknown>(QUEUE, (job) => this.#print(job), options);
    this.#queue.on('error', ({ message }) => this.#logger.warn(message));
    this.#worker.on('error', ({ message }) => this.#logger.warn(message));
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#worker?.close();
    await this.#queue?.close();
  }

  /** `group`: one node of all. */
  @Channel('events', { type: ORDER_PLACED, group: 'invoices' })
  async onOrder(order: unknown): Promise<void> {
    const queue = this.#queue;
    if (!isOrder(order) || queue === undefined) return;
    await this.telemetry.span({ kind: 'producer', name: `publish ${QUEUE}` }, () =>
      queue.add('invoice', { order, trace: this.telemetry.carry() }),
    );
  }

  async #print(job: Job<unknown>): Promise<void> {
    const { order, trace } = (job.data ?? {}) as { order?: unknown; trace?: unknown };
    const parent = readTraceContext(trace);
    const attributes = { attempt: job.attemptsStarted, job: job.id ?? '' };
    await this.telemetry.span({ kind: 'consumer', name: `process ${QUEUE}`, attributes, parent }, async () => {
      if (isOrder(order)) this.#logger.log(`Invoice for order ${order.id}: ${order.item}`);
    });
  }
}
