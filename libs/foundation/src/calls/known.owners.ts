/**
 * Pure: where processes were when they were last looked up or noted; the one that was noted first goes first.
 */
import type { CallTarget } from './call.target.js';

/** As many as a large cluster calls at a time: a few MB. */
const MAX_OWNERS = 10_000;

/** See the file header. */
export class KnownOwners {
  readonly #owners = new Map<string, CallTarget>();

  get size(): number {
    return this.#owners.size;
  }

  get(name: string): CallTarget | undefined {
    return this.#owners.get(name);
  }

  note(owner: CallTarget): void {
    // Names come and go; of one that is forgotten the owner is looked up at the next call.
    this.#owners.delete(owner.name);
    this.#owners.set(owner.name, owner);
    if (this.#owners.size > MAX_OWNERS) this.#owners.delete(this.#owners.keys().next().value!);
  }

  /** Unless another one was noted since. */
  forget(owner: CallTarget): void {
    if (this.#owners.get(owner.name) === owner) this.#owners.delete(owner.name);
  }
}
