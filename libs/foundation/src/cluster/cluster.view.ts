/**
 * The cluster as this node sees it: the members, this node among them, and what becomes known with each heartbeat.
 * Read by every room above; the membership protocol keeps it up to date. Underneath: a replica of the node directory.
 */
import type { Backend } from '../backend/backend.js';
import type { NodeRecord } from '../backend/directory/directory.js';
import type { FoundationConfig } from '../config/config.js';
import { NotReadyError } from '../errors/cluster.errors.js';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { Gate } from '../foreign/gate.js';
import { givenOptions, givenTime } from '../foreign/given.options.js';
import { Log } from '../logging/log.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { type Clock, clockOf } from '../time/clock.js';
import type { Duration } from '../time/duration.js';
import { ClusterClock } from './cluster.clock.js';
import { describeDifference, type Difference, differencesOf } from './compatibility.js';
import { DirectoryReplica } from './directory.replica.js';
import type { LocalNode } from './local.node.js';
import { LocalRecord } from './local.record.js';
import { type Member, memberOf, type MembershipListener, type NodeState } from './member.js';

/** The longest that a timer of Node can wait. */

/** See the file header. */
export class ClusterView {
  /** True when its application shuts down: then there is no way back from the drain. */
  isLeaving = false;
  readonly clock: Clock;
  /** What this node says of itself. */
  readonly record: LocalRecord;
  /** What the other members say of themselves. */
  readonly replica: DirectoryReplica;
  readonly #listeners = new Set<MembershipListener>();
  readonly #logger = new Log();
  readonly #gate: Gate;
  #state: NodeState = 'joining';
  #isInitialising = false;
  /** The list as it was made last, and of what. */
  #made: { members: readonly Member[]; own: Member; changes: number; record: NodeRecord } | undefined;
  /** Setting → what was last logged of it. */
  readonly #differences = new Map<string, string>();
  #clockOffset: number;
  readonly #clock = new ClusterClock();
  /** How long Redis took to answer the last heartbeat, in milliseconds. */
  latency = 0;
  /** Why this node has not joined, or is not heard, as the last attempt said; `undefined` while all is well. */
  trouble: string | undefined;
  /** When a heartbeat worked again after one that had not, by the clock of this node. */
  recoveredAt = -Infinity;

  constructor(
    private readonly node: LocalNode,
    private readonly config: FoundationConfig,
    backend: Pick<Backend, 'directory' | 'meet' | 'clock'>,
    telemetry: Telemetry,
    private readonly now: () => number = clockOf(backend).monotonic,
  ) {
    this.clock = clockOf(backend);
    this.#clockOffset = this.clock.wall() - now();
    this.record = new LocalRecord(node, config);
    const owner = {
      self: this.self,
      isMember: () => this.#state === 'up',
      changed: () => {
        this.#logDifferences();
        this.notify('changed');
      },
      meet: (members: readonly NodeRecord[]) => backend.meet?.(members),
    };
    this.#gate = new Gate(telemetry);
    this.replica = new DirectoryReplica(owner, backend.directory, telemetry, config.membership.ttl, now);
  }

  /** This node's name and boot id. */
  get self(): { name: string; bootId: string } {
    return { name: this.node.name, bootId: this.node.bootId };
  }

  /** The name of the cluster. */
  get appName(): string {
    return this.config.appName;
  }

  /** This node's own state. */
  get state(): NodeState {
    return this.#state;
  }

  /** The version of the view; rises with every change and is the same on all nodes once they have caught up. */
  get version(): number {
    return this.replica.version;
  }

  /** How often a node beats, in milliseconds. */
  get beatEvery(): number {
    return this.config.membership.beatEvery;
  }

  /**
   * The members by name, this node included once it has joined. The list is frozen, and the same one until something
   * changes.
   */
  members(): readonly Member[] {
    return this.#lists().members;
  }

  /** This node as a member, whether the view has it already or not. */
  get own(): Member {
    return this.#lists().own;
  }

  /** What the members say of themselves, this node included once it has joined; a replica, without network. */
  records(): NodeRecord[] {
    return this.replica.records().map((record) => (record.bootId === this.node.bootId ? this.record.current : record));
  }

  /** What the members do not agree about: settings, versions, and what should run. Empty = they agree. */
  differences(): Difference[] {
    return differencesOf(this.records());
  }

  /** The Redis clock as of the last heartbeat, in milliseconds since 1970; before the join, that of this machine. */
  clusterNow(): number {
    return this.now() + this.#clockOffset;
  }

  /** The Redis clock as near as heartbeats tell, for times that nodes compare; unlike the above it may be behind. */
  clusterTime(): number {
    return this.#clock.at(this.now());
  }

  /** Calls the listener's methods from now on; returns the function that ends it. */
  listen(listener: MembershipListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Until {@link initialised} every call to the cluster is rejected: a hook of the application is too early. */
  initialising(): void {
    this.#isInitialising = true;
  }

  /** The modules of the application are initialised; this node is about to join. */
  initialised(): void {
    this.#isInitialising = false;
  }

  /**
   * What needs the cluster calls this first.
   *
   * @throws NotReadyError while the modules are initialised: Nest calls the hook after which this node joins only when
   * all `onModuleInit` have ended, so one that waits for the cluster would wait for itself.
   */
  requireInitialised(): void {
    if (this.#isInitialising) throw new NotReadyError(this.node.name, 'initialising', 0);
  }

  /**
   * What sends or waits calls this first, and again while it waits.
   *
   * @throws NotReadyError while the modules are initialised, and once this node has left the cluster.
   */
  requireConnected(): void {
    this.requireInitialised();
    this.requireNotLeft();
  }

  /** @throws NotReadyError once this node has left the cluster: it hears and sends nothing any longer. */
  requireNotLeft(): void {
    if (this.#state === 'left') throw new NotReadyError(this.node.name, 'left', 0);
  }

  /** The same as {@link awaitReady}; but a caller in a hook, where it would wait in vain, gets an error at once. */
  async whenReady(): Promise<void> {
    this.requireInitialised();
    await this.awaitReady();
  }

  /** See `Membership.whenReady`. */
  async awaitReady(options: { minNodes?: number; timeout?: Duration } = {}): Promise<void> {
    const known = ['minNodes', 'timeout'] as const;
    const { minNodes = 1, timeout: given = '10s' } = givenOptions<typeof options>('whenReady', options, known);
    const timeout = givenTime('whenReady', 'timeout', given, { least: 0 });
    if (!Number.isSafeInteger(minNodes) || minNodes < 1) {
      throw new ArgumentError('whenReady', 'minNodes', show(minNodes), '1 or a higher whole number');
    }
    const count = (): number => this.replica.records().filter(({ state }) => state === 'up').length;
    const isReady = (): boolean => this.#state === 'up' && (minNodes === 1 || count() >= minNodes);
    const isOver = (): boolean => this.#state === 'draining' || this.#state === 'left';
    const { clock } = this;
    const began = clock.now();
    const refused = (): NotReadyError => new NotReadyError(this.node.name, this.#state, clock.now() - began);
    if (isReady()) return;
    // From these it comes back by a command at most, so waiting is in vain.
    if (isOver()) throw refused();
    await new Promise<void>((resolve, reject) => {
      const stop = this.listen({
        changed: () => {
          if (!isReady() && !isOver()) return;
          clock.clearTimeout(timer);
          stop();
          if (isOver()) reject(refused());
          else resolve();
        },
      });
      const timer = clock.setTimeout(() => {
        stop();
        const nodes = { seen: count(), wanted: minNodes };
        reject(new NotReadyError(this.node.name, this.#state, timeout, { nodes, trouble: this.trouble }));
      }, timeout);
    });
  }

  // -- called by the membership protocol
  // --------------------------------------------------------------------------------

  setState(state: NodeState): void {
    const isFinal = this.#state === 'left' || (this.#state === 'draining' && state !== 'left');
    if (this.#state === state || isFinal) return;
    this.#state = state;
    this.notify('changed');
  }

  /** It was drained by a command, goes on running, and takes work again: the one way back from a drain. */
  undrain(): void {
    if (this.#state !== 'draining' || this.isLeaving) return;
    this.#state = 'up';
    this.record.undrain();
    this.notify('changed');
  }

  /** A heartbeat has worked. */
  noteHeard(): void {
    if (this.trouble !== undefined) this.recoveredAt = this.now();
    this.trouble = undefined;
  }

  /** What the answer to a heartbeat says of the Redis clock. */
  setClock(redisNow: number, sentAt: number): void {
    this.#clockOffset = redisNow - sentAt;
    this.#clock.heard(redisNow, sentAt, this.now());
  }

  notify<K extends keyof MembershipListener>(what: K, ...args: Parameters<NonNullable<MembershipListener[K]>>): void {
    for (const listener of [...this.#listeners]) {
      const call = (): unknown => (listener[what] as ((...values: unknown[]) => unknown) | undefined)?.(...args);
      this.#gate.tell(`ClusterView.listen ${what}`, call);
    }
  }

  /** Made once for each change: thousands of names are ranked with it in one turn. */
  #lists(): { members: readonly Member[]; own: Member } {
    const { changes } = this.replica;
    const { current } = this.record;
    if (this.#made?.changes === changes && this.#made.record === current) return this.#made;
    const members = this.records()
      .map((record) => this.#member(record))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const own = members.find(({ self }) => self) ?? this.#member(current);
    this.#made = { members: Object.freeze(members), own, changes, record: current };
    return this.#made;
  }

  #member(record: NodeRecord): Member {
    return memberOf(record, {
      isLate: this.replica.isLate(record.name),
      self: record.bootId === this.node.bootId,
    });
  }

  /** A difference that a rule settles is logged once, and again when it changes. */
  #logDifferences(): void {
    if (this.#state !== 'up') return;
    for (const difference of this.differences()) {
      const { setting } = difference;
      const what = describeDifference(difference);
      // In a rolling release these differ, which needs no warning, or the node that declares it warns.
      if (this.#differences.get(setting) === what || setting === 'version' || setting.startsWith('process ')) continue;
      this.#differences.set(setting, what);
      this.#logger.warn('Nodes differ in a setting that all must share', { what });
    }
  }
}
