/**
 * The objects of this node that calls to services reach.
 * Filled by the facade, asked by the call server.
 */
import type { Callee, CalleeLookup } from '../calls/callee.js';

/** Begins the name by which calls reach an object; no process has one that begins so. */
const PREFIX = 'service:';

/** How calls name an instance. An object has no epochs: it is registered once, under an id of its own. */
export function calleeOf(instanceId: string): { name: string; epoch: number } {
  return { name: `${PREFIX}${instanceId}`, epoch: 1 };
}

/** See the file header. */
export class ServiceTargets implements CalleeLookup {
  readonly #targets = new Map<string, Callee>();
  readonly #underWay = new Set<Promise<unknown>>();

  /** @param subject the name of the service. */
  add(instanceId: string, target: object, subject?: string): void {
    const { name, epoch } = calleeOf(instanceId);
    // An object has no lease to lose: what it has begun counts also when it is withdrawn meanwhile.
    const named = subject === undefined ? {} : { subject };
    const call: Callee['call'] = (work) => this.#keep(work);
    this.#targets.set(name, { target, lease: { epoch, isHeld: () => true }, call, ...named });
  }

  /** Resolves when no call is in progress, however they ended. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  get size(): number {
    return this.#targets.size;
  }

  delete(instanceId: string): void {
    this.#targets.delete(calleeOf(instanceId).name);
  }

  clear(): void {
    this.#targets.clear();
  }

  async #keep<T>(work: () => T | Promise<T>): Promise<T> {
    const call = (async () => work())();
    this.#underWay.add(call);
    try {
      return await call;
    } finally {
      this.#underWay.delete(call);
    }
  }

  /** The object that a call by this name reaches. */
  running(name: string): Callee | undefined {
    return this.#targets.get(name);
  }
}
