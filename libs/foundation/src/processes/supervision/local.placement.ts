/**
 * Whether this node may run a process, and how many nodes come before it.
 * Asked by the supervisor and its parts; the rules are those of `placement.ts`.
 */
import type { ClusterView } from '../../cluster/cluster.view.js';
import type { Member } from '../../cluster/member.js';
import type { KnownClass } from '../declaration/process.explorer.js';
import { Expected } from '../placement/expected.owners.js';
import { exclusionOf, type Known, misfitOf } from '../placement/placement.exclusion.js';
import { rankMembers, turnOf } from '../placement/placement.js';
import { refusalOf } from '../placement/placement.moves.js';
import type { ProcessTable, VersionedEntry } from '../table/process.table.js';
import type { Place } from './candidacy.js';
import type { NodeWorkload } from './node.workload.js';

/** By how many places a node with a replica steps back for nodes that have none. */
const SIBLING_STEPS = 20;

/** The place of a node that need not wait for others. */
export const FIRST: Place = { rank: 0, queueMs: 0 };

/** What the placement on this node depends on. */
export interface LocalPlacementParts {
  membership: ClusterView;
  table: Pick<ProcessTable, 'get'>;
  workload: NodeWorkload;
  classes: ReadonlyMap<string, KnownClass>;
  /** True while this node starts processes at all. */
  isSupervising: () => boolean;
  /** True while this process may not run here yet, because the application is still being bootstrapped. */
  isHeldBack: (process: string) => boolean;
  /** True while the end of this process is known here and not yet recorded. */
  isEndOpen: (name: string) => boolean;
  now: () => number;
}

/** See the file header. */
export class LocalPlacement {
  readonly #expected = new Expected();

  constructor(private readonly parts: LocalPlacementParts) {}

  /** True when it should run and this node can run its class. */
  isWanted(entry: VersionedEntry | undefined): entry is VersionedEntry {
    return (
      this.parts.isSupervising() &&
      this.parts.membership.state === 'up' &&
      entry?.status === 'wanted' &&
      entry.settling !== true &&
      this.parts.classes.has(entry.type) &&
      !this.parts.isHeldBack(entry.of ?? entry.name) &&
      !this.parts.isEndOpen(entry.name)
    );
  }

  /**
   * INVARIANT (I23): labels and capacity exclude: a node that may not run a process does not want it, and never takes
   * it.
   */
  mayRun(entry: VersionedEntry | undefined): entry is VersionedEntry {
    return this.isWanted(entry) && this.exclusion(entry) === undefined;
  }

  /** True when this node would run it if it had room, or the end of the last instance were recorded. */
  isOurs(entry: VersionedEntry): boolean {
    const { classes, membership } = this.parts;
    return entry.status === 'wanted' && classes.has(entry.type) && membership.state === 'up';
  }

  /** What excludes this node whatever it owns. */
  misfit(entry: VersionedEntry): string | undefined {
    return misfitOf(entry, this.parts.membership.own);
  }

  /** Why this node may not run it. A process that is here, or has its place here, is counted once. */
  exclusion(entry: VersionedEntry): string | undefined {
    const { workload, membership } = this.parts;
    const { own } = membership;
    const known: Known = {
      loadOf: () => workload.load,
      ...(workload.isCounted(entry.name) ? { owner: own.name } : {}),
    };
    return exclusionOf(entry, own, known);
  }

  /** Why this node refuses a process that `from` would move here; `limit` as in `refusalOf`. */
  refusal(entry: VersionedEntry, limit: number | undefined, from: string): string | undefined {
    const { membership, workload } = this.parts;
    return refusalOf(entry, membership.own, workload.load, { limit, from, members: membership.members() });
  }

  /** This node's place in the order of the nodes that may run the process; `undefined` when it may not. */
  placeOf(entry: VersionedEntry): Place | undefined {
    const { name } = entry;
    const { workload, membership, now } = this.parts;
    if (workload.isPromised(name)) return FIRST;
    const members = membership.members();
    const { name: self } = membership.self;
    this.#expected.expire(now());
    this.#expected.forget(name);
    const saysOf = ({ name: node, load }: Member): number => (node === self ? workload.load : load);
    const loadOf = (member: Member): number => this.#expected.loadOf(member.name, saysOf(member));
    // What is being acquired here does not count against itself either; a hint may come meanwhile.
    const itself = workload.isTrying(name) ? 1 : 0;
    const ownedBy = (member: Member): number => saysOf(member) - (member.name === self ? itself : 0);
    const turn = turnOf(entry, members, self, { loadOf, ownedBy });
    if (turn === undefined) return undefined;
    const best = members.find((member) => member.name === turn.best);
    const queueMs = best === undefined ? 0 : this.#expected.queueMs(best.name);
    if (best !== undefined) this.#expected.expect(name, best.name, saysOf(best), now());
    // Replicas go to different nodes as long as some node has none.
    if (!this.#hasSibling(entry)) return { rank: turn.rank, queueMs };
    // A suspect node will hardly take it.
    const up = members.filter(({ state }) => state === 'up');
    const nodes = rankMembers(entry, up).length;
    // With as many nodes as replicas one of them has none, and only needs the time to say so.
    return { rank: turn.rank + (entry.count === 'all' || entry.count <= nodes ? SIBLING_STEPS : nodes), queueMs };
  }

  #hasSibling(entry: VersionedEntry): boolean {
    const { workload, membership } = this.parts;
    return entry.of !== undefined && entry.kind === 'replicated' && workload.hasSibling(entry, membership.self.name);
  }
}
