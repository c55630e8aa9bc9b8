/**
 * This node's replica of the members' records: fetched when a hint or a heartbeat says that it changed, and kept for a
 * while when Redis lost its data. Used by `ClusterView`. Underneath: `NodeDirectory.view()`.
 */
import type { NodeDirectory, NodeRecord, NodeView } from '../backend/directory/directory.js';
import { describe } from '../errors/describe.js';
import { unattended } from '../foreign/gate.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import type { Telemetry } from '../telemetry/telemetry.js';

/** For each member; a view of a hundred is read five times a second at most. */
const PACE_MS = 2;
/** The replica waits no longer for any node, whatever its record says. */
const LONGEST_TTL_MS = 600_000;

/** What the replica needs of its owner, and reports to it. */
export interface ReplicaOwner {
  readonly self: { name: string; bootId: string };
  /** Whether this node is a member as far as it knows. */
  isMember(): boolean;
  /** The replica has changed. */
  changed(): void;
  /** Tells the transport who is in the cluster. */
  meet?: ((members: readonly NodeRecord[]) => void) | undefined;
}

/** See the file header. */
export class DirectoryReplica {
  readonly #members = new Map<string, NodeRecord>();
  readonly #logger = new ThrottledLog();
  #late: ReadonlySet<string> = new Set();
  /** Who is late as the last heartbeat has it, and at which version of the view. */
  #told: { readonly late: ReadonlySet<string>; readonly version: number } = { late: new Set(), version: 0 };
  #version = 0;
  #expected = 0;
  #changes = 0;
  #refreshing: Promise<void> | undefined;
  #refreshNext: Promise<void> | undefined;
  #fetchedAt = -Infinity;
  #paceTimer: NodeJS.Timeout | undefined;
  /** Until then members that the view lacks are kept, because it may have been lost and not restored yet. */
  #keepUntil = 0;
  #keepTimer: NodeJS.Timeout | undefined;

  /**
   * @param ttl how long a member may be silent, in milliseconds: by then each has rejoined after a loss, or has left.
   */
  constructor(
    private readonly owner: ReplicaOwner,
    private readonly directory: Pick<NodeDirectory, 'view' | 'reasons'>,
    private readonly telemetry: Telemetry,
    private readonly ttl: number,
    private readonly now: () => number,
  ) {}

  get version(): number {
    return this.#version;
  }

  /** How many nodes there should be, as all nodes have it: the most there were, less those that left in order since. */
  get expected(): number {
    return this.#expected;
  }

  /** Rises with every change of the replica, those by hints included. */
  get changes(): number {
    return this.#changes;
  }

  records(): NodeRecord[] {
    return [...this.#members.values()];
  }

  /** Whether its last beat is older than it should be. */
  isLate(name: string): boolean {
    return this.#late.has(name);
  }

  close(): void {
    clearTimeout(this.#keepTimer);
    clearTimeout(this.#paceTimer);
  }

  /**
   * Changes of a large cluster come faster than its view can be read, by every node: at most one fetch for that many
   * milliseconds as it has members. What a hint says is in the next beat's answer too.
   */
  refreshSoon(): void {
    const due = this.#fetchedAt + PACE_MS * this.#members.size - this.now();
    if (due <= 0) return unattended('fetching the members', this.refresh());
    this.#paceTimer ??= setTimeout(() => unattended('fetching the members', this.refresh()), due).unref();
  }

  /** One fetch at a time; all calls during one share the next. Never rejects. */
  refresh(): Promise<void> {
    this.#refreshNext ??= (this.#refreshing ?? Promise.resolve()).then(() => {
      this.#refreshNext = undefined;
      clearTimeout(this.#paceTimer);
      this.#paceTimer = undefined;
      this.#refreshing = this.fetch()
        .catch((error: unknown) => this.#logger.debug('Failed to fetch the members', { error: describe(error) }))
        .finally(() => (this.#refreshing = undefined));
      return this.#refreshing;
    });
    return this.#refreshNext;
  }

  /** @throws RedisUnavailableError */
  async fetch(): Promise<void> {
    this.#fetchedAt = this.now();
    const view = await this.directory.view(this.#version);
    if (view.version === this.#version) return;
    this.#keepLost(view);
    const before = this.records();
    this.#version = view.version;
    this.#expected = view.expected ?? 0;
    this.#changes += 1;
    const known = new Map(this.#members);
    this.#members.clear();
    for (const member of view.members) {
      // What was not read anew may say an older load than the hints since.
      const kept = view.changed === undefined || view.changed.has(member.name) ? undefined : known.get(member.name);
      this.#members.set(member.name, kept ?? member);
    }
    this.#settleLate();
    this.owner.meet?.(view.members);
    await this.#announce(before, view);
    this.owner.changed();
  }

  /** Redis lost its data: who is gone is not known before all have had the time to rejoin. */
  expectRejoins(): void {
    // Each by its own time: one that beats every five seconds needs as long to find out.
    const ttl = Math.max(this.ttl, ...this.records().map((record) => Math.min(record.ttl ?? 0, LONGEST_TTL_MS)));
    this.#keepUntil = this.now() + ttl;
    clearTimeout(this.#keepTimer);
    this.#keepTimer = setTimeout(() => {
      // A node that is not back by now has left: fetch the view again, as if it had changed.
      this.#version = -1;
      unattended('fetching the members', this.refresh());
    }, ttl).unref();
  }

  noteLoad(node: string, load: number): void {
    const member = this.#members.get(node);
    if (member === undefined || node === this.owner.self.name || member.load === load) return;
    this.#members.set(node, { ...member, load });
    this.#changes += 1;
  }

  /** By a heartbeat, which says at which version of the view. */
  noteLate(names: readonly string[], version: number): void {
    this.#told = { late: new Set(names.filter((name) => name !== this.owner.self.name)), version };
    this.#settleLate();
  }

  /** A node that is no longer late was heard again, or removed: a view older than the heartbeat shows neither. */
  #settleLate(): void {
    const { late: told, version } = this.#told;
    const late = version <= this.#version ? told : new Set([...this.#late, ...told]);
    for (const { name, bootId } of this.#members.values()) {
      if (late.has(name) === this.#late.has(name)) continue;
      this.telemetry.emit('cluster.node_suspect', { node: name, bootId, suspect: late.has(name) });
    }
    if (late.size > 0 || this.#late.size > 0) this.#changes += 1;
    this.#late = late;
  }

  /**
   * Redis lost its data, or at least this node's own record: until all nodes have rejoined, a view that lacks a node
   * says nothing about it, and callers that wait for it or choose it must not take it for a node that has left.
   */
  #keepLost(view: NodeView): void {
    const hasSelf = view.members.some(({ bootId }) => bootId === this.owner.self.bootId);
    if (!hasSelf && this.owner.isMember()) this.expectRejoins();
    if (this.now() >= this.#keepUntil) return;
    const names = new Set(view.members.map(({ name }) => name));
    view.members.push(...this.records().filter(({ name }) => !names.has(name)));
  }

  async #announce(before: readonly NodeRecord[], { version, members }: NodeView): Promise<void> {
    const known = new Set(before.map(({ bootId }) => bootId));
    for (const { name, bootId } of members) {
      if (!known.has(bootId)) this.telemetry.emit('cluster.node_joined', { node: name, bootId });
    }
    const own = this.owner.self;
    const present = new Set([own.bootId, ...members.map(({ bootId }) => bootId)]);
    const gone = before.filter(({ bootId }) => !present.has(bootId));
    const reasons = await this.directory.reasons(gone.map(({ bootId }) => bootId)).catch(() => []);
    gone.forEach(({ name, bootId, joinedAt, release }, index) => {
      const reason = reasons[index] ?? 'timeout';
      const ran = release === undefined ? {} : { release };
      this.telemetry.emit('cluster.node_left', { node: name, bootId, joinedAt, ...ran, reason });
    });
    this.telemetry.emit('cluster.view_changed', { node: own.name, version, members: members.length });
  }
}
