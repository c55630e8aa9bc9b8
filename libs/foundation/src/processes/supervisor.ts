/**
 * Reconciles what should run (the table) with what does run here. Events only wake it; the loop decides.
 * Driven by the lifecycle; owns leases and instances.
 */
import { Injectable, type Type } from '@nestjs/common';
import type { Member, Membership } from '../cluster/membership.js';
import { describe } from '../errors.js';
import { unattended } from '../foreign/gate.js';
import { RepeatedLog } from '../telemetry/repeated.log.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { monotonicNow } from '../tools/clock.js';
import type { Engine } from '../tools/engine.js';
import type { Lease } from '../tools/leases.js';
import { NodeLease } from '../tools/node.lease.js';
import { Candidacy } from './candidacy.js';
import { isMarkOf } from './end.js';
import { Endings } from './endings.js';
import { Instance } from './instance.js';
import { betterNode, givesWay, rankMembers, rankOf } from './placement.js';
import type { KnownClass } from './process.explorer.js';
import { processOf, runsEverywhere, slotNames } from './slots.js';
import { sameSpec, type ProcessSpec } from './spec.js';
import { isEnded, type ProcessEntry, type ProcessTable, type VersionedEntry } from './process.table.js';

/** Called with each object that has started, and its instance; what it returns is called when the instance begins to stop. */
export type InstanceHook = (target: object, instance: Instance) => Promise<() => Promise<void>>;

/** How long another node must suit better before a process moves there. */
const COOL_DOWN_MS = 5000;
/** How many processes a node moves at the same time. */
const MOVES_AT_ONCE = 4;
/** In so many beats, with their jitter, every node that has a copy of the table has said so. */
const BEATS = 1.5;
/** By how many places a node with a replica steps back for those that have none. */
const SIBLING_STEPS = 20;
/** How long a process that could not be hosted here is left alone. */
const PAUSE_MS = 500;

interface Hosted {
  instance: Instance;
  /** Since when another node suits better. */
  better?: { node: string; since: number };
  moving: boolean;
  /** False while lookups do not see it as running though it is. */
  announced: boolean;
  /** True while the row is told that it has come up. */
  confirming: boolean;
}

/** See the file header. */
@Injectable()
export class Supervisor {
  readonly #hosted = new Map<string, Hosted>();
  readonly #hosting = new Set<Promise<void>>();
  readonly #classes = new Map<string, KnownClass>();
  readonly #hooks: InstanceHook[] = [];
  readonly #candidacy: Candidacy;
  readonly #endings: Endings;
  readonly #log = new RepeatedLog();
  readonly #paused = new Map<string, number>();
  #lastEpoch = 0;
  /** How many instances there were when the drain began. */
  #toDrain = 0;
  #state: 'idle' | 'supervising' | 'draining' = 'idle';
  #woken = false;

  constructor(
    private readonly engine: Engine,
    private readonly membership: Membership,
    private readonly table: ProcessTable,
    private readonly telemetry: Telemetry,
    private readonly now: () => number = monotonicNow,
  ) {
    this.#endings = new Endings(engine, membership, table, telemetry, () => this.wake());
    this.#candidacy = new Candidacy(
      engine.leases,
      (name) => this.#rank(name),
      (lease) => this.#won(lease),
      monotonicNow,
    );
    table.onChange(() => this.wake());
    membership.listen({
      changed: () => this.wake(),
      beat: () => this.wake(),
      replaced: () => engine.leases.loseAll(),
    });
    engine.onHint((hint) => {
      if (hint.t === 'released') this.#candidacy.hint(hint.name);
    });
  }

  /** Attaches a hook to every instance that starts from now on. */
  onInstance(hook: InstanceHook): void {
    this.#hooks.push(hook);
  }

  /** Lets this node run classes. */
  know(classes: ReadonlyMap<string, KnownClass>): void {
    for (const [name, known] of classes) this.#classes.set(name, known);
  }

  /** True when this very class can run here; another one of the same name is not it. */
  knows(type: Type<unknown>): boolean {
    return this.#classes.get(type.name)?.type === type;
  }

  /** The instance of that name while calls may reach it. */
  running(name: string): Instance | undefined {
    const instance = this.#hosted.get(name)?.instance;
    return instance?.target === undefined ? undefined : instance;
  }

  /** The instances here, by name; for status pages and tests. */
  hosted(): { name: string; epoch: number; running: boolean }[] {
    return [...this.#hosted].map(([name, { instance }]) => ({
      name,
      epoch: instance.lease.epoch,
      running: instance.running,
    }));
  }

  // -- called by the lifecycle ------------------------------------------------------------------------------------------

  /** Puts what the decorators say into the table. A cold start of the whole cluster forgets how processes ended before. */
  async declare(specs: readonly ProcessSpec[]): Promise<void> {
    if (specs.length === 0) return;
    await this.#settled();
    const coldStart = this.#isEldest();
    const joinedAt = this.membership.members().find(({ self }) => self)?.joinedAt ?? 0;
    for (const spec of specs) {
      await this.table.change(spec.name, (current) => {
        // What was written since this node joined is the word of a node that joined with it, not of the cluster before.
        const before = current !== undefined && current.version < joinedAt * 1000;
        const again = before && coldStart && (isEnded(current.status) || current.status === 'once');
        if (current !== undefined && !again && sameSpec(current, spec)) return undefined;
        const status = current === undefined || again ? 'wanted' : current.status;
        return { ...spec, status, after: current?.after ?? 0, confirmed: true };
      });
      if (coldStart) await this.engine.restarts.forget(spec.name);
    }
  }

  /**
   * A Redis that is empty may have lost its data a moment ago. Those who have a copy of the table put it back at their next
   * beat; a declaration before that would bring back what was stopped. Nobody may own yet anyway.
   */
  async #settled(): Promise<void> {
    const grace = await this.engine.leases.grace();
    if (grace === 0) return;
    await new Promise((resolve) => setTimeout(resolve, Math.max(grace, this.membership.beatEvery * BEATS)));
    await this.table.sync();
  }

  /** Begins to own and run. */
  async start(): Promise<void> {
    if (this.#state !== 'idle') return;
    await this.engine.restarts.open({
      restart: (name, epoch) => this.#endings.restart(name, epoch),
      sweep: () => this.#endings.sweep(),
    });
    // A shutdown may have begun meanwhile; it must not be undone.
    if (this.#isIdle()) this.#state = 'supervising';
    this.wake();
  }

  /** Stops every instance, then releases its lease. Returns when all have ended. */
  async drain(): Promise<void> {
    this.#state = 'draining';
    await this.#candidacy.close();
    this.#toDrain = Math.max(this.#toDrain, this.#hosting.size);
    this.#tellDrain();
    for (const { instance } of this.#hosted.values()) instance.stop('shutdown');
    while (this.#hosting.size > 0) await Promise.all(this.#hosting);
    // What Redis has not taken down yet would be lost with this node; the caller says how long that may take.
    await this.#endings.drained();
  }

  #tellDrain(): void {
    const { name: node } = this.membership.self;
    this.telemetry.emit('drain.progress', { node, left: this.#hosting.size, total: this.#toDrain });
  }

  /** A method, because TypeScript thinks that the state cannot change during an await. */
  #isIdle(): boolean {
    return this.#state === 'idle';
  }

  // -- reconciling ------------------------------------------------------------------------------------------------------

  /** Compares wanted with running soon; calls that come before it has begun count as one. */
  wake(): void {
    if (this.#woken) return;
    this.#woken = true;
    setImmediate(() => {
      this.#woken = false;
      if (this.#state === 'supervising') this.#reconcile();
    });
  }

  #reconcile(): void {
    const now = this.now();
    const members = this.membership.members();
    for (const entry of this.table.slots()) {
      const hosted = this.#hosted.get(entry.name);
      this.#endings.remind(entry);
      if (hosted !== undefined) this.#correct(entry, hosted, members);
      else if (runsEverywhere(entry) && !this.#classes.has(entry.type)) this.#reportUnknown(entry);
      else if (!this.#mayRun(entry)) this.#candidacy.unwant(entry.name);
      else if ((this.#paused.get(entry.name) ?? 0) > now) continue;
      else if (runsEverywhere(entry)) this.#runHere(entry);
      else this.#candidacy.want(entry.name);
    }
  }

  /** Whoever started it wants to hear from every node. */
  #reportUnknown({ of, name, type }: VersionedEntry): void {
    const error = `This node does not have the class ${type}.`;
    const known = this.membership.members().find(({ self }) => self)?.replicas[of ?? name];
    if (known?.error !== error) {
      this.membership.setReplica(of ?? name, { state: 'failed', epoch: 0, since: Date.now(), error });
    }
  }

  /** One on every node needs nobody's leave. */
  #runHere(entry: VersionedEntry): void {
    this.#lastEpoch = Math.max(this.#lastEpoch + 1, Math.round(this.membership.clusterNow() * 1000));
    const { name, of = name } = entry;
    const epoch = this.#lastEpoch;
    const since = Date.now();
    this.membership.setReplica(of, { state: 'starting', epoch, since });
    this.#won(new NodeLease(name, epoch, () => this.membership.setReplica(of, { state: 'running', epoch, since })));
  }

  #correct(entry: VersionedEntry, hosted: Hosted, members: readonly Member[]): void {
    const { instance } = hosted;
    const { name: self } = this.membership.self;
    const elsewhere = entry.prefer !== undefined && entry.prefer !== self;
    if (isEnded(entry.status)) instance.stop('stop');
    // INVARIANT (I18): a restart or a move that met a reclaim is carried out all the same.
    else if (instance.firstEpoch <= entry.after) instance.stop(elsewhere ? 'move' : 'restart');
    else if (instance.running && !hosted.announced) unattended('announcing a process', this.#announce(hosted));
    else if (instance.running && entry.confirmed === false) unattended('confirming a start', this.#confirm(hosted));
    else if (this.#shouldMove(entry, hosted, members)) {
      hosted.moving = true;
      instance.stop('move');
    }
  }

  /** Rebalancing: another node has suited better for a while, and not too many processes are moving already. */
  #shouldMove(entry: VersionedEntry, hosted: Hosted, members: readonly Member[]): boolean {
    if (entry.rebalance === 'off' || runsEverywhere(entry) || !hosted.instance.running) return false;
    const node = betterNode(entry, members, this.membership.self.name);
    if (node === undefined) {
      delete hosted.better;
      return false;
    }
    const now = this.now();
    if (hosted.better?.node !== node) hosted.better = { node, since: now };
    const moving = [...this.#hosted.values()].filter((each) => each.moving).length;
    return now - hosted.better.since >= COOL_DOWN_MS && moving < MOVES_AT_ONCE;
  }

  #mayRun(entry: VersionedEntry | undefined): boolean {
    return (
      this.#state === 'supervising' &&
      this.membership.state === 'up' &&
      entry?.status === 'wanted' &&
      this.#classes.has(entry.type) &&
      !this.#endings.isOpen(entry.name)
    );
  }

  #rank(name: string): number {
    const entry = this.table.get(name);
    if (entry === undefined) return 0;
    const members = this.membership.members();
    const rank = rankOf(entry, members, this.membership.self.name);
    // Replicas go to different nodes as long as there are any that have none.
    const hasSibling =
      entry.of !== undefined && entry.kind === 'replicated' && this.#hasSibling(name, entry.of, entry.count);
    if (!hasSibling) return rank;
    // One that is suspect will hardly take it.
    const nodes = rankMembers(
      entry,
      members.filter(({ state }) => state === 'up'),
    ).length;
    // With as many nodes as replicas one of them has none, and only needs the time to say so.
    return rank + (entry.count <= nodes ? SIBLING_STEPS : nodes);
  }

  #hasSibling(name: string, of: string, count: number): boolean {
    const siblings = slotNames({ name: of, kind: 'replicated', count }, this.membership.self.name);
    return siblings.some((slot) => slot !== name && (this.#hosted.has(slot) || this.#candidacy.isTrying(slot)));
  }

  #isEldest(): boolean {
    const members = this.membership.members();
    const eldest = members.sort((a, b) => a.joinedAt - b.joinedAt || (a.name < b.name ? -1 : 1))[0];
    return eldest?.self === true;
  }

  // -- hosting ----------------------------------------------------------------------------------------------------------

  #won(lease: Lease): void {
    const hosting: Promise<void> = this.#host(lease)
      .catch((error: unknown) => {
        const details = { process: lease.name, error: describe(error) };
        this.#log.warn('A process was not hosted; its lease is free', details, lease.name);
        this.#pause(lease.name);
        // One that cannot be released runs out.
        return lease.release().catch(() => undefined);
      })
      .finally(() => {
        this.#hosting.delete(hosting);
        if (this.#hosted.get(lease.name)?.instance.lease === lease) this.#hosted.delete(lease.name);
        this.#reportReplica(lease);
        this.#reportLoad();
        if (this.#state === 'draining') this.#tellDrain();
        this.wake();
      });
    this.#hosting.add(hosting);
    unattended('hosting a process', hosting);
  }

  async #host(lease: Lease): Promise<void> {
    const entry = this.table.get(lease.name);
    if (entry === undefined) return lease.release();
    const instance = new Instance(entry, lease, {
      create: () => this.#create(entry.type),
      leases: this.engine.leases,
      telemetry: this.telemetry,
      node: this.membership.self.name,
      started: (target) => this.#started(hosted, target),
    });
    const hosted: Hosted = { instance, announced: false, confirming: false, moving: false };
    this.#hosted.set(lease.name, hosted);
    this.#reportLoad();
    // The copy of the table may be older than the lease; what it says now decides whether anything starts at all.
    if (!(await this.#confirmStart(entry, lease))) return lease.release();
    const exit = await instance.run();
    // INVARIANT (I1): the lease is given back only after user code has stopped; otherwise it must run out.
    await this.#endings.settle(instance, exit);
    if (exit.clean) await lease.release();
    else lease.abandon();
  }

  /** INVARIANT (I13): a temporary process is marked as started, under its lease, before it starts. */
  async #confirmStart(seen: VersionedEntry, lease: Lease): Promise<boolean> {
    await this.table.sync();
    const entry = this.table.get(seen.name);
    if (entry === undefined || !this.#mayRun(entry) || !sameSpec(entry, seen)) return false;
    const ageMs = this.membership.clusterNow() - entry.version / 1000;
    if (givesWay(entry, this.membership.members(), this.membership.self.name, ageMs)) {
      this.#pause(entry.name);
      return false;
    }
    if (entry.options.restart !== 'temporary') return true;
    return this.#mark(entry.name, lease);
  }

  /** A mark that is there already is our own: its write succeeded and only the answer was lost. */
  async #mark(name: string, lease: Lease): Promise<boolean> {
    const { epoch } = lease;
    let marked = false;
    const record = async (): Promise<void> => {
      await this.table.change(name, (current) => {
        if (current === undefined) return undefined;
        marked = current.status === 'wanted' || isMarkOf(current, epoch);
        return current.status === 'wanted' ? { ...current, status: 'once', after: epoch - 1 } : undefined;
      });
    };
    if (!(await this.#endings.underLease({ name, lease, record }))) this.#endings.unmark(name, lease);
    else if (marked && lease.isHeld()) return true;
    else if (marked) this.#endings.unmark(name, lease);
    return false;
  }

  #pause(name: string): void {
    this.#paused.set(name, this.now() + PAUSE_MS);
  }

  #create(type: string): Promise<object> {
    const known = this.#classes.get(type);
    return known === undefined ? Promise.reject(new Error(`Class ${type} is not known here.`)) : known.create();
  }

  async #started(hosted: Hosted, target: object): Promise<() => Promise<void>> {
    const { spec } = hosted.instance;
    await this.#announce(hosted);
    if (this.table.get(spec.name)?.confirmed === false) await this.#confirm(hosted);
    const outcomes = await Promise.allSettled(this.#hooks.map((hook) => hook(target, hosted.instance)));
    const undo = async (): Promise<void> => {
      const undos = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value()] : []));
      await Promise.all(undos);
    };
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return undo;
    await undo();
    throw failed.reason;
  }

  async #announce(hosted: Hosted): Promise<void> {
    hosted.announced = true;
    await hosted.instance.lease.announce().catch(() => {
      // Tried again at the next look, because until then no lookup finds it.
      hosted.announced = false;
    });
  }

  /** Until that is written, a later start that fails would count as the first one, and be given up. */
  async #confirm(hosted: Hosted): Promise<void> {
    if (hosted.confirming) return;
    hosted.confirming = true;
    const confirmed = (current?: ProcessEntry): ProcessEntry | undefined =>
      current?.confirmed === false && !isEnded(current.status) ? { ...current, confirmed: true } : undefined;
    // Tried again at the next look.
    await this.table.change(processOf(hosted.instance.spec.name), confirmed).catch(() => undefined);
    hosted.confirming = false;
  }

  /** After the end of an instance that every node has one of: why this node has none, or nothing. */
  #reportReplica(lease: Lease): void {
    if (!(lease instanceof NodeLease)) return;
    const entry = this.table.get(lease.name);
    const { status, error = 'it crashed', of = lease.name } = entry ?? { status: 'stopped' };
    const down = status === 'escalated' ? 'escalated' : 'failed';
    const report = status === 'wanted' || status === 'stopped' || status === 'completed' ? undefined : down;
    const { epoch } = lease;
    this.membership.setReplica(of, report && { state: report, epoch, since: Date.now(), error });
  }

  #reportLoad(): void {
    this.membership.setLoad(this.#hosted.size);
  }
}
