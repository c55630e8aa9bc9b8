/**
 * Reconciles what should run (the table) with what does run here. Events only wake it; the loop decides.
 * Driven by the lifecycle; owns leases and instances.
 */
import { Injectable, type Type } from '@nestjs/common';
import type { Backend } from '../../backend/backend.js';
import type { Lease } from '../../backend/leases/leases.js';
import type { CalleeLookup } from '../../calls/callee.js';
import type { Member, Membership } from '../../cluster/membership.js';
import { processOf, runsEverywhere, slotNames } from '../../cluster/slot.names.js';
import { describe } from '../../errors/describe.js';
import { unattended } from '../../foreign/gate.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { monotonicNow } from '../../time/monotonic.clock.js';
import { isLongTurn, nextTurn } from '../../time/turn.budget.js';
import type { KnownClass } from '../process.explorer.js';
import { type ProcessSpec, sameSpec } from '../process.specification.js';
import { isEnded, LEAST_KEPT_MS, type ProcessEntry, type ProcessTable, type VersionedEntry } from '../process.table.js';
import { Candidacy, type Place } from './candidacy.js';
import { Declarations } from './declarations.js';
import { Expected } from './expected.owners.js';
import { isMarkOf } from './instance.end.js';
import { Instance } from './instance.js';
import {
  type Better,
  betterNode,
  exclusionOf,
  givesWay,
  type Known,
  misfitOf,
  outlookOf,
  rankMembers,
  refusalOf,
  turnOf,
} from './placement.js';
import { RestartDecisions } from './restart.decisions.js';
import { UnsharedLease } from './unshared.lease.js';

/**
 * Called with each object that has started, and its instance; what it returns is called when the instance begins to
 * stop.
 */
export type InstanceHook = (target: object, instance: Instance) => Promise<() => Promise<void>>;

/** Asks another node to take a process of this one; `limit` as in `refusalOf`. */
export type AskNode = (node: string, name: string, limit: number | undefined) => Promise<boolean>;

/** How long another node must suit better, and the process have run, before it moves there. */
const COOL_DOWN_MS = 5000;
/** How often what runs here is compared with the other nodes at most. */
const LOOK_EVERY_MS = 500;
/** A node that refused a process is asked for it again after so long. */
const ASK_AGAIN_MS = 2000;
/** A process that was moved for the balance is left where it is for so long. */
const REST_MS = 30_000;
/** How many processes a node moves, and takes, at the same time. */
const MOVES_AT_ONCE = 4;
/**
 * What each node adds to the time between two such looks of every node, so that the whole cluster moves 40 a second at
 * most.
 */
const LOOK_SHARE_MS = 100;
/** What a process that was promised a place may take to arrive, on top of the time of its stop. */
const ARRIVAL_MS = 2000;
/** In so many beats, with their jitter, every node that has a copy of the table has said so. */
const BEATS = 1.5;
/** How many beats more a node waits for what members of long standing put back into a table that is empty. */
const LATE_BEATS = 2;
/** By how many places a node with a replica steps back for those that have none. */
const SIBLING_STEPS = 20;
const FIRST: Place = { rank: 0, queueMs: 0 };
/** How long a process that could not be hosted here is left alone. */
const PAUSE_MS = 500;
/** A start that was asked for longer ago may have been tried by others. */
const FRESH_MS = 1000;
/** One that is temporary is over soon, as a rule, and its end says that it had come up. */
const CONFIRM_AFTER_MS = 1000;
/** Slots looked at in one turn of the event loop: a few milliseconds. */
const LOOKS_AT_ONCE = 500;
/** Processes that wait for a place here and are looked at when one is free; the others with the next beat. */
const OFFERED_AT_ONCE = 16;
/** Changes say what to look at; this is for what nobody told. */
const LOOK_AT_ALL_EVERY_MS = 30_000;
/** A beat that comes sooner after the last one, in beats, was brought forward. */
const REGULAR_SHARE = 0.5;
/** The local backend has no jobs, so it sweeps with a beat. */
const SWEEP_EVERY_MS = 5000;

interface Hosted {
  instance: Instance;
  /** Since when another node suits better. */
  betterSince?: number;
  /** With which outlook, and which entry, it was found to be where it should be. */
  settled?: { outlook: string; entry: VersionedEntry };
  /** Since when it runs. */
  since?: number;
  moving: boolean;
  /** False while lookups do not see it as running though it is. */
  announced: boolean;
  /** True while the row is told that it has come up. */
  confirming: boolean;
}

/** See the file header. */
@Injectable()
export class Supervisor implements CalleeLookup {
  readonly #hosted = new Map<string, Hosted>();
  readonly #hosting = new Set<Promise<void>>();
  readonly #classes = new Map<string, KnownClass>();
  readonly #hooks: InstanceHook[] = [];
  readonly #candidacy: Candidacy;
  readonly #endings: RestartDecisions;
  readonly #declarations: Declarations;
  readonly #log = new ThrottledLog();
  readonly #paused = new Map<string, number>();
  readonly #expected = new Expected();
  /** Processes that other nodes move here: until when their place is kept. */
  readonly #promised = new Map<string, number>();
  /** Those that came by such a move: until when they stay. */
  readonly #resting = new Map<string, number>();
  /** What is on its way to another node, from the question to that node on. */
  readonly #leaving = new Set<string>();
  #ask: AskNode = () => Promise.resolve(false);
  #looksFrom = 0;
  #outlook: { members: readonly Member[]; load: number; text: string } | undefined;
  #rebalancing = false;
  #lastEpoch = 0;
  /** How many instances there were when the drain began. */
  #toDrain = 0;
  #state: 'idle' | 'supervising' | 'draining' = 'idle';
  #woken = false;
  /** Processes that should run and may not run here for now; looked at with each beat. */
  readonly #unfit = new Set<string>();
  /** Processes to look at. */
  readonly #due = new Set<string>();
  /** What the processes that have not ended were when they were looked at. */
  readonly #looked = new Map<string, VersionedEntry>();
  #lookedAtAllAt = -Infinity;
  #sweptAt = 0;
  #wentOverAt = -Infinity;
  /** The state of the membership at the last look. */
  #seen: Membership['state'] | undefined;

  constructor(
    private readonly backend: Backend,
    private readonly membership: Membership,
    private readonly table: ProcessTable,
    private readonly telemetry: Telemetry,
    private readonly now: () => number = monotonicNow,
  ) {
    this.#declarations = new Declarations(backend, membership, table);
    this.#endings = new RestartDecisions(backend, membership, table, telemetry, () => this.wake());
    this.#candidacy = new Candidacy(
      {
        standing: (names) => backend.leases.standing(names),
        // The clock of Redis may have gone back, and its data with it: an epoch that may not run would end at once,
        // again and again.
        acquire: (name) => backend.leases.acquire(name, table.get(name)?.after),
      },
      (name) => this.#place(name),
      (lease) => this.#won(lease),
      monotonicNow,
    );
    table.onChange((changed) => {
      this.#declarations.noteRows(changed);
      this.#wakeFor(changed);
    });
    table.concerns((type) => this.#classes.has(type));
    membership.listen({
      changed: () => this.#noteMembers(),
      beat: () => this.#noteBeat(),
      replaced: () => backend.leases.loseAll(),
    });
    backend.onHint((hint) => {
      if (hint.t === 'released') this.#candidacy.hint(hint.name);
    });
  }

  /** Attaches a hook to every instance that starts from now on. */
  onInstance(hook: InstanceHook): void {
    this.#hooks.push(hook);
  }

  /** How other nodes are asked to take what should move there; until then nothing moves by itself. */
  onMove(ask: AskNode): void {
    this.#ask = ask;
  }

  /** True when this very node runs the process. */
  hosts(name: string): boolean {
    return this.#hosted.has(name);
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

  // -- called by the lifecycle
  // ------------------------------------------------------------------------------------------

  /**
   * Puts what the decorators say into the table. A cold start of the whole cluster forgets how processes ended before.
   */
  async declare(specs: readonly ProcessSpec[]): Promise<void> {
    if (specs.length === 0) return;
    this.#declarations.add(specs);
    await this.#settled();
    const coldStart = this.#isEldest();
    const { joinedAt } = this.membership.own;
    const byName = new Map(specs.map((spec) => [spec.name, spec]));
    const declare = (name: string, current: VersionedEntry | undefined): ProcessEntry | undefined => {
      const spec = byName.get(name)!;
      // What was written since this node joined is the word of a node that joined with it, not of the cluster before.
      const before = current !== undefined && current.version < joinedAt * 1000;
      const again = before && coldStart && (isEnded(current.status) || current.status === 'once');
      // What runs by another declaration is not changed by one node alone.
      if (current !== undefined && !again) return undefined;
      const counts = current === undefined || this.#declarations.isAgreed(spec) ? spec : current;
      return { ...counts, status: 'wanted', after: current?.after ?? 0, confirmed: true };
    };
    const names = [...byName.keys()];
    for (let at = 0; at < names.length; at += LOOKS_AT_ONCE) {
      await this.table.changeAll(names.slice(at, at + LOOKS_AT_ONCE), declare);
    }
    for (const spec of specs) {
      if (isLongTurn()) await nextTurn();
      await this.#declarations.apply(spec);
    }
    if (coldStart) await this.backend.restarts.forget(...byName.keys());
  }

  /**
   * A Redis that is empty may have lost its data a moment ago. Those who have a copy of the table put it back at their
   * next beat; a declaration before that would bring back what was stopped. Nobody may own yet anyway.
   */
  async #settled(): Promise<void> {
    const grace = await this.backend.leases.grace();
    if (grace === 0) return;
    const { beatEvery } = this.membership;
    const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    await pass(Math.max(grace, beatEvery * BEATS));
    await this.table.sync();
    // A copy that was out of touch for long lets the others go first, so it takes as long again. Not at a cold start,
    // where nobody has been a member for so long.
    const { joinedAt } = this.membership.own;
    const isLongThere = (member: Member): boolean => !member.self && joinedAt - member.joinedAt > LEAST_KEPT_MS;
    const mayCome = (): boolean => this.table.isEmpty && this.membership.members().some(isLongThere);
    for (let beat = 0; beat < LATE_BEATS && mayCome(); beat++) {
      await pass(beatEvery);
      await this.table.sync();
    }
  }

  /** Begins to own and run. */
  async start(): Promise<void> {
    if (this.#state !== 'idle') return;
    await this.backend.restarts.open({
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

  /**
   * Called by the node that runs the process and would move it here: true keeps a place for it for as long as it takes
   * to come.
   *
   * INVARIANT (I20): what is promised counts as owned, so that several nodes that move at the same time never make this
   * one the most loaded, nor more than full.
   */
  takes(name: string, limit: number | undefined, from: string): boolean {
    const entry = this.table.get(name);
    const now = this.now();
    forgetPast(this.#promised, now);
    if (!this.#isWanted(entry) || this.#promised.size >= MOVES_AT_ONCE || this.#promised.has(name)) return false;
    if (this.#hosted.has(name) || this.#refusal(entry, limit, from) !== undefined) return false;
    if (entry.kind === 'replicated' && this.#hasSibling(name, entry.of ?? name, entry.count)) return false;
    this.#promised.set(name, now + entry.options.stopTimeout + ARRIVAL_MS);
    return true;
  }

  #refusal(entry: VersionedEntry, limit: number | undefined, from: string): string | undefined {
    return refusalOf(entry, this.membership.own, this.#load, { limit, from, members: this.membership.members() });
  }

  /** What this node owns, will own in a moment, or has promised to take. */
  get #load(): number {
    const now = this.now();
    let load = this.#hosted.size + this.#candidacy.trying;
    for (const [name, until] of this.#promised) if (until > now && !this.#candidacy.isTrying(name)) load += 1;
    return load;
  }

  // -- reconciling
  // ------------------------------------------------------------------------------------------------------

  /** Compares all that should run with what runs, soon and in slices. Ended processes are in none of them. */
  wake(): void {
    this.#lookedAtAllAt = this.now();
    for (const name of this.table.active()) this.#due.add(name);
    for (const name of this.#looked.keys()) this.#due.add(name);
    this.#arm();
  }

  /**
   * Of the members only this node itself decides what it runs; what it would run and may not is looked at with each
   * beat.
   */
  #noteMembers(): void {
    this.#declarations.noteMembers();
    if (this.#seen !== this.membership.state) this.wake();
    this.#seen = this.membership.state;
  }

  /** The same for some processes only. */
  #wakeFor(names: Iterable<string>): void {
    for (const name of names) this.#due.add(name);
    this.#arm();
  }

  /** Calls that come before the look has begun count as one. */
  #arm(): void {
    if (this.#woken) return;
    this.#woken = true;
    setImmediate(() => {
      this.#woken = false;
      if (this.#state !== 'supervising') return this.#due.clear();
      unattended('looking for better nodes', this.#rebalance());
      let looks = 0;
      for (const name of this.#due) {
        this.#due.delete(name);
        looks += this.#lookAt(name);
        if (looks >= LOOKS_AT_ONCE) return this.#arm();
      }
    });
  }

  /**
   * What time alone brings about: restarts that were forgotten, pauses that are over, moves, and what has no row any
   * more.
   */
  #noteBeat(): void {
    if (this.#state !== 'supervising') return;
    const now = this.now();
    for (const past of [this.#promised, this.#resting]) forgetPast(past, now);
    unattended('looking for better nodes', this.#rebalance());
    this.#endings.remindAll();
    for (const [name, until] of this.#paused) {
      if (until > now) continue;
      this.#paused.delete(name);
      this.#due.add(processOf(name));
    }
    for (const name of this.#unfit) this.#due.add(name);
    this.#unfit.clear();
    // What costs a step for each process is for the regular beats; those that tell a load come twenty times a second.
    if (now - this.#wentOverAt >= this.membership.beatEvery * REGULAR_SHARE) {
      this.#wentOverAt = now;
      this.#declarations.review();
      for (const [name, hosted] of this.#hosted) this.#lookAtHosted(name, hosted);
    }
    if (this.backend.kind === 'local' && now - this.#sweptAt >= SWEEP_EVERY_MS) {
      this.#sweptAt = now;
      unattended('the regular sweep', this.#endings.sweep());
    }
    if (now - this.#lookedAtAllAt >= LOOK_AT_ALL_EVERY_MS) this.wake();
    if (this.#due.size > 0) this.#arm();
  }

  #lookAtHosted(name: string, hosted: Hosted): void {
    const entry = this.table.get(name);
    if (entry === undefined) return this.#stopUnknown(hosted);
    try {
      this.#correct(entry, hosted);
    } catch (error) {
      this.#notCompared(name, error);
    }
  }

  /**
   * INVARIANT (I17): an instance without a row is stopped: its process was stopped and forgotten while this node was
   * away, or has fewer parts by now. Not while a loss of data is being mended: then the row may only be lost.
   */
  #stopUnknown({ instance }: Hosted): void {
    if (!this.table.isMending) instance.stop('stop');
  }

  /** Returns at how many slots it looked. Whatever a row says, it never throws. */
  #lookAt(name: string): number {
    try {
      const entry = this.table.get(name);
      const slots = entry === undefined ? [] : this.table.slotsOf(entry);
      for (const slot of slots) this.#compare(slot);
      const before = this.#looked.get(name);
      const isOther = entry === undefined || entry.count !== before?.count || entry.kind !== before.kind;
      if (before !== undefined && isOther) this.#forgetSlots(before, new Set(slots.map((slot) => slot.name)));
      // Of those that run everywhere the record of this node says how they ended.
      const isOver = entry === undefined || (isEnded(entry.status) && !runsEverywhere(entry));
      if (isOver) this.#looked.delete(name);
      else this.#looked.set(name, entry);
      return slots.length + 1;
    } catch (error) {
      this.#notCompared(name, error);
      return 1;
    }
  }

  #notCompared(name: string, error: unknown): void {
    const details = { process: name, error: describe(error) };
    this.#log.error('A process was not compared with its entry; the next look tries again', details, name);
  }

  /** Slots of a process that is no more, or has fewer of them. */
  #forgetSlots(before: VersionedEntry, still: ReadonlySet<string>): void {
    for (const name of slotNames(before, this.membership.self.name)) {
      if (still.has(name)) continue;
      this.#candidacy.unwant(name);
      const hosted = this.#hosted.get(name);
      if (hosted !== undefined) this.#stopUnknown(hosted);
      else if (runsEverywhere(before) && !this.table.isMending) this.#forgetReplica(before.name);
    }
  }

  /** The record of a node says nothing of processes that are no more: it grew with each name. */
  #forgetReplica(name: string): void {
    if (this.membership.own.replicas[name] !== undefined) this.membership.setReplica(name, undefined);
  }

  #compare(entry: VersionedEntry): void {
    const hosted = this.#hosted.get(entry.name);
    const mayRun: boolean = this.#mayRun(entry);
    if (hosted !== undefined) this.#correct(entry, hosted);
    else if (isEnded(entry.status)) this.#candidacy.unwant(entry.name);
    else if (runsEverywhere(entry) && !this.#classes.has(entry.type)) this.#reportUnknown(entry);
    else if (!mayRun) {
      this.#unwant(entry);
      this.#noteUnfit(entry);
    } else if ((this.#paused.get(entry.name) ?? 0) > this.now()) return;
    else if (runsEverywhere(entry)) this.#runHere(entry);
    else this.#candidacy.want(entry.name, this.#isFresh(entry));
  }

  /** A call has just asked for it, and it has not come up yet. */
  #isFresh({ confirmed, of, name, version }: VersionedEntry): boolean {
    const ageMs = this.membership.clusterNow() - version / 1000;
    return !confirmed && !this.#looked.has(of ?? name) && ageMs < FRESH_MS;
  }

  /** Nobody tells when this node has room again, or when an end that was kept is written by somebody else. */
  #noteUnfit(entry: VersionedEntry): void {
    const isOurs = entry.status === 'wanted' && this.#classes.has(entry.type) && this.membership.state === 'up';
    if (isOurs) this.#unfit.add(processOf(entry.name));
  }

  /** A place is free here: the next of those that wait for one are looked at, in turns. */
  #offerRoom(): void {
    for (const name of this.#unfit) {
      this.#unfit.delete(name);
      this.#due.add(name);
      if (this.#due.size >= OFFERED_AT_ONCE) break;
    }
  }

  /** What may not run here is none of this node's concern; of those on every node it says why it has none. */
  #unwant(entry: VersionedEntry): void {
    this.#candidacy.unwant(entry.name);
    if (!runsEverywhere(entry) || !this.#isWanted(entry)) return;
    const { own } = this.membership;
    // Without the label it is none of the nodes that are meant.
    if (this.#misfit(entry) !== undefined) return;
    const exclusion = this.#exclusion(entry);
    if (exclusion !== undefined) this.#reportFailed(entry, `Node "${own.name}" does not run it: ${exclusion}.`);
  }

  /** Whoever started it wants to hear from every node. */
  #reportUnknown(entry: VersionedEntry): void {
    this.#reportFailed(entry, `This node does not have the class ${entry.type}.`);
  }

  #reportFailed({ of, name }: VersionedEntry, error: string): void {
    const known = this.membership.own.replicas[of ?? name];
    if (known?.error !== error) {
      this.membership.setReplica(of ?? name, { state: 'failed', epoch: 0, since: Date.now(), error });
    }
  }

  /** One on every node needs nobody's leave. */
  #runHere(entry: VersionedEntry): void {
    const { name, of = name, after } = entry;
    this.#lastEpoch = Math.max(this.#lastEpoch + 1, after + 1, Math.round(this.membership.clusterNow() * 1000));
    const epoch = this.#lastEpoch;
    const since = Date.now();
    this.membership.setReplica(of, { state: 'starting', epoch, since });
    this.#won(new UnsharedLease(name, epoch, () => this.membership.setReplica(of, { state: 'running', epoch, since })));
  }

  #correct(entry: VersionedEntry, hosted: Hosted): void {
    const { instance } = hosted;
    const { name: self } = this.membership.self;
    const elsewhere = entry.prefer !== undefined && entry.prefer !== self;
    if (isEnded(entry.status)) instance.stop('stop');
    else if (entry.settling === true) instance.stop('restart');
    // INVARIANT (I18): a restart or a move that met a reclaim is carried out all the same.
    else if (instance.firstEpoch <= entry.after) instance.stop(elsewhere ? 'move' : 'restart');
    else if (instance.running && !hosted.announced) unattended('announcing a process', this.#announce(hosted));
    else if (instance.running && entry.confirmed === false && this.#mustConfirm(entry, hosted))
      unattended('confirming a start', this.#confirm(hosted));
    // A new declaration may have other labels than the one by which it came here.
    else if (runsEverywhere(entry) && this.#misfit(entry) !== undefined) instance.stop('stop');
  }

  /** Looks for what suits another node better; at most so often, and not again while nothing has changed. */
  async #rebalance(): Promise<void> {
    const now = this.now();
    if (this.#rebalancing || now < this.#looksFrom) return;
    this.#rebalancing = true;
    this.#looksFrom = now + Math.max(LOOK_EVERY_MS, LOOK_SHARE_MS * this.membership.members().length);
    try {
      for (const [name, hosted] of this.#hosted) {
        if (isLongTurn()) await nextTurn();
        const entry = this.table.get(name);
        if (this.#state !== 'supervising' || entry === undefined) continue;
        const better = this.#shouldMove(entry, hosted);
        if (better !== undefined) unattended('moving a process', this.#move(entry, hosted, better));
      }
    } finally {
      this.#rebalancing = false;
    }
  }

  /**
   * Another node has suited better for a while, and not too many processes are moving already. What may not be here any
   * more leaves whatever `rebalance` says, once there is a node that may run it.
   */
  #shouldMove(entry: VersionedEntry, hosted: Hosted): Better | undefined {
    const members = this.membership.members();
    const load = this.#load - this.#leaving.size;
    const outlook = this.#outlookWith(members, load);
    if (hosted.settled?.outlook === outlook && hosted.settled.entry === entry) return undefined;
    if (!hosted.instance.running || this.#leaving.has(entry.name) || runsEverywhere(entry) || entry.status !== 'wanted')
      return undefined;
    const { name: self } = this.membership.self;
    const loadOf = (member: Member): number => (member.name === self ? load : member.load);
    const mustLeave = exclusionOf(entry, this.membership.own, { owner: self, loadOf }) !== undefined;
    const better = entry.rebalance === 'off' && !mustLeave ? undefined : betterNode(entry, members, self, loadOf);
    if (better === undefined) {
      delete hosted.betterSince;
      // While something moves its load is not what the members say.
      if (this.#leaving.size === 0) hosted.settled = { outlook, entry };
      return undefined;
    }
    const now = this.now();
    hosted.betterSince ??= now;
    if (now - hosted.betterSince < COOL_DOWN_MS || this.#leaving.size >= MOVES_AT_ONCE) return undefined;
    return mustLeave || this.#isSteady(entry, hosted, now) ? better : undefined;
  }

  /** Made once for all that is compared with the same members. */
  #outlookWith(members: readonly Member[], load: number): string {
    if (this.#outlook?.members !== members || this.#outlook.load !== load) {
      this.#outlook = { members, load, text: outlookOf(members, this.membership.self.name, load) };
    }
    return this.#outlook.text;
  }

  /** What has just come, or crashed lately, stays: a move would begin its trouble anew elsewhere. */
  #isSteady(entry: VersionedEntry, { since = Infinity }: Hosted, now: number): boolean {
    const window = entry.crashes === undefined ? COOL_DOWN_MS : entry.options.maxSeconds * 1000;
    return now - since >= Math.max(COOL_DOWN_MS, window) && (this.#resting.get(entry.name) ?? 0) <= now;
  }

  /**
   * INVARIANT (I20): only what the other node has promised to take is stopped, so that it moves there, once, and stays.
   */
  async #move(entry: VersionedEntry, hosted: Hosted, { node, byLoad }: Better): Promise<void> {
    const limit = byLoad ? this.#load - this.#leaving.size - 1 : undefined;
    this.#leaving.add(entry.name);
    const takes = await this.#ask(node, entry.name, limit).catch(() => false);
    hosted.betterSince = this.now() - COOL_DOWN_MS + ASK_AGAIN_MS;
    const isThere = hosted.instance.running && this.#hosted.get(entry.name) === hosted;
    if (!takes || !isThere || !this.#isWanted(this.table.get(entry.name))) {
      this.#leaving.delete(entry.name);
      return;
    }
    hosted.moving = true;
    hosted.instance.stop('move');
  }

  /** Whether it should run, and this node has what it takes for it. */
  #isWanted(entry: VersionedEntry | undefined): entry is VersionedEntry {
    return (
      this.#state === 'supervising' &&
      this.membership.state === 'up' &&
      entry?.status === 'wanted' &&
      entry.settling !== true &&
      this.#classes.has(entry.type) &&
      !this.#endings.isOpen(entry.name)
    );
  }

  /**
   * INVARIANT (I23): labels and capacity exclude: a node that may not run a process does not want it, and never takes
   * it.
   */
  #mayRun(entry: VersionedEntry | undefined): entry is VersionedEntry {
    return this.#isWanted(entry) && this.#exclusion(entry) === undefined;
  }

  /** What speaks against this node whatever it owns. */
  #misfit(entry: VersionedEntry): string | undefined {
    return misfitOf(entry, this.membership.own);
  }

  /** Why this node may not run it. One that is here, or has its place here, is counted once. */
  #exclusion(entry: VersionedEntry): string | undefined {
    const { own } = this.membership;
    const isCounted =
      this.#hosted.has(entry.name) || this.#promised.has(entry.name) || this.#candidacy.isTrying(entry.name);
    const known: Known = { loadOf: () => this.#load, ...(isCounted ? { owner: own.name } : {}) };
    return exclusionOf(entry, own, known);
  }

  /** This node's place in the order; `undefined` when it may not run the process. */
  #place(name: string): Place | undefined {
    const entry = this.table.get(name);
    if (entry === undefined) return FIRST;
    const place = this.#mayRun(entry) ? this.#placeOf(entry) : undefined;
    // It is no candidate any more, so it would not be looked at again.
    if (place === undefined) this.#noteUnfit(entry);
    return place;
  }

  #placeOf(entry: VersionedEntry): Place | undefined {
    const { name } = entry;
    if (this.#promised.has(name)) return FIRST;
    const members = this.membership.members();
    const { name: self } = this.membership.self;
    this.#expected.expire(this.now());
    this.#expected.forget(name);
    const saysOf = ({ name: node, load }: Member): number => (node === self ? this.#load : load);
    const loadOf = (member: Member): number => this.#expected.loadOf(member.name, saysOf(member));
    // Nor does what is being acquired here speak against itself; a hint may come meanwhile.
    const itself = this.#candidacy.isTrying(name) ? 1 : 0;
    const ownedBy = (member: Member): number => saysOf(member) - (member.name === self ? itself : 0);
    const turn = turnOf(entry, members, self, { loadOf, ownedBy });
    if (turn === undefined) return undefined;
    const best = members.find((member) => member.name === turn.best);
    const queueMs = best === undefined ? 0 : this.#expected.queueMs(best.name);
    if (best !== undefined) this.#expected.expect(name, best.name, saysOf(best), this.now());
    // Replicas go to different nodes as long as there are any that have none.
    const hasSibling =
      entry.of !== undefined && entry.kind === 'replicated' && this.#hasSibling(name, entry.of, entry.count);
    if (!hasSibling) return { rank: turn.rank, queueMs };
    // One that is suspect will hardly take it.
    const nodes = rankMembers(
      entry,
      members.filter(({ state }) => state === 'up'),
    ).length;
    // With as many nodes as replicas one of them has none, and only needs the time to say so.
    return { rank: turn.rank + (entry.count <= nodes ? SIBLING_STEPS : nodes), queueMs };
  }

  #hasSibling(name: string, of: string, count: number): boolean {
    const siblings = slotNames({ name: of, kind: 'replicated', count }, this.membership.self.name);
    return siblings.some((slot) => slot !== name && (this.#hosted.has(slot) || this.#candidacy.isTrying(slot)));
  }

  #isEldest(): boolean {
    const members = this.membership.members();
    const eldest = [...members].sort((a, b) => a.joinedAt - b.joinedAt || (a.name < b.name ? -1 : 1))[0];
    return eldest?.self === true;
  }

  // -- hosting
  // ----------------------------------------------------------------------------------------------------------

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
        const hosted = this.#hosted.get(lease.name);
        if (hosted?.instance.lease === lease) {
          this.#hosted.delete(lease.name);
          this.#resting.delete(lease.name);
          this.#leaving.delete(lease.name);
        }
        // It is on its way to a node that keeps a place for it.
        if (hosted?.moving === true) this.#pause(lease.name);
        this.#reportReplica(lease);
        this.#reportLoad();
        if (this.#state === 'draining') this.#tellDrain();
        this.#offerRoom();
        this.#wakeFor([processOf(lease.name)]);
      });
    this.#hosting.add(hosting);
    unattended('hosting a process', hosting);
  }

  async #host(lease: Lease): Promise<void> {
    const entry = this.table.get(lease.name);
    if (entry === undefined) return lease.release();
    const instance = new Instance(entry, lease, {
      create: () => this.#create(entry.type),
      leases: this.backend.leases,
      telemetry: this.telemetry,
      node: this.membership.self.name,
      started: (target) => this.#started(hosted, target),
    });
    const hosted: Hosted = { instance, announced: false, confirming: false, moving: false };
    this.#hosted.set(lease.name, hosted);
    if (this.#promised.delete(lease.name)) this.#resting.set(lease.name, this.now() + REST_MS);
    else this.#resting.delete(lease.name);
    this.#reportLoad();
    // The copy of the table may be older than the lease; what the table says now decides whether anything starts at
    // all.
    if (!(await this.#confirmStart(entry, instance))) return lease.release();
    const exit = await instance.run();
    // INVARIANT (I1): the lease is given back only after user code has stopped; otherwise it must run out.
    await this.#endings.settle(instance, exit);
    if (exit.clean) await lease.release();
    else lease.abandon();
  }

  /** INVARIANT (I13): a temporary process is marked as started, under its lease, before it starts. */
  async #confirmStart(seen: VersionedEntry, instance: Instance): Promise<boolean> {
    const isMarked = seen.options.restart === 'temporary';
    // INVARIANT (I13): the mark is written only over the row that was looked at, so it needs no question before it. A
    // part has a row of its own, and where its process stands is in another one.
    if (!isMarked || seen.of !== undefined) await this.table.sync();
    if (!this.#mayStart(seen, instance)) return false;
    return !isMarked || this.#mark(seen, instance);
  }

  /** Whether it is still what the lease was won for, by what is known now. */
  #mayStart(seen: VersionedEntry, { firstEpoch }: Instance): boolean {
    const entry = this.table.get(seen.name);
    if (entry === undefined || !this.#mayRun(entry) || !sameSpec(entry, seen)) return false;
    // INVARIANT (I18): a restart or a move that came before the start is not undone by it; a mark would say that it may
    // run.
    if (firstEpoch <= entry.after) return false;
    const ageMs = this.membership.clusterNow() - entry.version / 1000;
    if (!givesWay(entry, this.membership.members(), this.membership.self.name, ageMs)) return true;
    this.#pause(entry.name);
    return false;
  }

  /** A mark that is there already is our own: its write succeeded and only the answer was lost. */
  async #mark(seen: VersionedEntry, instance: Instance): Promise<boolean> {
    const { name } = seen;
    const { lease } = instance;
    const { epoch } = lease;
    let [marked, unsure] = [false, false];
    const record = async (): Promise<void> => {
      let isSent = false;
      // Called again with what somebody else wrote in between.
      const mark = (current?: VersionedEntry): ProcessEntry | undefined => {
        marked = current !== undefined && (isMarkOf(current, epoch) || this.#mayStart(seen, instance));
        isSent = marked && current?.status === 'wanted';
        return isSent && current !== undefined ? { ...current, status: 'once', after: epoch - 1 } : undefined;
      };
      try {
        await this.table.change(name, mark);
      } catch (error) {
        unsure ||= isSent;
        throw error;
      }
    };
    if ((await this.#endings.underLease({ name, lease, record })) && marked && lease.isHeld()) return true;
    if (marked || unsure) this.#endings.unmark(name, lease);
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
    hosted.since = this.now();
    await this.#announce(hosted);
    const entry = this.table.get(spec.name);
    if (entry?.confirmed === false && this.#mustConfirm(entry, hosted)) await this.#confirm(hosted);
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

  /**
   * What is temporary has no later start, so this is only for its waiting callers, whose time is ten seconds at least.
   */
  #mustConfirm({ options }: VersionedEntry, { since = Infinity }: Hosted): boolean {
    return options.restart !== 'temporary' || this.now() - since >= CONFIRM_AFTER_MS;
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
    if (!(lease instanceof UnsharedLease)) return;
    const entry = this.table.get(lease.name);
    const { status, error = 'it crashed', of = processOf(lease.name) } = entry ?? { status: 'stopped' };
    const down = status === 'escalated' ? 'escalated' : 'failed';
    const report = status === 'wanted' || status === 'stopped' || status === 'completed' ? undefined : down;
    const { epoch } = lease;
    this.membership.setReplica(of, report && { state: report, epoch, since: Date.now(), error });
  }

  #reportLoad(): void {
    this.membership.setLoad(this.#hosted.size);
  }
}

function forgetPast(times: Map<string, number>, now: number): void {
  for (const [name, until] of times) if (until <= now) times.delete(name);
}
