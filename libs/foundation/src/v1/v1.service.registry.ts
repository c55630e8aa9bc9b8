/**
 * `Foundation.ServiceRegistry` of 1.x: which object of this node serves under which name, in namespaces; and the same
 * for the whole cluster.
 * Underneath: maps in memory; `ServiceMesh` for the calls that end with `ClusterWide`.
 */
import { Inject, Injectable } from '@nestjs/common';
import { ArgumentError } from '../errors/config.errors.js';
import { isError, show } from '../errors/describe.js';
import { called } from '../foreign/gate.js';
import { Log } from '../logging/log.js';
import type { ServiceCallOptions, ServiceInfo } from '../services/service.js';
import { valueWithin } from '../time/timeout.js';
import { ClusterServices } from './registry/cluster.services.js';
import {
  because,
  type HealthCheckOptions,
  type HealthFailure,
  isGood,
  limitOf,
  notFound,
  placeOf,
  type Reason,
  textOf,
} from './registry/registry.arguments.js';
import { type Entry, isTest, type Namespace, type Service, ServiceTable } from './registry/service.table.js';
import type { V1Error } from './v1.error.js';
import { done, fail, type Failure, ok, type Result } from './v1.result.js';
import { V1Service } from './v1.service.js';
import { Telemetry } from './v1.telemetry.js';

/** What {@link ServiceRegistry.getServiceInfo} says. */
export interface NamespaceInfo {
  readonly namespace: Namespace;
  readonly services: Readonly<
    Record<string, { readonly service: Service; readonly alive: boolean; readonly uptimeMs: number }>
  >;
  readonly totalServices: number;
  readonly healthyServices: number;
}

/** How long a test namespace is given to stop, in milliseconds. */
const STOP_MS = 200;

/** Injectable. `Foundation.ServiceRegistry`: every call that 1.x has stays on this node. */
@Injectable()
export class ServiceRegistry {
  readonly #table: ServiceTable;
  readonly #log = new Log();

  /** @internal Made by Nest. */
  constructor(
    @Inject(V1Service) private readonly service: V1Service,
    @Inject(Telemetry) private readonly telemetry: Telemetry,
    @Inject(ClusterServices) private readonly cluster: ClusterServices,
  ) {
    this.#table = new ServiceTable(service.gate, (place) => cluster.withdraw(place));
  }

  /**
   * Registers an object under a name that is unique in its namespace on this node. The same one again is no error, and
   * of a dead one the name is taken.
   *
   * Fails with `already_registered` and who has the name; with `resource_exhausted` (2201) for more than 10,000.
   *
   * @throws ArgumentError
   */
  register(
    namespace: Namespace,
    service: string,
    object: Service,
  ): Result<void, V1Error | Reason<'already_registered'>> {
    const place = placeOf('register', namespace, service);
    if ((typeof object !== 'object' || object === null) && typeof object !== 'function') {
      throw new ArgumentError('ServiceRegistry.register', 'object', show(object), 'an object or a function');
    }
    const result = this.#register({ ...place, service: object, since: this.service.ticks() });
    this.#tell('register', { count: 1 }, namespace, service, result);
    return result;
  }

  /** The object of a name. Fails with `service_not_found` (5001); a dead one is removed. */
  lookup(namespace: Namespace, service: string): Result<Service> {
    const place = placeOf('lookup', namespace, service);
    const startedAt = performance.now();
    const found = this.#table.find(place.namespace, place.name);
    const result = found === undefined ? notFound(namespace, service) : ok(found.service);
    this.#tell('lookup', { duration: performance.now() - startedAt }, namespace, service, result);
    return result;
  }

  /**
   * Frees a name. One that is not registered is no error. One that was registered by {@link registerClusterWide} is
   * withdrawn from the cluster as well, some time later.
   */
  unregister(namespace: Namespace, service: string): Result {
    const place = placeOf('unregister', namespace, service);
    this.#table.delete(place.namespace, place.name);
    return done();
  }

  /** The names of a namespace whose objects are alive: a plain list. */
  listServices(namespace: Namespace): string[] {
    return this.#table.list(textOf('listServices', namespace)).map(({ name }) => name);
  }

  /**
   * The object of a name, if it is healthy by its check. Fails with `service_not_found` (5001), or with a
   * {@link HealthFailure}: `health_check_error` and what it threw, where that is an error; `health_check_crashed` for
   * anything else that is thrown; `health_check_failed` and what it answered.
   */
  async healthCheck(
    namespace: Namespace,
    service: string,
    { healthCheck, timeout = 5000, debugHealthCheck = false }: HealthCheckOptions = {},
  ): Promise<Result<Service, V1Error | HealthFailure>> {
    if (debugHealthCheck) this.#log.debug('Checking the service {service}', { service });
    const found = this.lookup(namespace, service);
    if (!found.ok) return found;
    if (!this.#table.isAlive(found.value)) return because('process_dead');
    if (healthCheck === undefined) return found;
    const judged = called(() => healthCheck(found.value)).then(
      (answer) => (isGood(answer) ? found : because('health_check_failed', answer)),
      (error: unknown) => because(isError(error) ? 'health_check_error' : 'health_check_crashed', error),
    );
    return (await valueWithin(limitOf('healthCheck', timeout), judged)) ?? because('health_check_timeout');
  }

  /** The object of a name as soon as it is registered. Fails with `timeout` after so many milliseconds. */
  async waitForService(
    namespace: Namespace,
    service: string,
    timeout = 5000,
  ): Promise<Result<Service, Reason<'timeout'>>> {
    const place = placeOf('waitForService', namespace, service);
    const limit = limitOf('waitForService', timeout);
    const found = this.lookup(namespace, service);
    if (found.ok) return found;
    const coming = await this.#table.next(place, limit);
    return coming === undefined ? because('timeout') : ok(coming.service);
  }

  /** Has no meaning here: fails with `operation_not_supported` (4001). */
  viaTuple(_namespace: Namespace, service: string): Failure {
    return fail({
      errorType: 'operation_not_supported',
      code: 4001,
      message: `A via tuple names ${show(service)} for OTP, and Node.js has no counterpart: take register() and lookup()`,
      severity: 'medium',
      category: 'system',
      subcategory: 'discovery',
    });
  }

  /** All of a namespace, with how long they have been registered. */
  getServiceInfo(namespace: Namespace): NamespaceInfo {
    const entries = this.#table.list(textOf('getServiceInfo', namespace));
    const now = this.service.ticks();
    const services = entries.map(
      ({ name, service, since }) => [name, { service, alive: true, uptimeMs: Math.floor(now - since) }] as const,
    );
    const count = entries.length;
    return { namespace, services: Object.fromEntries(services), totalServices: count, healthyServices: count };
  }

  /**
   * Stops and removes all services of `{ test: ref }`. Each is given 200 ms for its `stop()`, and is removed whatever
   * that does.
   */
  async cleanupTestNamespace(ref: string): Promise<Result> {
    const namespace = textOf('cleanupTestNamespace', { test: ref });
    const entries = this.#table.list(namespace);
    await Promise.all(
      entries.map(({ service }) => this.service.gate.wait('stop', STOP_MS, undefined, () => service.stop?.())),
    );
    for (const { name } of entries) this.#table.delete(namespace, name);
    return done();
  }

  /** Whether there is one of the name: `ProcessRegistry.registered?/2`. */
  registered(namespace: Namespace, service: string): boolean {
    const place = placeOf('registered', namespace, service);
    return this.#table.find(place.namespace, place.name) !== undefined;
  }

  /** How many there are in a namespace: `ProcessRegistry.count_services/1`. */
  countServices(namespace: Namespace): number {
    return this.listServices(namespace).length;
  }

  /** The objects of a namespace by their names: `ProcessRegistry.get_all_services/1`. */
  getAllServices(namespace: Namespace): Record<string, Service> {
    const entries = this.#table.list(textOf('getAllServices', namespace));
    return Object.fromEntries(entries.map(({ name, service }) => [name, service]));
  }

  /** How many there are in all: `ProcessRegistry.stats/0`, without what only an ETS table has. */
  stats(): { totalServices: number; productionServices: number; testNamespaces: number } {
    const counts = this.#table
      .namespaces()
      .map((namespace) => [namespace, this.#table.list(namespace).length] as const);
    const filled = counts.filter(([, count]) => count > 0);
    return {
      totalServices: filled.reduce((sum, [, count]) => sum + count, 0),
      productionServices: this.countServices('production'),
      testNamespaces: filled.filter(([namespace]) => isTest(namespace)).length,
    };
  }

  /**
   * Registers an object on this node, and so that all nodes find it: each node may have one of the name. Its methods
   * with `@Callable()` can be called from everywhere; `onServiceHealth()` says how it is.
   *
   * Underneath: {@link register}, then `ServiceMesh.registerService`.
   *
   * Fails as {@link register} does, and with `dependency_failed` (2301) where Redis cannot be reached; then it is not
   * registered on this node either.
   *
   * @throws ArgumentError
   */
  async registerClusterWide(
    namespace: Namespace,
    service: string,
    object: Service,
  ): Promise<Result<void, V1Error | Reason<'already_registered'>>> {
    const place = placeOf('registerClusterWide', namespace, service);
    const isNew = !this.registered(namespace, service);
    const registered = this.register(namespace, service, object);
    if (!registered.ok || this.cluster.isRegistered(place)) return registered;
    let result: Result | undefined;
    try {
      return (result = await this.cluster.register(place, object));
    } finally {
      if (isNew && result?.ok !== true) this.#table.delete(place.namespace, place.name);
    }
  }

  /** The same as {@link unregister}, and waits until no node finds it. Fails with `dependency_failed` (2301). */
  async unregisterClusterWide(namespace: Namespace, service: string): Promise<Result> {
    const place = placeOf('unregisterClusterWide', namespace, service);
    const withdrawn = this.cluster.deregister(place);
    this.#table.delete(place.namespace, place.name);
    return withdrawn;
  }

  /**
   * The healthy objects of a name on all nodes, as records. Fails with `service_not_found` (5001) where there is none.
   *
   * Underneath: `ServiceMesh.discoverServices`, which asks nobody: each node has a copy of all services.
   */
  async lookupClusterWide(namespace: Namespace, service: string): Promise<Result<ServiceInfo[]>> {
    const found = await this.cluster.find(placeOf('lookupClusterWide', namespace, service));
    return found.length === 0 ? notFound(namespace, service) : ok(found);
  }

  /** The names of a namespace that any node has registered for the cluster: a plain list. */
  async listServicesClusterWide(namespace: Namespace): Promise<string[]> {
    return this.cluster.list(textOf('listServicesClusterWide', namespace));
  }

  /**
   * Calls a `@Callable()` method of one healthy object of the name, on whatever node.
   *
   * Underneath: `ServiceMesh.call`, and its errors.
   */
  async callClusterWide(
    namespace: Namespace,
    service: string,
    method: string,
    args: readonly unknown[] = [],
    options: ServiceCallOptions = {},
  ): Promise<unknown> {
    return this.cluster.call(placeOf('callClusterWide', namespace, service), method, args, options);
  }

  #register(entry: Entry): Result<void, V1Error | Reason<'already_registered'>> {
    const isKnown = this.#table.find(entry.namespace, entry.name) !== undefined;
    if (!isKnown && this.#table.isFull) {
      return fail({ errorType: 'resource_exhausted', message: 'There are too many services on this node' });
    }
    const holder = this.#table.add(entry);
    if (holder !== undefined) return because('already_registered', holder);
    return done();
  }

  #tell(
    what: 'register' | 'lookup',
    measurements: Readonly<Record<string, number>>,
    namespace: Namespace,
    service: string,
    { ok }: { ok: boolean },
  ): void {
    const metadata = { namespace, service, result: ok ? 'ok' : 'error' };
    this.telemetry.execute(['foundation', 'registry', what], measurements, metadata);
  }
}
