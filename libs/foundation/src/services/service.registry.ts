/**
 * This node's full copy of who offers what, and the only way to change it. A lookup costs no network.
 * Read by the facade; underneath `TableReplica`.
 */
import type { Backend } from '../backend/backend.js';
import type { TableRow } from '../backend/tables/table.js';
import { TableReplica } from '../backend/tables/table.replica.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { describe } from '../errors/describe.js';
import { Gate, unattended } from '../foreign/gate.js';
import { Listeners } from '../foreign/listeners.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { clockOf } from '../time/clock.js';
import { SingleFlight } from '../time/single.flight.js';
import type { WakeUp } from '../time/wake.ups.js';
import { ServiceIndex } from './service.index.js';
import type { ServiceChange, ServiceInfo, ServiceStatus } from './service.js';
import { readRecord, type ServiceRecord, writeRecord } from './service.record.js';

/** Hints bring changes at once; this is for those that were lost. */
const LOOK_EVERY_MS = 5000;
/** With another wake-up of this node that comes so much sooner. */
const EARLY_MS = 1000;
/** How often marks of removed services that have had their hour are dropped; a removal does it as well. */
const TRIM_EVERY_LOOKS = 120;

interface Row {
  record: ServiceRecord;
  version: number;
  /** As it lies in the table; kept for what this node offers only. */
  value?: string;
}

/** See the file header. */
export class ServiceRegistry {
  /** What the table says, the services of dead nodes included. */
  readonly #replica: TableReplica<Row>;
  /**
   * The rows of each node by its boot id, so that one that comes or goes costs what it offers; ends with its last row.
   */
  readonly #byNode = new Map<string, Set<string>>();
  /** What this node offers, and how that is written: the source from which its rows are restored. */
  readonly #own = new Map<string, { record: ServiceRecord; value: string }>();
  readonly #index = new ServiceIndex();
  readonly #listeners: Listeners<[change: ServiceChange]>;
  readonly #logger = new ThrottledLog();
  #alive: ReadonlySet<string> = new Set();
  /** Boot ids of nodes that had rows and were no members at the last look. */
  #orphaned: ReadonlySet<string> = new Set();
  #looks = 0;
  /** A request while a comparison is under way causes one more. */
  readonly #comparing = new SingleFlight(() => this.#catchUp());
  #timer: Pick<WakeUp, 'cancel'> | undefined;

  constructor(
    private readonly backend: Pick<Backend, 'kind' | 'services' | 'onHint' | 'transport'>,
    private readonly membership: ClusterView,
    private readonly telemetry: Telemetry,
  ) {
    this.#listeners = new Listeners('ServiceRegistry.onChange', new Gate(telemetry));
    // After a loss only the node that offers a service restores it: what no node offers stays away.
    this.#replica = new TableReplica<Row>(backend.services, {
      what: 'service table',
      read: (row) => this.#read(row),
      changed: (key, now, before) => this.#note(key, now?.record, before?.record),
      // No other node writes it, so what cannot be read was written by a stranger as well.
      writeBack: (key) => this.#own.get(key)?.value,
      refused: (reason, entry, count) =>
        telemetry.emit('cluster.row_refused', { table: 'services', entry, reason, count }),
    });
    backend.onHint((hint) => {
      if (hint.t === 'services') unattended('comparing the services', this.#comparing.ask());
    });
    backend.transport.onInterrupted(() => unattended('comparing the services', this.#comparing.ask()));
    membership.listen({
      changed: () => this.#noteMembers(),
      dataLoss: () =>
        unattended(
          'comparing the services',
          this.#replica.lost().then(() => this.#comparing.ask()),
        ),
    });
  }

  /** Fetches everything and goes on looking. Called by the lifecycle once the node is a member. */
  async open(): Promise<void> {
    this.#noteMembers();
    await this.#replica.sync();
    // Nobody else writes what is in this process.
    if (this.backend.kind === 'local') return;
    this.#timer ??= clockOf(this.membership).every(LOOK_EVERY_MS - EARLY_MS, LOOK_EVERY_MS, () =>
      unattended('comparing the services', this.#look()),
    );
  }

  /**
   * Takes back what this node offers. Called by the lifecycle before the node leaves.
   *
   * INVARIANT (I12): in batches, each after the answer to the one before, so that no other client of Redis waits for
   * longer than for one of them, however many services there are.
   */
  async close(): Promise<void> {
    this.#timer?.cancel();
    const ids = [...this.#own.keys()];
    this.#own.clear();
    for (const instanceId of ids) this.#hide(instanceId);
    await this.#removeRows(ids);
  }

  /** Services of one name, or all; of nodes that are members only. */
  services(name?: string): readonly ServiceInfo[] {
    return name === undefined ? this.#index.all() : this.#index.named(name);
  }

  /** Services that have a capability. */
  capable(capability: string): readonly ServiceInfo[] {
    return this.#index.capable(capability);
  }

  /** Calls `heard` when this node has left the cluster, at once if it has; returns the function that ends that. */
  onLeft(heard: () => void): () => void {
    const tell = (): unknown => this.membership.state === 'left' && heard();
    tell();
    return this.membership.listen({ changed: tell });
  }

  /** What this node offers. */
  own(): readonly ServiceRecord[] {
    return [...this.#own.values()].map(({ record }) => record);
  }

  onChange(listener: (change: ServiceChange) => void): () => void {
    return this.#listeners.add(listener);
  }

  /**
   * Adds or changes a service of this node; resolves once the table has it, or once it was removed meanwhile. When this
   * rejects, it is written as soon as Redis is reached, unless it is removed.
   */
  async put(record: ServiceRecord): Promise<void> {
    this.#own.set(record.instanceId, { record, value: writeRecord(record) });
    await this.#write([record.instanceId]);
  }

  /** How a service of this node is; of one that was removed nothing is written. */
  async setStatus(instanceId: string, status: ServiceStatus): Promise<void> {
    const known = this.#own.get(instanceId);
    if (known !== undefined) await this.put({ ...known.record, status });
  }

  /** Removes a service of this node; hidden here at once. When this rejects, the next poll retries. */
  async remove(instanceId: string): Promise<void> {
    this.#own.delete(instanceId);
    const row = this.#replica.get(instanceId);
    if (row !== undefined && row.record.bootId !== this.membership.self.bootId) return;
    this.#hide(instanceId);
    await this.#removeRows([instanceId]);
  }

  async #write(ids: readonly string[]): Promise<void> {
    await this.#replica.changeAll(ids, (instanceId, row) => {
      // It may have been withdrawn, or changed again, meanwhile.
      const own = this.#own.get(instanceId);
      return own === undefined || own.value === row?.value ? undefined : own.value;
    });
    // Withdrawn while it was being written: the withdrawal did not know this version, so nothing was removed.
    await this.#removeRows(ids.filter((instanceId) => !this.#own.has(instanceId)));
  }

  async #removeRows(ids: Iterable<string>): Promise<void> {
    const rows = [...ids].map((key) => ({ key, version: this.#replica.versionOf(key) }));
    const written = rows.filter(({ version }) => version > 0);
    if (written.length > 0) await this.#replica.remove(written);
  }

  async #catchUp(): Promise<void> {
    try {
      await this.#replica.sync();
      await this.#reconcile();
    } catch (error) {
      this.#logger.debug('Failed to compare the services; retrying', { error: describe(error) });
    }
  }

  /**
   * Makes the rows of this node what it offers. They differ when a write failed, was carried out without an answer, or
   * was overtaken, and when Redis lost them.
   */
  async #reconcile(): Promise<void> {
    const unwritten = [...this.#own].filter(([id, { value }]) => this.#replica.get(id)?.value !== value);
    const rows = this.#byNode.get(this.membership.self.bootId) ?? [];
    const leftOver = [...rows].filter((instanceId) => !this.#own.has(instanceId));
    await Promise.all([this.#write(unwritten.map(([instanceId]) => instanceId)), this.#removeRows(leftOver)]);
  }

  /**
   * The regular look: catches up, and removes what dead nodes left. Doing that twice does nothing, so there is no
   * leader.
   */
  async #look(): Promise<void> {
    await this.#comparing.ask();
    const orphaned = [...this.#byNode.keys()].filter((bootId) => !this.#alive.has(bootId));
    // Only at the second look: a node that just joined may not be in this view yet.
    const stale = orphaned.filter((bootId) => this.#orphaned.has(bootId));
    this.#orphaned = new Set(orphaned);
    if (this.membership.state !== 'up') return;
    try {
      await this.#removeRows(stale.flatMap((bootId) => [...(this.#byNode.get(bootId) ?? [])]));
      if (this.#looks++ % TRIM_EVERY_LOOKS === TRIM_EVERY_LOOKS - 1) await this.backend.services.remove([]);
    } catch (error) {
      this.#logger.debug('Failed to remove the services of dead nodes; retrying', {
        error: describe(error),
      });
    }
  }

  #read(row: TableRow): Row | undefined {
    const record = readRecord(row);
    if (record === undefined) return undefined;
    const { key, version, value } = row;
    return { record, version, ...(this.#own.has(key) ? { value } : {}) };
  }

  /** A row came, changed or went. What this node offers stays: its row is written again. */
  #note(instanceId: string, now: ServiceRecord | undefined, before: ServiceRecord | undefined): void {
    if (before !== undefined && before.bootId !== now?.bootId) {
      const rows = this.#byNode.get(before.bootId);
      rows?.delete(instanceId);
      if (rows?.size === 0) this.#byNode.delete(before.bootId);
    }
    if (now !== undefined && now.bootId !== before?.bootId) {
      const rows = this.#byNode.get(now.bootId) ?? new Set();
      this.#byNode.set(now.bootId, rows.add(instanceId));
    }
    if (now !== undefined && this.#isOffered(now)) this.#show(now);
    else if (!this.#own.has(instanceId)) this.#hide(instanceId);
  }

  /** INVARIANT (I7): only services of members are ever found; of this node's own, only those that are not withdrawn. */
  #isOffered({ bootId, instanceId }: ServiceRecord): boolean {
    return this.#alive.has(bootId) && (bootId !== this.membership.self.bootId || this.#own.has(instanceId));
  }

  /** Services come and go with their node, at once (I7). Costs what the nodes offer that came or went. */
  #noteMembers(): void {
    const before = this.#alive;
    this.#alive = new Set(this.membership.members().map(({ bootId }) => bootId));
    for (const bootId of this.#alive) if (!before.has(bootId)) this.#noteNode(bootId);
    for (const bootId of before) if (!this.#alive.has(bootId)) this.#noteNode(bootId);
  }

  #noteNode(bootId: string): void {
    for (const instanceId of this.#byNode.get(bootId) ?? []) {
      const record = this.#replica.get(instanceId)?.record;
      const isShown = this.#index.get(instanceId) !== undefined;
      if (record !== undefined && this.#isOffered(record) && !isShown) this.#show(record);
      else if (record !== undefined && !this.#isOffered(record) && isShown) this.#hide(instanceId);
    }
  }

  #show(record: ServiceRecord): void {
    const before = this.#index.set(record);
    const { name, node, instanceId, status } = record;
    if (before === undefined) this.telemetry.emit('service.registered', { name, node, instanceId });
    else if (before.status !== status)
      this.telemetry.emit('service.health_changed', { name, node, instanceId, status });
    this.#tell({ type: before === undefined ? 'added' : 'changed', service: record });
  }

  #hide(instanceId: string): void {
    const service = this.#index.delete(instanceId);
    if (service === undefined) return;
    this.telemetry.emit('service.deregistered', { name: service.name, node: service.node, instanceId });
    this.#tell({ type: 'removed', service });
  }

  #tell(change: ServiceChange): void {
    this.#listeners.tell(change);
  }
}
