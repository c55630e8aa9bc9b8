/**
 * This node's part in the cluster: it joins, beats, keeps a copy of the view, and knows when it is cut off.
 * Driven by the lifecycle; read by placement, health and the application. Underneath: `Nodes` (Lua over one hash and
 * one sorted set).
 */
import { Injectable } from '@nestjs/common';
import type { Backend } from '../backend/backend.js';
import type { BeatAnswer, JoinAnswer, NodeRecord, ReplicaReport } from '../backend/directory/directory.js';
import type { FoundationConfig } from '../config/config.js';
import { CookieMismatchError, DuplicateNodeError, NotReadyError } from '../errors/cluster.errors.js';
import { ArgumentError, FoundationConfigError } from '../errors/config.errors.js';
import { describe, isError, show } from '../errors/describe.js';
import { Gate, unattended } from '../foreign/gate.js';
import { Log } from '../logging/log.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { monotonicNow } from '../time/monotonic.clock.js';
import {
  describeDifference,
  type Difference,
  differencesOf,
  OLDEST_PROTOCOL,
  PROTOCOL,
  type Refusal,
  refusalOf,
} from './compatibility.js';
import { isIsolated, type MemberState, stateOf } from './failure.detector.js';
import type { LocalNode } from './local.node.js';
import { MemberView } from './member.view.js';
import { VERSION } from './version.js';

/** A node of the cluster as this node sees it. */
export interface Member {
  name: string;
  bootId: string;
  host: string;
  pid: number;
  /** Of Foundation. */
  version: string;
  state: MemberState;
  /** How many processes it owns. */
  load: number;
  /** How many it is willing to own; absent = no limit. */
  capacity?: number;
  /** How late its event loop was lately, in milliseconds; halves with each beat. */
  lag: number;
  labels: Readonly<Record<string, string>>;
  /** The processes that run on every node, as they are on this one. */
  replicas: Readonly<Record<string, ReplicaReport>>;
  /** Channel → how it listens to it: `''` for itself, else the name of a group, and after a space a type of message. */
  listens: Readonly<Record<string, readonly string[]>>;
  /** Decorated process classes that it can run. */
  classes: readonly string[];
  /** Milliseconds since 1970 by the Redis clock. */
  joinedAt: number;
  /** `host:port` where other nodes link with it; absent with the Redis transport. */
  address?: string;
  /** True for this node. */
  self: boolean;
}

/**
 * What this node is at the moment: `joining` until Redis accepts it, `isolated` while it cannot reach Redis (its
 * singletons have stopped by then, unless a quorum of lease servers keeps them), `draining` and `left` on the way out.
 * `observing` is the command line, which looks on and is no member.
 */
export type NodeState = 'joining' | 'observing' | 'up' | 'isolated' | 'draining' | 'left';

/** What other rooms want to know of the membership. */
export interface MembershipListener {
  /** The view or this node's own state changed. */
  changed?(): void;
  /** Redis answered a beat. */
  beat?(answer: BeatAnswer): void;
  /** Redis lost its data: put back what you are the source of. */
  dataLoss?(): void;
  /** Another process took this node's name: stop everything that is owned. */
  replaced?(): void;
}

const JITTER = 0.1;
/** The longest that a timer of Node can wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const RETRY_MS = 250;
const JOIN_RETRY_MS = 200;
const LOAD_DELAY_MS = 50;
/** Smaller changes of the lag are not worth a new view. */
const LAG_STEP_MS = 100;
/** A lag is said once in so much of the time between two beats at most. */
const LAG_SHARE = 0.75;

/** Injectable. The members of the cluster and this node's own state. */
@Injectable()
export class Membership {
  readonly #listeners = new Set<MembershipListener>();
  readonly #view: MemberView;
  readonly #logger = new Log();
  readonly #repeated = new ThrottledLog();
  readonly #gate: Gate;
  #state: NodeState = 'joining';
  #record: NodeRecord;
  /** The list as it was made last, and of what. */
  #seen: { members: readonly Member[]; own: Member; changes: number; record: NodeRecord } | undefined;
  #incarnation: string | undefined;
  #lastAnswerAt = 0;
  #isolatedSince = 0;
  #clockOffset = 0;
  #latency = 0;
  #trouble: string | undefined;
  /** Setting → what was said of it last. */
  readonly #differences = new Map<string, string>();
  /** The longest lag since one was noted, and when that was. */
  #latest = 0;
  #lagNotedAt = -Infinity;
  #pending: { changed: boolean } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Infinity;
  /** When a beat is due whatever happens. */
  #regularAt = 0;
  /** The load that the others were told last; `undefined` while that is not certain. */
  #told: number | undefined;
  #beating: Promise<void> | undefined;

  constructor(
    private readonly node: LocalNode,
    private readonly config: FoundationConfig,
    private readonly backend: Backend,
    private readonly telemetry: Telemetry,
    private readonly now: () => number = monotonicNow,
  ) {
    this.#record = {
      name: node.name,
      bootId: node.bootId,
      host: node.host,
      pid: node.pid,
      version: VERSION,
      state: 'up',
      classes: [],
      load: 0,
      ...(config.capacity === undefined ? {} : { capacity: config.capacity }),
      lag: 0,
      labels: { ...config.labels },
      replicas: {},
      listens: {},
      leaseServers: 1 + config.quorum.length,
      ...config.membership,
      leaseTtl: config.lease.ttl,
      protocol: { newest: PROTOCOL, oldest: OLDEST_PROTOCOL },
      joinedAt: 0,
    };
    const owner = {
      self: this.self,
      isMember: () => this.#state === 'up',
      changed: () => {
        this.#noteDifferences();
        this.#tell('changed');
      },
    };
    this.#gate = new Gate(telemetry);
    this.#view = new MemberView(owner, backend, telemetry, config.membership.ttl, now);
    backend.onHint((hint) => {
      if (hint.t === 'view' && this.#state !== 'left') this.#view.refreshSoon();
      if (hint.t === 'load') this.#view.noteLoad(hint.node, hint.load);
      if (hint.t === 'refused') this.#noteRefused(hint.node, hint.host);
    });
  }

  /** This node's name and boot id. */
  get self(): { name: string; bootId: string } {
    return { name: this.node.name, bootId: this.node.bootId };
  }

  /** This node's own state. */
  get state(): NodeState {
    return this.#state;
  }

  /** The version of the view; rises with every change and is the same on all nodes once they have caught up. */
  get version(): number {
    return this.#view.version;
  }

  /**
   * The members by name, this node included once it has joined. The list is frozen, and the same one until something
   * changes.
   *
   * Underneath: the copy of `HGETALL …:nodes`; no network. While this node is isolated it is the last copy it had.
   */
  members(): readonly Member[] {
    return this.#look().members;
  }

  /** This node as a member, whether the view has it already or not. */
  get own(): Member {
    return this.#look().own;
  }

  /** Made once for each change: thousands of names are ranked with it in one turn. */
  #look(): { members: readonly Member[]; own: Member } {
    const { changes } = this.#view;
    if (this.#seen?.changes === changes && this.#seen.record === this.#record) return this.#seen;
    const members = this.records()
      .map((record) => this.#member(record))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const own = members.find(({ self }) => self) ?? this.#member(this.#record);
    this.#seen = { members: Object.freeze(members), own, changes, record: this.#record };
    return this.#seen;
  }

  #member(record: NodeRecord): Member {
    const { leaseServers: _servers, beatEvery: _every, ttl: _ttl, ...rest } = record;
    const { leaseTtl: _leaseTtl, protocol: _protocol, declares: _declares, ...member } = rest;
    const self = record.bootId === this.node.bootId;
    return Object.freeze({ ...member, state: stateOf(record.state, this.#view.isLate(record.name)), self });
  }

  /** What the members say of themselves, this node included once it has joined; a copy, without network. */
  records(): NodeRecord[] {
    return this.#view
      .records()
      .map((record) => (record.bootId === this.node.bootId ? { ...this.#record, state: record.state } : record));
  }

  /** What the members do not agree about: settings, versions, and what should run. Empty = they agree. */
  differences(): Difference[] {
    return differencesOf(this.records());
  }

  /**
   * Resolves once this node is a member of a cluster of at least so many nodes, itself included.
   *
   * Underneath: this node's copy of the view; no network.
   *
   * @param options.minNodes default 1. Nodes that drain are not counted.
   * @param options.timeout milliseconds, default 10 000.
   * @throws NotReadyError when it is not, or the cluster has fewer nodes, by then; `ArgumentError` for what is no
   * number.
   */
  async whenReady({ minNodes = 1, timeout = 10_000 }: { minNodes?: number; timeout?: number } = {}): Promise<void> {
    if (!Number.isSafeInteger(minNodes) || minNodes < 1) {
      throw new ArgumentError('whenReady', 'minNodes', show(minNodes), '1 or a higher whole number');
    }
    if (!(timeout >= 0 && timeout <= MAX_TIMEOUT_MS)) {
      throw new ArgumentError('whenReady', 'timeout', show(timeout), `0 to ${MAX_TIMEOUT_MS} milliseconds`);
    }
    const count = (): number => this.#view.records().filter(({ state }) => state === 'up').length;
    const isReady = (): boolean => this.#state === 'up' && (minNodes === 1 || count() >= minNodes);
    if (isReady()) return;
    await new Promise<void>((resolve, reject) => {
      const stop = this.listen({
        changed: () => {
          if (!isReady()) return;
          clearTimeout(timer);
          stop();
          resolve();
        },
      });
      const timer = setTimeout(() => {
        stop();
        const nodes = { seen: count(), wanted: minNodes };
        reject(new NotReadyError(this.node.name, this.#state, timeout, undefined, nodes, this.#trouble));
      }, timeout);
    });
  }

  /** How often a node beats, in milliseconds. */
  get beatEvery(): number {
    return this.config.membership.beatEvery;
  }

  /** How long Redis took to answer the last beat, in milliseconds. */
  get latency(): number {
    return this.#latency;
  }

  /** Why this node has not joined, or is not heard, as the last attempt said; `undefined` while all is well. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** How many processes of this node still hold their lease. */
  get held(): number {
    return this.backend.leases.held();
  }

  /** The Redis clock as of the last beat, in milliseconds since 1970. */
  clusterNow(): number {
    return this.now() + this.#clockOffset;
  }

  /** Calls the listener's methods from now on; returns the function that ends it. */
  listen(listener: MembershipListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  // -- called by the lifecycle
  // ------------------------------------------------------------------------------------------

  /**
   * Joins and begins to beat.
   *
   * A record of the same name may belong to a process that was just killed, so a refusal is final only when the other
   * one is seen to beat; until then it is tried again, at most for one membership ttl.
   *
   * @throws DuplicateNodeError when another live process has this name, `CookieMismatchError` when the others have
   * another cookie.
   */
  async join(classes: readonly string[], declares: Readonly<Record<string, string>> = {}): Promise<void> {
    const { address } = this.backend;
    const says = { classes: [...classes], declares: { ...declares } };
    this.#record = { ...this.#record, ...says, ...(address === undefined ? {} : { address }) };
    let first: { otherBootId: string; beatAt: number } | undefined;
    for (;;) {
      const answer = await this.backend.directory.join(this.#record);
      if (this.#hasLeft()) return this.#takeBack(answer);
      if (answer.joined) return this.#joined(answer.now);
      if (answer.refused !== undefined) throw new CookieMismatchError(this.node.name);
      first ??= answer;
      if (answer.beatAt > first.beatAt || answer.otherBootId !== first.otherBootId) {
        throw new DuplicateNodeError(this.node.name, answer.otherBootId);
      }
      await new Promise((resolve) => setTimeout(resolve, JOIN_RETRY_MS));
      if (this.#hasLeft()) throw new NotReadyError(this.node.name, 'left', 0);
    }
  }

  /** An attempt to join failed; the lifecycle tries again. */
  joinFailed(error: string): void {
    this.#trouble = error;
  }

  /**
   * Follows the cluster without being in it, instead of a join: never counted, never a candidate. Give it a backend
   * that writes nothing; see `backend/observer.backend.ts`.
   */
  async observe(): Promise<void> {
    await this.#view.fetch();
    this.#setState('observing');
    await this.#beatNow();
  }

  /** A method, because TypeScript thinks that the state cannot change during an await. */
  #hasLeft(): boolean {
    return this.#state === 'left';
  }

  /** A join that came through after the node had left. */
  async #takeBack({ joined }: JoinAnswer): Promise<never> {
    if (joined) await this.backend.directory.leave(this.node.name, this.node.bootId);
    throw new NotReadyError(this.node.name, 'left', 0);
  }

  /** Tells the others that this node takes nothing new. */
  async drain(): Promise<void> {
    if (this.#state === 'left') return;
    const joined = this.#state !== 'joining';
    this.#setState('draining');
    this.#record = { ...this.#record, state: 'draining' };
    this.#pending = { changed: true };
    if (joined) await this.#beatNow();
  }

  /** Stops beating and removes this node's record. */
  async leave(): Promise<void> {
    const joined = this.#record.joinedAt > 0;
    this.#setState('left');
    clearTimeout(this.#timer);
    this.#view.close();
    await this.#beating;
    if (joined) await this.backend.directory.leave(this.node.name, this.node.bootId);
  }

  /** How many processes this node owns; sent with a beat that follows at once. */
  setLoad(load: number): void {
    if (this.#record.load === load) return;
    this.#record = { ...this.#record, load };
    this.#pending ??= { changed: false };
    if (this.#state === 'up') this.#beatIn(LOAD_DELAY_MS);
  }

  /**
   * How a process that runs on every node is doing here; `undefined` removes it. Sent with a beat that follows at once.
   */
  setReplica(name: string, report: ReplicaReport | undefined): void {
    const { [name]: _old, ...others } = this.#record.replicas;
    this.#record = { ...this.#record, replicas: report === undefined ? others : { ...others, [name]: report } };
    this.#pending = { changed: true };
    this.#tell('changed');
    if (this.#state === 'up') this.#beatIn(LOAD_DELAY_MS);
  }

  /** What this node listens to; sent with a beat that follows at once, one for all changes until then. */
  setListens(listens: Record<string, string[]>): void {
    this.#record = { ...this.#record, listens };
    this.#pending = { changed: true };
    if (this.#state === 'up') this.#beatIn(LOAD_DELAY_MS);
  }

  // -- beating
  // ----------------------------------------------------------------------------------------------------------

  async #joined(redisNow: number): Promise<void> {
    this.#record = { ...this.#record, joinedAt: redisNow };
    this.#pending = { changed: false };
    this.#lastAnswerAt = this.now();
    // Without the view nobody could say whether this node is the first; so a failure here is a failure to join.
    await this.#view.fetch();
    await this.#requireContract();
    this.#setState('up');
    await this.#beatNow();
  }

  /**
   * A node that cannot be in one cluster with an older one leaves. Of two that join at once each sees the other,
   * because both have joined before either looks; the junior goes.
   */
  async #requireContract(): Promise<void> {
    const refusal = this.#refusal();
    if (refusal === undefined) return;
    await this.backend.directory.leave(this.node.name, this.node.bootId);
    throw errorOf(refusal);
  }

  /** After it has joined again. The cluster may have become another one meanwhile. */
  async #keepContract(): Promise<void> {
    await this.#view.refresh();
    const refusal = this.#refusal();
    if (refusal === undefined) return;
    // INVARIANT (I1): the others may have given away what this node owns, by rules of their own.
    this.#tell('replaced');
    this.#isolate();
    await this.backend.directory.leave(this.node.name, this.node.bootId);
    this.#repeated.error('This node was not let in again', { error: errorOf(refusal).message });
  }

  #refusal(): Refusal | undefined {
    const { joinedAt, name } = this.#record;
    const isSenior = (other: NodeRecord): boolean =>
      other.joinedAt < joinedAt || (other.joinedAt === joinedAt && other.name < name);
    const others = this.#view.records().filter(({ bootId }) => bootId !== this.node.bootId);
    return refusalOf(this.#record, others.filter(isSenior));
  }

  /** What was settled by a rule is said once, and again when it changes. */
  #noteDifferences(): void {
    if (this.#state !== 'up') return;
    for (const difference of this.differences()) {
      const { setting } = difference;
      const what = describeDifference(difference);
      // In a rolling release these differ, which nobody need hear of, or the one who declares it says so.
      if (this.#differences.get(setting) === what || setting === 'version' || setting.startsWith('process ')) continue;
      this.#differences.set(setting, what);
      this.#logger.warn('The nodes do not agree about a setting', { what });
    }
  }

  /**
   * How long Redis may be silent before this node calls itself isolated. Not before the deadline of its leases, which
   * are fenced by then; and not before a connection that broke after a beat can have been replaced, and a beat tried on
   * the new one.
   */
  get #patience(): number {
    const { lease, membership } = this.config;
    return Math.max(lease.deadline, (1 + JITTER) * membership.beatEvery + 4 * lease.commandTimeout);
  }

  /** Brings the next beat forward; never puts one off, so that a busy node beats all the same. */
  #beatIn(delay: number): void {
    const now = this.now();
    if (this.#state === 'left' || this.#dueAt <= now + delay) return;
    clearTimeout(this.#timer);
    const jittered = delay * (1 - JITTER + Math.random() * 2 * JITTER);
    this.#dueAt = now + jittered;
    this.#timer = setTimeout(() => {
      this.#noteLag(this.now() - this.#dueAt);
      this.#dueAt = Infinity;
      if (this.#saysNothing()) this.#beatIn(this.#regularAt - this.now());
      else unattended('beating', this.#beatNow());
    }, jittered);
  }

  /**
   * What came is gone again already, as with short jobs: the load is what it was, and there is nothing to bring a beat
   * forward for.
   */
  #saysNothing(): boolean {
    if (this.#pending?.changed !== false || this.#record.load !== this.#told || this.now() >= this.#regularAt)
      return false;
    this.#pending = undefined;
    return true;
  }

  /**
   * How late a timer of ours fires says how busy the event loop is; a single late one is forgotten after some beats.
   */
  #noteLag(late: number): void {
    this.#latest = Math.max(this.#latest, late);
    const now = this.now();
    // Beats are brought forward, and every node reads the members anew for each lag that is said.
    if (now - this.#lagNotedAt < this.config.membership.beatEvery * LAG_SHARE) return;
    const lately = Math.round(Math.max(this.#latest, this.#record.lag / 2));
    this.#latest = 0;
    const lag = lately < LAG_STEP_MS ? 0 : lately;
    if (Math.abs(lag - this.#record.lag) < LAG_STEP_MS) return;
    this.#lagNotedAt = now;
    this.#record = { ...this.#record, lag };
    this.#pending = { changed: true };
  }

  /** One beat at a time; a call during one waits for the next. */
  async #beatNow(): Promise<void> {
    await this.#beating;
    this.#beating ??= this.#beat().finally(() => (this.#beating = undefined));
    return this.#beating;
  }

  async #beat(): Promise<void> {
    const sentAt = this.now();
    const pending = this.#pending;
    this.#pending = undefined;
    let next = this.config.membership.beatEvery;
    const told = this.#told;
    this.#told = undefined;
    try {
      const { name, bootId } = this.node;
      const update = pending === undefined ? undefined : { record: this.#record, changed: pending.changed };
      const answer = await this.backend.directory.beat(name, bootId, update);
      if (answer.status === 'ok') this.#told = update?.record.load ?? told;
      await this.#heard(answer, sentAt);
    } catch (error) {
      if (pending !== undefined) this.#pendAgain(pending);
      this.#unheard(error);
      next = Math.min(next, RETRY_MS);
    } finally {
      this.#regularAt = this.now() + next;
      this.#beatIn(next);
    }
  }

  /** An update that may not have arrived is sent again with the next beat. */
  #pendAgain({ changed }: { changed: boolean }): void {
    this.#pending = { changed: changed || this.#pending?.changed === true };
  }

  async #heard(answer: BeatAnswer, sentAt: number): Promise<void> {
    this.#lastAnswerAt = sentAt;
    this.#trouble = undefined;
    this.#latency = this.now() - sentAt;
    this.#clockOffset = answer.now - sentAt;
    const lossKnown = this.#incarnation === undefined || this.#incarnation === answer.incarnation;
    this.#incarnation = answer.incarnation;
    if (!lossKnown) {
      this.telemetry.emit('cluster.data_loss', { node: this.node.name, incarnation: answer.incarnation });
      this.#logger.warn('Redis lost its data; this node puts back what it knows', { node: this.node.name });
      this.#view.expectRejoins();
      this.#tell('dataLoss');
    }
    if (answer.status === 'replaced') this.#replacedBy(answer.otherBootId ?? '?');
    if (answer.status !== 'ok') return this.#joinAgain();
    if (this.#state === 'isolated') this.#reached();
    this.#view.noteLate(answer.late);
    // INVARIANT (I25): a beat waits for no other connection. The view comes over another one; if that hangs, this node
    // is no less alive. A view that was not fetched is fetched after the next beat.
    if (answer.viewVersion !== this.#view.version) unattended('reading the view', this.#view.refresh());
    this.#tell('beat', answer);
  }

  #unheard(error: unknown): void {
    this.#trouble = describe(error);
    if (this.#state !== 'up' || !isIsolated(this.#lastAnswerAt, this.now(), this.#patience)) return;
    this.#isolate();
    const held = this.held;
    const details = { node: this.node.name, error: this.#trouble, ...(held === 0 ? {} : { held }) };
    // A Redis whose memory is full refuses beats, and renews leases all the same.
    const consequence =
      held > 0
        ? 'it keeps what it owns as long as its leases are renewed, and hears of no stop or move'
        : 'its singletons have stopped, local work goes on';
    const cause = isAnswer(error) ? 'Redis refuses the beats of this node' : 'Redis cannot be reached';
    this.#logger.error(`${cause}; this node is isolated: ${consequence}`, details);
  }

  #isolate(): void {
    if (this.#state === 'draining' || this.#state === 'left' || this.#state === 'isolated') return;
    this.#isolatedSince = this.now();
    const silentMs = Math.round(this.now() - this.#lastAnswerAt);
    this.telemetry.emit('cluster.isolated', { node: this.node.name, silentMs });
    this.#setState('isolated');
  }

  #reached(): void {
    this.#setState('up');
    const isolatedMs = Math.round(this.now() - this.#isolatedSince);
    this.telemetry.emit('cluster.rejoined', { node: this.node.name, isolatedMs });
    this.#logger.log('Redis is reached again; this node is a member', { node: this.node.name, isolatedMs });
  }

  #replacedBy(otherBootId: string): void {
    // INVARIANT (I1): the other process may be given what this one owns, so this one stops before it asks again.
    this.#tell('replaced');
    if (this.#state === 'isolated') return;
    this.telemetry.emit('cluster.name_taken', { node: this.node.name, bootId: this.node.bootId, otherBootId });
    this.#logger.error('Node name taken', { error: new DuplicateNodeError(this.node.name, otherBootId).message });
    this.#isolate();
  }

  /** Redis knows this node no more: swept while it was silent, or Redis lost its data. Leases look after themselves. */
  async #joinAgain(): Promise<void> {
    if (this.#state === 'draining') return;
    const answer = await this.backend.directory.join(this.#record);
    if (!answer.joined) {
      if (answer.refused === undefined) return;
      const { message } = new CookieMismatchError(this.node.name);
      return this.#repeated.error('This node was not let in again', { error: message });
    }
    this.#record = { ...this.#record, joinedAt: answer.now };
    unattended('reading the view', this.#keepContract());
    if (this.#state === 'isolated') this.#reached();
  }

  /** Anybody may say so in Redis, so it is shown as it came and nothing follows from it. */
  #noteRefused(node: string, host: string): void {
    const details = { node: show(node), host: show(host) };
    this.#repeated.warn('A node has another cookie, or none; it was not let in', details, details.node);
  }

  #setState(state: NodeState): void {
    const isFinal = this.#state === 'left' || (this.#state === 'draining' && state !== 'left');
    if (this.#state === state || isFinal) return;
    this.#state = state;
    this.#tell('changed');
  }

  #tell<K extends keyof MembershipListener>(what: K, ...args: Parameters<NonNullable<MembershipListener[K]>>): void {
    for (const listener of [...this.#listeners]) {
      const tell = (): unknown => (listener[what] as ((...values: unknown[]) => unknown) | undefined)?.(...args);
      this.#gate.tell(`Membership.listen ${what}`, tell);
    }
  }
}

/** True for what Redis said, by the words of its errors; another one means that it said nothing. */
function isAnswer(error: unknown): boolean {
  return isError(error) && error.name === 'ReplyError';
}

function errorOf({ setting, node, mine, theirs, advice }: Refusal): FoundationConfigError {
  return new FoundationConfigError(setting, `${mine}, while node "${node}" ${theirs}`, advice);
}
