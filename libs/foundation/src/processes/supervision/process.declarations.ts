/**
 * What this node's decorators say should run, beside what the cluster goes by: the table changes once, when all nodes
 * agree. Called by the supervisor, at a join and with each look at the table.
 */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Backend } from '../../backend/backend.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import { isAgreed } from '../../cluster/compatibility.js';
import type { Member } from '../../cluster/member.js';
import { slotNames } from '../../cluster/slot.names.js';
import { describe } from '../../errors/describe.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import { isLongTurn, nextTurn } from '../../time/turn.budget.js';
import { isObject } from '../../wire/decode.js';
import { type ProcessSpec, sameSpec } from '../declaration/process.specification.js';
import { writtenCount } from '../table/process.entry.js';
import {
  isEnded,
  LEAST_KEPT_MS,
  type ProcessEntry,
  type ProcessTable,
  type VersionedEntry,
} from '../table/process.table.js';
import { ALL_RESTORED_BEATS, RESTORED_BEATS } from '../table/restoring.js';
import { ownershipOf } from './name.ownership.js';

/** Declarations that are written in one go, so that others are served in between. */
const MAX_BATCH = 500;
/** How many heartbeats more a node waits for what members of long standing restore to a table that is empty. */
const LATE_BEATS = Math.ceil(ALL_RESTORED_BEATS - RESTORED_BEATS);

/** What the same spec was found to be: it is asked for at the join, for the row, and with each look at it. */
const known = new WeakMap<ProcessSpec, string>();

/** A declaration in a few letters, for the record of a node: `partitioned 8 5f0c7a19`. */
export function declarationOf(spec: ProcessSpec): string {
  const before = known.get(spec);
  if (before !== undefined) return before;
  const declaration = hashOf(spec);
  known.set(spec, declaration);
  return declaration;
}

function hashOf(spec: ProcessSpec): string {
  const { type, kind, args, options, placement, handoff, rebalance } = spec;
  const count = writtenCount(spec.count);
  const all = [type, kind, count, args, options, placement, handoff, rebalance];
  return `${kind} ${count} ${createHash('sha256').update(canonical(all)).digest('hex').slice(0, 8)}`;
}

/** JSON in which the order of keys says nothing. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    isObject(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each,
  );
}

/** The declarations of a node by the name of the process. */
export function declarationsOf(specs: readonly ProcessSpec[]): Record<string, string> {
  return Object.fromEntries(specs.map((spec) => [spec.name, declarationOf(spec)]));
}

/** See the file header. */
export class ProcessDeclarations {
  readonly #specs = new Map<string, ProcessSpec>();
  /** Rows found to say what this node declares: they are compared with each beat, and few change. */
  readonly #inLine = new WeakMap<VersionedEntry, ProcessSpec>();
  readonly #log = new ThrottledLog();
  #settling: Promise<void> | undefined;
  /** False once every row was found to say what is declared, until a row or a member changes. */
  #isDue = true;

  constructor(
    private readonly backend: Pick<Backend, 'leases' | 'restarts'>,
    private readonly membership: Pick<ClusterView, 'records' | 'self' | 'state' | 'own' | 'members' | 'beatEvery'>,
    private readonly table: Pick<ProcessTable, 'get' | 'change' | 'changeAll' | 'floor' | 'sync' | 'isEmpty'>,
  ) {}

  /** Rows have changed. */
  noteRows(names: Iterable<string>): void {
    for (const name of names) if (this.#specs.has(name)) this.#isDue = true;
  }

  /** What the members declare may have changed. */
  noteMembers(): void {
    this.#isDue = true;
  }

  /** Remembers what this node declares. */
  add(specs: readonly ProcessSpec[]): void {
    for (const spec of specs) this.#specs.set(spec.name, spec);
    this.#isDue = true;
  }

  /**
   * Puts what this node declares into the table. A cold start of the whole cluster forgets how processes ended before.
   */
  async declare(specs: readonly ProcessSpec[]): Promise<void> {
    if (specs.length === 0) return;
    this.add(specs);
    // INVARIANT (I17): also when all others miss their heartbeats meanwhile, as when Redis hangs: they may be alive.
    const wasEldest = this.#isEldest();
    await this.#restored();
    const coldStart = wasEldest && this.#isEldest();
    const { joinedAt } = this.membership.own;
    const byName = new Map(specs.map((spec) => [spec.name, spec]));
    const declare = (name: string, current: VersionedEntry | undefined): ProcessEntry | undefined => {
      const spec = byName.get(name)!;
      // What was written since this node joined comes from a node that joined with it, not from the cluster before.
      const before = current !== undefined && current.version < joinedAt * 1000;
      const again = before && coldStart && (isEnded(current.status) || current.status === 'once');
      // What runs by another declaration is not changed by one node alone.
      if (current !== undefined && !again) return undefined;
      const counts = current === undefined || this.isAgreed(spec) ? spec : current;
      return { ...counts, status: 'wanted', after: current?.after ?? 0, confirmed: true };
    };
    const names = [...byName.keys()];
    for (let at = 0; at < names.length; at += MAX_BATCH) {
      await this.table.changeAll(names.slice(at, at + MAX_BATCH), declare);
    }
    for (const spec of specs) {
      if (isLongTurn()) await nextTurn();
      await this.apply(spec);
    }
    if (coldStart) await this.backend.restarts.forget(...byName.keys());
  }

  /**
   * A Redis that is empty may have lost its data a moment ago. Nodes with a replica of the table restore it at their
   * next heartbeat; a declaration before that would bring back what was stopped. No node may own anything yet anyway.
   */
  async #restored(): Promise<void> {
    const grace = await this.backend.leases.grace();
    if (grace === 0) return;
    const { beatEvery } = this.membership;
    await pause(Math.max(grace, beatEvery * RESTORED_BEATS));
    await this.table.sync();
    // A replica that was out of touch for long lets other nodes go first, so it takes as long again. Not at a cold
    // start, where no node has been a member for so long.
    const { joinedAt } = this.membership.own;
    const isLongThere = (member: Member): boolean => !member.self && joinedAt - member.joinedAt > LEAST_KEPT_MS;
    const mayCome = (): boolean => this.table.isEmpty && this.membership.members().some(isLongThere);
    for (let beat = 0; beat < LATE_BEATS && mayCome(); beat++) {
      await pause(beatEvery);
      await this.table.sync();
    }
  }

  #isEldest(): boolean {
    const members = this.membership.members();
    const eldest = [...members].sort((a, b) => a.joinedAt - b.joinedAt || (a.name < b.name ? -1 : 1))[0];
    return eldest?.self === true;
  }

  /** True when every living node that declares the process declares what this one does. */
  isAgreed(spec: ProcessSpec): boolean {
    return isAgreed(spec.name, spec.type, declarationOf(spec), this.membership.records());
  }

  /** Changes what all agree about by now. One node does it for all: the eldest of those that declare it. */
  review(): void {
    if (this.membership.state !== 'up' || this.#settling !== undefined || !this.#isDue) return;
    let isDue = false;
    const due = [...this.#specs.values()].filter((spec) => {
      const entry = this.table.get(spec.name);
      if (entry === undefined || this.#isInLine(entry, spec)) return false;
      // Also one that is another node's to settle: that node may go.
      isDue = true;
      return this.#isMine(spec.name);
    });
    this.#isDue = isDue;
    if (due.length === 0) return;
    this.#settling = this.#settle(due).finally(() => (this.#settling = undefined));
  }

  #isInLine(entry: VersionedEntry, spec: ProcessSpec): boolean {
    if (this.#inLine.get(entry) === spec) return true;
    // A node of the version before leaves the marks out of each row that it writes.
    if (entry.settling === true || !sameSpec(entry, spec) || !isDeepStrictEqual(entry.marks, spec.marks)) return false;
    this.#inLine.set(entry, spec);
    return true;
  }

  #isMine(name: string): boolean {
    const declaring = this.membership.records().filter(({ declares }) => declares?.[name] !== undefined);
    const [eldest] = declaring.sort((a, b) => a.joinedAt - b.joinedAt || (a.name < b.name ? -1 : 1));
    return eldest === undefined || eldest.bootId === this.membership.self.bootId;
  }

  async #settle(specs: readonly ProcessSpec[]): Promise<void> {
    for (const spec of specs) {
      await this.apply(spec).catch((error: unknown) => {
        this.#log.debug('Failed to write a declaration; retrying', {
          process: spec.name,
          error: describe(error),
        });
      });
    }
  }

  /**
   * Brings the row in line with what is declared, if all agree.
   *
   * INVARIANT (I1): nothing runs by two numbers of partitions at the same time. The row is first marked as `settling`:
   * what has not started does not start (each start reads the row under its lease), what runs stops. Only when nobody
   * owns any of the old partitions does the row get the new number.
   */
  async apply(spec: ProcessSpec): Promise<void> {
    const entry = this.table.get(spec.name);
    if (entry === undefined || this.#isInLine(entry, spec)) return;
    if (!this.isAgreed(spec)) {
      // An old node came back meanwhile: everything goes on as it was.
      if (entry.settling === true) await this.table.change(spec.name, withoutSettling);
      else this.#tell(spec, entry);
      return;
    }
    if (entry.settling !== true && isRenumbered(entry, spec)) {
      await this.table.change(spec.name, (current) =>
        current !== undefined && isRenumbered(current, spec) ? { ...current, settling: true } : undefined,
      );
    }
    const marked = this.table.get(spec.name);
    if (marked === undefined || (marked.settling === true && (await this.#isOwned(marked)))) return;
    await this.table.change(spec.name, (current) => {
      if (current === undefined || (isRenumbered(current, spec) && current.settling !== true)) return undefined;
      // Where it stands is kept: what is down stays down, and a crash keeps its count.
      const { settling: _settling, marks: _marks, ...rest } = current;
      const after = isRenumbered(current, spec) ? Math.max(current.after, this.table.floor(spec.name)) : current.after;
      return { ...rest, ...spec, after, confirmed: true };
    });
  }

  async #isOwned(entry: VersionedEntry): Promise<boolean> {
    const slots = slotNames(entry, this.membership.self.name);
    const ownership = await ownershipOf(this.backend.leases, () => this.backend.leases.owners(slots));
    return ownership.state !== 'free';
  }

  #tell(spec: ProcessSpec, entry: VersionedEntry): void {
    const details = { process: spec.name, declared: declarationOf(spec), counts: declarationOf(entry) };
    this.#log.warn(
      'Another declaration of a process counts until all nodes that declare it declare the same',
      details,
      spec.name,
    );
  }
}

/** True when keys would belong to other partitions, or something else would run. */
function isRenumbered(entry: ProcessSpec, spec: ProcessSpec): boolean {
  return (
    entry.kind !== spec.kind || entry.type !== spec.type || (spec.kind === 'partitioned' && entry.count !== spec.count)
  );
}

function withoutSettling(current: VersionedEntry | undefined): VersionedEntry | undefined {
  if (current?.settling !== true) return undefined;
  const { settling: _settling, ...rest } = current;
  return rest;
}
