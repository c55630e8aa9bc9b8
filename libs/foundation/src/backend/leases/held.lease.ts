/**
 * One lease this node holds: when it was last acknowledged, until when it may be relied on, and its end.
 * Used by `redlock.leases.ts`, which renews it.
 */
import { LeaseLostError } from '../../errors/process.errors.js';
import type { LeaseLossReason } from '../../telemetry/events.js';
import { toNumber, toTexts } from '../redis/lua.script.js';
import type { Lease } from './leases.js';

/** What a held lease needs of the leases it belongs to. */
export interface LeaseHolder {
  announce(lease: HeldLease): Promise<void>;
  leave(lease: HeldLease, state: string): Promise<void>;
  inherit(lease: HeldLease): Promise<string | undefined>;
  refresh(lease: HeldLease, above: number): Promise<void>;
  release(lease: HeldLease): Promise<void>;
  lost(lease: HeldLease, reason: LeaseLossReason): void;
}

/** What is held, by whom, and how long after a renewal. */
export interface LeaseSubject {
  name: string;
  /** The key in Redis, and what its owner wrote into it. */
  key: string;
  token: string;
  node: string;
  deadlineMs: number;
}

/** What Redis said when it gave a name away, and when it was asked. */
export interface Grant {
  epoch: number;
  sentAt: number;
  before?: string;
  unstarted?: number;
}

/** The record behind {@link Lease}. */
export class HeldLease implements Lease {
  /** When the last renewal that Redis acknowledged was *sent*, by the monotonic clock. */
  ackedAt: number;
  /** True from the first unacknowledged renewal to the next acknowledged one. */
  missed = false;
  /** True once every server is known to have it with this epoch; only a quorum checks. */
  spread = false;
  /** True once lookups may see it as running. */
  announced = false;
  epoch: number;
  before: string | undefined;
  readonly unstarted: number | undefined;
  readonly #abort = new AbortController();
  /** Until when a careful renewal without an answer may still arrive. */
  #astrayUntil = -Infinity;
  #ended = false;

  readonly name: string;
  readonly key: string;
  readonly token: string;
  readonly node: string;
  readonly deadlineMs: number;

  constructor(
    private readonly holder: LeaseHolder,
    { name, key, token, node, deadlineMs }: LeaseSubject,
    grant: Grant,
    private readonly now: () => number,
  ) {
    this.name = name;
    this.key = key;
    this.token = token;
    this.node = node;
    this.deadlineMs = deadlineMs;
    this.epoch = grant.epoch;
    this.before = grant.before;
    this.unstarted = grant.unstarted;
    this.ackedAt = grant.sentAt;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Milliseconds of ownership that are left by our own clock; zero or less = none. */
  left(now = this.now()): number {
    return this.ackedAt + this.deadlineMs - now;
  }

  /**
   * INVARIANT (I1, at most one effective owner): true only while less than `deadlineMs` has passed since a renewal was
   * sent that Redis acknowledged. Redis keeps the key for `ttl` from when it *received* that renewal, which is later,
   * so this node has stopped calling itself owner `margin` before anyone else can be granted the name.
   */
  isHeld(now = this.now()): boolean {
    return !this.#ended && this.left(now) > 0;
  }

  /**
   * True when the next renewal has to be a careful one.
   *
   * INVARIANT (I3): a careful renewal that was given up may arrive after a later one was answered, and reclaim, with
   * another epoch, what Redis has lost in between. So Redis is asked once more when none can arrive in time any longer.
   */
  isUnsure(now: number): boolean {
    return this.missed || (this.#astrayUntil > -Infinity && this.#astrayUntil <= now);
  }

  /** A careful renewal was given up; it may arrive until then. */
  astray(until: number): void {
    this.missed = true;
    this.#astrayUntil = Math.max(this.#astrayUntil, until);
  }

  /** A careful renewal that was sent then was answered. */
  heard(sentAt: number): void {
    this.missed = false;
    if (this.#astrayUntil <= sentAt) this.#astrayUntil = -Infinity;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Ends the lease without release; the signal says why. Does nothing the second time. */
  lose(reason: LeaseLossReason): void {
    if (this.#ended) return;
    this.#ended = true;
    this.holder.lost(this, reason);
    this.#abort.abort(new LeaseLostError(this.name, this.node, this.epoch, REASONS[reason]));
  }

  /** Marks an orderly end; the signal stays as it is because the instance has stopped already. */
  end(): void {
    this.#ended = true;
  }

  async refresh(above: number): Promise<number> {
    await this.holder.refresh(this, above);
    return this.epoch;
  }

  announce(): Promise<void> {
    this.announced = true;
    return this.holder.announce(this);
  }

  leave(state: string): Promise<void> {
    return this.holder.leave(this, state);
  }

  inherit(): Promise<string | undefined> {
    return this.holder.inherit(this);
  }

  release(): Promise<void> {
    return this.holder.release(this);
  }

  abandon(): void {
    this.lose(this.isHeld() ? 'abandoned' : 'deadline');
  }
}

const REASONS: Record<LeaseLossReason, string> = {
  deadline: 'no renewal was acknowledged in time',
  taken: 'Redis says that the key is gone or belongs to another node',
  abandoned: 'its instance did not stop in time, so the lease is left to expire',
  replaced: 'another process took this node’s name',
};

/** As lookups show it. */
export function stateOf(lease: HeldLease): 'running' | 'starting' {
  return lease.announced ? 'running' : 'starting';
}

/**
 * The owner before, out of what each server says of it as it grants the name. One that was away may remember an older
 * one, so the highest epoch counts.
 */
export function ownerBefore(answers: readonly unknown[]): Pick<Grant, 'before' | 'unstarted'> {
  const owners = answers.map(toTexts).map(([, before = '', epoch, unstarted]) => ({
    ...{ before, epoch: toNumber(epoch), isUnstarted: unstarted === '1' },
  }));
  const [last] = owners.filter(({ before }) => before !== '').sort((a, b) => b.epoch - a.epoch);
  if (last === undefined) return {};
  return { before: last.before, ...(last.isUnstarted ? { unstarted: last.epoch } : {}) };
}
