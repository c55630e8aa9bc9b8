/**
 * Where the owner of a process is: as last seen, or as the cluster says now; waits for one while there is none.
 * Used by `call.router.ts` before each attempt. Underneath: the process registry.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { read } from '../errors/describe.js';
import { redisError } from '../errors/refusal.js';
import { heeding, requireNotAborted } from '../foreign/abort.signals.js';
import { type Clock, clockOf } from '../time/clock.js';
import { within } from '../time/timeout.js';
import { notRunning } from './call.outcome.js';
import type { CallTarget } from './call.target.js';
import type { OwnerLookup } from './callee.js';
import type { KnownOwners } from './known.owners.js';
import type { Wait } from './waiting.js';

/** How often an owner is looked for while there is none. */
export const LOOK_EVERY_MS = 50;
/** A look-up that the end of the call cut off after less than this says nothing about Redis: it had no time. */
const FAIR_MS = 500;

/** A look-up that the end of the call cut off. */
const LATE = 'it did not answer in the time of the call';

/** What the cluster said last during one call, for the error at its end. */
export interface Learnt {
  /** There is no owner: the lookup said so, or the node that was taken for it. */
  isNotRunning?: boolean;
  /** Why there is none. */
  why?: string;
  /** Why the last look-up failed. */
  failure?: unknown;
  /** An owner whose instance has ended, as its node said; its record may stay for as long as a lease. */
  ended?: CallTarget;
  /** As long as nobody has it. */
  readonly wait: Wait;
}

/** The process that a call goes to now. */
export interface Location {
  name: string;
  /** For a partition: of how many. An owner that goes by another number refuses. */
  partitions?: number;
}

/** Who is called, and as what. */
export interface FoundOwner {
  /** As it was noted. */
  owner: CallTarget;
  target: CallTarget;
}

/** What the search needs. */
export interface OwnerSearchParts {
  readonly registry: Pick<OwnerLookup, 'running' | 'absence'>;
  /** Of Redis, for errors. */
  readonly endpoint: string;
  readonly clock?: Clock;
  readonly owners: KnownOwners;
  /** Throws when no call can be made any more. */
  readonly requireReady: () => void;
}

/** See the file header. */
export class OwnerSearch {
  constructor(private readonly parts: OwnerSearchParts) {}

  /** The owner as last seen; `undefined` where none was. */
  known(
    { name: given, locate }: { name: string; locate?: (() => Location) | undefined },
    signal?: AbortSignal,
  ): FoundOwner | undefined {
    requireNotAborted(signal);
    if (locate === undefined) {
      const owner = this.parts.owners.get(given);
      return owner && { owner, target: owner };
    }
    const { name, partitions } = locate();
    const owner = this.parts.owners.get(name);
    return owner && foundAs(owner, partitions);
  }

  /**
   * The owner as last seen, or as the cluster says now; waits for one while there is none, because nothing is sent yet.
   */
  async find(
    locate: () => Location,
    method: string,
    until: number,
    learnt: Learnt,
    signal?: AbortSignal,
  ): Promise<FoundOwner> {
    const { registry, endpoint, owners, requireReady } = this.parts;
    const clock = clockOf(this.parts);
    let deadline = until;
    for (;;) {
      requireNotAborted(signal);
      requireReady();
      const { name, partitions } = locate();
      const known = owners.get(name);
      if (known !== undefined) return foundAs(known, partitions);
      const began = clock.now();
      try {
        // The caller's time counts, not that of the connection.
        const left = Math.max(1, deadline - began);
        const owner = await heeding(signal, within(left, registry.running(name), LATE, clock));
        const isEnded = learnt.ended?.name === name && learnt.ended.epoch === owner?.epoch;
        if (owner !== undefined && !isEnded) {
          owners.note(owner);
          return foundAs(owner, partitions);
        }
        Object.assign(learnt, { isNotRunning: true, failure: undefined });
        const absence = await heeding(signal, within(left, registry.absence(name), LATE, clock));
        learnt.why = absence.why;
        if (absence.isFinal) deadline = 0;
      } catch (error) {
        requireNotAborted(signal);
        const hadTime = read(error, 'message') !== LATE || clock.now() - began >= FAIR_MS;
        if (hadTime || (learnt.isNotRunning !== true && learnt.failure === undefined)) learnt.failure = error;
      }
      if (clock.now() >= deadline) {
        if (learnt.failure === undefined) throw notRunning({ processName: name, method, node: '?' }, learnt.why);
        throw redisError(endpoint, `calling ${name}.${method}`, learnt.failure);
      }
      await learnt.wait.goesOn(name);
      await heeding(signal, pause());
    }
  }
}

export const pause = (): Promise<void> => sleep(LOOK_EVERY_MS);

function foundAs(owner: CallTarget, partitions: number | undefined): FoundOwner {
  return { owner, target: partitions === undefined ? owner : { ...owner, partitions } };
}
