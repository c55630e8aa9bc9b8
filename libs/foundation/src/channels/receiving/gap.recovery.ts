/**
 * Detects losses that no later message shows: queries each node once for its last numbers, and all of them again when
 * the connection was cut. Underneath two node messages for each node. Costs nothing while this node listens to nothing.
 */
import type { Transport } from '../../backend/transport/transport.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import { unattended } from '../../foreign/gate.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { jittered } from '../../time/backoff.js';
import { list, map, type Reader, record, text, whole } from '../../wire/decode.js';
import type { Lane } from '../../wire/lane.js';
import { MAX_CHANNEL } from '../channel.js';
import type { Lasts } from '../envelope.js';
import type { NodeAddress, NodeMessages } from '../node.messages.js';
import type { KnownSenders } from './known.senders.js';

/**
 * Soon, since what is lost before the first answer is not known exactly; the jitter is for nodes that start together.
 */
const FIRST_QUERY_MS = 100;
/** Long enough for most connections to be back; all nodes may be cut off at once, hence the jitter. */
const QUERY_AFTER_CUT_MS = 500;
const ASK_AGAIN_MS = 2000;
/** A node that does not answer is queried less and less often, while it is a member. */
const MAX_QUERY_AGAIN_MS = 30_000;
/**
 * A node that disappeared may be alive and still send: for this long a cut may have lost messages of it. The newest
 * are remembered.
 */
const SILENT_MS = 300_000;
const MAX_SILENT = 1000;
/** At which query, about ten seconds after the first, it is reported that what a silent member had sent is unknown. */
const TOLD_AT = 4;
/** A node is gone when it is not a member at this many queries: one that Redis forgot is back before the second. */
const GONE_AFTER = 2;

const LANES: readonly Lane[] = ['high', 'normal', 'low'];

/** Channels that one query asks for, and one answer names. */
const MAX_CHANNELS = 1000;

const channelName = text(MAX_CHANNEL);
const readChannels = list(channelName, MAX_CHANNELS);
/** A lane on which nothing was sent is left out; what is no number says nothing. */
const last: Reader<number> = (value) => (value === undefined ? 0 : (readLast(value) ?? NO_NUMBER));
const readLast = whole();
const NO_NUMBER = -1;
const readLasts = map(record<Record<Lane, number>>({ high: last, normal: last, low: last }), MAX_CHANNELS, channelName);

/** Called for each last number that a node reports; 0 where it has sent nothing. */
export type HeardLast = (channel: string, lane: Lane, last: number, from: NodeAddress) => void;

/** What it works with. */
export interface CatchUpTools {
  membership: ClusterView;
  transport: Transport;
  nodeMessages: NodeMessages;
  /** The numbers of the last messages that this node has sent. */
  lasts: (channels: readonly string[]) => Lasts;
  senders: KnownSenders;
  telemetry: Pick<Telemetry, 'attach'>;
  /** Sends the backlog, so that nothing of it arrives after the reply. */
  flush: () => Promise<void>;
  /** The channels this node listens to. */
  channels: () => string[];
  heard: HeardLast;
  /**
   * A node left, or this one leaves, before it could report what it had sent while this one was cut off; or it does not
   * for long, and may yet.
   */
  gone: (sender: NodeAddress) => void;
}

interface Asked {
  name: string;
  /** True when messages of it may have been lost. */
  mayHaveLost: boolean;
  /** At how many queries it was not a member. */
  absent: number;
  /** How often it was queried since messages of it may have been lost. */
  queries: number;
}

/** See the file header. */
export class GapRecovery {
  /** Members that have not reported their last numbers yet. */
  readonly #unanswered = new Map<string, Asked>();
  /** Members that have, since the last cut and the last new subscription. */
  readonly #answered = new Set<string>();
  /** Boot id of those that disappeared → name, and until when they count. */
  readonly #silent = new Map<string, { name: string; until: number }>();
  #again = ASK_AGAIN_MS;
  #timer: NodeJS.Timeout | undefined;
  /** When the next query is due. */
  #dueAt = 0;
  #closed = false;

  constructor(private readonly tools: CatchUpTools) {
    tools.transport.onInterrupted((bootId) => this.#cutOff(bootId));
    // A node that joined and fell silent while this one was cut off is seen only afterwards.
    tools.membership.listen({ changed: () => this.#schedule(FIRST_QUERY_MS) });
    tools.telemetry.attach('cluster.node_left', (_event, { bootId, node, reason }) => {
      if (reason === 'timeout') this.#noteSilent(bootId, node);
    });
    tools.nodeMessages.on('ask', (body, from) =>
      unattended('saying which messages were sent last', this.#reply(body, from)),
    );
    tools.nodeMessages.on('last', (body, from) => this.#record(body, from));
  }

  /** Queries all members, because this node listens to one more channel: the replies say where its sequences begin. */
  start(): void {
    this.#answered.clear();
    this.#schedule(FIRST_QUERY_MS);
  }

  /** INVARIANT (I21): a loss is reported, also by a node that leaves before it could learn of it. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const [bootId, { name, mayHaveLost }] of this.#unanswered) {
      if (mayHaveLost) this.tools.gone({ name, bootId });
    }
    this.#unanswered.clear();
  }

  /** With a boot id where only one sender is concerned. */
  #cutOff(bootId?: string): void {
    this.tools.senders.interrupted(bootId);
    for (const asked of bootId === undefined ? this.#unanswered.values() : [this.#unanswered.get(bootId)]) {
      if (asked !== undefined) Object.assign(asked, { mayHaveLost: true, queries: 0 });
    }
    if (bootId === undefined) {
      this.#answered.clear();
      this.#suspectSilent();
    } else this.#answered.delete(bootId);
    this.#schedule(QUERY_AFTER_CUT_MS);
    if (this.#unanswered.size > 0) this.#askSoon(QUERY_AFTER_CUT_MS);
  }

  #noteSilent(bootId: string, name: string): void {
    this.#silent.delete(bootId);
    this.#silent.set(bootId, { name, until: this.tools.membership.clusterNow() + SILENT_MS });
    const [oldest] = this.#silent.keys();
    if (this.#silent.size > MAX_SILENT && oldest !== undefined) this.#silent.delete(oldest);
  }

  /** INVARIANT (I21): a loss is reported, also of a node that seemed to be gone before the cut. */
  #suspectSilent(): void {
    const now = this.tools.membership.clusterNow();
    for (const [bootId, { name, until }] of this.#silent) {
      if (until <= now) this.#silent.delete(bootId);
      else if (!this.#unanswered.has(bootId)) {
        this.#unanswered.set(bootId, { name, mayHaveLost: true, absent: GONE_AFTER - 1, queries: 0 });
      }
    }
  }

  #others(): { name: string; bootId: string; joinedAt: number }[] {
    return this.tools.membership.members().filter(({ self }) => !self);
  }

  /** Adds the members that have not answered; schedules a query when there are any. */
  #schedule(delay: number): void {
    if (this.#closed || this.tools.channels().length === 0 || this.tools.membership.state === 'joining') return;
    const others = this.#others();
    const present = new Set(others.map(({ bootId }) => bootId));
    for (const bootId of this.#answered) if (!present.has(bootId)) this.#answered.delete(bootId);
    let isNew = false;
    for (const { name, bootId, joinedAt } of others) {
      this.#silent.delete(bootId);
      if (this.#answered.has(bootId) || this.#unanswered.has(bootId)) continue;
      const mayHaveLost = this.tools.senders.mayHaveLost(bootId, joinedAt);
      this.#unanswered.set(bootId, { name, mayHaveLost, absent: 0, queries: 0 });
      isNew = true;
    }
    if (isNew) this.#askSoon(delay);
    // Soon, because it will not answer: the next query may be half a minute away.
    else if ([...this.#unanswered].some(([bootId, { absent }]) => absent === 0 && !present.has(bootId))) this.#hurry();
  }

  #askSoon(delay: number): void {
    this.#again = ASK_AGAIN_MS;
    this.#queryIn(delay);
  }

  #hurry(): void {
    this.#again = ASK_AGAIN_MS;
    if (this.#dueAt > performance.now() + ASK_AGAIN_MS) this.#queryIn(ASK_AGAIN_MS);
  }

  #queryIn(delay: number): void {
    clearTimeout(this.#timer);
    const after = jittered(delay);
    this.#dueAt = performance.now() + after;
    this.#timer = setTimeout(() => this.#query(), after).unref();
  }

  #query(): void {
    this.#dropGone();
    const channels = this.tools.channels();
    if (channels.length === 0) this.#unanswered.clear();
    if (this.#unanswered.size === 0) return;
    for (const [bootId, asked] of this.#unanswered) {
      // While this node itself is cut off nobody can answer.
      if (this.tools.membership.state !== 'isolated') asked.queries += 1;
      // INVARIANT (I21): a loss is reported, also where the answers are refused because a clock is wrong.
      if (asked.mayHaveLost && asked.queries === TOLD_AT) this.tools.gone({ name: asked.name, bootId });
      this.tools.nodeMessages.send(bootId, 'ask', channels).catch(() => undefined);
    }
    this.#queryIn(this.#again);
    this.#again = Math.min(this.#again * 1.5, MAX_QUERY_AGAIN_MS);
  }

  /**
   * INVARIANT (I21): a loss is reported. What a node had sent that left before it answered is unknown, so that is
   * reported instead.
   */
  #dropGone(): void {
    const present = new Set(this.#others().map(({ bootId }) => bootId));
    for (const [bootId, asked] of this.#unanswered) {
      asked.absent = present.has(bootId) ? 0 : asked.absent + 1;
      if (asked.absent === 0 || (asked.mayHaveLost && asked.absent < GONE_AFTER)) continue;
      this.#unanswered.delete(bootId);
      if (asked.mayHaveLost) this.tools.gone({ name: asked.name, bootId });
    }
  }

  async #reply(body: unknown, from: NodeAddress): Promise<void> {
    const channels = readChannels(body);
    if (channels === undefined) return;
    const lasts = this.tools.lasts(channels);
    await this.tools.flush();
    // Low, and after the sent messages have arrived: a reply that overtakes messages would report them as missing.
    await this.tools.transport.flush?.();
    await this.tools.nodeMessages.send(from.bootId, 'last', lasts, 'low').catch(() => undefined);
  }

  #record(body: unknown, from: NodeAddress): void {
    // Only from queried nodes: a node message may be forged.
    const lasts = this.#unanswered.has(from.bootId) ? readLasts(body) : undefined;
    if (lasts === undefined) return;
    this.#unanswered.delete(from.bootId);
    this.#answered.add(from.bootId);
    const listening = new Set(this.tools.channels());
    for (const [channel, lanes] of Object.entries(lasts)) {
      if (!listening.has(channel)) continue;
      for (const lane of LANES) {
        if (lanes[lane] !== NO_NUMBER) this.tools.heard(channel, lane, lanes[lane], from);
      }
    }
  }
}
