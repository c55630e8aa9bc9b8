/**
 * The services that can be found now, by name and by capability, so that a lookup touches only what it returns.
 * Used by the registry.
 */
import type { ServiceInfo } from './service.js';

const NONE: readonly ServiceInfo[] = Object.freeze([]);

/**
 * See the file header. Lists are in the order of registration, and frozen, so that they can be handed out as they are.
 */
export class ServiceIndex {
  readonly #all = new Shelf();
  readonly #byName = new Map<string, Shelf>();
  readonly #byCapability = new Map<string, Shelf>();

  get(instanceId: string): ServiceInfo | undefined {
    return this.#all.get(instanceId);
  }

  all(): readonly ServiceInfo[] {
    return this.#all.list();
  }

  named(name: string): readonly ServiceInfo[] {
    return this.#byName.get(name)?.list() ?? NONE;
  }

  capable(capability: string): readonly ServiceInfo[] {
    return this.#byCapability.get(capability)?.list() ?? NONE;
  }

  /** Adds or replaces a service; returns the one before. */
  set(service: ServiceInfo): ServiceInfo | undefined {
    const before = this.delete(service.instanceId);
    this.#all.set(service);
    put(this.#byName, service.name, service);
    for (const capability of service.capabilities) put(this.#byCapability, capability, service);
    return before;
  }

  /** Returns what was removed. */
  delete(instanceId: string): ServiceInfo | undefined {
    const service = this.#all.get(instanceId);
    if (service === undefined) return undefined;
    this.#all.delete(instanceId);
    take(this.#byName, service.name, instanceId);
    for (const capability of service.capabilities) take(this.#byCapability, capability, instanceId);
    return service;
  }
}

/** Services by id, and as a list that is made when it is next asked for, so that many changes in a row cost one. */
class Shelf {
  readonly #byId = new Map<string, ServiceInfo>();
  #list: readonly ServiceInfo[] | undefined;

  get size(): number {
    return this.#byId.size;
  }

  get(instanceId: string): ServiceInfo | undefined {
    return this.#byId.get(instanceId);
  }

  list(): readonly ServiceInfo[] {
    this.#list ??= Object.freeze([...this.#byId.values()].sort(byRegistration));
    return this.#list;
  }

  set(service: ServiceInfo): void {
    this.#byId.set(service.instanceId, service);
    this.#list = undefined;
  }

  delete(instanceId: string): void {
    this.#byId.delete(instanceId);
    this.#list = undefined;
  }
}

function put(shelves: Map<string, Shelf>, key: string, service: ServiceInfo): void {
  const shelf = shelves.get(key) ?? new Shelf();
  shelf.set(service);
  shelves.set(key, shelf);
}

function take(shelves: Map<string, Shelf>, key: string, instanceId: string): void {
  const shelf = shelves.get(key);
  shelf?.delete(instanceId);
  if (shelf?.size === 0) shelves.delete(key);
}

/** The same on every node, in whatever order it heard of them. */
function byRegistration(a: ServiceInfo, b: ServiceInfo): number {
  if (a.registeredAt !== b.registeredAt) return a.registeredAt - b.registeredAt;
  // Ids of one node end with a count, so a shorter one is older.
  if (a.instanceId.length !== b.instanceId.length) return a.instanceId.length - b.instanceId.length;
  return a.instanceId < b.instanceId ? -1 : Number(a.instanceId > b.instanceId);
}
