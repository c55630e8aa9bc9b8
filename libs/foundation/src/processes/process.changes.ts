/**
 * Who waits for something to happen to which process: a hint or a change costs a look into a map, however many wait.
 * Used by the manager; fed by the table, by hints, and by the membership.
 */
import type { Backend } from '../backend/backend.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { processOf } from '../cluster/slot.names.js';
import type { ProcessTable } from './table/process.table.js';

/** What happened: the row changed, a hint said that an owner runs or has released it, or the members changed. */
export type News = 'row' | 'owner' | 'members';

/** See the file header. */
export class Awaited {
  readonly #waiting = new Map<string, Set<(news: News) => void>>();

  constructor(backend: Pick<Backend, 'onHint'>, membership: ClusterView, table: ProcessTable) {
    table.onChange((changed) => {
      if (this.#waiting.size > 0) for (const name of changed) this.#tell(name, 'row');
    });
    backend.onHint((hint) => {
      if (this.#waiting.size > 0 && 'name' in hint) this.#tell(processOf(hint.name), 'owner');
    });
    membership.listen({
      changed: () => {
        for (const name of [...this.#waiting.keys()]) this.#tell(name, 'members');
      },
    });
  }

  /**
   * Calls `heard` with each thing that happens to the process, or to a part of it; returns the function that ends it.
   */
  listen(name: string, heard: (news: News) => void): () => void {
    const whole = processOf(name);
    const waiting = this.#waiting.get(whole) ?? new Set();
    this.#waiting.set(whole, waiting.add(heard));
    return () => {
      waiting.delete(heard);
      if (waiting.size === 0 && this.#waiting.get(whole) === waiting) this.#waiting.delete(whole);
    };
  }

  #tell(name: string, news: News): void {
    for (const heard of [...(this.#waiting.get(name) ?? [])]) heard(news);
  }
}
