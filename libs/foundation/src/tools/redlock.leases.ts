/**
 * Leases over Redlock: Redlock takes and frees the lock, our scripts mint epochs and renew all leases in one call.
 * Called by the supervisor; underneath `redlock.acquire`, `redlock.release`, EVALSHA.
 */
import { Logger } from '@nestjs/common';
import type { Redis } from 'ioredis';
import Redlock, { type ExecutionError, type Lock } from 'redlock';
import type { LeaseTimes } from '../config/options.js';
import { NotInThisVersionError, StaleEpochError, describe } from '../errors.js';
import type { LeaseLossReason } from '../telemetry/events.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { monotonicNow } from './clock.js';
import type { NodeIdentity } from './engine.js';
import { HeldLease } from './held.lease.js';
import type { Keys } from './keys.js';
import {
  ACQUIRE_GUARD,
  announceScript,
  farewellScript,
  fencedSetScript,
  inheritScript,
  leaveScript,
  mintScript,
  ownersScript,
  recoverScript,
  renewScript,
  standingScript,
} from './lease.scripts.js';
import type { Lease, Leases, OwnerRecord, Standing } from './leases.js';
import { toNumber, toTexts } from './script.js';
import { Watchdog } from './watchdog.js';
import { within } from './within.js';

/** One attempt, at once: Redlock's waiting acquire can hand out a lock that has expired (its issue #274). */
const ONCE = { retryCount: 0 };
const JITTER = 0.1;
const HANDOFF_MS = 60_000;
const RETRY_MS = 100;
/** Of a key that never expires: nobody's lease; whoever set it must delete it. */
const FOREVER = -1;

/** Makes the Redlock instance, whose acquire also respects the grace after data loss. */
export function createRedlock(client: Redis): Redlock {
  return new Redlock([client], ONCE, { acquireScript: (script) => ACQUIRE_GUARD + script });
}

/** See {@link Leases}. */
export class RedlockLeases implements Leases {
  readonly #held = new Map<string, HeldLease>();
  readonly #locks = new WeakMap<HeldLease, Lock>();
  readonly #logger = new Logger('Foundation');
  readonly #watchdog: Watchdog | undefined;
  #renewTimer: NodeJS.Timeout | undefined;
  #deadlineTimer: NodeJS.Timeout | undefined;
  #renewing = false;
  #closed = false;

  constructor(
    private readonly client: Redis,
    /** For what may be large or slow and must not delay a renewal. */
    private readonly control: Redis,
    private readonly redlock: Redlock,
    private readonly keys: Keys,
    private readonly times: LeaseTimes,
    private readonly node: NodeIdentity,
    private readonly telemetry: Telemetry,
    private readonly now: () => number = monotonicNow,
  ) {
    this.#watchdog = times.onStall === 'exit' ? new Watchdog(node.name) : undefined;
    if (redlock.clients.size !== 1) {
      throw new NotInThisVersionError(
        'redlock',
        `a Redlock over ${redlock.clients.size} clients`,
        'a Redlock over one',
      );
    }
  }

  async acquire(name: string): Promise<Lease | undefined> {
    const sentAt = this.now();
    const lock = await this.#tryLock(name);
    if (lock === undefined) return undefined;
    const epoch = await this.#mint(name, lock);
    // Redlock does not check whether the answer came in time, so a lock that is nearly over is given back at once.
    const inTime = this.now() - sentAt < this.times.deadline - this.times.margin;
    if (epoch === undefined || !inTime || this.#closed) {
      await this.#unlock(name, lock);
      return undefined;
    }
    const grant = { epoch, sentAt };
    const lease = new HeldLease(
      this,
      name,
      this.keys.lease(name),
      lock.value,
      this.node.name,
      this.times.deadline,
      this.now,
      grant,
    );
    this.#locks.set(lease, lock);
    this.#held.set(name, lease);
    this.telemetry.emit('lease.acquired', { name, node: this.node.name, epoch });
    if (this.#deadlineTimer === undefined) this.#watchDeadlines();
    this.#renewIn(this.times.renewEvery);
    return lease;
  }

  async standing(names: readonly string[]): Promise<Standing[]> {
    if (names.length === 0) return [];
    const keys = [this.keys.incarnation, ...names.map((name) => this.keys.lease(name))];
    const [grace, ...ttls] = toTexts(await standingScript.run(this.client, keys, [this.times.grace])).map(Number);
    return names.map((name, index) => ({ name, freeInMs: Math.max(grace ?? 0, waitOf(ttls[index])) }));
  }

  async owners(names: readonly string[]): Promise<(OwnerRecord | undefined)[]> {
    if (names.length === 0) return [];
    const keys = names.flatMap((name) => [this.keys.lease(name), this.keys.owner(name)]);
    const reply = await ownersScript.run(this.control, keys, []);
    const rows = Array.isArray(reply) ? reply : [];
    return names.map((name, index) => ownerOf(name, toTexts(rows[index])));
  }

  async fencedSet(key: string, value: string, epoch: number): Promise<void> {
    // INVARIANT (I4): Redis refuses the write of a lower epoch after a higher one, whatever this node believes.
    const reply = await fencedSetScript.run(this.control, [this.keys.fenced(key)], [epoch, value]);
    if (reply !== '') throw new StaleEpochError(key, epoch, toNumber(reply));
  }

  loseAll(): void {
    for (const lease of [...this.#held.values()]) lease.lose('replaced');
  }

  close(): void {
    this.#closed = true;
    // Nobody renews or watches from here on, so nothing may go on as an owner.
    for (const lease of [...this.#held.values()]) lease.lose('abandoned');
    clearTimeout(this.#renewTimer);
    clearTimeout(this.#deadlineTimer);
    void this.#watchdog?.close();
  }

  // -- called by HeldLease -------------------------------------------------------------------------------------------

  async announce(lease: HeldLease): Promise<void> {
    const hint = JSON.stringify({ t: 'running', name: lease.name });
    const keys = [this.keys.lease(lease.name), this.keys.owner(lease.name)];
    await announceScript.run(this.client, keys, [lease.token, this.keys.hints, hint]);
  }

  async leave(lease: HeldLease, state: string): Promise<void> {
    const keys = [this.keys.lease(lease.name), this.keys.handoff(lease.name)];
    await leaveScript.run(this.client, keys, [lease.token, state, HANDOFF_MS]);
  }

  async inherit(lease: HeldLease): Promise<string | undefined> {
    const keys = [this.keys.lease(lease.name), this.keys.handoff(lease.name)];
    const state = await inheritScript.run(this.client, keys, [lease.token]);
    return typeof state === 'string' ? state : undefined;
  }

  async release(lease: HeldLease): Promise<void> {
    if (!lease.isHeld()) lease.lose('deadline');
    const held = !lease.ended;
    lease.end();
    this.#forget(lease);
    // INVARIANT (I1): reported as released before Redis is asked, because from then on another node may be the owner.
    if (held) {
      this.telemetry.emit('lease.released', { name: lease.name, node: this.node.name, epoch: lease.epoch });
    }
    const lock = this.#locks.get(lease);
    if (lock !== undefined) await this.#unlock(lease.name, lock);
  }

  lost(lease: HeldLease, reason: LeaseLossReason): void {
    this.#forget(lease);
    this.telemetry.emit('lease.lost', { name: lease.name, node: this.node.name, epoch: lease.epoch, reason });
  }

  // -- taking ---------------------------------------------------------------------------------------------------------

  async #tryLock(name: string): Promise<Lock | undefined> {
    const attempt = this.redlock.acquire([this.keys.lease(name)], this.times.ttl, ONCE);
    try {
      // Redlock's promise may never settle (split votes, a throwing listener), so it does not get to decide how long we wait.
      return await this.#settled(attempt);
    } catch (error) {
      const failure = await failureOf(error);
      if (failure === undefined) return undefined;
      attempt.then((late) => this.#unlock(name, late)).catch(() => undefined);
      throw failure;
    }
  }

  #settled<T>(work: Promise<T>): Promise<T> {
    const ms = 4 * this.times.commandTimeout;
    return within(ms, work, `Redlock did not settle in ${ms} ms`);
  }

  async #mint(name: string, lock: Lock): Promise<number | undefined> {
    const keys = [this.keys.incarnation, this.keys.lease(name), this.keys.epoch(name), this.keys.owner(name)];
    try {
      const args = [lock.value, this.times.grace, this.node.name, this.node.bootId];
      const reply = await mintScript.run(this.client, keys, args);
      return reply === '' ? undefined : toNumber(reply) || undefined;
    } catch (error) {
      void this.#unlock(name, lock);
      throw error;
    }
  }

  async #unlock(name: string, lock: Lock): Promise<void> {
    try {
      await this.#settled(this.redlock.release(lock, ONCE));
    } catch (error) {
      // Already expired, or Redis is away: either way the key is not ours for longer than its ttl.
      this.#logger.debug('A lease was not released; it expires', { name, error: describe(error) });
    }
    const hint = JSON.stringify({ t: 'released', name });
    const keys = [this.keys.lease(name), this.keys.owner(name)];
    await farewellScript.run(this.client, keys, [lock.value, this.keys.hints, hint]).catch(() => undefined);
  }

  #forget(lease: HeldLease): void {
    if (this.#held.get(lease.name) === lease) this.#held.delete(lease.name);
  }

  // -- keeping --------------------------------------------------------------------------------------------------------

  #renewIn(delay: number): void {
    if (this.#closed || this.#renewing || this.#renewTimer !== undefined || this.#held.size === 0) return;
    const jitter = 1 - JITTER + Math.random() * 2 * JITTER;
    this.#renewTimer = setTimeout(() => {
      this.#renewTimer = undefined;
      void this.#renewAll();
    }, delay * jitter);
  }

  async #renewAll(): Promise<void> {
    this.#renewing = true;
    this.#fenceOverdue();
    const leases = [...this.#held.values()];
    let next = this.times.renewEvery;
    try {
      const careful = leases.filter(({ missed }) => missed);
      const gone = await this.#renew(leases.filter(({ missed }) => !missed));
      if (careful.length + gone.length > 0) {
        await this.#recover([...careful, ...gone]);
        // What was recovered is good for the old deadline only, so the full time is asked for at once.
        next = 0;
      }
    } catch {
      // The outcome is unknown. The deadline decides; until it comes, the next attempt is a careful one.
      for (const lease of leases) lease.missed = true;
      next = Math.min(RETRY_MS, next);
    } finally {
      this.#renewing = false;
      this.#fenceOverdue();
      this.#renewIn(next);
      this.#watchDeadlines();
    }
  }

  /** Asks for the full time; returns the leases whose key is gone. */
  async #renew(leases: readonly HeldLease[]): Promise<HeldLease[]> {
    if (leases.length === 0) return [];
    const sentAt = this.now();
    const keys = leases.map(({ key }) => key);
    const args = [this.times.ttl, ...leases.map(({ token }) => token)];
    const answers = toTexts(await renewScript.run(this.client, keys, args));
    return leases.filter((lease, index) => {
      if (lease.ended) return false;
      if (answers[index] === '1') lease.ackedAt = sentAt;
      if (answers[index] === '-1') lease.lose('taken');
      return answers[index] === '0';
    });
  }

  /**
   * Keeps what may still be kept: a lease whose last renewal was not acknowledged, and one that Redis lost with its data.
   *
   * It asks only for the time that is left, plus the margin. Where requests arrive and replies are lost, full renewals
   * would keep the name taken long after its owner has fenced itself.
   */
  async #recover(leases: readonly HeldLease[]): Promise<void> {
    const now = this.now();
    const keys = [
      this.keys.incarnation,
      ...leases.flatMap(({ key, name }) => [key, this.keys.epoch(name), this.keys.owner(name)]),
    ];
    const args = leases.flatMap((lease) => [
      lease.token,
      Math.max(1, Math.round(lease.left(now) + this.times.margin)),
      lease.epoch,
      lease.isHeld(now) ? (lease.announced ? 'running' : 'starting') : '',
    ]);
    const { grace } = this.times;
    const reply = await recoverScript.run(this.client, keys, [grace, this.node.name, this.node.bootId, ...args]);
    const epochs = toTexts(reply);
    leases.forEach((lease, index) => {
      if (lease.ended) return;
      const epoch = toNumber(epochs[index]);
      if (epoch === 0) return lease.lose('taken');
      // INVARIANT (I1): this answer promises only what was asked for, which ends `margin` after the old deadline, so the
      // old deadline stays.
      lease.missed = false;
      if (epoch !== lease.epoch) this.#reclaimed(lease, epoch);
    });
  }

  #reclaimed(lease: HeldLease, epoch: number): void {
    const previousEpoch = lease.epoch;
    // INVARIANT (I3): the script minted it above the epoch we presented and above every one of an earlier life of Redis.
    lease.epoch = epoch;
    this.telemetry.emit('lease.reclaimed', { name: lease.name, node: this.node.name, epoch, previousEpoch });
  }

  /** Sets the timer for the lease that ends first. One that was just won ends last, so it needs no look at the others. */
  #watchDeadlines(): void {
    clearTimeout(this.#deadlineTimer);
    this.#deadlineTimer = undefined;
    if (this.#closed || this.#held.size === 0) return this.#watchdog?.expectWithin(undefined);
    const now = this.now();
    let soonest = Infinity;
    for (const lease of this.#held.values()) soonest = Math.min(soonest, lease.left(now));
    this.#watchdog?.expectWithin(soonest);
    this.#deadlineTimer = setTimeout(
      () => {
        this.#fenceOverdue();
        this.#watchDeadlines();
      },
      Math.max(1, soonest),
    );
  }

  #fenceOverdue(): void {
    const now = this.now();
    for (const lease of [...this.#held.values()]) {
      if (!lease.isHeld(now)) lease.lose('deadline');
    }
  }
}

/** `undefined` when Redlock failed only because somebody else holds the key; otherwise what went wrong. */
async function failureOf(error: unknown): Promise<Error | undefined> {
  const attempts = error instanceof Error && 'attempts' in error ? (error as ExecutionError).attempts : undefined;
  if (attempts === undefined) return error instanceof Error ? error : new Error(describe(error));
  for (const attempt of await Promise.all(attempts)) {
    for (const against of attempt.votesAgainst.values()) {
      if (against.name !== 'ResourceLockedError' && against.constructor.name !== 'ResourceLockedError') return against;
    }
  }
  return undefined;
}

function waitOf(ttl: number | undefined): number {
  return ttl === FOREVER ? 1000 : Math.max(0, ttl ?? 0);
}

function ownerOf(name: string, row: readonly string[]): OwnerRecord | undefined {
  const [node, bootId, epoch, state, since] = row;
  if (node === undefined || bootId === undefined) return undefined;
  return {
    name,
    node,
    bootId,
    epoch: toNumber(epoch),
    state: state === 'running' ? 'running' : 'starting',
    since: toNumber(since),
  };
}
