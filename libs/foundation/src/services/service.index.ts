/**
 * The services that can be found now, by name and by capability, so that a lookup touches only what it returns.
 * Used by the registry.
 */
import type { ServiceInfo } from './service.js';

const NONE: readonly ServiceInfo[] = Object.freeze([]);

/** See the file header. Lists are replaced on each change, never changed, so that they can be handed out as they are. */
export class ServiceIndex {
  readonly #byId = new Map<string, ServiceInfo>();
  readonly #byName = new Map<string, readonly ServiceInfo[]>();
  readonly #byCapability = new Map<string, Map<string, ServiceInfo>>();

  get(instanceId: string): ServiceInfo | undefined {
    return this.#byId.get(instanceId);
  }

  all(): readonly ServiceInfo[] {
    return [...this.#byId.values()];
  }

  named(name: string): readonly ServiceInfo[] {
    return this.#byName.get(name) ?? NONE;
  }

  capable(capability: string): readonly ServiceInfo[] {
    return [...(this.#byCapability.get(capability)?.values() ?? NONE)];
  }

  /** Adds or replaces a service; returns the one before. */
  set(service: ServiceInfo): ServiceInfo | undefined {
    const before = this.delete(service.instanceId);
    this.#byId.set(service.instanceId, service);
    this.#byName.set(service.name, Object.freeze([...this.named(service.name), service]));
    for (const capability of service.capabilities) {
      const services = this.#byCapability.get(capability) ?? new Map<string, ServiceInfo>();
      this.#byCapability.set(capability, services.set(service.instanceId, service));
    }
    return before;
  }

  /** Returns what was removed. */
  delete(instanceId: string): ServiceInfo | undefined {
    const service = this.#byId.get(instanceId);
    if (service === undefined) return undefined;
    this.#byId.delete(instanceId);
    const others = this.named(service.name).filter((each) => each !== service);
    if (others.length > 0) this.#byName.set(service.name, Object.freeze(others));
    else this.#byName.delete(service.name);
    for (const capability of service.capabilities) {
      const services = this.#byCapability.get(capability);
      services?.delete(instanceId);
      if (services?.size === 0) this.#byCapability.delete(capability);
    }
    return service;
  }
}
