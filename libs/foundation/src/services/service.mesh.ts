/**
 * The facade over services: who offers what, how it is, and calls to one of those who do. Keeps nothing.
 * Used by the application; `service.offers.ts` and `service.router.ts` do it.
 */
import { Injectable } from '@nestjs/common';
import { ArgumentError } from '../errors/config.errors.js';
import { readCriteria } from './service.criteria.js';
import type {
  ServiceCallOptions,
  ServiceChange,
  ServiceCriteria,
  ServiceHandle,
  ServiceInfo,
  ServiceTarget,
} from './service.js';
import type { ServiceOffers } from './service.offers.js';
import type { ServiceRegistry } from './service.registry.js';
import type { ServiceRouter } from './service.router.js';
import { ServiceWatch } from './service.watch.js';

/** Injectable. Registers, finds and calls services of the cluster. */
@Injectable()
export class ServiceMesh {
  readonly #offers: ServiceOffers;
  readonly #router: ServiceRouter;
  readonly #registry: Pick<ServiceRegistry, 'services' | 'onChange' | 'onLeft'>;

  /** @internal */
  constructor(
    offers: ServiceOffers,
    router: ServiceRouter,
    registry: Pick<ServiceRegistry, 'services' | 'onChange' | 'onLeft'>,
  ) {
    this.#offers = offers;
    this.#router = router;
    this.#registry = registry;
  }

  /**
   * Offers a service from this node. Resolves once every node can learn of it; another instance of the same name may
   * exist, here or elsewhere. It is forgotten when it is withdrawn or when this node is no longer a member.
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
    return this.#offers.register({ name, target, capabilities, metadata });
  }

  /**
   * Takes back a service of this node: one by its handle, or all of a name. What is not registered here is no error.
   *
   * Underneath: removes its row; its calls are refused from now on.
   *
   * @throws ArgumentError for what is neither; `RedisUnavailableError`: then this node hides it at once, and removes it
   *   when Redis is reachable.
   */
  async deregisterService(service: string | Pick<ServiceHandle, 'name' | 'instanceId'>): Promise<void> {
    return this.#offers.deregister(service);
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
    return this.#router.discover(criteria);
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
    return this.#router.call(name, method, args, options);
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
      throw new ArgumentError('watch', 'healthCheck', 'a function', 'criteria that the record can answer');
    }
    return new ServiceWatch(this.#registry, question);
  }
}
