/**
 * What this node offers: registered and withdrawn, with its objects and their health checks.
 * Used by the facade; closed by the lifecycle. Underneath: `ServiceRegistry` and `ServiceTargets`.
 */
import type { ClusterView } from '../cluster/cluster.view.js';
import { ArgumentError } from '../errors/config.errors.js';
import { describe, read, show } from '../errors/describe.js';
import { LimitError } from '../errors/limit.errors.js';
import { inRedis } from '../errors/refusal.js';
import { Gate } from '../foreign/gate.js';
import { isPromise } from '../foreign/given.options.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { clockOf } from '../time/clock.js';
import { ServiceHealth } from './service.health.check.js';
import type { OnServiceHealth, ServiceHandle, ServiceStatus, ServiceTarget } from './service.js';
import type { ServiceRecord } from './service.record.js';
import { recordOf, type Registration } from './service.registration.js';
import type { ServiceRegistry } from './service.registry.js';
import type { ServiceTargets } from './service.targets.js';

/** So many services one node may offer: each is a row that every node keeps. */
export const MAX_SERVICES = 50_000;

/** What the offers need. */
export interface ServiceOffersParts {
  membership: ClusterView;
  registry: ServiceRegistry;
  targets: ServiceTargets;
  telemetry: Telemetry;
  /** Of Redis, for errors. */
  endpoint: string;
}

/** See the file header. */
export class ServiceOffers {
  readonly #checks = new Map<string, ServiceHealth>();
  readonly #logger = new ThrottledLog();
  readonly #gate: Gate;
  #count = 0;

  constructor(private readonly parts: ServiceOffersParts) {
    this.#gate = new Gate(parts.telemetry);
  }

  /** See `ServiceMesh.registerService`. */
  async register(registration: Registration & { target: ServiceTarget }): Promise<ServiceHandle> {
    const { membership, registry, targets } = this.parts;
    const { name, target } = registration;
    const record = recordOf(registration, {
      ...{ instanceId: `${membership.self.bootId}.${this.#count + 1}`, node: membership.self.name },
      ...{ bootId: membership.self.bootId, registeredAt: Math.round(membership.clusterNow()) },
    });
    this.#count += 1;
    await membership.whenReady();
    if (targets.size >= MAX_SERVICES) {
      throw new LimitError(`registerService("${name}")`, 'services of this node', MAX_SERVICES);
    }
    // Reachable before it can be found.
    targets.add(record.instanceId, target, name);
    try {
      await this.#redis(`registering the service "${name}"`, () => registry.put(record));
    } catch (error) {
      targets.delete(record.instanceId);
      await registry.remove(record.instanceId).catch(() => undefined);
      throw error;
    }
    const { instanceId } = record;
    const check = checkOf(target);
    // Not when it was withdrawn before it was written: nothing would end the checks.
    const isOffered = registry.own().some((own) => own.instanceId === instanceId);
    if (check !== undefined && isOffered) this.#watchHealth(record, check);
    return { name, instanceId, deregister: () => this.deregister({ name, instanceId }) };
  }

  /** See `ServiceMesh.deregisterService`. */
  async deregister(service: string | Pick<ServiceHandle, 'name' | 'instanceId'>): Promise<void> {
    const { registry, targets } = this.parts;
    if (typeof service !== 'string' && typeof read(service, 'instanceId') !== 'string') {
      const received = isPromise(service) ? 'a promise' : show(service);
      throw new ArgumentError('deregisterService', 'service', received, 'a name, or what registerService resolves to');
    }
    const isMeant = ({ name, instanceId }: { name: string; instanceId: string }): boolean =>
      typeof service === 'string' ? name === service : instanceId === service.instanceId;
    const mine = registry.own().filter(isMeant);
    for (const { instanceId } of mine) {
      this.#checks.get(instanceId)?.stop();
      this.#checks.delete(instanceId);
    }
    try {
      // Reachable until it can no longer be found; calls in progress end by themselves, and are not waited for: one of
      // them may be what called this.
      await this.#redis('withdrawing a service', () =>
        Promise.all(mine.map(({ instanceId }) => registry.remove(instanceId))),
      );
    } finally {
      for (const { instanceId } of mine) targets.delete(instanceId);
    }
  }

  /** Stops the checks and withdraws everything. */
  async withdraw(): Promise<void> {
    for (const check of this.#checks.values()) check.stop();
    await this.parts.registry.close().finally(() => this.parts.targets.clear());
  }

  /** Resolves when the calls under way have ended. */
  settled(): Promise<void> {
    return this.parts.targets.settled();
  }

  #watchHealth(record: ServiceRecord, check: () => boolean | Promise<boolean>): void {
    const checked = async (): Promise<boolean> => {
      try {
        return await check();
      } catch (error) {
        this.#gate.failed('onServiceHealth', error);
        throw error;
      }
    };
    const changed = (status: ServiceStatus): void => {
      // Redis may be away; the registry puts its own records back with their last status.
      this.parts.registry.setStatus(record.instanceId, status).catch((error: unknown) => {
        this.#logger.debug('Failed to write the status of a service', { service: record.name, error: describe(error) });
      });
    };
    const health = new ServiceHealth(record, checked, changed, clockOf(this.parts.membership));
    this.#checks.set(record.instanceId, health);
  }

  #redis<T>(doing: string, work: () => Promise<T>): Promise<T> {
    return inRedis(this.parts.endpoint, doing, work);
  }
}

function checkOf(target: object): (() => boolean | Promise<boolean>) | undefined {
  return hasHealth(target) ? () => target.onServiceHealth() : undefined;
}

function hasHealth(target: object): target is OnServiceHealth {
  return 'onServiceHealth' in target && typeof target.onServiceHealth === 'function';
}
