// The API of the package as pages: TypeDoc over the entries that package.json exports.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Application } from 'typedoc';

const library = resolve(import.meta.dirname, '../libs/foundation');

/** `src/terminus/index` → `nestjs-foundation/health`: the source that an entry is built from, and what one imports. */
function entries() {
  const { name, exports } = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));
  return new Map(
    Object.entries(exports).flatMap(([entry, { import: es }]) =>
      es === undefined ? [] : [[es.default.replace('./dist/', 'src/').replace(/\.js$/, ''), name + entry.slice(1)]],
    ),
  );
}

/** Writes a page for each entry and each member of it. */
export async function writeApi(folder) {
  const named = entries();
  const app = await Application.bootstrapWithPlugins({
    name: 'API',
    plugin: ['typedoc-plugin-markdown'],
    tsconfig: join(library, 'tsconfig.lib.json'),
    entryPoints: [...named.keys()].map((source) => join(library, `${source}.ts`)),
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
    logLevel: 'Error',
  });
  const project = await app.convert();
  if (project === undefined) throw new Error('TypeDoc found no API');
  // TypeDoc names an entry after its file: `index`, `terminus`.
  for (const entry of project.children) {
    const file = `src/${entry.name.replace(/^index$|$/, '/index').replace(/^\//, '')}`;
    entry.name = named.get(file) ?? entry.name;
  }
  await app.outputs.writeOutput({ name: 'markdown', path: folder }, project);
}
