/**
 * Leases inside one process, for an application that is not clustered: they need no renewal, and end as they do over
 * Redis.
 */
import { StaleEpochError } from '../../errors/process.errors.js';
import type { LeaseLossReason } from '../../telemetry/events.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { monotonicNow } from '../../time/monotonic.clock.js';
import type { HintListener } from '../../wire/hint.js';
import { LIVES, type Lives } from '../../wire/key.lifetimes.js';
import type { NodeIdentity } from '../../wire/node.identity.js';
import type { Lease, Leases, OwnerRecord, Standing } from './leases.js';
import { LocalLease } from './local.lease.js';

/** How often what has had its life is searched for, at a write. */
const SWEEP_EVERY_MS = 60_000;
/** How many last epochs of names without an owner are remembered. */
const MAX_EPOCHS = 100_000;

/** What is left of a lease that has ended. */
interface Ended {
  lease: LocalLease;
  /** Until when its name stays taken, by the monotonic clock. */
  freeAt: number;
  /** Until when its epoch is remembered. */
  until: number;
}

/** What the leases need. */
export interface LocalLeasesParts {
  readonly node: NodeIdentity;
  readonly telemetry: Telemetry;
  readonly hint: HintListener;
  /** How long the name of a lease that was lost stays taken, in milliseconds. */
  readonly ttl: number;
  readonly wallClock: () => number;
  readonly lives?: Lives;
  readonly now?: () => number;
}

/** See {@link Leases}. */
export class LocalLeases implements Leases {
  readonly #held = new Map<string, LocalLease>();
  /** The last lease of names without an owner, oldest first. */
  readonly #ended = new Map<string, Ended>();
  readonly #left = new LeftStates();
  /** Fenced values by key; each until its time, see `#sweep`. */
  readonly #fenced = new Map<string, { epoch: number; value: string | undefined; until: number }>();
  #lastEpoch = 0;
  #sweepAt = 0;
  #closed = false;
  readonly #lives: Lives;
  readonly #now: () => number;

  constructor(private readonly parts: LocalLeasesParts) {
    const { lives = LIVES, now = monotonicNow } = parts;
    this.#lives = lives;
    this.#now = now;
  }

  acquire(name: string, above = 0): Promise<Lease | undefined> {
    if (this.#closed || this.#freeIn(name) > 0) return Promise.resolve(undefined);
    // The same scale as in a cluster, so that what stored an epoch goes on working when the application is clustered.
    this.#lastEpoch = Math.max(this.#lastEpoch + 1, above + 1, this.parts.wallClock() * 1000);
    const lease = new LocalLease({
      name,
      epoch: this.#lastEpoch,
      since: this.parts.wallClock(),
      events: {
        leave: (state) => this.#left.put(name, state, lease, this.parts.wallClock()),
        inherit: (held) => this.#left.take(name, held, this.parts.wallClock()),
        announced: () => this.parts.hint({ t: 'running', name }),
        released: (held) => this.#released(held),
        freed: (held) => this.#freed(held),
        lost: (held, reason) => this.#lost(held, reason),
      },
    });
    this.#ended.delete(name);
    this.#held.set(name, lease);
    this.parts.telemetry.emit('lease.acquired', { name, node: this.parts.node.name, epoch: lease.epoch });
    return Promise.resolve(lease);
  }

  grace(): Promise<number> {
    return Promise.resolve(0);
  }

  standing(names: readonly string[]): Promise<Standing[]> {
    return Promise.resolve(names.map((name) => ({ name, freeInMs: this.#freeIn(name) })));
  }

  owners(names: readonly string[]): Promise<(OwnerRecord | undefined)[]> {
    return Promise.resolve(
      names.map((name) => {
        const lease = this.#held.get(name);
        if (lease === undefined) return undefined;
        const { epoch, state, since } = lease;
        return { name, node: this.parts.node.name, bootId: this.parts.node.bootId, epoch, state, since };
      }),
    );
  }

  lastEpoch(name: string): Promise<number> {
    return Promise.resolve(this.#held.get(name)?.epoch ?? this.#ended.get(name)?.lease.epoch ?? 0);
  }

  forget(names: readonly string[]): Promise<void> {
    // The next epoch of a name is above those of all names, so nothing of it is needed for that.
    for (const name of names) if (this.#freeIn(name) === 0) this.#ended.delete(name);
    return Promise.resolve();
  }

  fencedSet(key: string, value: string, epoch: number, life = this.#lives.fenced): Promise<void> {
    return this.#fencedWrite(key, epoch, value, life);
  }

  fencedDelete(key: string, epoch: number): Promise<void> {
    return this.#fencedWrite(key, epoch, undefined, this.#lives.fencedMark);
  }

  held(): number {
    return this.#held.size;
  }

  loseAll(): void {
    for (const lease of [...this.#held.values()]) lease.lose('replaced', this.parts.node.name);
  }

  close(): void {
    this.#closed = true;
    // INVARIANT (I1): from here on nothing is known of what they own, so nothing may go on as an owner.
    for (const lease of [...this.#held.values()]) lease.lose('abandoned', 'this node');
  }

  #fencedWrite(key: string, epoch: number, value: string | undefined, life: number): Promise<void> {
    this.#sweep();
    const stored = this.#fenced.get(key);
    const now = this.parts.wallClock();
    if (stored !== undefined && stored.until > now && stored.epoch > epoch) {
      return Promise.reject(new StaleEpochError(key, epoch, stored.epoch));
    }
    this.#fenced.set(key, { epoch, value, until: now + life });
    return Promise.resolve();
  }

  /** Forgets what has had its life, once in a while. */
  #sweep(): void {
    const now = this.parts.wallClock();
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + SWEEP_EVERY_MS;
    for (const [key, { until }] of this.#fenced) if (until <= now) this.#fenced.delete(key);
  }

  /** Milliseconds until the name can be acquired, unless it is released before. */
  #freeIn(name: string): number {
    // A release is hinted, so the time is only a fall-back.
    if (this.#held.has(name)) return 1000;
    return Math.max(0, (this.#ended.get(name)?.freeAt ?? 0) - this.#now());
  }

  #end(lease: LocalLease, takenForMs: number): void {
    const wallNow = this.parts.wallClock();
    this.#held.delete(lease.name);
    this.#ended.set(lease.name, {
      lease,
      freeAt: takenForMs > 0 ? this.#now() + takenForMs : 0,
      until: wallNow + this.#lives.releasedEpoch,
    });
    for (const [name, { until }] of this.#ended) {
      if (until > wallNow && this.#ended.size <= MAX_EPOCHS) break;
      this.#ended.delete(name);
    }
  }

  #released(lease: LocalLease): void {
    this.#end(lease, 0);
    this.parts.telemetry.emit('lease.released', { name: lease.name, node: this.parts.node.name, epoch: lease.epoch });
    this.parts.hint({ t: 'released', name: lease.name, node: this.parts.node.name });
  }

  /** The instance of a lease that was lost has stopped after all. */
  #freed(lease: LocalLease): void {
    const ended = this.#ended.get(lease.name);
    if (ended?.lease !== lease || ended.freeAt === 0) return;
    ended.freeAt = 0;
    this.parts.hint({ t: 'released', name: lease.name });
  }

  /**
   * INVARIANT (I1): its instance may not have stopped yet, so the name stays taken for as long as a lease over Redis.
   */
  #lost(lease: LocalLease, reason: LeaseLossReason): void {
    this.#end(lease, this.parts.ttl);
    this.parts.telemetry.emit('lease.lost', {
      name: lease.name,
      node: this.parts.node.name,
      epoch: lease.epoch,
      reason,
    });
  }
}

/** How long a state waits for the next owner; the same as in a cluster. */
const LEFT_MS = 60_000;

/**
 * What owners left, by name, oldest first. INVARIANT (I19): the first owner that inherits gets it, again and again; no
 * other does.
 */
class LeftStates {
  readonly #states = new Map<string, { state: string; by: LocalLease; until: number; taker?: LocalLease }>();

  put(name: string, state: string, by: LocalLease, now: number): void {
    this.#states.delete(name);
    this.#states.set(name, { state, by, until: now + LEFT_MS });
    for (const [each, { until }] of this.#states) {
      if (until > now) break;
      this.#states.delete(each);
    }
  }

  take(name: string, lease: LocalLease, now: number): string | undefined {
    const left = this.#states.get(name);
    if (left === undefined || left.by === lease) return undefined;
    left.taker ??= lease;
    if (left.taker === lease && left.until > now) return left.state;
    this.#states.delete(name);
    return undefined;
  }
}
