/**
 * Finds the services that meet criteria, and calls one of them.
 * Used by the facade. Underneath: this node's replica of all services, and `CallRouter`.
 */
import { markIn } from '../calls/call.marks.js';
import { isNotSent } from '../calls/call.outcome.js';
import type { CallRouter } from '../calls/call.router.js';
import type { CallAtOptions } from '../calls/call.target.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { CallInterruptedError, CallRefusedError } from '../errors/call.errors.js';
import { ArgumentError } from '../errors/config.errors.js';
import { isA, show } from '../errors/describe.js';
import { ServiceNotFoundError } from '../errors/service.errors.js';
import { requireNotAborted } from '../foreign/abort.signals.js';
import { Gate } from '../foreign/gate.js';
import { checkSignal, givenOptions } from '../foreign/given.options.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { clockOf } from '../time/clock.js';
import { within } from '../time/timeout.js';
import { Balancer } from './service.balancer.js';
import { type Question, readCriteria, requireFields } from './service.criteria.js';
import type { ServiceCallOptions, ServiceCriteria, ServiceInfo } from './service.js';
import type { ServiceRegistry } from './service.registry.js';
import { calleeOf } from './service.targets.js';

const HEALTH_CHECK_MS = 2000;
const CALL_OPTIONS = ['strategy', 'where', 'timeout', 'signal'] as const;

/** What the router needs. */
export interface ServiceRouterParts {
  membership: ClusterView;
  registry: ServiceRegistry;
  calls: Pick<CallRouter, 'call' | 'callAt'>;
  telemetry: Telemetry;
}

/** See the file header. */
export class ServiceRouter {
  readonly #gate: Gate;
  readonly #balancer: Balancer;

  constructor(private readonly parts: ServiceRouterParts) {
    const { membership, telemetry } = parts;
    this.#gate = new Gate(telemetry);
    this.#balancer = new Balancer({
      self: membership.self.name,
      loads: () => new Map(membership.members().map(({ name, load }) => [name, load])),
      random: Math.random,
    });
  }

  /** See `ServiceMesh.discoverServices`. */
  async discover(criteria: ServiceCriteria): Promise<ServiceInfo[]> {
    const question = readCriteria('discoverServices', criteria);
    return this.#passing(this.#find(question), question);
  }

  /** See `ServiceMesh.call`. */
  async call(name: string, method: string, args: readonly unknown[], options: ServiceCallOptions): Promise<unknown> {
    if (!Array.isArray(args)) throw new ArgumentError(`call("${name}")`, 'args', show(args), 'a list of arguments');
    const { strategy, where = {}, ...rest } = givenOptions<ServiceCallOptions>('call', options, CALL_OPTIONS);
    checkSignal('call', rest.signal);
    // Before it is spread, which would make nothing of what has no fields of its own.
    requireFields('call', 'where', where);
    if ('name' in where) throw new ArgumentError('call', 'where.name', show(where['name']), 'the name as an argument');
    const question = readCriteria('call', { ...where, name });
    const refused = new Set<string>();
    const since = clockOf(this.parts.membership).now();
    let interrupted: CallInterruptedError | undefined;
    let cutOff: string | undefined;
    for (;;) {
      requireNotAborted(rest.signal);
      const healthy = this.#find(question).filter(
        ({ instanceId, status, url }) => status === 'healthy' && url === undefined && !refused.has(instanceId),
      );
      const candidates = await this.#passing(healthy, question);
      const others = candidates.filter(({ instanceId }) => instanceId !== cutOff);
      const service = this.#balancer.choose(name, others.length > 0 ? others : candidates, strategy);
      if (service === undefined) {
        this.parts.membership.requireNotLeft();
        throw interrupted ?? new ServiceNotFoundError(name, this.#whyNone(question, refused.size));
      }
      const mark = markIn(service.marks, method);
      try {
        return await this.#send(service, method, args, { ...rest, mark, since });
      } catch (error) {
        if (isA(error, CallRefusedError) && error.why === 'not-running') {
          refused.add(service.instanceId);
        } else if (isA(error, CallInterruptedError) && mark?.idempotent === true && interrupted === undefined) {
          interrupted = error;
          cutOff = service.instanceId;
        } else {
          // INVARIANT (I15): what may have been carried out is not called refused, and is sent twice at most.
          throw isNotSent(error) ? (interrupted ?? error) : error;
        }
      }
    }
  }

  #send(service: ServiceInfo, method: string, args: readonly unknown[], options: CallAtOptions): Promise<unknown> {
    const { mark: _mark, since: _since, ...own } = options;
    // It repeats by itself what may be, as its row says.
    if (service.process !== undefined) return this.parts.calls.call({ name: service.process }, method, args, own);
    const { node, bootId, instanceId } = service;
    return this.parts.calls.callAt({ ...calleeOf(instanceId), node, bootId }, method, args, options);
  }

  #find({ name, capability, matches }: Question): ServiceInfo[] {
    const among =
      name !== undefined
        ? this.parts.registry.services(name)
        : capability !== undefined
          ? this.parts.registry.capable(capability)
          : this.parts.registry.services();
    const found = among.filter(matches);
    return this.parts.membership.state === 'isolated' ? found.map((service) => ({ ...service, stale: true })) : found;
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
          clockOf(this.parts.membership),
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
}
