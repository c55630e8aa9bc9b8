/**
 * Waits until a process runs, has completed, or is gone: polls, woken by hints, and gives up with a reason.
 * Used by the parts of the facade. Underneath: the process table and `ProcessRegistry`.
 */
import type { Type } from '@nestjs/common';
import type { Backend } from '../backend/backend.js';
import type { OwnerRecord } from '../backend/leases/leases.js';
import { Wait } from '../calls/waiting.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { Member } from '../cluster/member.js';
import { processOf, runsEverywhere, slotNames } from '../cluster/slot.names.js';
import { ProcessStartError, ProcessTimeoutError } from '../errors/process.errors.js';
import type { ProcessSpec } from './declaration/process.specification.js';
import type { Patience } from './patience.js';
import { obstacleOf } from './placement/placement.exclusion.js';
import { Awaited, type News } from './process.changes.js';
import { ProcessLoss } from './process.loss.js';
import type { ProcessRef } from './process.ref.js';
import type { ProcessRefs } from './process.refs.js';
import type { ProcessRegistry } from './process.registry.js';
import { isEnded, type ProcessEntry, type ProcessTable, type VersionedEntry } from './table/process.table.js';

/** How long a free lease may take to be won, on top of the time the start itself may take. */
const ELECTION_MS = 10_000;
/** Hints wake a waiting call; this is for those that were lost. */
const POLL_EVERY_MS = 250;

/** For errors: whoever waits here has been heard, and what was requested happens without more. */
const WAITING = 'waiting for a process, whose request is stored';

/** What the waiter needs. */
export interface ProcessWaiterParts {
  backend: Pick<Backend, 'onHint' | 'leases'>;
  membership: ClusterView;
  table: ProcessTable;
  registry: ProcessRegistry;
  refs: ProcessRefs;
  patience: Patience;
  /** Throws when a process that waits for this one is waited for. */
  checkWait: (name: string) => Promise<void>;
}

/** What to wait for. */
export interface Wanted<T> {
  name: string;
  /** An owner with a higher epoch, or a completion. */
  after: number;
  /** How long the start itself may take. */
  startTimeout: number | 'infinity';
  type?: Type<T>;
  /** True when the row was written just now and no owner was reported since. */
  isNew?: boolean;
}

/** See the file header. */
export class ProcessWaiter {
  /** Callers that wait here for a process; made for the first of them. */
  #waiting: Awaited | undefined;

  constructor(private readonly parts: ProcessWaiterParts) {}

  /** Calls `heard` with each thing that happens to the process; returns the function that ends it. */
  listen(name: string, heard: (news: News) => void): () => void {
    const { backend, membership, table } = this.parts;
    this.#waiting ??= new Awaited(backend, membership, table);
    return this.#waiting.listen(name, heard);
  }

  /**
   * Waits for a running owner with an epoch above `after`, or for its completion; what ends otherwise becomes an error.
   */
  async running<T>({ name, after, startTimeout, type, isNew = false }: Wanted<T>): Promise<ProcessRef<T>> {
    const { registry, refs, membership } = this.parts;
    const timeout = startTimeout === 'infinity' ? Infinity : startTimeout + ELECTION_MS;
    let seen: OwnerRecord[] | undefined;
    let isFirst = isNew;
    const loss = this.#loss();
    const ref = await this.until(name, timeout, async (news) => {
      const entry = await this.#present(name);
      if (entry.status === 'completed') return refs.ofCompleted<T>(entry, type);
      const error = this.#failureOf(name, entry);
      if (error !== undefined) throw new ProcessStartError(name, membership.self.name, error);
      // Redis knows no more than the row as long as nothing says that an owner runs: a hint does, and a poll now and
      // then.
      const isOfRow = news === 'row' || isFirst;
      isFirst = false;
      if (isOfRow && !runsEverywhere(entry)) return undefined;
      const owner = await registry.owner(name);
      seen = owner === undefined ? [] : [owner];
      await loss.check(entry, owner);
      return owner?.state === 'running' && owner.epoch > after ? refs.ofOwner<T>(owner, type) : undefined;
    });
    if (ref !== undefined) return ref;
    return this.#giveUp(name, name, timeout, seen);
  }

  /** Waits until every partition runs or has completed. */
  async allRunning({ name, ...spec }: ProcessSpec): Promise<void> {
    const { table, registry, membership, patience } = this.parts;
    const { options } = spec;
    const timeout = options.timeout === 'infinity' ? Infinity : options.timeout + ELECTION_MS;
    // As many as the cluster goes by, which may be another number than the one that was requested.
    const loss = this.#loss();
    const slotsNow = (): string[] => slotNames(table.get(name) ?? { name, ...spec }, '');
    const all = await this.until(name, timeout, async () => {
      await this.#present(name);
      const slots = slotsNow();
      const entries = slots.flatMap((slot) => table.get(slot) ?? []);
      const failed = entries.find(({ status }) => isEnded(status) && status !== 'completed');
      if (failed !== undefined) {
        throw new ProcessStartError(failed.name, membership.self.name, failed.error ?? `it is ${failed.status}`);
      }
      const completed = new Set(entries.filter(({ status }) => status === 'completed').map((entry) => entry.name));
      const open = entries.filter(({ status }) => status !== 'completed');
      const owners = await registry.owners(slots.filter((slot) => !completed.has(slot)));
      for (const entry of open)
        await loss.check(
          entry,
          owners.find((owner) => owner?.name === entry.name),
        );
      return owners.every((owner) => owner?.state === 'running') ? true : undefined;
    });
    if (all !== undefined) return;
    const slots = slotsNow();
    const owners = await patience.once(WAITING, () => registry.owners(slots));
    const started = owners.filter((owner) => owner !== undefined);
    return this.#giveUp(name, slots[owners.findIndex((owner) => owner === undefined)] ?? name, timeout, started);
  }

  /**
   * Waits until each of these parts has a running owner with an epoch above `after`, or has completed; a part of a node
   * that has left is none.
   */
  async againRunning(
    name: string,
    slots: readonly string[],
    after: number,
    startTimeout: number | 'infinity',
  ): Promise<void> {
    const { table, registry, membership } = this.parts;
    const timeout = startTimeout === 'infinity' ? Infinity : startTimeout + ELECTION_MS;
    let seen: OwnerRecord[] | undefined;
    let left = [...slots];
    const mayCome = (slot: string): boolean => {
      const entry = table.get(slot);
      if (entry === undefined || entry.status === 'completed') return false;
      if (runsEverywhere(entry) && this.#memberOf(slot, entry) === undefined) return false;
      const error = this.#failureOf(slot, entry);
      if (error !== undefined) throw new ProcessStartError(slot, membership.self.name, error);
      return true;
    };
    const all = await this.until(name, timeout, async () => {
      left = left.filter(mayCome);
      const owners = await registry.owners(left);
      seen = owners.filter((owner) => owner !== undefined);
      left = left.filter((_, index) => owners[index]?.state !== 'running' || owners[index].epoch <= after);
      return left.length === 0 ? true : undefined;
    });
    if (all === undefined) await this.#giveUp(name, left[0] ?? name, timeout, seen);
  }

  /** Polls until `poll` has something, woken by hints; `undefined` when the time is over. */
  async until<R>(
    name: string,
    timeoutMs: number,
    poll: (news: 'row' | undefined) => Promise<R | undefined>,
  ): Promise<R | undefined> {
    const { clock } = this.parts.membership;
    const deadline = clock.now() + timeoutMs;
    const patient = this.parts.patience.overBlips(WAITING);
    const wait = new Wait(this.parts.checkWait);
    let news: 'row' | undefined;
    try {
      for (;;) {
        let wake = (): void => undefined;
        const woken = new Promise<void>((resolve) => (wake = resolve));
        const heard: (News | undefined)[] = [];
        const hear = (what?: News): void => {
          heard.push(what);
          wake();
        };
        const stop = this.listen(name, hear);
        const timer = setTimeout(hear, POLL_EVERY_MS);
        try {
          const found = await patient(() => poll(news));
          if (found !== undefined || clock.now() >= deadline) return found;
          await wait.goesOn(name);
          await woken;
        } finally {
          clearTimeout(timer);
          stop();
        }
        news = heard.every((what) => what === 'row') ? 'row' : undefined;
      }
    } finally {
      wait.end();
    }
  }

  /**
   * The entry of what was wanted a moment ago. An entry that is missing has ended, and so long ago that it was removed.
   */
  async #present(name: string): Promise<VersionedEntry> {
    const { table, membership } = this.parts;
    if (table.get(name) === undefined) await table.sync();
    const entry = table.get(name);
    if (entry !== undefined) return entry;
    const reason = 'it has ended, and how is not known: its entry has been removed since';
    throw new ProcessStartError(name, membership.self.name, reason);
  }

  /** Why a process will not run, if it will not. */
  #failureOf(name: string, entry: VersionedEntry): string | undefined {
    if (isEnded(entry.status)) return entry.error ?? `it is ${entry.status}`;
    if (!runsEverywhere(entry)) return undefined;
    const report = this.#memberOf(name, entry)?.replicas[entry.of ?? entry.name];
    // What a restart has overtaken: its node has not heard of it yet.
    if (report === undefined || (report.epoch > 0 && report.epoch <= entry.after)) return undefined;
    return report.state === 'failed' || report.state === 'escalated' ? report.error : undefined;
  }

  #loss(): ProcessLoss {
    const { backend, table, registry, membership } = this.parts;
    const owner = (name: string): Promise<OwnerRecord | undefined> => registry.owner(name);
    return new ProcessLoss({
      leases: backend.leases,
      table,
      owner,
      beatEvery: membership.beatEvery,
      now: membership.clock.monotonic,
    });
  }

  /** The node of a part of a process that every node has one of. */
  #memberOf(name: string, entry: VersionedEntry): Member | undefined {
    const { table, membership } = this.parts;
    const whole = table.get(entry.of ?? name) ?? entry;
    return membership.members().find((each) => name === slotNames(whole, each.name)[0]);
  }

  /**
   * A process that never came up is not left behind half-started; one that no node may run waits for a node that may,
   * and the error says so.
   */
  async #giveUp(name: string, slot: string, timeout: number, seen?: readonly OwnerRecord[]): Promise<never> {
    const { table, membership, patience } = this.parts;
    const entry = table.get(slot);
    const obstacle = entry && obstacleOf(entry, membership.members());
    if (entry?.status === 'wanted' && obstacle !== undefined) throw mayRunNowhere(slot, timeout, obstacle);
    const error = 'no node started it in time';
    const failed = (current?: VersionedEntry): ProcessEntry | undefined =>
      current?.confirmed === false && !isEnded(current.status) ? { ...current, status: 'failed', error } : undefined;
    const isGivenUp = await patience
      .retry('giving up a process', () => table.change(name, failed))
      .then(
        () => true,
        () => false,
      );
    throw notInTime(name, timeout, isGivenUp, seen);
  }
}

/** What the last query that Redis answered said of the owners. */
export function seenLast(seen: readonly OwnerRecord[] | undefined): string {
  if (seen === undefined) return 'Redis has not said who owns it.';
  if (seen.length === 0) return 'No node owned it at the last poll.';
  const owners = seen
    .slice(0, 5)
    .map(({ name, node, epoch, state }) => `"${name}" on "${node}" (${state}, epoch ${epoch})`);
  const more = seen.length > owners.length ? ` and ${seen.length - owners.length} more` : '';
  return `At the last look there was ${owners.join(', ')}${more}.`;
}

function notInTime(
  name: string,
  timeout: number,
  isGivenUp: boolean,
  seen: readonly OwnerRecord[] | undefined,
): ProcessTimeoutError {
  const did = isGivenUp
    ? 'A process that never ran is marked as failed; others go on being tried.'
    : 'Redis did not answer, so it was not given up and may still start.';
  return new ProcessTimeoutError(
    name,
    'was not running on any node',
    timeout,
    `${seenLast(seen)} ${did}`,
    'Check with list() what it waits for, and that some node has its class as a provider.',
  );
}

function mayRunNowhere(name: string, timeout: number, obstacle: string): ProcessTimeoutError {
  return new ProcessTimeoutError(
    name,
    `waits, because ${obstacle}; it was not running`,
    timeout,
    'It starts by itself on the first node that may run it.',
    `Start such a node, or take it back with stop("${processOf(name)}").`,
  );
}
