/**
 * The states that owners leave to the next ones. Used by `redlock.leases.ts`; underneath EVALSHA.
 */
import type { Keys } from '../../wire/keys.js';
import { inheritScript, leaveScript } from './handoff.scripts.js';
import type { HeldLease } from './held.lease.js';
import type { LeaseQuorum } from './lease.quorum.js';

const HANDOFF_MS = 60_000;
/** How long what was taken stays for another try of the same owner; an instance gives up after six seconds. */
const TAKEN_MS = 10_000;

/** See the file header. */
export class LeaseHandoffs {
  constructor(
    private readonly control: LeaseQuorum,
    private readonly keys: Keys,
  ) {}

  async leave(lease: HeldLease, state: string): Promise<void> {
    const args = [lease.token, state, HANDOFF_MS];
    const isLeft = this.control.agreeOn(1);
    const left = await this.control.run(leaveScript, this.#keysOf(lease), args, isLeft);
    if (!isLeft(left)) throw new Error('the lease is no longer held');
  }

  async inherit(lease: HeldLease): Promise<string | undefined> {
    // A server that did not answer when the state was taken still has it; a minority is not believed.
    const agreed = (states: readonly unknown[]): unknown => states.find((state) => this.control.agreeOn(state)(states));
    const args = [lease.token, TAKEN_MS];
    const states = await this.control.run(inheritScript, this.#keysOf(lease), args, (all) => agreed(all) !== undefined);
    const state = agreed(states);
    if (typeof state === 'string') return state;
    // Nothing on most of them is an answer; no majority for anything is none.
    if (state === undefined) throw new Error('the Redis servers do not agree on what was left');
    return undefined;
  }

  #keysOf({ name }: HeldLease): string[] {
    return [this.keys.lease(name), this.keys.handoff(name), this.keys.owner(name)];
  }
}
