/**
 * The objects of this node that calls to services reach.
 * Filled by the facade, asked by the call server.
 */
import type { Callee, CalleeLookup } from '../calls/callee.js';

/** Begins the name by which calls reach an object; no process has a colon in its name. */
const PREFIX = 'service:';

/** See the file header. */
export class ServiceTargets implements CalleeLookup {
  readonly #targets = new Map<string, Callee>();

  /** How calls name an instance. An object has no epochs: it is registered once, under an id of its own. */
  calleeOf(instanceId: string): { name: string; epoch: number } {
    return { name: `${PREFIX}${instanceId}`, epoch: 1 };
  }

  add(instanceId: string, target: object): void {
    const { name, epoch } = this.calleeOf(instanceId);
    const lease = { epoch, isHeld: () => this.#targets.has(name) };
    this.#targets.set(name, { target, lease, call: async (work) => work() });
  }

  get size(): number {
    return this.#targets.size;
  }

  delete(instanceId: string): void {
    this.#targets.delete(this.calleeOf(instanceId).name);
  }

  clear(): void {
    this.#targets.clear();
  }

  /** The object that a call by this name reaches. */
  running(name: string): Callee | undefined {
    return this.#targets.get(name);
  }
}
