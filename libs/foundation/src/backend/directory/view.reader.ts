/**
 * The records of the members as Redis has them, as texts: all of them once, then those that have changed.
 * Used by `redis.directory.ts`. Underneath: `viewScript`, over the hash of records and the log of changes.
 */
import type { Redis } from 'ioredis';
import type { Keys } from '../../wire/keys.js';
import { toNumber, toTexts } from '../redis/lua.script.js';
import { viewScript } from './directory.scripts.js';

/** All of them are read so often, whatever the log says: loads that no hint told are in it, too. */
const WHOLE_EVERY_MS = 60_000;

/** What was read. */
export interface ViewTexts {
  version: number;
  expected: number;
  /** Node name → boot id, time of the join and record. */
  texts: ReadonlyMap<string, string>;
  /** The nodes whose records were read anew; absent = all. */
  changed?: ReadonlySet<string>;
}

/** See the file header. */
export class ViewReader {
  #texts = new Map<string, string>();
  #version = 0;
  #wholeAt = -Infinity;

  constructor(
    private readonly client: Redis,
    private readonly keys: Pick<Keys, 'view' | 'nodes' | 'expected' | 'nodeChanges'>,
    private readonly now: () => number,
  ) {}

  /** `known` is the version that the caller has: what has changed since is enough then. */
  async read(known?: number): Promise<ViewTexts> {
    const isPart = known !== undefined && known === this.#version && this.now() - this.#wholeAt < WHOLE_EVERY_MS;
    const sentAt = this.now();
    const { view, nodes, expected, nodeChanges } = this.keys;
    const [version, most, what, ...flat] = toTexts(
      await viewScript.run(this.client, [view, nodes, expected, nodeChanges], [isPart ? String(known) : '']),
    );
    const read = { version: toNumber(version), expected: toNumber(most) };
    const rows = flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? ''] as const] : []));
    if (what !== 'some') {
      this.#texts = new Map(rows);
      [this.#version, this.#wholeAt] = [read.version, sentAt];
      return { ...read, texts: this.#texts };
    }
    // Another read has gone further meanwhile: what this one brings may be older than that.
    if (known !== this.#version) return this.read();
    for (const [name, text] of rows) {
      if (text === '') this.#texts.delete(name);
      else this.#texts.set(name, text);
    }
    this.#version = read.version;
    return { ...read, texts: this.#texts, changed: new Set(rows.map(([name]) => name)) };
  }
}
