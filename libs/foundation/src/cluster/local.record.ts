/**
 * What this node says of itself: its record, and what of it other members have not seen yet.
 * Written by the rooms that know it; sent with the heartbeat. Underneath: nothing.
 */
import type { Backend } from '../backend/backend.js';
import type { NodeRecord, ReplicaReport } from '../backend/directory/directory.js';
import type { FoundationConfig } from '../config/config.js';
import { PACKED_VERSION } from '../wire/packed.format.js';
import { OLDEST_PROTOCOL, PROTOCOL } from './compatibility.js';
import type { LocalNode } from './local.node.js';
import { VERSION } from './version.js';

/** Smaller changes of the lag are not worth a new view. */
const LAG_STEP_MS = 100;
/** The lag is reported at most once in this share of the heartbeat interval. */
const LAG_SHARE = 0.75;

/** An update on its way to the other members. */
export interface RecordUpdate {
  update: { record: NodeRecord; changed: boolean } | undefined;
  /** The load that was announced before. */
  told: number | undefined;
}

/** What follows from a change of the record. */
export interface RecordOwner {
  /** Send it soon; `isVisible` when it makes this node another one for its own readers as well. */
  changed(isVisible: boolean): void;
}

/** What is known of a node once it joins. */
type Declared = Pick<NodeRecord, 'classes' | 'declares'> & Pick<Backend, 'address' | 'leaseNames'>;

/** See the file header. */
export class LocalRecord {
  #record: NodeRecord;
  /** `changed` is false for what only the members that read the load need to know. */
  #pending: { changed: boolean } | undefined;
  /** The load that was announced last; `undefined` while that is not certain. */
  #told: number | undefined;
  /** The longest lag since one was reported, and when that was. */
  #longestLag = 0;
  #lagReportedAt = -Infinity;
  #owner: RecordOwner | undefined;

  constructor(
    node: LocalNode,
    private readonly config: Pick<
      FoundationConfig,
      'capacity' | 'labels' | 'release' | 'quorum' | 'membership' | 'lease' | 'transport'
    >,
  ) {
    this.#record = {
      name: node.name,
      bootId: node.bootId,
      host: node.host,
      pid: node.pid,
      version: VERSION,
      ...(config.release === undefined ? {} : { release: config.release }),
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
      ...(config.transport.kind === 'redis' && config.transport.format === 'json' ? {} : { packs: PACKED_VERSION }),
      joinedAt: 0,
    };
  }

  /** The record as it is now; another object after each change. */
  get current(): NodeRecord {
    return this.#record;
  }

  /** Who sends the changes. */
  onChange(owner: RecordOwner): void {
    this.#owner = owner;
  }

  /** How many processes this node owns; sent with a heartbeat that follows at once. */
  setLoad(load: number): void {
    if (this.#record.load === load) return;
    this.#record = { ...this.#record, load };
    this.#pending ??= { changed: false };
    this.#owner?.changed(false);
  }

  /**
   * How a process that runs on every node is doing here; `undefined` removes it. Sent with a heartbeat that follows at
   * once.
   */
  setReplica(name: string, report: ReplicaReport | undefined): void {
    const { [name]: _old, ...others } = this.#record.replicas;
    this.#change({ replicas: report === undefined ? others : { ...others, [name]: report } });
    this.#owner?.changed(true);
  }

  /** What this node listens to; sent with a heartbeat that follows at once, one for all changes until then. */
  setListens(listens: Record<string, string[]>): void {
    this.#change({ listens });
    this.#owner?.changed(false);
  }

  /** What it declares, and where other nodes link with it; sent with the join. */
  declare({ address, leaseNames, ...says }: Declared): void {
    this.#record = {
      ...this.#record,
      ...says,
      ...(address === undefined ? {} : { address }),
      ...(leaseNames === undefined ? {} : { leaseNames }),
    };
  }

  /** How many nodes there should be; sent with a heartbeat that follows at once. */
  setExpects(expects: number | undefined): void {
    if (this.#record.expects === expects) return;
    const { expects: _before, ...others } = this.#record;
    this.#record = expects === undefined ? others : { ...others, expects };
    this.#pending = { changed: true };
    this.#owner?.changed(true);
  }

  /** It has joined; `again` when the other members know its record already. */
  joined(at: number, again: boolean): void {
    this.#record = { ...this.#record, joinedAt: at };
    if (!again) this.#pending = { changed: false };
  }

  drain(): void {
    this.#change({ state: 'draining' });
  }

  /** Sent with a heartbeat that follows at once. */
  undrain(): void {
    this.#change({ state: 'up' });
    this.#owner?.changed(true);
  }

  /**
   * How late a timer of ours fires says how busy the event loop is; a single late one is forgotten after some
   * heartbeats.
   */
  noteLag(lateMs: number, now: number): void {
    this.#longestLag = Math.max(this.#longestLag, lateMs);
    // Heartbeats are brought forward, and every node fetches the members again for each lag that is reported.
    if (now - this.#lagReportedAt < this.config.membership.beatEvery * LAG_SHARE) return;
    const lately = Math.round(Math.max(this.#longestLag, this.#record.lag / 2));
    this.#longestLag = 0;
    const lag = lately < LAG_STEP_MS ? 0 : lately;
    if (Math.abs(lag - this.#record.lag) < LAG_STEP_MS) return;
    this.#lagReportedAt = now;
    this.#change({ lag });
  }

  /**
   * What came is gone again already, as with short jobs: the load is what it was, and there is nothing to bring a
   * heartbeat forward for. Forgets it then.
   */
  dropIdle(): boolean {
    if (this.#pending?.changed !== false || this.#record.load !== this.#told) return false;
    this.#pending = undefined;
    return true;
  }

  /** Takes what the next heartbeat sends. */
  take(): RecordUpdate {
    const { changed } = this.#pending ?? {};
    const taken = {
      update: changed === undefined ? undefined : { record: this.#record, changed },
      told: this.#told,
    };
    this.#pending = undefined;
    this.#told = undefined;
    return taken;
  }

  acknowledged({ update, told }: RecordUpdate): void {
    this.#told = update?.record.load ?? told;
  }

  /** An update that may not have arrived is sent again with the next heartbeat. */
  restore({ update }: RecordUpdate): void {
    if (update !== undefined) this.#pending = { changed: update.changed || this.#pending?.changed === true };
  }

  #change(change: Partial<NodeRecord>): void {
    this.#record = { ...this.#record, ...change };
    this.#pending = { changed: true };
  }
}
