/**
 * Leases over Redlock: `name.locks.ts` takes and frees the lock, our scripts mint epochs, `lease.renewal.ts` keeps what
 * is held. Underneath `redlock.acquire`, `redlock.release`, EVALSHA, on one Redis or on a majority.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type Redlock from 'redlock';
import type { Lock } from 'redlock';
import type { LeaseTimes } from '../../config/config.js';
import { FoundationConfigError } from '../../errors/config.errors.js';
import { StaleEpochError } from '../../errors/process.errors.js';
import { unattended } from '../../foreign/gate.js';
import type { LeaseLossReason } from '../../telemetry/events.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { monotonicNow } from '../../time/monotonic.clock.js';
import { LIVES, type Lives } from '../../wire/key.lifetimes.js';
import type { Keys } from '../../wire/keys.js';
import type { NodeIdentity } from '../../wire/node.identity.js';
import { Grace } from '../redis/grace.period.js';
import { callsOf, toCount, toNumber, toTexts } from '../redis/lua.script.js';
import { fencedSetScript, forgetScript, lastEpochScript } from './epoch.scripts.js';
import { inheritScript, leaveScript } from './handoff.scripts.js';
import { type Grant, HeldLease } from './held.lease.js';
import { LeaseQuorum } from './lease.quorum.js';
import { LeaseRenewal } from './lease.renewal.js';
import { announceScript, mintScript } from './lease.scripts.js';
import type { Lease, Leases, OwnerRecord, Standing } from './leases.js';
import { NameLocks } from './name.locks.js';
import { ownersScript, standingScript } from './owner.scripts.js';

const HANDOFF_MS = 60_000;
/** How long what was taken stays for another try of the same owner; an instance gives up after six seconds. */
const TAKEN_MS = 10_000;
/** How often servers that do not agree on an owner are queried, and how long to wait in between. */
const LOOKS = 4;
const RELOOK_MS = 25;
/** When too few servers said when a name is free. */
const UNKNOWN_MS = 1000;
/** The PTTL of a key that never expires: no node's lease; who set it must delete it. */
const FOREVER = -1;

/** See {@link Leases}. */
export class RedlockLeases implements Leases {
  readonly #lockOf = new WeakMap<HeldLease, Lock>();
  readonly #locks: NameLocks;
  readonly #renewal: LeaseRenewal;

  constructor(
    private readonly quorum: LeaseQuorum,
    /** The same servers over other connections, for what may be large or slow and must not delay a renewal. */
    private readonly control: LeaseQuorum,
    redlock: Redlock,
    private readonly keys: Keys,
    private readonly times: LeaseTimes,
    private readonly node: NodeIdentity,
    private readonly telemetry: Telemetry,
    private readonly now: () => number = monotonicNow,
    private readonly after: Grace = new Grace(times.grace, now),
    private readonly lives: Lives = LIVES,
  ) {
    const { length } = quorum.clients;
    if (redlock.clients.size !== length) {
      throw new FoundationConfigError(
        'redlock',
        `a Redlock over ${redlock.clients.size} clients`,
        `one over ${length}, a client for each Redis that leases are on (see "redis.quorum")`,
      );
    }
    this.#locks = new NameLocks(quorum, redlock, keys, times, lives);
    this.#renewal = new LeaseRenewal(quorum, control, keys, times, node, telemetry, now, after, lives);
  }

  async acquire(name: string, above = 0): Promise<Lease | undefined> {
    const sentAt = this.now();
    const lock = await this.#locks.take(name);
    if (lock === undefined) return undefined;
    const lease = await this.#mint(name, lock, sentAt, above);
    // Redlock does not check whether the answer came in time, so a lock that is nearly over is released at once.
    const inTime = this.now() - sentAt < this.times.deadline - this.times.margin;
    if (lease === undefined || !inTime || this.#renewal.closed) {
      await this.#locks.free(name, lock);
      return undefined;
    }
    this.#lockOf.set(lease, lock);
    this.#renewal.add(lease);
    this.telemetry.emit('lease.acquired', { name, node: this.node.name, epoch: lease.epoch });
    return lease;
  }

  async standing(names: readonly string[]): Promise<Standing[]> {
    const standing: Standing[] = [];
    for (const some of callsOf(names)) standing.push(...(await this.#standing(some)));
    return standing;
  }

  async #standing(names: readonly string[]): Promise<Standing[]> {
    const keys = [this.keys.incarnation, ...names.map((name) => this.keys.lease(name))];
    const replies = await this.quorum.run(standingScript, keys, [this.after.text, this.times.ttl]);
    const waits = replies.map((reply) => {
      const [grace = 0, ...ttls] = toTexts(reply).map(Number);
      return ttls.map((ttl) => Math.max(grace, Math.min(waitOf(ttl), this.times.ttl + this.times.grace)));
    });
    // A name can be had as soon as a majority of the servers gives it.
    const earliest = (index: number): number => {
      const inOrder = waits.flatMap((each) => each[index] ?? []).sort((a, b) => a - b);
      return inOrder[this.quorum.majority - 1] ?? UNKNOWN_MS;
    };
    return names.map((name, index) => ({ name, freeInMs: earliest(index) }));
  }

  async owners(names: readonly string[]): Promise<(OwnerRecord | undefined)[]> {
    const owners: (OwnerRecord | undefined)[] = [];
    for (const some of callsOf(names)) owners.push(...(await this.#owners(some)));
    return owners;
  }

  async #owners(names: readonly string[]): Promise<(OwnerRecord | undefined)[]> {
    const keys = names.flatMap((name) => [this.keys.lease(name), this.keys.owner(name)]);
    const decide = (replies: readonly unknown[]): (OwnerRecord | 'none' | undefined)[] => {
      const rows = replies.filter((reply) => Array.isArray(reply)) as unknown[][];
      return names.map((name, index) => this.#agreed(rows.map((row) => ownerOf(name, toTexts(row[index])))));
    };
    for (let look = 1; ; look++) {
      const owners = decide(
        await this.control.run(ownersScript, keys, [], (replies) =>
          decide(replies).every((owner) => owner !== undefined),
        ),
      );
      if (owners.every((owner) => owner !== undefined))
        return owners.map((owner) => (owner === 'none' ? undefined : owner));
      // For a moment, while a lease is being acquired or released, the servers do not agree.
      if (look === LOOKS) throw new Error(`The Redis servers do not agree who owns ${names.join(', ').slice(0, 100)}`);
      await sleep(RELOOK_MS);
    }
  }

  async grace(): Promise<number> {
    return toNumber(
      toTexts(
        await standingScript.run(this.quorum.clients[0]!, [this.keys.incarnation], [this.after.text, this.times.ttl]),
      )[0],
    );
  }

  async lastEpoch(name: string): Promise<number> {
    // INVARIANT (I3): a majority knows each epoch that counted, so one of any majority does.
    const epochs = await this.control.run(lastEpochScript, [this.keys.epoch(name)], []);
    return Math.max(...epochs.map(toNumber));
  }

  async forget(names: readonly string[]): Promise<void> {
    for (const some of callsOf(names)) {
      const keys = some.flatMap((name) => [this.keys.lease(name), this.keys.epoch(name)]);
      // A server that does not hear of it keeps the keys for as long as without it.
      await this.control.run(forgetScript, [this.keys.epochs, ...keys], [this.lives.epoch]);
    }
  }

  async fencedSet(key: string, value: string, epoch: number, life = this.lives.fenced): Promise<void> {
    await this.#fencedWrite(key, epoch, [life, value]);
  }

  async fencedDelete(key: string, epoch: number): Promise<void> {
    await this.#fencedWrite(key, epoch, [this.lives.fencedMark]);
  }

  async #fencedWrite(key: string, epoch: number, lifeAndValue: readonly (string | number)[]): Promise<void> {
    // INVARIANT (I4): a majority refuses the write of a lower epoch after a higher one, whatever this node believes,
    // for as long as the key lives.
    const written = this.#hasMajority('');
    const args = [epoch, ...lifeAndValue];
    const replies = await this.control.run(fencedSetScript, [this.keys.fenced(key)], args, written);
    const higher = Math.max(...replies.map(toNumber));
    if (higher > 0) throw new StaleEpochError(key, epoch, higher);
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

  async announce(lease: HeldLease): Promise<void> {
    const hint = JSON.stringify({ t: 'running', name: lease.name });
    const keys = [this.keys.lease(lease.name), this.keys.owner(lease.name)];
    await this.quorum.run(announceScript, keys, [lease.token, this.keys.hints, hint, this.lives.owner]);
  }

  async leave(lease: HeldLease, state: string): Promise<void> {
    const keys = [this.keys.lease(lease.name), this.keys.handoff(lease.name)];
    const left = await this.control.run(leaveScript, keys, [lease.token, state, HANDOFF_MS], this.#hasMajority(1));
    if (!this.#hasMajority(1)(left)) throw new Error('the lease is no longer held');
  }

  async inherit(lease: HeldLease): Promise<string | undefined> {
    const keys = [this.keys.lease(lease.name), this.keys.handoff(lease.name)];
    // A server that did not answer when the state was taken still has it; a minority is not believed.
    const agreed = (states: readonly unknown[]): unknown => states.find((state) => this.#hasMajority(state)(states));
    const args = [lease.token, TAKEN_MS];
    const states = await this.control.run(inheritScript, keys, args, (all) => agreed(all) !== undefined);
    const state = agreed(states);
    if (typeof state === 'string') return state;
    // Nothing on most of them is an answer; no majority for anything is none.
    if (state === undefined && this.control.isQuorum)
      throw new Error('the Redis servers do not agree on what was left');
    return undefined;
  }

  async release(lease: HeldLease): Promise<void> {
    if (!lease.isHeld()) lease.lose('deadline');
    const held = !lease.ended;
    lease.end();
    this.#renewal.forget(lease);
    // INVARIANT (I1): reported as released before Redis is, because from then on another node may be the owner.
    if (held) {
      this.telemetry.emit('lease.released', { name: lease.name, node: this.node.name, epoch: lease.epoch });
    }
    const lock = this.#lockOf.get(lease);
    if (lock !== undefined) await this.#locks.free(lease.name, lock, this.node.name);
  }

  lost(lease: HeldLease, reason: LeaseLossReason): void {
    this.#renewal.forget(lease);
    this.telemetry.emit('lease.lost', { name: lease.name, node: this.node.name, epoch: lease.epoch, reason });
  }

  // -- taking -------------------------------------------------------------------------------------------------------

  async #mint(name: string, lock: Lock, sentAt: number, above: number): Promise<HeldLease | undefined> {
    const keys = [this.keys.incarnation, this.keys.lease(name), this.keys.epoch(name), this.keys.owner(name)];
    try {
      const { after, lives, node, times } = this;
      const args = [lock.value, after.text, node.name, node.bootId, times.ttl, above, lives.epoch, lives.owner];
      const minted = (answers: readonly unknown[]): number[] =>
        answers.map((answer) => toNumber(toTexts(answer)[0])).filter((epoch) => epoch > 0);
      const enough = (answers: readonly unknown[]): boolean => minted(answers).length >= this.quorum.majority;
      const answers = await this.quorum.run(mintScript, keys, args, enough);
      const epochs = minted(answers);
      if (epochs.length < this.quorum.majority) return undefined;
      // INVARIANT (I3): two majorities share a server, so one of these is above every epoch that a majority knew.
      const before = answers.map((answer) => toTexts(answer)[1]).find((owner) => owner !== undefined && owner !== '');
      const grant = { epoch: Math.max(...epochs), sentAt, ...(before === undefined ? {} : { before }) };
      const lease = this.#leaseOf(name, lock, grant);
      if (!this.quorum.isQuorum) return lease;
      return (await this.#renewal.confirm(new Map([[lease, lease.epoch]]))).has(lease) ? lease : undefined;
    } catch (error) {
      unattended('releasing a lease that came too late', this.#locks.free(name, lock));
      throw error;
    }
  }

  /** True when a majority of the servers gave this very answer. */
  #hasMajority(answer: unknown): (answers: readonly unknown[]) => boolean {
    return (answers) => answers.filter((each) => each === answer && each !== undefined).length >= this.quorum.majority;
  }

  #leaseOf(name: string, lock: Lock, grant: Grant): HeldLease {
    const subject = { name, key: this.keys.lease(name), token: lock.value, node: this.node.name };
    return new HeldLease(this, { ...subject, deadlineMs: this.times.deadline }, grant, this.now);
  }

  /** The owner that a majority names, with what the furthest of them knows; `none` when a majority knows none. */
  #agreed(owners: readonly (OwnerRecord | undefined)[]): OwnerRecord | 'none' | undefined {
    const { majority } = this.quorum;
    const known = owners.filter((owner) => owner !== undefined);
    if (owners.length - known.length >= majority) return 'none';
    const agreed = known.filter(({ bootId }) => known.filter((other) => other.bootId === bootId).length >= majority);
    const epoch = Math.max(...agreed.map((owner) => owner.epoch));
    const furthest = agreed.filter((owner) => owner.epoch === epoch);
    return furthest.find(({ state }) => state === 'running') ?? furthest[0];
  }
}

/** For how long a lease that lasts so long need not be checked; the caller bounds it by the times of this node. */
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
    epoch: toCount(Number(epoch)),
    state: state === 'running' ? 'running' : 'starting',
    since: toCount(Number(since)),
  };
}
