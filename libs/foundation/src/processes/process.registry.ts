/**
 * Where each process lives now: the table says what should run, the leases say who owns it.
 * Called by the manager; underneath one script call for all names.
 */
import type { Backend } from '../backend/backend.js';
import type { NodeRecord } from '../backend/directory/directory.js';
import type { OwnerRecord } from '../backend/leases/leases.js';
import { type CallMark, markIn } from '../calls/call.marks.js';
import type { Absence } from '../calls/callee.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { declaredBy } from '../cluster/compatibility.js';
import { processOf, runsEverywhere, slotNames } from '../cluster/slot.names.js';
import { knownBy, type Standing } from '../cluster/standing.js';
import { plain } from '../errors/describe.js';
import { exclusionOf, obstacleOf, obstaclesIn } from './placement/placement.exclusion.js';
import type { ProcessInfo, ProcessState } from './process.ref.js';
import type { ReplacedProcesses } from './replaced.processes.js';
import { isOrphan } from './table/orphans.js';
import { RUNS_FOR_EVER, stayingDown } from './table/process.entry.js';
import { isEnded, type ProcessTable, type VersionedEntry } from './table/process.table.js';

/** This many are enough to see what is wrong; the rest of a full cluster runs. */
const MAX_STRANDED = 2000;

/** A process that may run nowhere, and why; with a node it runs there all the same. */
export interface Stranded {
  name: string;
  node?: string;
  reason: string;
}

/** See the file header. */
export class ProcessRegistry {
  readonly #asked = new Map<string, Promise<OwnerRecord | undefined>>();
  #batch = Promise.resolve(new Map<string, OwnerRecord>());

  constructor(
    private readonly backend: Backend,
    private readonly table: ProcessTable,
    private readonly membership: ClusterView,
    private readonly replaced?: Pick<ReplacedProcesses, 'owner'>,
  ) {}

  /**
   * The owner of a name whose start is over.
   *
   * INVARIANT (I14): an owner record counts only while its token is the value of the lease, compared inside Redis.
   */
  async running(name: string): Promise<OwnerRecord | undefined> {
    const replaced = this.replaced?.owner(name);
    if (replaced !== undefined) return replaced;
    const owner = await this.owner(name);
    return owner?.state === 'running' && !this.#isOver(name, owner) ? owner : undefined;
  }

  /**
   * True for an owner that is one for a moment more and runs nothing: its end is in the row, and its lease is about to
   * be released; or it has won the lease after the row said that it ended, which is the first thing that it looks at.
   */
  #isOver(name: string, { epoch, state }: OwnerRecord): boolean {
    const entry = this.table.get(name);
    if (entry === undefined || entry.status === 'wanted' || entry.status === 'once') return false;
    if (entry.status !== 'stopped' && epoch <= entry.after) return true;
    // Of a part it may be the row of its process that says so. Both are numbers of microseconds by the Redis clock.
    const version = Math.max(entry.version, this.table.get(entry.of ?? name)?.version ?? 0);
    return isEnded(entry.status) && state === 'starting' && epoch > version;
  }

  /**
   * See `OwnerLookup.absence`.
   *
   * INVARIANT (I14): what is down is so in Redis, read after it named no owner. The replica alone may not have heard of
   * a start that the caller was told of.
   */
  async absence(name: string): Promise<Absence> {
    const { table, membership } = this;
    if (isDown(table.get(name))) await table.sync();
    const entry = table.get(name);
    const why = entry && !isDown(entry) ? ofParts(entry, membership) : undefined;
    if (why !== undefined) return { why, isFinal: !table.isMending };
    const obstacle = entry?.status === 'wanted' ? obstacleOf(entry, membership.members()) : undefined;
    return { why: whyAbsent(name, entry, obstacle), isFinal: isDown(entry) && !table.isMending };
  }

  /** See `OwnerLookup.mark`: from the row of the process, to which all its parts belong. */
  mark(name: string, method: string): CallMark | undefined {
    return markIn(this.table.get(name)?.marks, method);
  }

  /** The owner of a name, started or not. All queries of one turn are one query to Redis. */
  owner(name: string): Promise<OwnerRecord | undefined> {
    if (this.#asked.size === 0) this.#batch = this.#ask();
    const asked = this.#asked.get(name) ?? this.#batch.then((owners) => owners.get(name));
    this.#asked.set(name, asked);
    return asked;
  }

  async #ask(): Promise<Map<string, OwnerRecord>> {
    await new Promise((resolve) => setImmediate(resolve));
    const names = [...this.#asked.keys()];
    this.#asked.clear();
    const owners = new Map<string, OwnerRecord>();
    for (const owner of await this.#owners(names)) if (owner !== undefined) owners.set(owner.name, owner);
    return owners;
  }

  /** The owners of several names. */
  owners(names: readonly string[]): Promise<(OwnerRecord | undefined)[]> {
    return Promise.all(names.map((name) => this.owner(name)));
  }

  async #owners(names: readonly string[]): Promise<(OwnerRecord | undefined)[]> {
    const everywhere = names.map((name) => this.#replica(name));
    const leased = names.filter((_, index) => everywhere[index] === undefined);
    const owners = new Map((await this.backend.leases.owners(leased)).map((owner) => [owner?.name, owner]));
    return names.map((name, index) => (everywhere[index] === undefined ? owners.get(name) : everywhere[index]?.owner));
  }

  /** The instance on one node of a process that every node has one of, as that node reports it. */
  #replica(name: string): { owner: OwnerRecord | undefined } | undefined {
    const entry = this.table.get(name);
    if (entry === undefined || !runsEverywhere(entry)) return undefined;
    const member = this.membership.members().find((each) => name === `${entry.of ?? entry.name}@${each.name}`);
    const report = member?.replicas[entry.of ?? entry.name];
    if (member === undefined || report === undefined) return { owner: undefined };
    if (report.state !== 'running' && report.state !== 'starting') return { owner: undefined };
    const { state, epoch, since } = report;
    return { owner: { name, node: member.name, bootId: member.bootId, epoch, state, since } };
  }

  /**
   * Every singleton, replica and partition, by name, as this node's replicas have them: Redis is not queried for
   * owners, so what should run is `waiting`.
   */
  known(): ProcessInfo[] {
    const isOrphaned = this.#orphaned();
    const all = this.table.processes();
    const slots = all.flatMap((entry) => (runsEverywhere(entry) ? [] : this.table.slotsOf(entry)));
    const everywhere = all.filter(runsEverywhere);
    const infos = [
      ...slots.map((entry) => infoOf(entry, undefined, isOrphaned(entry))),
      ...everywhere.flatMap((each) => (isOrphaned(each) ? [infoOf(each, undefined, true)] : this.members(each))),
    ];
    return infos.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Completes what is known of processes with who owns them. */
  async owned(infos: readonly ProcessInfo[]): Promise<ProcessInfo[]> {
    const obstacleOf = obstaclesIn(this.membership.members());
    const isOrphaned = this.#orphaned();
    return Promise.all(
      infos.map(async (info) => {
        const entry = this.table.get(info.name);
        if (entry === undefined || runsEverywhere(entry)) return info;
        const owner = await this.owner(info.name);
        const isOver = owner !== undefined && this.#isOver(info.name, owner);
        // What the row says by now: the answer took a moment.
        const now = this.table.get(info.name) ?? entry;
        const owned = infoOf(now, isOver ? undefined : owner, isOrphaned(now));
        const reason = owned.state === 'waiting' ? obstacleOf(entry) : undefined;
        return reason === undefined ? owned : { ...owned, reason };
      }),
    );
  }

  /**
   * What should run and may run nowhere: without an owner it waits; with one it is on a node on which it may not be any
   * more, until there is one that may run it. Only for these it is asked who owns them.
   */
  async stranded({ members, records }: Standing = knownBy(this.membership)): Promise<Stranded[]> {
    const obstacleOf = obstaclesIn(members);
    const isOrphaned = this.#orphaned(records);
    const found: { entry: VersionedEntry; reason: string }[] = [];
    for (const entry of this.table.wanted()) {
      // The same for all of its replicas and partitions.
      const reason = isOrphaned(entry) ? undefined : obstacleOf(entry);
      if (reason === undefined) continue;
      const slots = this.table.slotsOf(entry).filter(({ status }) => status === 'wanted');
      found.push(...slots.slice(0, MAX_STRANDED - found.length).map((slot) => ({ entry: slot, reason })));
      if (found.length === MAX_STRANDED) break;
    }
    const owners = await this.owners(found.map(({ entry }) => entry.name));
    return found.flatMap(({ entry, reason }, index): Stranded[] => {
      const { name } = entry;
      const { node } = owners[index] ?? {};
      if (node === undefined) {
        // Of those on every node there are none only where it is full, and then that node says so itself.
        const isMeant = runsEverywhere(entry) && !reason.startsWith('no node');
        return isMeant ? [] : [{ name: runsEverywhere(entry) ? (entry.of ?? name) : name, reason }];
      }
      const member = members.find((each) => each.name === node);
      const exclusion = member && exclusionOf(entry, member, { owner: node });
      return exclusion === undefined ? [] : [{ name, node, reason: exclusion }];
    });
  }

  /** Says of each entry whether no node declares it any longer, by the nodes of this moment. */
  #orphaned(records: readonly NodeRecord[] = this.membership.records()): (entry: VersionedEntry) => boolean {
    const isDeclared = declaredBy(records);
    return (entry) => isOrphan(entry, isDeclared);
  }

  /** The processes that a release declared and no node declares any longer. */
  orphans({ records }: Pick<Standing, 'records'> = knownBy(this.membership)): VersionedEntry[] {
    return this.table.processes().filter(this.#orphaned(records));
  }

  /** The instances of a process that runs on every node, as the nodes report them. */
  members(entry: VersionedEntry): ProcessInfo[] {
    return this.membership.members().flatMap(({ name: node, replicas }) => {
      const report = replicas[entry.name];
      if (report === undefined) return [];
      const { state, epoch, since, error } = report;
      const info: ProcessInfo = {
        name: `${entry.name}@${node}`,
        type: entry.type,
        kind: entry.kind,
        state,
        restart: entry.options.restart,
        node,
        epoch,
        startedAt: since,
      };
      const { crashes, stack } = this.table.get(info.name) ?? {};
      const failure = error === undefined ? {} : { error, ...(stack === undefined ? {} : { stack }) };
      return [{ ...info, ...failure, ...(crashes === undefined ? {} : { crashes }) }];
    });
  }
}

/** Until a command. A job that has completed may be started again at any moment, as it was before. */
function isDown(entry: VersionedEntry | undefined): boolean {
  return entry !== undefined && isEnded(entry.status) && entry.status !== 'completed';
}

/** Why the whole of what runs in parts has no owner. */
function ofParts(entry: VersionedEntry, { self }: Pick<ClusterView, 'self'>): string | undefined {
  if (entry.of !== undefined || entry.kind === 'singleton') return undefined;
  if (entry.kind === 'partitioned') {
    return `It has partitions: call that of a key, with lookupPartitioned("${entry.name}")?.for(key).`;
  }
  return `It has replicas: call one of them, such as lookupSingleton("${slotNames(entry, self.name)[0]!}").`;
}

function whyAbsent(name: string, entry: VersionedEntry | undefined, obstacle: string | undefined): string {
  if (entry === undefined) {
    return 'This node knows no process of that name: start it, or look with list() for the name that is meant.';
  }
  const again = `restart("${entry.status === 'stopped' ? processOf(name) : name}")`;
  const error = entry.error === undefined ? '' : ` (${plain(entry.error, 200)})`;
  switch (entry.status) {
    case 'stopped':
      return `It is stopped; ${again} starts it again.`;
    case 'completed':
      return `It has completed; ${again} starts it again.`;
    case 'failed':
      return `It has failed${error} and stays down; after correcting the cause, call ${again}.`;
    case 'escalated': {
      const { how, remedy } = stayingDown(entry.error);
      return `It ${how}${error}; ${remedy}, call ${again}.`;
    }
    case 'once':
      return `Its node has died, or is cut off, and what became of it is not known; ${again} starts it again.`;
    case 'backing-off':
      if (entry.error !== undefined)
        return `It has crashed${error} and is started again in a moment; call again later.`;
      return `It has completed, and is started again in a moment, because ${RUNS_FOR_EVER}; call again later.`;
    case 'wanted':
      if (obstacle !== undefined) return `It waits, because ${obstacle}.`;
      return 'Look with list() what it waits for, or call again later.';
  }
}

function infoOf(entry: VersionedEntry, owner: OwnerRecord | undefined, isOrphaned: boolean): ProcessInfo {
  return {
    name: entry.name,
    type: entry.type,
    kind: entry.kind,
    state: isOrphaned && owner === undefined ? 'orphaned' : stateOf(entry, owner),
    restart: entry.options.restart,
    ...(owner === undefined ? {} : { node: owner.node, epoch: owner.epoch, startedAt: owner.since }),
    ...(entry.error === undefined ? {} : { error: entry.error }),
    ...(entry.stack === undefined ? {} : { stack: entry.stack }),
    ...(entry.crashes === undefined ? {} : { crashes: entry.crashes }),
  };
}

function stateOf({ status }: VersionedEntry, owner: OwnerRecord | undefined): ProcessState {
  if (owner !== undefined) return owner.state;
  if (status === 'wanted') return 'waiting';
  return status === 'once' ? 'lost' : status;
}
