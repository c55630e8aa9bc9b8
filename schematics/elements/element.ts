/**
 * The generators of classes: `nest g -c nestjs-foundation singleton price-feed`. Each writes a class with a spec, and
 * lists the class in the providers of the nearest module, as the generators of Nest do.
 */
import { posix } from 'node:path';
import type { Rule, Tree } from '@angular-devkit/schematics';
import { type Application, applicationIn, given, type ProjectOptions } from '../application/application';
import { change, create, textOf } from '../application/files';
import { type NameOptions, type Names, namesOf } from '../application/names';
import { addPackages, install, rangeIn } from '../application/packages';
import { Refusal } from '../refusal';
import { apply, parse } from '../syntax/edits';
import { importEdits, localNameOf } from '../syntax/import.edits';
import { listEdits, listHas, modulesIn } from '../syntax/module.metadata';
import { CHANNEL } from './channel';
import { CRON } from './cron';
import type { Element } from './element.text';
import { HEALTH } from './health';
import { nearestModule } from './nearest.module';
import { PARTITIONED } from './partitioned';
import { REPLICATED } from './replicated';
import { SERVICE } from './service';
import { SINGLETON } from './singleton';
import { runnerOf, specText } from './spec.text';

export interface ElementOptions extends ProjectOptions, NameOptions {
  spec?: boolean;
  specFileSuffix?: string;
  skipImport?: boolean;
}

export const singleton = generator(SINGLETON);
export const replicated = generator(REPLICATED);
export const partitioned = generator(PARTITIONED);
export const channel = generator(CHANNEL);
export const service = generator(SERVICE);
export const health = generator(HEALTH);
export const cron = generator(CRON);

function generator(element: Element): (options: ElementOptions) => Rule {
  return (options) => async (tree, context) => {
    const application = applicationIn(tree, options);
    const names = namesOf(application.sourceRoot, options, element.suffix ?? '', element.imports);
    const file = `${names.file}.${element.kind}`;
    await create(tree, posix.join(names.folder, `${file}.ts`), element.source(names));
    if (options.spec !== false) {
      const runner = runnerOf(tree, application.manifest);
      if (runner === undefined) context.logger.warn('There is no Jest or Vitest in package.json, so no spec was made.');
      else {
        const suffix = given(options.specFileSuffix) ?? 'spec';
        const text = specText(element, names, runner, importPath(application, `./${file}`));
        await create(tree, posix.join(names.folder, `${file}.${suffix}.ts`), text);
      }
    }
    if (options.skipImport !== true) await provide(tree, application, names, file);
    const wanted = Object.entries(element.packages ?? {});
    const missing = wanted.filter(([name]) => rangeIn(application.manifest, name) === undefined);
    if (missing.length === 0) return;
    await addPackages(tree, Object.fromEntries(missing));
    install(tree, context);
  };
}

/** Lists the class in the providers of the nearest module. */
async function provide(tree: Tree, application: Application, { folder, type }: Names, file: string): Promise<void> {
  const path = nearestModule(tree, folder);
  const byHand = `make it with --skip-import, and add ${type} to the providers of a module by hand`;
  if (path === undefined) throw new Refusal(`There is no module in ${folder} or above it`, byHand);
  const text = textOf(tree, path)!;
  const source = parse(path, text);
  const [declared, more] = modulesIn(source);
  if (declared === undefined || more !== undefined) {
    throw new Refusal(`${path} has not exactly one class with @Module()`, byHand);
  }
  const relative = posix.relative(posix.dirname(path), posix.join(folder, file));
  const from = importPath(application, relative.startsWith('.') ? relative : `./${relative}`);
  const local = localNameOf(source, type, from) ?? type;
  if (listHas(source, declared.call, 'providers', local)) return;
  const edits = [...importEdits(source, type, from), ...listEdits(source, declared.call, 'providers', local)];
  await change(tree, path, apply(text, edits));
}

function importPath({ isModule }: Application, path: string): string {
  return isModule ? `${path}.js` : path;
}
