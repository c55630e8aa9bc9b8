/**
 * Where the programs of the kit are: beside this file, or, where this is a source, in the package that is installed.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const FOLDER = 'dist/cjs/testing/cluster';

/** The CommonJS of a file of this folder, which `node` can be started with, or preload. */
export function programPath(name: string, cwd: string): string {
  const here = import.meta.dirname.replaceAll('\\', '/');
  const common = here.endsWith(FOLDER) ? here : join(here, '../../cjs/testing/cluster');
  const own = join(common, name);
  return existsSync(own) ? own : join(installed(cwd), FOLDER, name);
}

function installed(cwd: string): string {
  try {
    return dirname(createRequire(join(cwd, 'package.json')).resolve('nestjs-foundation/package.json'));
  } catch (error) {
    throw new Error(
      `nestjs-foundation is not installed in ${cwd}, where the nodes of the test cluster are started. ` +
        `Say where their application is: TestCluster.start({ cwd })`,
      { cause: error },
    );
  }
}
