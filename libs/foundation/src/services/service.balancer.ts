/**
 * Pure but for its turn: chooses one of several instances of a service.
 * Called by the facade for each call.
 */
import { rendezvous } from '../cluster/rendezvous.js';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import type { BalancerStrategy, ServiceInfo } from './service.js';

/** Of this many names the turn is known; one that is forgotten begins again. */
const MAX_TURNS = 10_000;

/** What a choice may look at besides the services. */
export interface Surroundings {
  self: string;
  /** By the name of the node; asked once for each choice. */
  loads: () => ReadonlyMap<string, number>;
  random: () => number;
}

/** See the file header. */
export class Balancer {
  readonly #turns = new Map<string, number>();

  constructor(private readonly surroundings: Surroundings) {}

  /**
   * One of the services; `undefined` when there is none.
   *
   * @throws ArgumentError for a strategy that does not exist.
   */
  choose(
    name: string,
    services: readonly ServiceInfo[],
    strategy: BalancerStrategy = 'round-robin',
  ): ServiceInfo | undefined {
    const { self, loads, random } = this.surroundings;
    if (typeof strategy === 'object' && strategy !== null && typeof strategy.hash === 'string') {
      return best(services, ({ instanceId }) => -rendezvous(strategy.hash, instanceId));
    }
    switch (strategy) {
      case 'round-robin':
        return this.#next(name, services);
      case 'random':
        return services[Math.floor(random() * services.length)];
      case 'least-loaded': {
        const load = loads();
        return this.#next(
          name,
          lowest(services, ({ node }) => load.get(node) ?? Infinity),
        );
      }
      case 'local-first': {
        const here = services.filter(({ node }) => node === self);
        return this.#next(name, here.length > 0 ? here : services);
      }
      default:
        throw new ArgumentError(
          'call',
          'strategy',
          show(strategy),
          `'round-robin', 'random', 'least-loaded', 'local-first' or { hash: key }`,
        );
    }
  }

  #next(name: string, services: readonly ServiceInfo[]): ServiceInfo | undefined {
    // Names come from callers, so unknown ones must cost nothing, and those that are gone must be forgotten.
    if (services.length < 2) return services[0];
    const turn = this.#turns.get(name) ?? 0;
    this.#turns.delete(name);
    this.#turns.set(name, turn + 1);
    const [longestUnused] = this.#turns.keys();
    if (this.#turns.size > MAX_TURNS) this.#turns.delete(longestUnused!);
    return services[turn % services.length];
  }
}

function best(services: readonly ServiceInfo[], scoreOf: (service: ServiceInfo) => number): ServiceInfo | undefined {
  return lowest(services, scoreOf)[0];
}

function lowest(services: readonly ServiceInfo[], scoreOf: (service: ServiceInfo) => number): ServiceInfo[] {
  const scores = services.map(scoreOf);
  const least = scores.reduce((a, b) => Math.min(a, b), Infinity);
  return services.filter((_, index) => scores[index] === least);
}
