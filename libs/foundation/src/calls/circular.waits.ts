/**
 * Finds out that a process waits for itself: "a waits for b, which waits for a", also over several nodes.
 * Asked by calls and by whatever else waits for a process. Underneath: a call to the node of each owner on the way.
 */
import type { OwnerRecord } from '../backend/leases/leases.js';
import { CircularWaitError } from '../errors/call.errors.js';
import { waiters } from './waiting.js';

/** What it needs. */
export interface CircularWaitsParts {
  /** The owner of a process, started or not. */
  owner(name: string): Promise<OwnerRecord | undefined>;
  /** What the hooks, tasks and calls of a process wait for, as its owner says. */
  waitsOf(owner: OwnerRecord): Promise<readonly string[]>;
}

/** A longer way is none that somebody wrote on purpose; it ends by its timeouts. */
const MAX_WAY = 8;

/** See the file header. Which call works for which travels with it; see `chain` in `waiting.ts`. */
export class CircularWaits {
  constructor(private readonly parts: CircularWaitsParts) {}

  /**
   * Looks whether what is waited for waits for the process whose code runs now. What cannot be found out is none: a
   * node of the version before does not say what waits there.
   *
   * @throws CircularWaitError
   */
  async check(name: string): Promise<void> {
    const own = new Set(waiters().map(({ spec }) => spec.name));
    if (own.size === 0) return;
    const way = await this.#find(name, own).catch(() => undefined);
    if (way !== undefined) throw new CircularWaitError([way.at(-1)!, ...way]);
  }

  /** From one process to the first of those that wait for it, breadth first. */
  async #find(name: string, own: ReadonlySet<string>): Promise<string[] | undefined> {
    if (own.has(name)) return [name];
    const seen = new Set([name]);
    let ways = [[name]];
    for (let length = 1; length < MAX_WAY && ways.length > 0; length++) {
      const next: string[][] = [];
      for (const way of ways) {
        const owner = await this.parts.owner(way.at(-1)!);
        for (const each of owner === undefined ? [] : await this.parts.waitsOf(owner)) {
          if (own.has(each)) return [...way, each];
          if (seen.has(each) || seen.size >= MAX_WAY) continue;
          seen.add(each);
          next.push([...way, each]);
        }
      }
      ways = next;
    }
    return undefined;
  }
}
