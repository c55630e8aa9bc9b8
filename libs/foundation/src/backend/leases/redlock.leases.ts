/**
 * Leases over Redlock: `name.locks.ts` takes and frees the lock, our scripts mint epochs, `lease.renewal.ts` keeps what
 * is held. Underneath `redlock.acquire`, `redlock.release`, EVALSHA, on one Redis or on a majority.
 */
import type Redlock from 'redlock';
import type { Lock } from 'redlock';
import type { LeaseTimes } from '../../config/config.js';
import { FoundationConfigError } from '../../errors/config.errors.js';
import { StaleEpochError } from '../../errors/process.errors.js';
import { unattended } from '../../foreign/gate.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { LeaseLossReason } from '../../telemetry/events.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { monotonicNow } from '../../time/monotonic.clock.js';
import { LIVES, type Lives } from '../../wire/key.lifetimes.js';
import type { Keys } from '../../wire/keys.js';
import type { NodeIdentity } from '../../wire/node.identity.js';
import { Grace } from '../redis/grace.period.js';
import { callsOf, toNumber, toTexts } from '../redis/lua.script.js';
import { fencedSetScript, forgetScript, lastEpochScript, LOST } from './epoch.scripts.js';
import { type Grant, HeldLease, ownerBefore } from './held.lease.js';
import { LeaseHandoffs } from './lease.handoffs.js';
import { LeaseOwners } from './lease.owners.js';
import { LeaseQuorum } from './lease.quorum.js';
import { LeaseRenewal } from './lease.renewal.js';
import { announceScript, mintScript } from './lease.scripts.js';
import type { Lease, Leases, OwnerRecord, Standing } from './leases.js';
import { NameLocks } from './name.locks.js';
import { standingScript } from './owner.scripts.js';

/** When too few servers said when a name is free. */
const UNKNOWN_MS = 1000;
/** The PTTL of a key that never expires: no node's lease; who set it must delete it. */
const FOREVER = -1;
/** How often that is said of a name. */
const SAY_FOREVER_MS = 60_000;
/** The PTTL of a key that is not there. */
const NOBODYS = -2;

/** What the leases are made of. */
export interface RedlockLeasesParts {
  readonly quorum: LeaseQuorum;
  /** The same servers over other connections, for what may be large or slow and must not delay a renewal. */
  readonly control: LeaseQuorum;
  readonly redlock: Redlock;
  readonly keys: Keys;
  readonly times: LeaseTimes;
  readonly node: NodeIdentity;
  readonly telemetry: Telemetry;
  readonly now?: () => number;
  readonly after?: Grace;
  readonly lives?: Lives;
}

/** See {@link Leases}. */
export class RedlockLeases implements Leases {
  readonly #lockOf = new WeakMap<HeldLease, Lock>();
  readonly #locks: NameLocks;
  readonly #renewal: LeaseRenewal;
  readonly #owners: LeaseOwners;
  readonly #handoffs: LeaseHandoffs;
  readonly #now: () => number;
  readonly #after: Grace;
  readonly #lives: Lives;
  readonly #log = new ThrottledLog(SAY_FOREVER_MS);
  /** Fenced writes so far. */
  #writes = 0;

  constructor(private readonly parts: RedlockLeasesParts) {
    const {
      quorum,
      control,
      redlock,
      keys,
      times,
      node,
      telemetry,
      now = monotonicNow,
      after = new Grace(times.grace, now),
      lives = LIVES,
    } = parts;
    this.#now = now;
    this.#after = after;
    this.#lives = lives;
    const { length } = quorum.clients;
    if (redlock.clients.size !== length) {
      const problem = `a Redlock over ${redlock.clients.size} clients`;
      const expected = `one over ${length}, a client for each Redis that leases are on (see "redis.quorum")`;
      throw new FoundationConfigError('redlock', problem, expected);
    }
    this.#locks = new NameLocks(quorum, redlock, keys, times, lives);
    this.#owners = new LeaseOwners(control, keys);
    this.#handoffs = new LeaseHandoffs(control, keys);
    this.#renewal = new LeaseRenewal({ quorum, control, keys, times, node, telemetry, now, after, lives });
  }

  async acquire(name: string, above = 0): Promise<Lease | undefined> {
    const sentAt = this.#now();
    const lock = await this.#locks.take(name);
    if (lock === undefined) return undefined;
    const lease = await this.#mint(name, lock, sentAt, above);
    // Redlock does not check whether the answer came in time, so a lock that is nearly over is released at once.
    const inTime = this.#now() - sentAt < this.parts.times.deadline - this.parts.times.margin;
    if (lease === undefined || !inTime || this.#renewal.closed) {
      await this.#locks.free(name, lock);
      return undefined;
    }
    this.#lockOf.set(lease, lock);
    this.#renewal.add(lease);
    this.parts.telemetry.emit('lease.acquired', { name, node: this.parts.node.name, epoch: lease.epoch });
    return lease;
  }

  async standing(names: readonly string[]): Promise<Standing[]> {
    const standing: Standing[] = [];
    for (const some of callsOf(names)) standing.push(...(await this.#standing(some)));
    return standing;
  }

  async #standing(names: readonly string[]): Promise<Standing[]> {
    const keys = [this.parts.keys.incarnation, ...names.map((name) => this.parts.keys.lease(name))];
    const replies = await this.parts.quorum.run(standingScript, keys, [this.#after.text, this.parts.times.ttl]);
    // Per server the grace, and the PTTL of each name.
    const read = replies.map((reply) => toTexts(reply).map(Number));
    this.#sayForever(names, read);
    const most = this.parts.times.ttl + this.parts.times.grace;
    const waits = read.map(([grace = 0, ...ttls]) => ttls.map((ttl) => Math.max(grace, Math.min(waitOf(ttl), most))));
    // A name can be had as soon as a majority of the servers gives it.
    const earliest = (index: number): number => {
      const inOrder = waits.flatMap((each) => each[index] ?? []).sort((a, b) => a - b);
      return inOrder[this.parts.quorum.majority - 1] ?? UNKNOWN_MS;
    };
    const isNobodys = (index: number): boolean =>
      read.filter((each) => each[index + 1] === NOBODYS).length >= this.parts.quorum.majority;
    return names.map((name, index) => {
      const freeInMs = earliest(index);
      return { name, freeInMs, ...(freeInMs > 0 && isNobodys(index) ? { isGrace: true } : {}) };
    });
  }

  /** Nothing else would say why a process does not run. */
  #sayForever(names: readonly string[], read: readonly (readonly number[])[]): void {
    const stuck = names.filter((_, index) => read.some((each) => each[index + 1] === FOREVER));
    const message = 'Found a lease key without an expiry, which no node writes: its name is taken until it is deleted';
    for (const name of stuck) this.#log.warn(message, { name, key: this.parts.keys.lease(name) }, name);
  }

  owners(names: readonly string[]): Promise<(OwnerRecord | undefined)[]> {
    return this.#owners.owners(names);
  }

  async grace(): Promise<number> {
    const { quorum, keys, times } = this.parts;
    return toNumber(
      toTexts(await standingScript.run(quorum.clients[0]!, [keys.incarnation], [this.#after.text, times.ttl]))[0],
    );
  }

  async lastEpoch(name: string): Promise<number> {
    // INVARIANT (I3): a majority knows each epoch that counted, so one of any majority does.
    const epochs = await this.parts.control.run(lastEpochScript, [this.parts.keys.epoch(name)], []);
    return Math.max(...epochs.map(toNumber));
  }

  async forget(names: readonly string[]): Promise<void> {
    for (const some of callsOf(names)) {
      const keys = some.flatMap((name) => [this.parts.keys.lease(name), this.parts.keys.epoch(name)]);
      // A server that does not hear of it keeps the keys for as long as without it.
      await this.parts.control.run(forgetScript, [this.parts.keys.epochs, ...keys], [this.#lives.epoch]);
    }
  }

  async fencedSet(key: string, value: string, epoch: number, life = this.#lives.fenced): Promise<void> {
    await this.#fencedWrite(key, epoch, life, [value]);
  }

  async fencedDelete(key: string, epoch: number): Promise<void> {
    await this.#fencedWrite(key, epoch, this.#lives.fencedMark, []);
  }

  async #fencedWrite(key: string, epoch: number, life: number, value: readonly string[]): Promise<void> {
    // INVARIANT (I4): a majority refuses an epoch below one that wrote, while the key lives, or from before a loss.
    const written = this.parts.control.agreeOn('');
    const args = [epoch, life, this.parts.node.bootId, (this.#writes += 1), ...value];
    const keys = [this.parts.keys.fenced(key), this.parts.keys.incarnation];
    const replies = await this.parts.control.run(fencedSetScript, keys, args, written);
    const higher = Math.max(...replies.map(toNumber));
    if (higher > 0) throw new StaleEpochError(key, epoch, higher);
    if (written(replies)) return;
    const least = replies.map((reply) => toNumber(String(reply).split(LOST)[1]));
    throw new StaleEpochError(key, epoch, Math.max(...least), 'lost');
  }

  held(): number {
    return this.#renewal.leases().filter((lease) => lease.isHeld()).length;
  }

  loseAll(): void {
    for (const lease of this.#renewal.leases()) lease.lose('replaced');
  }

  close(): void {
    this.#renewal.close();
  }

  // -- called by HeldLease ------------------------------------------------------------------------------------------

  refresh(lease: HeldLease, above: number): Promise<void> {
    return this.#renewal.refresh(lease, above);
  }

  async announce(lease: HeldLease): Promise<void> {
    const hint = JSON.stringify({ t: 'running', name: lease.name });
    const keys = [this.parts.keys.lease(lease.name), this.parts.keys.owner(lease.name)];
    await this.parts.quorum.run(announceScript, keys, [lease.token, this.parts.keys.hints, hint, this.#lives.owner]);
  }

  leave(lease: HeldLease, state: string): Promise<void> {
    return this.#handoffs.leave(lease, state);
  }

  inherit(lease: HeldLease): Promise<string | undefined> {
    return this.#handoffs.inherit(lease);
  }

  async release(lease: HeldLease): Promise<void> {
    if (!lease.isHeld()) lease.lose('deadline');
    const held = !lease.ended;
    lease.end();
    this.#renewal.forget(lease);
    // INVARIANT (I1): reported as released before Redis is, because from then on another node may be the owner.
    if (held) {
      this.parts.telemetry.emit('lease.released', { name: lease.name, node: this.parts.node.name, epoch: lease.epoch });
    }
    const lock = this.#lockOf.get(lease);
    if (lock !== undefined) await this.#locks.free(lease.name, lock, this.parts.node.name);
  }

  lost(lease: HeldLease, reason: LeaseLossReason): void {
    this.#renewal.forget(lease);
    this.parts.telemetry.emit('lease.lost', {
      name: lease.name,
      node: this.parts.node.name,
      epoch: lease.epoch,
      reason,
    });
  }

  // -- taking -------------------------------------------------------------------------------------------------------

  async #mint(name: string, lock: Lock, sentAt: number, above: number): Promise<HeldLease | undefined> {
    const { keys: names, node, times } = this.parts;
    const { epoch, owner } = this.#lives;
    const keys = [names.incarnation, names.lease(name), names.epoch(name), names.owner(name)];
    try {
      const args = [lock.value, this.#after.text, node.name, node.bootId, times.ttl, above, epoch, owner];
      const minted = (answers: readonly unknown[]): number[] =>
        answers.map((answer) => toNumber(toTexts(answer)[0])).filter((epoch) => epoch > 0);
      const enough = (answers: readonly unknown[]): boolean => minted(answers).length >= this.parts.quorum.majority;
      const answers = await this.parts.quorum.run(mintScript, keys, args, enough);
      const epochs = minted(answers);
      if (epochs.length < this.parts.quorum.majority) return undefined;
      // INVARIANT (I3): two majorities share a server, so one of these is above every epoch that a majority knew.
      const grant = { epoch: Math.max(...epochs), sentAt, ...ownerBefore(answers) };
      const lease = this.#leaseOf(name, lock, grant);
      if (!this.parts.quorum.isQuorum) return lease;
      return (await this.#renewal.confirm(new Map([[lease, lease.epoch]]))).has(lease) ? lease : undefined;
    } catch (error) {
      unattended('releasing a lease that came too late', this.#locks.free(name, lock));
      throw error;
    }
  }

  #leaseOf(name: string, lock: Lock, grant: Grant): HeldLease {
    const subject = { name, key: this.parts.keys.lease(name), token: lock.value, node: this.parts.node.name };
    return new HeldLease(this, { ...subject, deadlineMs: this.parts.times.deadline }, grant, this.#now);
  }
}

/** For how long a lease that lasts so long need not be checked; the caller bounds it by the times of this node. */
function waitOf(ttl: number): number {
  return ttl === FOREVER ? 1000 : Math.max(0, ttl);
}
