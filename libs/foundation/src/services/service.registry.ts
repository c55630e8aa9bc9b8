/**
 * This node's full copy of who offers what, and the only way to change it. A lookup costs no network.
 * Read by the facade; underneath `Table` (a hash and a sorted set, compared by version).
 */
import { Logger } from '@nestjs/common';
import type { Membership } from '../cluster/membership.js';
import { describe } from '../errors.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { Engine } from '../tools/engine.js';
import type { TableRow } from '../tools/table.js';
import { readRecord, writeRecord, type ServiceRecord } from './service.record.js';
import type { ServiceChange, ServiceInfo } from './service.js';
import { ServiceIndex } from './service.index.js';

/** Hints bring changes at once; this is for those that were lost. */
const LOOK_EVERY_MS = 5000;
const MAX_CONFLICTS = 20;

interface Row {
  record: ServiceRecord;
  version: number;
}

/** See the file header. */
export class ServiceRegistry {
  /** What the table says, the services of dead nodes included. */
  readonly #rows = new Map<string, Row>();
  /** What this node offers: the source from which its rows are made anew. */
  readonly #own = new Map<string, ServiceRecord>();
  readonly #index = new ServiceIndex();
  readonly #listeners = new Set<(change: ServiceChange) => void>();
  readonly #logger = new Logger('Foundation');
  #alive: ReadonlySet<string> = new Set();
  /** Rows whose node was no member at the last look. */
  #orphans: ReadonlySet<string> = new Set();
  #version = 0;
  #losses = 0;
  #syncing: Promise<void> | undefined;
  #syncAgain = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly engine: Pick<Engine, 'services' | 'onHint' | 'transport'>,
    private readonly membership: Membership,
    private readonly telemetry: Telemetry,
  ) {
    engine.onHint((hint) => {
      if (hint.t === 'services') void this.#syncSoon();
    });
    engine.transport.onInterrupted(() => void this.#syncSoon());
    membership.listen({
      changed: () => this.#noteMembers(),
      dataLoss: () => {
        this.#forgetTable();
        void this.#syncSoon();
      },
    });
  }

  /** Fetches everything and goes on looking. Called by the lifecycle once the node is a member. */
  async open(): Promise<void> {
    this.#noteMembers();
    await this.#sync();
    this.#timer ??= setInterval(() => void this.#look(), LOOK_EVERY_MS).unref();
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

  get(instanceId: string): ServiceInfo | undefined {
    return this.#index.get(instanceId);
  }

  /** What this node offers. */
  own(): readonly ServiceRecord[] {
    return [...this.#own.values()];
  }

  onChange(listener: (change: ServiceChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Adds or changes a service of this node; resolves once the table has it. */
  async put(record: ServiceRecord): Promise<void> {
    this.#own.set(record.instanceId, record);
    await this.#write(record);
  }

  /** Removes a service of this node. */
  async remove(instanceId: string): Promise<void> {
    if (!this.#own.delete(instanceId)) return;
    const row = this.#rows.get(instanceId);
    this.#drop(instanceId);
    if (row !== undefined) await this.engine.services.remove(instanceId, row.version);
  }

  async #write(record: ServiceRecord): Promise<void> {
    for (let conflict = 0; conflict < MAX_CONFLICTS; conflict++) {
      // It may have been taken back, or changed again, meanwhile.
      if (this.#own.get(record.instanceId) !== record) return;
      const expected = this.#rows.get(record.instanceId)?.version ?? 0;
      const value = writeRecord(record);
      const version = await this.engine.services.put(record.instanceId, value, expected);
      if (version !== undefined) return this.#accept({ key: record.instanceId, value, version });
      await this.#sync();
    }
    throw new Error(`The entry of service "${record.name}" changed ${MAX_CONFLICTS} times while it was being written.`);
  }

  async #sync(): Promise<void> {
    const asked = this.#version;
    const losses = this.#losses;
    const { version, rows } = await this.engine.services.since(asked);
    // The loss was heard of elsewhere meanwhile, so this may be an answer from before it.
    if (losses !== this.#losses) return this.#sync();
    if (version < asked) {
      this.#forgetTable();
      return this.#sync();
    }
    for (const row of rows) this.#accept(row);
    // Not before: what a failure here left out is fetched again.
    this.#version = Math.max(this.#version, version);
  }

  /** Redis lost the table. Each node puts back its own, so what nobody offers any more stays away. */
  #forgetTable(): void {
    this.#losses += 1;
    this.#version = 0;
    for (const instanceId of [...this.#rows.keys()]) if (!this.#own.has(instanceId)) this.#drop(instanceId);
    this.#rows.clear();
  }

  /** Callers do not wait; one that comes while a fetch is under way causes one more. */
  #syncSoon(): Promise<void> {
    if (this.#syncing !== undefined) this.#syncAgain = true;
    this.#syncing ??= this.#catchUp().finally(() => (this.#syncing = undefined));
    return this.#syncing;
  }

  async #catchUp(): Promise<void> {
    do {
      this.#syncAgain = false;
      try {
        await this.#sync();
        const missing = [...this.#own.values()].filter(({ instanceId }) => !this.#rows.has(instanceId));
        await Promise.all(missing.map((record) => this.#write(record)));
      } catch (error) {
        this.#logger.debug('The services were not read; the next look tries again', { error: describe(error) });
      }
    } while (this.#syncAgain);
  }

  /** The regular look: catches up, and removes what dead nodes left. Doing that twice does nothing, so there is no leader. */
  async #look(): Promise<void> {
    await this.#syncSoon();
    const orphans = [...this.#rows].filter(([, { record }]) => !this.#alive.has(record.bootId));
    // Only at the second look: a node that just joined may not be in this view yet.
    const stale = orphans.filter(([instanceId]) => this.#orphans.has(instanceId));
    this.#orphans = new Set(orphans.map(([instanceId]) => instanceId));
    if (this.membership.state !== 'up') return;
    for (const [instanceId, { version }] of stale) {
      await this.engine.services.remove(instanceId, version).catch(() => undefined);
      this.#rows.delete(instanceId);
    }
  }

  #accept(row: TableRow): void {
    const known = this.#rows.get(row.key);
    if (known !== undefined && known.version >= row.version) return;
    if (row.value === '') return this.#drop(row.key);
    const record = readRecord(row);
    if (record === undefined) {
      this.#logger.warn('An entry of the service table is not readable', { instanceId: row.key });
      return;
    }
    this.#rows.set(row.key, { record, version: row.version });
    if (this.#alive.has(record.bootId)) this.#show(record);
  }

  #drop(instanceId: string): void {
    this.#rows.delete(instanceId);
    this.#hide(instanceId);
  }

  /** INVARIANT (I7): only services of members are ever found, so they are gone as soon as their node is. */
  #noteMembers(): void {
    const alive = new Set(this.membership.members().map(({ bootId }) => bootId));
    const same = alive.size === this.#alive.size && [...alive].every((bootId) => this.#alive.has(bootId));
    if (same) return;
    this.#alive = alive;
    for (const { record } of this.#rows.values()) {
      const isShown = this.#index.get(record.instanceId) !== undefined;
      if (alive.has(record.bootId) && !isShown) this.#show(record);
      else if (!alive.has(record.bootId) && isShown) this.#hide(record.instanceId);
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
    for (const listener of [...this.#listeners]) listener(change);
  }
}
