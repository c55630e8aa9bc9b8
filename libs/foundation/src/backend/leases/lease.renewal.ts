/**
 * Keeps the leases of a node: renews all of them with one call per server and interval, and fences what is overdue.
 * Used by `redlock.leases.ts`; underneath EVALSHA.
 */
import type { LeaseTimes } from '../../config/config.js';
import { describe } from '../../errors/describe.js';
import { unattended } from '../../foreign/gate.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { jittered } from '../../time/backoff.js';
import { type WakeUp, wakeUps } from '../../time/wake.ups.js';
import type { Lives } from '../../wire/key.lifetimes.js';
import type { Keys } from '../../wire/keys.js';
import type { NodeIdentity } from '../../wire/node.identity.js';
import type { Grace } from '../redis/grace.period.js';
import { callsOf, toNumber } from '../redis/lua.script.js';
import { type HeldLease, stateOf } from './held.lease.js';
import { type Answers, type Args, count, LeaseCalls, type Timing } from './lease.calls.js';
import { LeaseDeadlines } from './lease.deadlines.js';
import type { LeaseQuorum } from './lease.quorum.js';
import { LeaseRecords } from './lease.records.js';
import { confirmScript, recoverScript, renewScript } from './lease.scripts.js';
import { StallWatchdog } from './stall.watchdog.js';

const RETRY_MS = 100;
/** By this share a renewal comes sooner or later than its interval. */
const JITTER = 0.1;

/** What the renewal needs. */
export interface LeaseRenewalParts {
  readonly quorum: LeaseQuorum;
  /** The same servers over other connections, for what must not delay a renewal. */
  readonly control: LeaseQuorum;
  readonly keys: Keys;
  readonly times: LeaseTimes;
  readonly node: NodeIdentity;
  readonly telemetry: Telemetry;
  readonly now: () => number;
  readonly after: Grace;
  readonly lives: Lives;
}

/** See the file header. */
export class LeaseRenewal {
  readonly #held = new Map<string, HeldLease>();
  readonly #logger = new ThrottledLog();
  readonly #watchdog: StallWatchdog | undefined;
  readonly #deadlines: LeaseDeadlines;
  readonly #records: LeaseRecords;
  readonly #calls: LeaseCalls;
  #renewTimer: WakeUp | undefined;
  #renewing = false;
  /** A lease that was added during a renewal may not last until the next regular one. */
  #isHurried = false;
  #closed = false;

  constructor(private readonly parts: LeaseRenewalParts) {
    const { quorum, control, keys, times, node, now, lives } = parts;
    this.#calls = new LeaseCalls(quorum, times.commandTimeout, now);
    this.#watchdog = times.onStall === 'exit' ? new StallWatchdog(node.name) : undefined;
    this.#deadlines = new LeaseDeadlines(this.#held, now, this.#watchdog);
    this.#records = new LeaseRecords({ control, keys, times, node, now, lives });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The leases that are held now; a copy. */
  leases(): HeldLease[] {
    return [...this.#held.values()];
  }

  add(lease: HeldLease): void {
    this.#held.set(lease.name, lease);
    this.#deadlines.include(lease);
    // One that was won slowly may not last until the regular renewal.
    if (lease.left() < 2 * this.parts.times.renewEvery) this.#renewIn(0);
    else this.#renewIn(this.parts.times.renewEvery);
  }

  forget(lease: HeldLease): void {
    if (this.#held.get(lease.name) === lease) this.#held.delete(lease.name);
    // Nothing is owned, so nothing that blocks is to be ended for it.
    if (this.#held.size === 0) this.#deadlines.watch();
  }

  close(): void {
    this.#closed = true;
    // None is owned from here on, so there is none to renew or to watch either.
    for (const lease of this.leases()) lease.lose('abandoned');
    this.#renewTimer?.cancel();
    unattended('ending the watchdog', this.#watchdog?.close());
  }

  /**
   * Writes epochs that were just minted to every server, because each server minted its own and the highest one counts.
   *
   * It also puts a lease back where a server lost it: another key of the owner keeps others out and grants nothing.
   *
   * @returns the leases that a majority of the servers now has with this epoch.
   */
  async confirm(epochs: ReadonlyMap<HeldLease, number>): Promise<Set<HeldLease>> {
    const leases = [...epochs.keys()];
    const keys = leases.flatMap(({ key, name }) => [key, this.parts.keys.epoch(name), this.parts.keys.owner(name)]);
    const args = [...epochs].flatMap(([lease, epoch]) => [lease.token, epoch, stateOf(lease)]);
    const { name, bootId } = this.parts.node;
    const { epoch, owner } = this.parts.lives;
    const answers = await this.#calls.run(
      confirmScript,
      keys,
      (timing) => [name, bootId, this.parts.times.ttl, epoch, owner, ...timing, ...args],
      (texts) => leases.every((_, index) => count(texts, index, '1') >= this.parts.quorum.majority),
    );
    leases.forEach((lease, index) => (lease.spread = count(answers, index, '1') === this.parts.quorum.clients.length));
    return new Set(leases.filter((_, index) => count(answers, index, '1') >= this.parts.quorum.majority));
  }

  /**
   * The careful renewal of one lease, at once; its epoch is of this life of the data then, unless it is lost. Twice
   * where it has to be: what is in time is not known before a server has answered once.
   */
  async refresh(lease: HeldLease, above: number): Promise<void> {
    if (lease.isHeld()) await this.#recover([lease]);
    if (lease.isHeld() && lease.epoch < above) await this.#recover([lease]);
  }

  #renewIn(delay: number): void {
    if (this.#renewing && delay === 0) this.#isHurried = true;
    if (this.#renewing || this.#held.size === 0) return;
    if (this.#renewTimer !== undefined && delay > 0) return;
    this.#renewTimer?.cancel();
    // With another wake-up of this node that comes then, or at random; never later than before.
    this.#renewTimer = wakeUps.within(delay * (1 - JITTER), jittered(delay, 1 - JITTER, 1 + JITTER), () => {
      this.#renewTimer = undefined;
      unattended('renewing leases', this.#renewAll());
    });
  }

  async #renewAll(): Promise<void> {
    this.#renewing = true;
    this.#deadlines.fenceOverdue();
    const leases = this.leases();
    let next = this.parts.times.renewEvery;
    try {
      const now = this.parts.now();
      const careful = leases.filter((lease) => lease.isUnsure(now));
      const regular = leases.filter((lease) => !lease.isUnsure(now));
      const gone = (await this.#inCalls(regular, (some) => this.#renew(some))).flatMap((some) => some ?? []);
      if (careful.length + gone.length > 0) {
        await this.#inCalls([...careful, ...gone], (some) => this.#recover(some));
        // What was recovered is good for the old deadline only, so the full time is requested at once.
        next = 0;
      }
    } finally {
      this.#renewing = false;
      this.#deadlines.fenceOverdue();
      if (this.leases().some(({ missed }) => missed)) next = RETRY_MS;
      if (this.#isHurried) next = 0;
      this.#isHurried = false;
      this.#renewIn(next);
      this.#deadlines.watch();
      if (this.#records.areDue) unattended('prolonging the records of leases', this.#records.prolong(this.leases()));
    }
  }

  /** All calls are sent at once, so that the last one is not late. */
  #inCalls<T>(leases: readonly HeldLease[], call: (some: HeldLease[]) => Promise<T>): Promise<(T | undefined)[]> {
    const answers = callsOf(leases).map((some) =>
      call(some).catch(() => {
        // The outcome is unknown. The deadline decides; until it comes, the next attempt is a careful one.
        for (const lease of some) lease.missed = true;
        return undefined;
      }),
    );
    return Promise.all(answers);
  }

  /** Requests the full time; returns the leases whose key is gone. */
  async #renew(leases: readonly HeldLease[]): Promise<HeldLease[]> {
    const sentAt = this.parts.now();
    const keys = leases.map(({ key }) => key);
    const tokens = leases.map(({ token }) => token);
    const { majority } = this.parts.quorum;
    const args = (timing: Timing): Args => [this.parts.times.ttl, ...timing, ...tokens];
    const answers = await this.#calls.run(renewScript, keys, args, (texts) =>
      leases.every((_, index) => count(texts, index, '1') >= majority),
    );
    const incomplete: HeldLease[] = [];
    const gone = leases.filter((lease, index) => {
      if (lease.ended) return false;
      const renewed = count(answers, index, '1');
      const lost = count(answers, index, '0');
      if (renewed >= majority) {
        // INVARIANT (I1): a majority has kept the key since this was sent, so no other node can have had one.
        lease.ackedAt = sentAt;
        if (this.parts.quorum.isQuorum && (lost > 0 || !lease.spread)) incomplete.push(lease);
        return false;
      }
      if (this.parts.quorum.cannotAgree(count(answers, index, '-1'))) lease.lose('taken');
      else if (renewed + lost >= majority) return true;
      else lease.missed = true;
      return false;
    });
    if (incomplete.length > 0) this.#complete(incomplete);
    return gone;
  }

  /**
   * A server came back empty while the others kept the lease, or did not confirm the epoch. Until it has
   * both, the next failure would end the lease, and lookups that reach it would name another epoch.
   */
  #complete(leases: readonly HeldLease[]): void {
    const held = leases.filter((lease) => lease.isHeld());
    this.confirm(new Map(held.map((lease) => [lease, lease.epoch]))).catch((error: unknown) => {
      this.#logger.debug('Failed to restore leases on a server that lost them; the next renewal retries', {
        error: describe(error),
      });
    });
  }

  /**
   * Keeps what may still be kept: a lease whose last renewal was not acknowledged, and one that Redis lost with its
   * data.
   *
   * It requests only the time that is left, plus the margin. Where requests arrive and replies are lost, full renewals
   * would keep the name taken long after its owner has fenced itself.
   */
  async #recover(leases: readonly HeldLease[]): Promise<void> {
    const now = this.parts.now();
    const keys = [
      this.parts.keys.incarnation,
      ...leases.flatMap(({ key, name }) => [key, this.parts.keys.epoch(name), this.parts.keys.owner(name)]),
    ];
    const args = leases.flatMap((lease) => [
      lease.token,
      Math.max(1, Math.round(lease.left(now) + this.parts.times.margin)),
      lease.epoch,
      lease.isHeld(now) ? stateOf(lease) : '',
    ]);
    const epochsOf = (texts: Answers, index: number): number[] =>
      texts.map((each) => toNumber(each[index])).filter((epoch) => epoch > 0);
    const { after, node, times, lives } = this.parts;
    const head = [after.text, node.name, node.bootId, times.ttl, lives.epoch, lives.owner];
    const timed = (timing: Timing): Args => [...head, ...timing, times.margin, ...args];
    // Redis takes it for late by then: it goes by its own clock, which this node may take for later by one answer.
    const lateAt = now + 2 * times.commandTimeout;
    const isEnough = (texts: Answers): boolean =>
      leases.every((_, index) => epochsOf(texts, index).length >= this.parts.quorum.majority);
    const answers = await this.#calls.run(recoverScript, keys, timed, isEnough).catch((error: unknown) => {
      for (const lease of leases) lease.astray(lateAt);
      throw error;
    });
    const raised = new Map<HeldLease, number>();
    leases.forEach((lease, index) => {
      if (lease.ended) return;
      const refused = count(answers, index, '');
      const epochs = epochsOf(answers, index);
      // One that was not waited for may have minted an epoch of its own.
      lease.spread = false;
      if (epochs.length < this.parts.quorum.majority) {
        if (this.parts.quorum.cannotAgree(refused)) lease.lose('taken');
        else lease.astray(lateAt);
        return;
      }
      // INVARIANT (I1): this answer promises only what was requested, which ends `margin` after the old deadline, so
      // the old deadline stays.
      lease.heard(now);
      const epoch = Math.max(...epochs);
      if (epoch > lease.epoch) raised.set(lease, epoch);
    });
    await this.#adopt(raised);
  }

  /**
   * INVARIANT (I3): each script minted above the epoch we presented and above every one of an earlier life of its
   * Redis.
   */
  async #adopt(raised: ReadonlyMap<HeldLease, number>): Promise<void> {
    if (raised.size === 0) return;
    // With several servers the highest of their epochs counts only once a majority knows it.
    const confirmed = this.parts.quorum.isQuorum ? await this.confirm(raised) : raised;
    for (const [lease, epoch] of raised) {
      // A recovery whose confirmation comes late may have been overtaken by one of a higher epoch.
      if (lease.ended || epoch <= lease.epoch) continue;
      if (!confirmed.has(lease)) {
        lease.missed = true;
        continue;
      }
      const { name, epoch: previousEpoch } = lease;
      lease.epoch = epoch;
      this.parts.telemetry.emit('lease.reclaimed', { name, node: this.parts.node.name, epoch, previousEpoch });
    }
  }
}
