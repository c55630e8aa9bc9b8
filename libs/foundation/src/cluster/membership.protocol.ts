/**
 * This node's part in the cluster: it joins, beats, knows when it is cut off, rejoins and leaves.
 * Driven by the lifecycle. Underneath: `NodeDirectory` (Lua over one hash and one sorted set).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend } from '../backend/backend.js';
import type { BeatAnswer, JoinAnswer, NodeRecord } from '../backend/directory/directory.js';
import type { FoundationConfig } from '../config/config.js';
import { CookieMismatchError, DuplicateNodeError, NotReadyError } from '../errors/cluster.errors.js';
import { FoundationConfigError } from '../errors/config.errors.js';
import { describe, show } from '../errors/describe.js';
import { isAnswer } from '../errors/refusal.js';
import { unattended } from '../foreign/gate.js';
import { Log } from '../logging/log.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { clockOf } from '../time/clock.js';
import type { ClusterView } from './cluster.view.js';
import { type Refusal, refusalOf } from './compatibility.js';
import { isIsolated } from './failure.detector.js';
import { Heartbeat, JITTER } from './heartbeat.js';
import { Namesake } from './namesake.js';

const JOIN_RETRY_MS = 200;

type Tools = Pick<Backend, 'directory' | 'leases' | 'address' | 'leaseNames' | 'onHint' | 'clock' | 'greet'>;

/** See the file header. */
export class MembershipProtocol {
  readonly #logger = new Log();
  readonly #repeated = new ThrottledLog();
  readonly #heartbeat: Heartbeat;
  #incarnation: string | undefined;
  #lastAnswerAt = 0;
  #isolatedSince = 0;

  constructor(
    private readonly view: ClusterView,
    private readonly config: Pick<FoundationConfig, 'lease' | 'membership'>,
    private readonly backend: Tools,
    private readonly telemetry: Telemetry,
    private readonly now: () => number = clockOf(backend).monotonic,
  ) {
    const owner = {
      self: view.self,
      isBeating: () => view.state !== 'left',
      heard: (answer: BeatAnswer, sentAt: number) => this.#heard(answer, sentAt),
      unheard: (error: unknown) => this.#unheard(error),
    };
    const clock = { ...clockOf(backend), monotonic: now };
    this.#heartbeat = new Heartbeat(owner, backend.directory, view.record, config.membership.beatEvery, clock);
    view.record.onChange({
      changed: (isVisible) => {
        if (isVisible) view.notify('changed');
        if (view.state === 'up') this.#heartbeat.soon();
      },
    });
    backend.onHint((hint) => {
      if (hint.t === 'view' && view.state !== 'left') view.replica.refreshSoon();
      if (hint.t === 'load') view.replica.noteLoad(hint.node, hint.load);
      if (hint.t === 'refused') this.#logRejected(hint.node, hint.host);
    });
  }

  /**
   * Joins and begins to beat.
   *
   * A record of the same name may belong to a process that was just killed, so a rejection is final only when the other
   * one is seen to beat; until then the join is retried, at most for one membership ttl.
   *
   * @throws DuplicateNodeError when another live process has this name, `CookieMismatchError` when the members have
   * another cookie.
   */
  async join(classes: readonly string[], declares: Readonly<Record<string, string>> = {}): Promise<void> {
    const { view } = this;
    const { address, leaseNames } = this.backend;
    view.record.declare({ classes: [...classes], declares: { ...declares }, address, leaseNames });
    const { name } = view.self;
    const namesake = new Namesake();
    for (;;) {
      const sentAt = this.now();
      const answer = await this.backend.directory.join(view.record.current);
      if (this.#hasLeft()) return this.#undoJoin(answer);
      if (answer.joined) return this.#joined(answer.now, sentAt);
      if (answer.refused !== undefined) throw new CookieMismatchError(name);
      if (namesake.isAlive(answer)) throw new DuplicateNodeError(name, answer.otherBootId);
      await sleep(JOIN_RETRY_MS);
      if (this.#hasLeft()) throw new NotReadyError(name, 'left', 0);
    }
  }

  /** An attempt to join failed; the lifecycle retries. */
  joinFailed(error: string): void {
    this.view.trouble = error;
  }

  /**
   * Follows the cluster without being in it, instead of a join: never counted, never a candidate. Give it a backend
   * that writes nothing; see `backend/observer.backend.ts`.
   */
  async observe(): Promise<void> {
    await this.view.replica.fetch();
    this.view.setState('observing');
    await this.#heartbeat.beat();
  }

  /** Tells the other members that this node takes nothing new. */
  async drain(): Promise<void> {
    const { view } = this;
    if (view.state === 'left') return;
    const joined = view.state !== 'joining';
    view.setState('draining');
    view.record.drain();
    if (joined) await this.#heartbeat.beat();
  }

  /** Tells the other members that this node takes work again; when Redis is away they hear of it later. */
  async undrain(): Promise<void> {
    this.view.undrain();
    await this.#heartbeat.beat();
  }

  /** Stops beating and removes this node's record. */
  async leave(): Promise<void> {
    const joined = this.view.record.current.joinedAt > 0;
    this.view.setState('left');
    this.view.replica.close();
    await this.#heartbeat.stop();
    if (joined) await this.#removeRecord();
  }

  /** A method, because TypeScript thinks that it cannot change during an await. */
  #hasLeft(): boolean {
    return this.view.state === 'left';
  }

  async #removeRecord(): Promise<void> {
    const { name, bootId } = this.view.self;
    await this.backend.directory.leave(name, bootId);
  }

  /** A join that came through after the node had left. */
  async #undoJoin({ joined }: JoinAnswer): Promise<never> {
    if (joined) await this.#removeRecord();
    throw new NotReadyError(this.view.self.name, 'left', 0);
  }

  async #joined(redisNow: number, sentAt: number): Promise<void> {
    this.view.setClock(redisNow, sentAt);
    this.view.record.joined(redisNow, false);
    this.#lastAnswerAt = this.now();
    // Without the view it is unknown whether this node is the first; so a failure here is a failure to join.
    await this.view.replica.fetch();
    await this.#requireContract();
    const tellOfLate = await this.backend.greet?.();
    // A heartbeat of one that has left would find its record gone, and bring it back.
    if (this.#hasLeft()) throw new NotReadyError(this.view.self.name, 'left', 0);
    this.view.setState('up');
    tellOfLate?.();
    await this.#heartbeat.beat();
  }

  /**
   * A node that cannot be in one cluster with an older one leaves. Of two that join at once each sees the other,
   * because both have joined before either looks; the junior goes.
   */
  async #requireContract(): Promise<void> {
    const refusal = this.#refusal();
    if (refusal === undefined) return;
    await this.#removeRecord();
    throw errorOf(refusal);
  }

  /**
   * Redis no longer knows this node: swept while it was silent, or Redis lost its data. Leases look after themselves.
   */
  async #rejoin(): Promise<void> {
    if (this.view.state === 'draining') return;
    const answer = await this.backend.directory.join(this.view.record.current);
    if (!answer.joined) {
      if (answer.refused === undefined) return;
      const { message } = new CookieMismatchError(this.view.self.name);
      return this.#repeated.error('Rejoin was rejected', { error: message });
    }
    this.view.record.joined(answer.now, true);
    unattended('fetching the members', this.#keepContract());
    if (this.view.state === 'isolated') this.#reached();
  }

  /** After a rejoin: the cluster may have become another one meanwhile. */
  async #keepContract(): Promise<void> {
    await this.view.replica.refresh();
    const refusal = this.#refusal();
    if (refusal === undefined) return;
    // INVARIANT (I1): the other members may have given away what this node owns, by rules of their own.
    this.view.notify('replaced');
    this.#isolate();
    await this.#removeRecord();
    this.#repeated.error('Rejoin was rejected', { error: errorOf(refusal).message });
  }

  #refusal(): Refusal | undefined {
    const { current } = this.view.record;
    const { joinedAt, name, bootId } = current;
    const isSenior = (other: NodeRecord): boolean =>
      other.joinedAt < joinedAt || (other.joinedAt === joinedAt && other.name < name);
    const others = this.view.replica.records().filter((other) => other.bootId !== bootId);
    return refusalOf(current, others.filter(isSenior));
  }

  /**
   * How long Redis may be silent before this node calls itself isolated. Not before the deadline of its leases, which
   * are fenced by then; and not before a connection that broke after a heartbeat can have been replaced, and a
   * heartbeat tried on the new one.
   */
  get #patience(): number {
    const { lease, membership } = this.config;
    return Math.max(lease.deadline, (1 + JITTER) * membership.beatEvery + 4 * lease.commandTimeout);
  }

  async #heard(answer: BeatAnswer, sentAt: number): Promise<void> {
    const { view } = this;
    const { name: node } = view.self;
    this.#lastAnswerAt = sentAt;
    view.noteHeard();
    view.latency = this.now() - sentAt;
    view.setClock(answer.now, sentAt);
    const isDataLost = this.#incarnation !== undefined && this.#incarnation !== answer.incarnation;
    this.#incarnation = answer.incarnation;
    if (isDataLost) {
      this.telemetry.emit('cluster.data_loss', { node, incarnation: answer.incarnation });
      this.#logger.warn('Redis lost its data; this node restores what it knows', { node });
      view.replica.expectRejoins();
      view.notify('dataLoss');
    }
    if (answer.status === 'replaced') this.#replacedBy(answer.otherBootId ?? '?');
    if (answer.status !== 'ok') return this.#rejoin();
    if (view.state === 'isolated') this.#reached();
    view.replica.noteLate(answer.late, answer.viewVersion);
    // INVARIANT (I25): a heartbeat waits for no other connection. The view comes over another one; if that hangs, this
    // node is no less alive. A view that was not fetched is fetched after the next heartbeat.
    if (answer.viewVersion !== view.version) unattended('fetching the members', view.replica.refresh());
    view.notify('beat', answer);
  }

  #unheard(error: unknown): void {
    const { view } = this;
    view.trouble = describe(error);
    if (view.state !== 'up' || !isIsolated(this.#lastAnswerAt, this.now(), this.#patience)) return;
    this.#isolate();
    const held = this.backend.leases.held();
    const details = { node: view.self.name, error: view.trouble, ...(held === 0 ? {} : { held }) };
    // A Redis whose memory is full refuses heartbeats, and renews leases all the same.
    const consequence =
      held > 0
        ? 'it keeps what it owns as long as its leases are renewed, and hears of no stop or move'
        : 'its singletons have stopped, local work goes on';
    const cause = isAnswer(error) ? 'Redis refuses the heartbeats of this node' : 'Redis cannot be reached';
    this.#logger.error(`${cause}; this node is isolated: ${consequence}`, details);
  }

  #isolate(): void {
    const { view } = this;
    if (view.state === 'draining' || view.state === 'left' || view.state === 'isolated') return;
    this.#isolatedSince = this.now();
    const silentMs = Math.round(this.now() - this.#lastAnswerAt);
    this.telemetry.emit('cluster.isolated', { node: view.self.name, silentMs });
    view.setState('isolated');
  }

  #reached(): void {
    const { name: node } = this.view.self;
    this.view.setState('up');
    const isolatedMs = Math.round(this.now() - this.#isolatedSince);
    this.telemetry.emit('cluster.rejoined', { node, isolatedMs });
    this.#logger.log('Reconnected to Redis; rejoined the cluster', { node, isolatedMs });
  }

  #replacedBy(otherBootId: string): void {
    // INVARIANT (I1): the other process may be given what this one owns, so this one stops before it retries.
    this.view.notify('replaced');
    if (this.view.state === 'isolated') return;
    const { name: node, bootId } = this.view.self;
    this.telemetry.emit('cluster.name_taken', { node, bootId, otherBootId });
    this.#logger.error('Node name taken', { error: new DuplicateNodeError(node, otherBootId).message });
    this.#isolate();
  }

  /** Any client may write that to Redis, so it is logged as it came and nothing follows from it. */
  #logRejected(node: string, host: string): void {
    const details = { node: show(node), host: show(host) };
    this.#repeated.warn('Rejected a node with a different or missing cookie', details, details.node);
  }
}

function errorOf({ setting, node, mine, theirs, advice }: Refusal): FoundationConfigError {
  return new FoundationConfigError(setting, `${mine}, while node "${node}" ${theirs}`, advice);
}
