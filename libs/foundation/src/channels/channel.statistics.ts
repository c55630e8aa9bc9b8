/**
 * The statistics of a node's channels, as one small record that other nodes can query.
 * Underneath the counters of the subscriptions, and node messages.
 */
import { randomBytes } from 'node:crypto';
import { amount, ifRight, map, or, type Reader, record, text } from '../wire/decode.js';
import { MAX_CHANNEL, type SubscriptionCounters } from './channel.js';
import { totalOf } from './message.drops.js';
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

  /** Those of the node, or `undefined` when it does not answer in `timeoutMs`. */
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
    const { id } = readQuery(body) ?? {};
    if (id === undefined) return;
    const figures = Object.fromEntries(Object.entries(this.read()).slice(0, MAX_CHANNELS));
    this.nodeMessages.send(bootId, 'figures', { id, figures }).catch(() => undefined);
  }

  #onReply(body: unknown, { bootId }: NodeAddress): void {
    const { id = '', figures } = readReply(body) ?? {};
    const pending = this.#pending.get(id);
    if (pending?.bootId === bootId) pending.take(figures);
  }
}

/** The subscriptions of each channel together, without the hidden ones. */
export function sumOf(
  sent: Iterable<readonly [channel: string, number]>,
  counters: Iterable<readonly [channel: string, SubscriptionCounters]>,
  hidden: ReadonlySet<string> = new Set(),
): ChannelStatistics {
  const figures = Object.create(null) as ChannelStatistics;
  const none = { sent: 0, received: 0, failed: 0, dropped: 0, waiting: 0, lag: 0 };
  for (const [channel, count] of sent) (figures[channel] ??= { ...none }).sent += count;
  for (const [channel, { received, failed, invalid, missed, dropped, waiting, lag }] of counters) {
    const sum = (figures[channel] ??= { ...none });
    sum.received += received;
    sum.failed += failed + invalid;
    sum.dropped += missed + totalOf(dropped);
    sum.waiting += waiting;
    sum.lag = Math.max(sum.lag, lag);
  }
  for (const channel of hidden) delete figures[channel];
  return figures;
}

const count = or(amount(Number.MAX_SAFE_INTEGER), 0);
const readChannel = record<ChannelFigures>({
  sent: count,
  received: count,
  failed: count,
  dropped: count,
  waiting: count,
  lag: count,
});

/** What another node said, as far as it can be read. */
export const readFigures: Reader<ChannelStatistics> = map(readChannel, MAX_CHANNELS, text(MAX_CHANNEL, 0));

const readQuery = record<{ id: string }>({ id: text(64, 0) });
const readReply = record<{ id: string; figures?: ChannelStatistics }>({
  id: text(64, 0),
  figures: ifRight(readFigures),
});
