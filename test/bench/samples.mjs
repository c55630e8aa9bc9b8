// What a benchmark without peers has measured, as a file.
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** As JSON, in `out` or the folder for temporary files. */
export function saveSamples(scenario, figures, out) {
  const at = new Date().toISOString();
  const file = resolve(out ?? join(tmpdir(), `foundation-bench-${scenario}-${at.replaceAll(/[:.]/g, '-')}.json`));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ scenario, at, ...figures }, undefined, 2)}\n`);
  console.error(`\nEvery sample: ${file}`);
}
