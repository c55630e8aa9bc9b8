/**
 * What a generator writes: the class, and what its spec looks at.
 */
import type { Names } from '../application/names';

export interface Element {
  /** Of the schematic, and in the name of the file: `price-feed.singleton.ts`. */
  kind: string;
  /** At the end of the name of the class: `Service`. */
  suffix?: string;
  /** What the file imports, which the class cannot be called. */
  imports: readonly string[];
  source(names: Names): string;
  /** What the spec imports from the package, besides `FoundationModule`. */
  uses: readonly string[];
  /** What it imports from the entry for tests. */
  testing?: readonly string[];
  /** What the class needs besides, with its range. */
  packages?: Record<string, string>;
  /** The test: its name, and its statements, with `app` at hand. */
  test(names: Names): { name: string; body: string };
}
