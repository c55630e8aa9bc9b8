/**
 * The facade over services: who offers what, how it is, and calls to one of those who do.
 * Keeps nothing but the turns of the balancer and the checks; records are in the registry, objects in the targets.
 */
import { Injectable } from '@nestjs/common';
import type { Backend } from '../backend/backend.js';
import type { CallRouter } from '../calls/call.router.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { CallRefusedError } from '../errors/call.errors.js';
import { ArgumentError } from '../errors/config.errors.js';
import { describe, isA, show } from '../errors/describe.js';
import { FoundationError } from '../errors/foundation.error.js';
import { LimitError } from '../errors/limit.errors.js';
import { redisError } from '../errors/refusal.js';
import { ServiceNotFoundError } from '../errors/service.errors.js';
import { Gate } from '../foreign/gate.js';
import { Log } from '../logging/log.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { within } from '../time/timeout.js';
import { parseJson } from '../wire/json.js';
import { Balancer } from './service.balancer.js';
import { type Question, readCriteria, requireFields } from './service.criteria.js';
import { ServiceHealth } from './service.health.check.js';
import type {
  OnServiceHealth,
  ServiceCallOptions,
  ServiceChange,
  ServiceCriteria,
  ServiceHandle,
  ServiceInfo,
  ServiceTarget,
} from './service.js';
import { MAX_RECORD_BYTES, type ServiceRecord, writeRecord } from './service.record.js';
import type { ServiceRegistry } from './service.registry.js';
import type { ServiceTargets } from './service.targets.js';
import { ServiceWatch } from './service.watch.js';

/** What of a process ref the mesh looks at. */
interface ProcessLike {
  name: string;
  epoch: number;
  call(...args: unknown[]): Promise<unknown>;
}

const HEALTH_CHECK_MS = 2000;
const MAX_CAPABILITIES = 100;
/** So many services one node may offer: each is a row that every node keeps. */
export const MAX_SERVICES = 50_000;

/** Injectable. Registers, finds and calls services of the cluster. */
@Injectable()
export class ServiceMesh {
  readonly #checks = new Map<string, ServiceHealth>();
  readonly #logger = new Log();
  readonly #gate: Gate;
  readonly #balancer: Balancer;
  #count = 0;

  constructor(
    private readonly backend: Pick<Backend, 'endpoint'>,
    private readonly membership: ClusterView,
    private readonly registry: ServiceRegistry,
    private readonly targets: ServiceTargets,
    private readonly calls: Pick<CallRouter, 'call' | 'callAt'>,
    telemetry: Telemetry,
  ) {
    this.#gate = new Gate(telemetry);
    this.#balancer = new Balancer({
      self: membership.self.name,
      loads: () => new Map(membership.members().map(({ name, load }) => [name, load])),
      random: Math.random,
    });
  }

  /**
   * Offers a service from this node. Resolves once every node can learn of it; another instance of the same name may
   * exist, here or elsewhere. It is forgotten when it is taken back or when this node is no longer a member.
   *
   * Underneath: a row in `HGETALL …:services`.
   *
   * @param target an object whose `@Callable()` methods can be called, and which may implement {@link OnServiceHealth};
   * the ref of a process; or `{ url }` of something that is reached by other means.
   * @param capabilities up to 100 words, default none.
   * @param metadata plain JSON, default none; up to 64 KiB with everything else.
   * @throws ArgumentError, `RedisUnavailableError` (then nothing is registered), `NotReadyError`, `LimitError` for one
   *   more than 50,000 of one node.
   */
  async registerService(
    name: string,
    target: ServiceTarget,
    capabilities: readonly string[] = [],
    metadata: Readonly<Record<string, unknown>> = {},
  ): Promise<ServiceHandle> {
    const record = this.#record(name, target, capabilities, metadata);
    await this.membership.whenReady();
    if (this.targets.size >= MAX_SERVICES) {
      throw new LimitError(`registerService("${name}")`, 'services of this node', MAX_SERVICES);
    }
    // Reachable before it can be found.
    this.targets.add(record.instanceId, target);
    try {
      await this.#redis(`registering the service "${name}"`, () => this.registry.put(record));
    } catch (error) {
      this.targets.delete(record.instanceId);
      await this.registry.remove(record.instanceId).catch(() => undefined);
      throw error;
    }
    const { instanceId } = record;
    const check = checkOf(target);
    // Not when it was taken back before it was written: nobody would end the checks.
    const isOffered = this.registry.own().some((own) => own.instanceId === instanceId);
    if (check !== undefined && isOffered) this.#watchHealth(record, check);
    return { name, instanceId, deregister: () => this.deregisterService({ name, instanceId }) };
  }

  /**
   * Takes back a service of this node: one by its handle, or all of a name. What is not registered here is no error.
   *
   * Underneath: removes its row; its calls are refused from now on.
   *
   * @throws RedisUnavailableError; then this node finds it no more, and it is removed as soon as Redis is reached.
   */
  async deregisterService(service: string | Pick<ServiceHandle, 'name' | 'instanceId'>): Promise<void> {
    const isMeant = ({ name, instanceId }: { name: string; instanceId: string }): boolean =>
      typeof service === 'string' ? name === service : instanceId === service.instanceId;
    const mine = this.registry.own().filter(isMeant);
    for (const { instanceId } of mine) {
      this.#checks.get(instanceId)?.stop();
      this.#checks.delete(instanceId);
      this.targets.delete(instanceId);
    }
    await this.#redis('taking back a service', () =>
      Promise.all(mine.map(({ instanceId }) => this.registry.remove(instanceId))),
    );
  }

  /**
   * The services that meet all criteria, in the order of their registration; none is an empty list. Unhealthy ones are
   * among them and say so.
   *
   * Underneath: nothing; this node's copy of all services. While this node cannot reach Redis they are marked `stale`.
   *
   * @throws ArgumentError for criteria that cannot be meant; see {@link ServiceCriteria}.
   */
  async discoverServices(criteria: ServiceCriteria = {}): Promise<ServiceInfo[]> {
    const question = readCriteria('discoverServices', criteria);
    return this.#passing(this.#find(question), question);
  }

  /**
   * Calls a `@Callable()` method of one healthy instance. One that refuses before it did anything, because it is just
   * going away, is passed over for the next.
   *
   * Underneath: PUBLISH to the inbox of its node, as for processes; nothing leaves this one for an instance of its own.
   *
   * @throws ServiceNotFoundError, `ArgumentError`, and what calls to processes throw (`CallTimeoutError`,
   * `RemoteError`, …).
   */
  async call(
    name: string,
    method: string,
    args: readonly unknown[] = [],
    options: ServiceCallOptions = {},
  ): Promise<unknown> {
    if (!Array.isArray(args)) throw new ArgumentError(`call("${name}")`, 'args', show(args), 'a list of arguments');
    const { strategy, where = {}, ...rest } = options;
    // Before it is spread, which would make nothing of what has no fields of its own.
    requireFields('call', 'where', where);
    if ('name' in where) throw new ArgumentError('call', 'where.name', show(where['name']), 'the name as an argument');
    const question = readCriteria('call', { ...where, name });
    const refused = new Set<string>();
    for (;;) {
      options.signal?.throwIfAborted();
      const healthy = this.#find(question).filter(
        ({ instanceId, status, url }) => status === 'healthy' && url === undefined && !refused.has(instanceId),
      );
      const candidates = await this.#passing(healthy, question);
      const service = this.#balancer.choose(name, candidates, strategy);
      if (service === undefined) throw new ServiceNotFoundError(name, this.#whyNone(question, refused.size));
      try {
        return await this.#send(service, method, args, rest);
      } catch (error) {
        if (!(isA(error, CallRefusedError) && error.why === 'not-running')) throw error;
        refused.add(service.instanceId);
      }
    }
  }

  /** The same as {@link call}, under the name of the original specification. */
  routeToService(
    name: string,
    method: string,
    args: readonly unknown[] = [],
    options: ServiceCallOptions = {},
  ): Promise<unknown> {
    return this.call(name, method, args, options);
  }

  /**
   * What there is now, as `added`, and then every change, until the loop is left. Changes that come faster than they
   * are read are summed up for each instance.
   *
   * @throws ArgumentError for criteria that cannot be meant, or with a `healthCheck`.
   */
  watch(criteria: ServiceCriteria = {}): AsyncIterable<ServiceChange> {
    const question = readCriteria('watch', criteria);
    if (question.healthCheck !== undefined) {
      throw new ArgumentError('watch', 'healthCheck', 'a function', 'criteria that can be told from the record');
    }
    return new ServiceWatch(this.registry, question);
  }

  /** Stops the checks and takes everything back. Called by the lifecycle. */
  async close(): Promise<void> {
    for (const check of this.#checks.values()) check.stop();
    this.targets.clear();
    await this.registry.close();
  }

  #send(service: ServiceInfo, method: string, args: readonly unknown[], options: ServiceCallOptions): Promise<unknown> {
    if (service.process !== undefined) return this.calls.call({ name: service.process }, method, args, options);
    const { node, bootId, instanceId } = service;
    return this.calls.callAt({ ...this.targets.calleeOf(instanceId), node, bootId }, method, args, options);
  }

  #find({ name, capability, matches }: Question): ServiceInfo[] {
    const among =
      name !== undefined
        ? this.registry.services(name)
        : capability !== undefined
          ? this.registry.capable(capability)
          : this.registry.services();
    const found = among.filter(matches);
    return this.membership.state === 'isolated' ? found.map((service) => ({ ...service, stale: true })) : found;
  }

  /** Those whose predicate says yes in time. */
  async #passing(found: ServiceInfo[], { healthCheck }: Question): Promise<ServiceInfo[]> {
    if (healthCheck === undefined) return found;
    const answers = await Promise.all(
      found.map((service) =>
        within(
          HEALTH_CHECK_MS,
          Promise.resolve().then(() => healthCheck(service)),
          'the healthCheck took too long',
        ).catch((error: unknown) => {
          this.#gate.failed('healthCheck', error);
          return false;
        }),
      ),
    );
    return found.filter((_, index) => answers[index] === true);
  }

  #whyNone(question: Question, refused: number): string {
    const found = this.#find(question);
    if (found.length === 0) return 'no instance meets the criteria';
    if (refused > 0) return `each of its ${refused} healthy instances is going away`;
    const reached = found.filter(({ url }) => url === undefined);
    if (reached.length === 0) return 'it is registered by its address only';
    const also = question.healthCheck === undefined ? '' : ' and passes the healthCheck';
    return `none of its ${reached.length} instances is healthy${also}`;
  }

  #record(name: string, target: unknown, capabilities: readonly string[], metadata: unknown): ServiceRecord {
    const call = 'registerService';
    const isText = (text: unknown): boolean => typeof text === 'string' && text.length > 0 && text.length <= 200;
    if (!isText(name)) throw new ArgumentError(call, 'name', show(name), '1 to 200 characters');
    if (typeof target !== 'object' || target === null)
      throw new ArgumentError(call, 'target', show(target), 'an object');
    if (!Array.isArray(capabilities) || capabilities.length > MAX_CAPABILITIES || !capabilities.every(isText)) {
      throw new ArgumentError(call, 'capabilities', show(capabilities), `a list of up to ${MAX_CAPABILITIES} words`);
    }
    const { name: node, bootId } = this.membership.self;
    this.#count += 1;
    const record: ServiceRecord = {
      name,
      instanceId: `${bootId}.${this.#count}`,
      node,
      bootId,
      capabilities: [...new Set(capabilities)],
      metadata: plain(metadata),
      ...(isAddress(target) ? { url: target.url } : {}),
      ...(isProcess(target) ? { process: target.name } : {}),
      registeredAt: Math.round(this.membership.clusterNow()),
      status: 'healthy',
    };
    const size = Buffer.byteLength(writeRecord(record));
    if (size <= MAX_RECORD_BYTES) return record;
    throw new ArgumentError(
      call,
      'metadata',
      `${size} bytes`,
      `at most ${MAX_RECORD_BYTES} with the rest of the record`,
    );
  }

  #watchHealth(record: ServiceRecord, check: () => boolean | Promise<boolean>): void {
    const told = async (): Promise<boolean> => {
      try {
        return await check();
      } catch (error) {
        this.#gate.failed('onServiceHealth', error);
        throw error;
      }
    };
    const health = new ServiceHealth(record, told, (status) => {
      // Redis may be away; the registry puts its own records back with their last status.
      this.registry.setStatus(record.instanceId, status).catch((error: unknown) => {
        this.#logger.debug('The status of a service was not written', { service: record.name, error: describe(error) });
      });
    });
    this.#checks.set(record.instanceId, health);
  }

  async #redis<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw isA(error, FoundationError) ? error : redisError(this.backend.endpoint, doing, error);
    }
  }
}

function isAddress(target: object): target is { url: string } {
  return 'url' in target && typeof target.url === 'string' && Object.getPrototypeOf(target) === Object.prototype;
}

function isProcess(target: object): target is ProcessLike {
  const like = target as Partial<Record<keyof ProcessLike, unknown>>;
  return typeof like.name === 'string' && typeof like.epoch === 'number' && typeof like.call === 'function';
}

function checkOf(target: object): (() => boolean | Promise<boolean>) | undefined {
  return hasHealth(target) ? () => target.onServiceHealth() : undefined;
}

function hasHealth(target: object): target is OnServiceHealth {
  return 'onServiceHealth' in target && typeof target.onServiceHealth === 'function';
}

/** As the other nodes will see it. */
function plain(metadata: unknown): Record<string, unknown> {
  let copy: unknown;
  try {
    copy = parseJson(JSON.stringify(metadata));
  } catch {
    copy = undefined;
  }
  if (typeof copy === 'object' && copy !== null && !Array.isArray(copy)) return copy as Record<string, unknown>;
  throw new ArgumentError('registerService', 'metadata', show(metadata), 'an object that JSON can write');
}
