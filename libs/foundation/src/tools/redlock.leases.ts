/**
 * Leases over Redlock: Redlock takes and frees the lock, our scripts mint epochs, `renewal.ts` keeps what is held.
 * Called by the supervisor; underneath `redlock.acquire`, `redlock.release`, EVALSHA, on one Redis or on a majority.
 */
import { Logger } from '@nestjs/common';
import type { Redis } from 'ioredis';
import Redlock, { type ExecutionError, type Lock } from 'redlock';
import type { LeaseTimes } from '../config/options.js';
import { FoundationConfigError, StaleEpochError, describe } from '../errors.js';
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
  standingScript,
} from './lease.scripts.js';
import type { Lease, Leases, OwnerRecord, Standing } from './leases.js';
import { Masters } from './masters.js';
import { Renewal } from './renewal.js';
import { toNumber, toTexts } from './script.js';
import { within } from './within.js';

/** One attempt, at once: Redlock's waiting acquire can hand out a lock that has expired (its issue #274). */
const ONCE = { retryCount: 0 };
const HANDOFF_MS = 60_000;
/** When too few servers said when a name is free. */
const UNKNOWN_MS = 1000;
/** Of a key that never expires: nobody's lease; whoever set it must delete it. */
const FOREVER = -1;

/** Makes the Redlock instance, whose acquire also respects the grace after data loss. */
export function createRedlock(clients: readonly Redis[]): Redlock {
  return new Redlock(clients, ONCE, { acquireScript: (script) => ACQUIRE_GUARD + script });
}

/** See {@link Leases}. */
export class RedlockLeases implements Leases {
  readonly #locks = new WeakMap<HeldLease, Lock>();
  readonly #logger = new Logger('Foundation');
  readonly #renewal: Renewal;

  constructor(
    private readonly masters: Masters,
    /** The same servers over other connections, for what may be large or slow and must not delay a renewal. */
    private readonly control: Masters,
    private readonly redlock: Redlock,
    private readonly keys: Keys,
    private readonly times: LeaseTimes,
    private readonly node: NodeIdentity,
    private readonly telemetry: Telemetry,
    private readonly now: () => number = monotonicNow,
  ) {
    const { length } = masters.clients;
    if (redlock.clients.size !== length) {
      throw new FoundationConfigError(
        'redlock',
        `a Redlock over ${redlock.clients.size} clients`,
        `one over ${length}, a client for each Redis that leases are on (see "redis.quorum")`,
      );
    }
    this.#renewal = new Renewal(masters, keys, times, node, telemetry, now);
  }

  async acquire(name: string): Promise<Lease | undefined> {
    const sentAt = this.now();
    const lock = await this.#tryLock(name);
    if (lock === undefined) return undefined;
    const lease = await this.#mint(name, lock, sentAt);
    // Redlock does not check whether the answer came in time, so a lock that is nearly over is given back at once.
    const inTime = this.now() - sentAt < this.times.deadline - this.times.margin;
    if (lease === undefined || !inTime || this.#renewal.closed) {
      await this.#unlock(name, lock);
      return undefined;
    }
    this.#locks.set(lease, lock);
    this.#renewal.add(lease);
    this.telemetry.emit('lease.acquired', { name, node: this.node.name, epoch: lease.epoch });
    return lease;
  }

  async standing(names: readonly string[]): Promise<Standing[]> {
    if (names.length === 0) return [];
    const keys = [this.keys.incarnation, ...names.map((name) => this.keys.lease(name))];
    const replies = await this.masters.run(standingScript, keys, [this.times.grace]);
    const waits = replies.map((reply) => {
      const [grace = 0, ...ttls] = toTexts(reply).map(Number);
      return ttls.map((ttl) => Math.max(grace, waitOf(ttl)));
    });
    // A name can be had as soon as a majority of the servers gives it.
    const earliest = (index: number): number => {
      const inOrder = waits.flatMap((each) => each[index] ?? []).sort((a, b) => a - b);
      return inOrder[this.masters.majority - 1] ?? UNKNOWN_MS;
    };
    return names.map((name, index) => ({ name, freeInMs: earliest(index) }));
  }

  async owners(names: readonly string[]): Promise<(OwnerRecord | undefined)[]> {
    if (names.length === 0) return [];
    const keys = names.flatMap((name) => [this.keys.lease(name), this.keys.owner(name)]);
    const replies = (await this.control.run(ownersScript, keys, [])).map((reply): unknown[] =>
      Array.isArray(reply) ? reply : [],
    );
    return names.map((name, index) => this.#agreed(replies.map((rows) => ownerOf(name, toTexts(rows[index])))));
  }

  async fencedSet(key: string, value: string, epoch: number): Promise<void> {
    // INVARIANT (I4): a majority refuses the write of a lower epoch after a higher one, whatever this node believes.
    const replies = await this.control.run(fencedSetScript, [this.keys.fenced(key)], [epoch, value]);
    const higher = Math.max(...replies.map(toNumber));
    if (higher > 0) throw new StaleEpochError(key, epoch, higher);
  }

  loseAll(): void {
    for (const lease of this.#renewal.leases()) lease.lose('replaced');
  }

  close(): void {
    this.#renewal.close();
  }

  // -- called by HeldLease -------------------------------------------------------------------------------------------

  async announce(lease: HeldLease): Promise<void> {
    const hint = JSON.stringify({ t: 'running', name: lease.name });
    const keys = [this.keys.lease(lease.name), this.keys.owner(lease.name)];
    await this.masters.run(announceScript, keys, [lease.token, this.keys.hints, hint]);
  }

  async leave(lease: HeldLease, state: string): Promise<void> {
    const keys = [this.keys.lease(lease.name), this.keys.handoff(lease.name)];
    await this.masters.run(leaveScript, keys, [lease.token, state, HANDOFF_MS]);
  }

  async inherit(lease: HeldLease): Promise<string | undefined> {
    const keys = [this.keys.lease(lease.name), this.keys.handoff(lease.name)];
    const states = await this.masters.run(inheritScript, keys, [lease.token]);
    // A server that did not answer when the state was taken still has it; a minority is not believed.
    return states
      .filter((state) => typeof state === 'string')
      .find((state, _, all) => all.filter((each) => each === state).length >= this.masters.majority);
  }

  async release(lease: HeldLease): Promise<void> {
    if (!lease.isHeld()) lease.lose('deadline');
    const held = !lease.ended;
    lease.end();
    this.#renewal.forget(lease);
    // INVARIANT (I1): reported as released before Redis is asked, because from then on another node may be the owner.
    if (held) {
      this.telemetry.emit('lease.released', { name: lease.name, node: this.node.name, epoch: lease.epoch });
    }
    const lock = this.#locks.get(lease);
    if (lock !== undefined) await this.#unlock(lease.name, lock);
  }

  lost(lease: HeldLease, reason: LeaseLossReason): void {
    this.#renewal.forget(lease);
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

  async #mint(name: string, lock: Lock, sentAt: number): Promise<HeldLease | undefined> {
    const keys = [this.keys.incarnation, this.keys.lease(name), this.keys.epoch(name), this.keys.owner(name)];
    try {
      const args = [lock.value, this.times.grace, this.node.name, this.node.bootId];
      const epochs = (await this.masters.run(mintScript, keys, args)).map(toNumber).filter((epoch) => epoch > 0);
      if (epochs.length < this.masters.majority) return undefined;
      // INVARIANT (I3): two majorities share a server, so one of these is above every epoch that a majority knew.
      const grant = { epoch: Math.max(...epochs), sentAt };
      const lease = this.#leaseOf(name, lock, grant);
      if (this.masters.clients.length === 1) return lease;
      return (await this.#renewal.confirm(new Map([[lease, lease.epoch]]))).has(lease) ? lease : undefined;
    } catch (error) {
      void this.#unlock(name, lock);
      throw error;
    }
  }

  #leaseOf(name: string, lock: Lock, grant: { epoch: number; sentAt: number }): HeldLease {
    const { deadline } = this.times;
    return new HeldLease(this, name, this.keys.lease(name), lock.value, this.node.name, deadline, this.now, grant);
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
    await this.masters.run(farewellScript, keys, [lock.value, this.keys.hints, hint]).catch(() => undefined);
  }

  /** The owner that a majority of the servers names, with what the furthest of them knows. */
  #agreed(owners: readonly (OwnerRecord | undefined)[]): OwnerRecord | undefined {
    const known = owners.filter((owner) => owner !== undefined);
    const agreed = known.filter(
      ({ bootId }) => known.filter((other) => other.bootId === bootId).length >= this.masters.majority,
    );
    return agreed.reduce<OwnerRecord | undefined>((best, owner) => {
      if (best === undefined || owner.epoch > best.epoch) return owner;
      return owner.epoch === best.epoch && owner.state === 'running' ? owner : best;
    }, undefined);
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
