/**
 * Delivers each message to the subscriptions of this node: to all that take it, and to one of each group for which the
 * sender chose this node.
 */
import { LimitError } from '../../errors/limit.errors.js';
import { copyJson } from '../../wire/json.js';
import type { Gap, MessageHandler, SubscribeOptions, SubscriptionCounters } from '../channel.js';
import type { Envelope } from '../envelope.js';
import { answerAfter } from './handler.answers.js';
import { HandlerQueue, type QueueTools } from './handler.queue.js';

/** The subscriptions to one channel. */
interface Audience {
  plain: Set<HandlerQueue>;
  /** By the name of the group. */
  groups: Map<string, Set<HandlerQueue>>;
  /** Of each group. */
  turns: Map<string, number>;
}

/** Subscriptions of one node, those that are ending included. */
export const MAX_SUBSCRIPTIONS = 10_000;

/** Called once all subscriptions are done with a message; with the first failure, if any. */
export type Settled = (failure?: string) => void;

/** See the file header. */
export class Dispatcher {
  readonly #channels = new Map<string, Audience>();
  /** Subscriptions that were removed while a handler was running. */
  readonly #ending = new Set<Promise<void>>();
  readonly #lasting = new Set<string>();
  #size = 0;

  constructor(
    private readonly bootId: string,
    private readonly tools: QueueTools,
    /** The bytes of JSON that a node may answer a sender that asks. */
    private readonly longest = Infinity,
  ) {}

  /** False when no subscription of this node would get a message of the channel. */
  has(channel: string): boolean {
    return this.#channels.has(channel);
  }

  /** @throws LimitError when there are as many subscriptions as may be. */
  requireRoom(channel: string): void {
    if (this.#size + this.#ending.size < MAX_SUBSCRIPTIONS) return;
    throw new LimitError(`subscribe("${channel}")`, 'subscriptions of this node', MAX_SUBSCRIPTIONS);
  }

  add(channel: string, options: SubscribeOptions, handler: MessageHandler): HandlerQueue {
    this.requireRoom(channel);
    this.#size += 1;
    const queue = new HandlerQueue(channel, options, handler, this.tools);
    const audience: Audience = this.#channels.get(channel) ?? { plain: new Set(), groups: new Map(), turns: new Map() };
    this.#channels.set(channel, audience);
    if (options.group === undefined) audience.plain.add(queue);
    else audience.groups.set(options.group, (audience.groups.get(options.group) ?? new Set<HandlerQueue>()).add(queue));
    return queue;
  }

  /** True when this was the last subscription to the channel. */
  remove(queue: HandlerQueue): boolean {
    const ending = queue.close().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
    const { channel, options } = queue;
    const audience = this.#channels.get(channel);
    if (audience === undefined) return false;
    const { plain, groups } = audience;
    const members = options.group === undefined ? plain : groups.get(options.group);
    // Removing one twice must not count as the last one leaving.
    if (members?.delete(queue) !== true) return false;
    this.#size -= 1;
    if (options.group !== undefined && members.size === 0) {
      groups.delete(options.group);
      audience.turns.delete(options.group);
    }
    return plain.size + groups.size === 0 && this.#channels.delete(channel);
  }

  /** The counters of the subscriptions, by channel. */
  counters(): [channel: string, SubscriptionCounters][] {
    return [...this.#channels].flatMap(([channel, { plain, groups }]) =>
      [plain, ...groups.values()].flatMap((queues) =>
        [...queues].map(({ counters }): [string, SubscriptionCounters] => [channel, counters]),
      ),
    );
  }

  /** What subscribes to this channel ends by itself, and not when this node drains. */
  outlast(channel: string): void {
    this.#lasting.add(channel);
  }

  /**
   * Ends all other subscriptions; resolves when no handler of them is running. They stay registered, so that later
   * messages are rejected and not ignored.
   */
  async end(): Promise<void> {
    const ending = [...this.#channels].filter(([channel]) => !this.#lasting.has(channel));
    const queues = ending.flatMap(([, { plain, groups }]) => [plain, ...groups.values()]);
    await Promise.all([...this.#ending, ...queues.flatMap((each) => [...each]).map((queue) => queue.close())]);
  }

  /** Returns a promise where a sender of this node has to wait until there is room: policy `block`. */
  deliver(envelope: Envelope, now: number, isLocal = false): Promise<unknown> | undefined {
    const { channel, from, sentAt } = envelope.meta;
    const { telemetry } = this.tools;
    if (telemetry.wants('message.received'))
      telemetry.emit('message.received', { channel, from, latency: Math.max(0, now - sentAt) });
    const audience = this.#channels.get(channel);
    // Nearly all messages take the short path.
    const isUnheard = envelope.settle === undefined && envelope.answer === undefined;
    const isPlain = isUnheard && envelope.groups === undefined && !audience?.groups.size;
    const takers = audience === undefined ? [] : isPlain ? audience.plain : this.#takers(audience, envelope);
    const { settle, answer } = envelope;
    if (settle !== undefined) envelope.settle = settleAfter([...takers].length, settle);
    if (answer !== undefined) envelope.settle = answerAfter([...takers].length, this.longest, answer);
    let full: Promise<void>[] | undefined;
    let own: Envelope | undefined;
    for (const queue of takers) {
      if (isPlain && !queue.takes(envelope.meta.type)) continue;
      // A handler may change what it gets, and none sees what another one did. Nearly always there is one handler.
      own = own === undefined ? envelope : { ...envelope, message: copyJson(envelope.message) };
      const room = queue.push(own, isLocal);
      if (room !== undefined) (full ??= []).push(room);
    }
    return full === undefined ? undefined : Promise.all(full);
  }

  gap(gap: Gap): void {
    this.tools.telemetry.emit('message.gap', gap);
    const audience = this.#channels.get(gap.channel);
    if (audience === undefined) return;
    for (const queues of [audience.plain, ...audience.groups.values()]) for (const queue of queues) queue.gap(gap);
  }

  #takers({ plain, groups, turns }: Audience, envelope: Envelope): HandlerQueue[] {
    const { type } = envelope.meta;
    const takers = [...plain].filter((queue) => queue.takes(type));
    for (const [group, queues] of groups) {
      const chosen = envelope.groups?.[group];
      if (chosen !== undefined && chosen !== this.bootId) continue;
      const members = [...queues].filter((queue) => queue.takes(type));
      if (members.length === 0) continue;
      if (chosen === undefined) {
        // The sender did not know the group: it is new, or Redis has lost the records.
        this.tools.drops.add(envelope.meta.channel, 'no-group-member');
        continue;
      }
      const turn = turns.get(group) ?? 0;
      turns.set(group, turn + 1);
      takers.push(members[turn % members.length]!);
    }
    return takers;
  }
}

/** Calls `settled` after `count` calls, or at once when `count` is 0. */
function settleAfter(count: number, settled: Settled): Settled {
  if (count === 0) settled();
  let left = count;
  let first: string | undefined;
  return (failure) => {
    first ??= failure;
    if (--left === 0) settled(first);
  };
}
