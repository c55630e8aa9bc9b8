// The API of the package as pages: TypeDoc over the entries that package.json exports.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Application } from 'typedoc';

const library = resolve(import.meta.dirname, '../libs/foundation');

/** Entry of the package → its source: `.` is src/index.ts, `./health` what its `default` is built from. */
function entries() {
  const { exports } = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));
  return Object.values(exports).flatMap(({ import: es }) =>
    es === undefined ? [] : [join(library, es.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts'))],
  );
}

/** Writes a page for each entry and each member of it. */
export async function writeApi(folder) {
  const app = await Application.bootstrapWithPlugins({
    name: 'API',
    plugin: ['typedoc-plugin-markdown'],
    tsconfig: join(library, 'tsconfig.lib.json'),
    entryPoints: entries(),
    readme: 'none',
    disableSources: true,
    excludeInternal: true,
    excludePrivate: true,
    excludeExternals: true,
    // Types below those that are exported are named, and have no page.
    validation: { notExported: false, invalidLink: false },
    // Of typedoc-plugin-markdown.
    entryFileName: 'index',
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    expandObjects: true,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    propertyMembersFormat: 'table',
    sanitizeComments: true,
    logLevel: 'Warn',
  });
  const project = await app.convert();
  if (project === undefined) throw new Error('TypeDoc found no API');
  await app.generateOutputs(project);
  await app.outputs.writeOutput({ name: 'markdown', path: folder }, project);
}
