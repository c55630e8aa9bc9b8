/**
 * Finds what was lost while the connection was cut and the sender is silent since: asks every node for its last numbers.
 * Called by the facade; costs nothing as long as no connection is cut. Underneath: two letters for each node.
 */
import type { Membership } from '../cluster/membership.js';
import type { Lane, Transport } from '../tools/transport.js';
import type { Correspondent, Letters } from './letters.js';
import type { Lasts, Outgoing } from './outgoing.js';

/** Long enough for most connections to be made again; all nodes may be cut off at once, hence the jitter. */
const FIRST_ASK_MS = 500;
const ASK_AGAIN_MS = 2000;
/** A node of a version without letters answers never. */
const MAX_ASKS = 30;

/** Told of each last number that a node names. */
export type HeardLast = (channel: string, lane: Lane, last: number, from: Correspondent) => void;

/** What it works with. */
export interface CatchUpTools {
  membership: Membership;
  transport: Transport;
  letters: Letters;
  outgoing: Outgoing;
  /** Sends what waits, so that nothing of it comes after the answer. */
  flush: () => Promise<void>;
  /** Those this node listens to. */
  channels: () => string[];
  heard: HeardLast;
}

/** See the file header. */
export class CatchUp {
  readonly #unanswered = new Set<string>();
  #asks = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly tools: CatchUpTools) {
    tools.transport.onInterrupted((bootId) => this.#begin(bootId));
    tools.letters.on('ask', (body, from) => void this.#answer(body, from));
    tools.letters.on('last', (body, from) => this.#note(body, from));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#unanswered.clear();
  }

  /** With a boot id where only one sender is concerned. */
  #begin(bootId?: string): void {
    for (const each of bootId === undefined ? this.#others() : [bootId]) this.#unanswered.add(each);
    this.#asks = 0;
    this.#askIn(FIRST_ASK_MS);
  }

  #others(): string[] {
    return this.tools.membership.members().flatMap(({ self, bootId }) => (self ? [] : [bootId]));
  }

  #askIn(delay: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), delay * (0.75 + Math.random() / 2)).unref();
  }

  #ask(): void {
    const others = new Set(this.#others());
    for (const bootId of this.#unanswered) if (!others.has(bootId)) this.#unanswered.delete(bootId);
    const channels = this.tools.channels();
    if (this.#unanswered.size === 0 || channels.length === 0 || ++this.#asks > MAX_ASKS) return;
    for (const bootId of this.#unanswered) this.tools.letters.send(bootId, 'ask', channels).catch(() => undefined);
    this.#askIn(ASK_AGAIN_MS);
  }

  async #answer(body: unknown, from: Correspondent): Promise<void> {
    if (!Array.isArray(body)) return;
    const channels = body.filter((channel): channel is string => typeof channel === 'string').slice(0, 1000);
    const lasts = this.tools.outgoing.lasts(channels);
    await this.tools.flush();
    // Low, and after what was sent has arrived: an answer that overtakes messages would report them as missing.
    await this.tools.transport.flush?.();
    await this.tools.letters.send(from.bootId, 'last', lasts, 'low').catch(() => undefined);
  }

  #note(body: unknown, from: Correspondent): void {
    this.#unanswered.delete(from.bootId);
    if (typeof body !== 'object' || body === null) return;
    const listening = new Set(this.tools.channels());
    for (const [channel, lanes] of Object.entries(body as Lasts)) {
      if (!listening.has(channel) || typeof lanes !== 'object' || lanes === null) continue;
      for (const lane of ['high', 'normal', 'low'] as const) {
        const last = lanes[lane];
        if (Number.isSafeInteger(last)) this.tools.heard(channel, lane, last as number, from);
      }
    }
  }
}
