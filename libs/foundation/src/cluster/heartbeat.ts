/**
 * When this node beats, and what it sends: at regular intervals, and at once when its record has changed.
 * Made by the membership protocol, which decides what an answer means. Underneath: `NodeDirectory.beat()`.
 */
import type { BeatAnswer, NodeDirectory } from '../backend/directory/directory.js';
import { unattended } from '../foreign/gate.js';
import { jittered } from '../time/backoff.js';
import type { Clock } from '../time/clock.js';
import type { WakeUp } from '../time/wake.ups.js';
import type { LocalRecord } from './local.record.js';

/** By this share a delay is longer at random, at the most. */
export const JITTER = 0.1;
/** A regular heartbeat goes with another wake-up of this node that comes so much sooner, as a share of the interval. */
const EARLY = 0.25;
/** After a heartbeat that failed. */
const RETRY_MS = 250;
/** Changes within this time are sent together. */
const TOGETHER_MS = 50;

/** Who decides what an answer means. */
export interface HeartbeatOwner {
  self: { name: string; bootId: string };
  /** False once the node has left: there are no more heartbeats. */
  isBeating(): boolean;
  heard(answer: BeatAnswer, sentAt: number): Promise<void>;
  unheard(error: unknown): void;
}

/** See the file header. */
export class Heartbeat {
  #timer: WakeUp | undefined;
  #dueAt = Infinity;
  /** When a heartbeat is due whatever happens. */
  #regularAt = 0;
  #beating: Promise<void> | undefined;

  constructor(
    private readonly owner: HeartbeatOwner,
    private readonly directory: Pick<NodeDirectory, 'beat'>,
    private readonly record: LocalRecord,
    private readonly beatEvery: number,
    private readonly clock: Pick<Clock, 'monotonic' | 'within' | 'random'>,
  ) {}

  /** Brings the next heartbeat forward. */
  soon(): void {
    this.#beatIn(TOGETHER_MS);
  }

  /** One heartbeat at a time; a call during one waits for the next. */
  async beat(): Promise<void> {
    await this.#beating;
    this.#beating ??= this.#beat().finally(() => (this.#beating = undefined));
    return this.#beating;
  }

  /** Ends it, and resolves when no heartbeat is under way. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#beating;
  }

  /** Brings the next heartbeat forward; never puts one off, so that a busy node beats all the same. */
  #beatIn(delay: number, early = 0): void {
    const now = this.clock.monotonic();
    if (!this.owner.isBeating() || this.#dueAt <= now + delay) return;
    this.#timer?.cancel();
    const pause = jittered(delay, 1, 1 + JITTER, this.clock.random());
    this.#dueAt = now + pause;
    this.#timer = this.clock.within(delay * (1 - early), pause, () => {
      this.record.noteLag(this.clock.monotonic() - this.#dueAt, this.clock.monotonic());
      this.#dueAt = Infinity;
      if (this.clock.monotonic() < this.#regularAt && this.record.dropIdle())
        this.#beatIn(this.#regularAt - this.clock.monotonic());
      else unattended('beating', this.beat());
    });
  }

  async #beat(): Promise<void> {
    const sentAt = this.clock.monotonic();
    const sent = this.record.take();
    let [next, early] = [this.beatEvery, EARLY];
    try {
      const { name, bootId } = this.owner.self;
      const answer = await this.directory.beat(name, bootId, sent.update);
      if (answer.status === 'ok') this.record.acknowledged(sent);
      await this.owner.heard(answer, sentAt);
    } catch (error) {
      this.record.restore(sent);
      this.owner.unheard(error);
      [next, early] = [Math.min(next, RETRY_MS), 0];
    } finally {
      this.#regularAt = this.clock.monotonic() + next;
      this.#beatIn(next, early);
    }
  }
}
