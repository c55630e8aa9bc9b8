/**
 * One lease of `local.leases.ts`: it lasts until it is released or lost, and tells its events.
 */
import { LeaseLostError } from '../../errors/process.errors.js';
import type { LeaseLossReason } from '../../telemetry/events.js';
import type { Lease, OwnerRecord } from './leases.js';

/** What becomes of a lease. */
interface LocalLeaseEvents {
  leave(state: string): void;
  inherit(lease: LocalLease): string | undefined;
  announced(): void;
  released(lease: LocalLease): void;
  freed(lease: LocalLease): void;
  lost(lease: LocalLease, reason: LeaseLossReason): void;
}

/** What a lease is made of. */
export interface LocalLeaseParts {
  readonly name: string;
  readonly epoch: number;
  readonly since: number;
  readonly events: LocalLeaseEvents;
}

/** See the file header. */
export class LocalLease implements Lease {
  readonly name: string;
  readonly epoch: number;
  readonly since: number;
  state: OwnerRecord['state'] = 'starting';
  readonly #abort = new AbortController();
  #ended = false;

  constructor(private readonly parts: LocalLeaseParts) {
    const { name, epoch, since } = parts;
    this.name = name;
    this.epoch = epoch;
    this.since = since;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  isHeld(): boolean {
    return !this.#ended;
  }

  /** What is kept in this process is never older than its owners. */
  refresh(): Promise<number> {
    return Promise.resolve(this.epoch);
  }

  announce(): Promise<void> {
    if (!this.#ended) {
      this.state = 'running';
      this.parts.events.announced();
    }
    return Promise.resolve();
  }

  release(): Promise<void> {
    if (this.#ended) this.parts.events.freed(this);
    else {
      this.#ended = true;
      this.parts.events.released(this);
    }
    return Promise.resolve();
  }

  leave(state: string): Promise<void> {
    if (this.#ended) return Promise.reject(new Error('the lease is no longer held'));
    this.parts.events.leave(state);
    return Promise.resolve();
  }

  inherit(): Promise<string | undefined> {
    return Promise.resolve(this.#ended ? undefined : this.parts.events.inherit(this));
  }

  abandon(): void {
    this.lose('abandoned', 'this node');
  }

  lose(reason: LeaseLossReason, node: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.parts.events.lost(this, reason);
    this.#abort.abort(new LeaseLostError(this.name, node, this.epoch, reason));
  }
}
