/**
 * This node's full copy of who offers what, and the only way to change it. A lookup costs no network.
 * Read by the facade; underneath `Table` (a hash and a sorted set, compared by version).
 */
import type { Membership } from '../cluster/membership.js';
import { describe } from '../errors.js';
import { Gate, unattended } from '../foreign/gate.js';
import { Log } from '../telemetry/log.js';
import { RepeatedLog } from '../telemetry/repeated.log.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { Engine } from '../tools/engine.js';
import { SingleFlight } from '../tools/single.flight.js';
import type { TableRow } from '../tools/table.js';
import { readRecord, writeRecord, type ServiceRecord } from './service.record.js';
import type { ServiceChange, ServiceInfo, ServiceStatus } from './service.js';
import { ServiceIndex } from './service.index.js';

/** Hints bring changes at once; this is for those that were lost. */
const LOOK_EVERY_MS = 5000;
const MAX_CONFLICTS = 20;

interface Row {
  /** Absent for a row that cannot be read; its version must be known to write over it. */
  record?: ServiceRecord;
  version: number;
  /** As it lies in the table; kept for what this node offers only. */
  value?: string;
}

/** See the file header. */
export class ServiceRegistry {
  /** What the table says, the services of dead nodes included. */
  readonly #rows = new Map<string, Row>();
  /** What this node offers, and how that is written: the source from which its rows are made anew. */
  readonly #own = new Map<string, { record: ServiceRecord; value: string }>();
  readonly #index = new ServiceIndex();
  readonly #listeners = new Set<(change: ServiceChange) => void>();
  readonly #logger = new Log();
  readonly #repeated = new RepeatedLog();
  #alive: ReadonlySet<string> = new Set();
  /** Rows whose node was no member at the last look. */
  #orphans: ReadonlySet<string> = new Set();
  #version = 0;
  #losses = 0;
  /** A request while a comparison is under way causes one more. */
  readonly #comparing = new SingleFlight(() => this.#catchUp());
  readonly #gate: Gate;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly engine: Pick<Engine, 'services' | 'onHint' | 'transport'>,
    private readonly membership: Membership,
    private readonly telemetry: Telemetry,
  ) {
    this.#gate = new Gate(telemetry);
    engine.onHint((hint) => {
      if (hint.t === 'services') unattended('comparing the services', this.#comparing.ask());
    });
    engine.transport.onInterrupted(() => unattended('comparing the services', this.#comparing.ask()));
    membership.listen({
      changed: () => this.#noteMembers(),
      dataLoss: () => {
        this.#forgetTable();
        unattended('comparing the services', this.#comparing.ask());
      },
    });
  }

  /** Fetches everything and goes on looking. Called by the lifecycle once the node is a member. */
  async open(): Promise<void> {
    this.#noteMembers();
    await this.#sync();
    this.#timer ??= setInterval(() => unattended('comparing the services', this.#look()), LOOK_EVERY_MS).unref();
  }

  /** Takes back what this node offers. Called by the lifecycle before the node leaves. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#own.keys()].map((instanceId) => this.remove(instanceId)));
  }

  /** Services of one name, or all; of nodes that are members only. */
  services(name?: string): readonly ServiceInfo[] {
    return name === undefined ? this.#index.all() : this.#index.named(name);
  }

  /** Services that have a capability. */
  capable(capability: string): readonly ServiceInfo[] {
    return this.#index.capable(capability);
  }

  /** What this node offers. */
  own(): readonly ServiceRecord[] {
    return [...this.#own.values()].map(({ record }) => record);
  }

  onChange(listener: (change: ServiceChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Adds or changes a service of this node; resolves once the table has it, or once it was removed meanwhile. When this
   * rejects, it is written as soon as Redis is reached, unless it is removed.
   */
  async put(record: ServiceRecord): Promise<void> {
    this.#own.set(record.instanceId, { record, value: writeRecord(record) });
    await this.#write(record.instanceId);
  }

  /** How a service of this node is; of one that was removed nothing is written. */
  async setStatus(instanceId: string, status: ServiceStatus): Promise<void> {
    const known = this.#own.get(instanceId);
    if (known !== undefined) await this.put({ ...known.record, status });
  }

  /** Removes a service of this node; not found here any more at once. When this rejects, the next look tries again. */
  async remove(instanceId: string): Promise<void> {
    this.#own.delete(instanceId);
    const row = this.#rows.get(instanceId);
    if (row === undefined) return this.#hide(instanceId);
    if (row.record !== undefined && row.record.bootId !== this.membership.self.bootId) return;
    this.#hide(instanceId);
    await this.#removeRow(instanceId, row.version);
  }

  async #write(instanceId: string): Promise<void> {
    for (let conflict = 0; conflict < MAX_CONFLICTS; conflict++) {
      // It may have been taken back, or changed again, meanwhile.
      const own = this.#own.get(instanceId);
      const row = this.#rows.get(instanceId);
      if (own === undefined || own.value === row?.value) return;
      const { value, record } = own;
      const write = { key: instanceId, value, expected: row?.version ?? 0 };
      const [version] = (await this.engine.services.put([write])).versions;
      if (version === undefined) {
        await this.#sync();
        if (conflict + 1 < MAX_CONFLICTS) continue;
        throw new Error(`The entry of service "${record.name}" changed ${MAX_CONFLICTS} times while it was written.`);
      }
      if (this.#own.has(instanceId)) return this.#accept({ key: instanceId, value, version });
      // Taken back while it was on its way: whoever did that did not know this version, so nothing was removed.
      await this.engine.services.remove([{ key: instanceId, version }]);
      return;
    }
  }

  async #removeRow(instanceId: string, version: number): Promise<void> {
    await this.engine.services.remove([{ key: instanceId, version }]);
    // What came meanwhile is newer, and stays.
    if (this.#rows.get(instanceId)?.version === version) this.#drop(instanceId);
  }

  async #sync(): Promise<void> {
    const asked = this.#version;
    const losses = this.#losses;
    const { version, rows, more } = await this.engine.services.since(asked);
    // The loss was heard of elsewhere meanwhile, so this may be an answer from before it.
    if (losses !== this.#losses) return this.#sync();
    if (version < asked) {
      this.#forgetTable();
      return this.#sync();
    }
    for (const row of rows) this.#accept(row);
    // Not before: what a failure here left out is fetched again.
    this.#version = Math.max(this.#version, more ? rows.at(-1)!.version : version);
    if (more) return this.#sync();
  }

  /** Redis lost the table. Each node puts back its own, so what nobody offers any more stays away. */
  #forgetTable(): void {
    this.#losses += 1;
    this.#version = 0;
    for (const instanceId of [...this.#rows.keys()]) if (!this.#own.has(instanceId)) this.#drop(instanceId);
    this.#rows.clear();
  }

  async #catchUp(): Promise<void> {
    try {
      await this.#sync();
      await this.#reconcile();
    } catch (error) {
      this.#logger.debug('The services were not compared; the next look tries again', { error: describe(error) });
    }
  }

  /**
   * Makes the rows of this node what it offers. They differ when a write failed, was carried out without an answer, or
   * was overtaken, and when Redis lost them.
   */
  async #reconcile(): Promise<void> {
    const { bootId } = this.membership.self;
    const unwritten = [...this.#own].filter(([instanceId, { value }]) => this.#rows.get(instanceId)?.value !== value);
    const leftOver = [...this.#rows].filter(([id, { record }]) => record?.bootId === bootId && !this.#own.has(id));
    await Promise.all([
      ...unwritten.map(([instanceId]) => this.#write(instanceId)),
      ...leftOver.map(([instanceId, { version }]) => this.#removeRow(instanceId, version)),
    ]);
  }

  /** The regular look: catches up, and removes what dead nodes left. Doing that twice does nothing, so there is no leader. */
  async #look(): Promise<void> {
    await this.#comparing.ask();
    const isOrphan = ({ record }: Row): boolean => record !== undefined && !this.#alive.has(record.bootId);
    const orphans = [...this.#rows].filter(([, row]) => isOrphan(row));
    // Only at the second look: a node that just joined may not be in this view yet.
    const stale = orphans.filter(([instanceId]) => this.#orphans.has(instanceId));
    this.#orphans = new Set(orphans.map(([instanceId]) => instanceId));
    if (this.membership.state !== 'up') return;
    for (const [instanceId, { version }] of stale) {
      // The next look tries again.
      await this.#removeRow(instanceId, version).catch(() => undefined);
    }
  }

  #accept({ key, value, version }: TableRow): void {
    const known = this.#rows.get(key);
    if (known !== undefined && known.version >= version) return;
    if (value === '') return this.#drop(key);
    const record = readRecord({ key, value, version });
    if (record === undefined) {
      this.#repeated.warn('An entry of the service table is not readable', { instanceId: key });
      this.#rows.set(key, { version });
      return this.#hide(key);
    }
    this.#rows.set(key, { record, version, ...(this.#own.has(key) ? { value } : {}) });
    if (this.#isOffered(record)) this.#show(record);
  }

  /** INVARIANT (I7): only services of members are ever found; of this node's own, only those not taken back. */
  #isOffered({ bootId, instanceId }: ServiceRecord): boolean {
    return this.#alive.has(bootId) && (bootId !== this.membership.self.bootId || this.#own.has(instanceId));
  }

  #drop(instanceId: string): void {
    this.#rows.delete(instanceId);
    this.#hide(instanceId);
  }

  /** Services come and go with their node, at once (I7). */
  #noteMembers(): void {
    const alive = new Set(this.membership.members().map(({ bootId }) => bootId));
    const same = alive.size === this.#alive.size && [...alive].every((bootId) => this.#alive.has(bootId));
    if (same) return;
    this.#alive = alive;
    for (const { record } of this.#rows.values()) {
      if (record === undefined) continue;
      const isShown = this.#index.get(record.instanceId) !== undefined;
      if (this.#isOffered(record) && !isShown) this.#show(record);
      else if (!this.#isOffered(record) && isShown) this.#hide(record.instanceId);
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
    for (const listener of [...this.#listeners]) {
      this.#gate.tell('ServiceRegistry.onChange', listener, change);
    }
  }
}
