/**
 * The module that a new class belongs to.
 */
import { posix } from 'node:path';
import type { Tree } from '@angular-devkit/schematics';

/** The first `*.module.ts` on the way up; of several in one folder the one that is called like it, or `app`. */
export function nearestModule(tree: Tree, folder: string): string | undefined {
  for (let each = folder; ; each = posix.dirname(each)) {
    const files = tree.getDir(each).subfiles.filter((file) => file.endsWith('.module.ts'));
    const preferred = [`${posix.basename(each)}.module.ts`, 'app.module.ts'];
    const found = preferred.find((name) => files.some((file) => file === name)) ?? files[0];
    if (found !== undefined) return posix.join(each, found);
    if (each === '.' || each === '/' || each === '') return undefined;
  }
}
