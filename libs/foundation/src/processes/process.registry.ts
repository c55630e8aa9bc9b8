/**
 * Where each process lives now: the table says what should run, the leases say who owns it.
 * Called by the manager; underneath one script call for all names.
 */
import type { Engine } from '../tools/engine.js';
import type { OwnerRecord } from '../tools/leases.js';
import type { ProcessInfo, ProcessState } from './process.ref.js';
import type { ProcessTable, VersionedEntry } from './process.table.js';

/** Names in one script call; more would keep Redis from renewing leases meanwhile. */
const MAX_BATCH = 500;

/** See the file header. */
export class ProcessRegistry {
  readonly #asked = new Map<string, Promise<OwnerRecord | undefined>>();
  #batch = Promise.resolve(new Map<string, OwnerRecord>());

  constructor(
    private readonly engine: Engine,
    private readonly table: ProcessTable,
  ) {}

  /**
   * The owner of a name whose start is over.
   *
   * INVARIANT (I14): an owner record counts only while its token is the value of the lease, compared inside Redis.
   */
  async running(name: string): Promise<OwnerRecord | undefined> {
    const owner = await this.owner(name);
    return owner?.state === 'running' ? owner : undefined;
  }

  /** The owner of a name, started or not. All that is asked in one turn is one question to Redis. */
  owner(name: string): Promise<OwnerRecord | undefined> {
    if (this.#asked.size === 0) this.#batch = this.#ask();
    const asked = this.#asked.get(name) ?? this.#batch.then((owners) => owners.get(name));
    this.#asked.set(name, asked);
    return asked;
  }

  async #ask(): Promise<Map<string, OwnerRecord>> {
    await new Promise((resolve) => setImmediate(resolve));
    const names = [...this.#asked.keys()];
    this.#asked.clear();
    const owners = new Map<string, OwnerRecord>();
    for (let index = 0; index < names.length; index += MAX_BATCH) {
      for (const owner of await this.engine.leases.owners(names.slice(index, index + MAX_BATCH))) {
        if (owner !== undefined) owners.set(owner.name, owner);
      }
    }
    return owners;
  }

  async list(): Promise<ProcessInfo[]> {
    const entries = this.table.entries().sort((a, b) => (a.name < b.name ? -1 : 1));
    const owners = await this.engine.leases.owners(entries.map(({ name }) => name));
    return entries.map((entry, index) => infoOf(entry, owners[index]));
  }
}

function infoOf(entry: VersionedEntry, owner: OwnerRecord | undefined): ProcessInfo {
  return {
    name: entry.name,
    type: entry.type,
    state: stateOf(entry, owner),
    restart: entry.options.restart,
    ...(owner === undefined ? {} : { node: owner.node, epoch: owner.epoch, startedAt: owner.since }),
    ...(entry.error === undefined ? {} : { error: entry.error }),
  };
}

function stateOf({ status }: VersionedEntry, owner: OwnerRecord | undefined): ProcessState {
  if (owner !== undefined) return owner.state;
  if (status === 'wanted') return 'waiting';
  return status === 'once' ? 'lost' : status;
}
