/**
 * Pure: members that have left, by their boot ids. What is sent to one goes to nobody, and where Redis is a cluster, or
 * its connection is not closed yet, nothing says so. Asked by `call.client.ts`.
 */

/** So many are remembered. */
const MAX_GONE = 1000;

/** See the file header. */
export class GoneNodes {
  #members: ReadonlySet<string> = new Set();
  readonly #gone = new Set<string>();

  has(bootId: string): boolean {
    return this.#gone.has(bootId);
  }

  /** These are the members now; one that only seemed to have left is one again. */
  note(members: ReadonlySet<string>): void {
    for (const bootId of this.#members) if (!members.has(bootId)) this.#gone.add(bootId);
    for (const bootId of members) this.#gone.delete(bootId);
    while (this.#gone.size > MAX_GONE) this.#gone.delete(this.#gone.values().next().value!);
    this.#members = members;
  }
}
