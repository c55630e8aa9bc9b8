/**
 * The statistics of a node's channels, as one small record that other nodes can query.
 * Underneath the counters of the subscriptions, and node messages.
 */
import { randomBytes } from 'node:crypto';
import { isObject } from '../wire/decode.js';
import type { SubscriptionCounters } from './channel.js';
import type { NodeAddress, NodeMessages } from './node.messages.js';

/** What one node has sent on a channel, and the sums of its subscriptions since they began. */
export interface ChannelFigures {
  /** By this node. */
  sent: number;
  received: number;
  /** Failed handlers and invalid payloads. */
  failed: number;
  /** Lost on the way, or dropped before the handler. */
  dropped: number;
  /** The backlog of the handlers. */
  waiting: number;
  /** Milliseconds since the oldest one that waits or is being handled was sent. */
  lag: number;
}

/** By the name of the channel. */
export type ChannelStatistics = Record<string, ChannelFigures>;

/** Queries that may be pending at a time; a dashboard queries each node now and then. */
export const MAX_QUESTIONS = 1000;
/** Channels in one report; the rest is left out. */
const MAX_CHANNELS = 100;

/** See the file header. */
export class RemoteStatistics {
  readonly #pending = new Map<string, { bootId: string; take: (figures: ChannelStatistics | undefined) => void }>();

  constructor(
    private readonly nodeMessages: NodeMessages,
    private readonly read: () => ChannelStatistics,
  ) {
    nodeMessages.on('figures?', (body, from) => this.#reply(body, from));
    nodeMessages.on('figures', (body, from) => this.#onReply(body, from));
  }

  /** Those of the node, or `undefined` when it does not answer in so many milliseconds. */
  query(bootId: string, timeoutMs: number): Promise<ChannelStatistics | undefined> {
    if (this.#pending.size >= MAX_QUESTIONS) return Promise.resolve(undefined);
    const id = randomBytes(8).toString('hex');
    return new Promise((resolve) => {
      const take = (figures: ChannelStatistics | undefined): void => {
        clearTimeout(timer);
        this.#pending.delete(id);
        resolve(figures);
      };
      const timer = setTimeout(() => take(undefined), timeoutMs);
      this.#pending.set(id, { bootId, take });
      this.nodeMessages.send(bootId, 'figures?', { id }).then(
        // No node listens there: it is gone.
        (receivers) => receivers === 0 && take(undefined),
        () => take(undefined),
      );
    });
  }

  #reply(body: unknown, { bootId }: NodeAddress): void {
    if (typeof body !== 'object' || body === null) return;
    const { id } = body as Record<string, unknown>;
    if (typeof id !== 'string' || id.length > 64) return;
    const figures = Object.fromEntries(Object.entries(this.read()).slice(0, MAX_CHANNELS));
    this.nodeMessages.send(bootId, 'figures', { id, figures }).catch(() => undefined);
  }

  #onReply(body: unknown, { bootId }: NodeAddress): void {
    if (typeof body !== 'object' || body === null) return;
    const { id, figures } = body as Record<string, unknown>;
    const pending = typeof id === 'string' ? this.#pending.get(id) : undefined;
    if (pending?.bootId === bootId) pending.take(readFigures(figures));
  }
}

/** The subscriptions of each channel together. */
export function sumOf(
  sent: Iterable<readonly [channel: string, number]>,
  counters: Iterable<readonly [channel: string, SubscriptionCounters]>,
): ChannelStatistics {
  const figures = Object.create(null) as ChannelStatistics;
  const none = { sent: 0, received: 0, failed: 0, dropped: 0, waiting: 0, lag: 0 };
  for (const [channel, count] of sent) (figures[channel] ??= { ...none }).sent += count;
  for (const [channel, { received, failed, invalid, missed, dropped, waiting, lag }] of counters) {
    const sum = (figures[channel] ??= { ...none });
    sum.received += received;
    sum.failed += failed + invalid;
    sum.dropped += missed + Object.values(dropped).reduce((all, count) => all + count, 0);
    sum.waiting += waiting;
    sum.lag = Math.max(sum.lag, lag);
  }
  return figures;
}

/** What another node said, as far as it can be read. */
export function readFigures(value: unknown): ChannelStatistics | undefined {
  if (!isObject(value)) return undefined;
  const figures = Object.create(null) as ChannelStatistics;
  for (const [channel, said] of Object.entries(value).slice(0, MAX_CHANNELS)) {
    if (typeof said !== 'object' || said === null || channel.length > 200) continue;
    const { sent, received, failed, dropped, waiting, lag } = said as Record<string, unknown>;
    figures[channel] = {
      sent: count(sent),
      received: count(received),
      failed: count(failed),
      dropped: count(dropped),
      waiting: count(waiting),
      lag: count(lag),
    };
  }
  return figures;
}

function count(value: unknown): number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : 0;
}
