/**
 * `nest g -c nestjs-foundation deploy`: an image of this application, and the files to run three nodes of it with
 * Compose or in Kubernetes. They are those of the sample application, under the name of this one.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { Rule, SchematicContext, Tree } from '@angular-devkit/schematics';
import { addModule } from '../application/added.module';
import { type Application, applicationIn, given, type ProjectOptions } from '../application/application';
import { change, textOf } from '../application/files';
import { foundationIn } from '../application/foundation.import';
import { addPackages, install, missingPackages } from '../application/packages';
import { rootModuleOf } from '../application/root.module';
import { Refusal } from '../refusal';
import { globalPrefix } from '../syntax/bootstrap';
import { parse } from '../syntax/edits';
import { dockerfile, DOCKERIGNORE } from './dockerfile';

export interface DeployOptions extends ProjectOptions {
  name?: string;
  module?: string;
  skipInstall?: boolean;
}

/** Beside these sources in the package, at the top of the repository there. */
const FILES = [join(__dirname, 'files'), join(__dirname, '../../deploy')].find((folder) => existsSync(folder))!;
const SAMPLE = 'foundation-app';
/** What Kubernetes takes as the name of a namespace, with room for what is put before and behind it. */
const DNS_LABEL = /^[a-z]([a-z0-9-]{0,48}[a-z0-9])?$/;
/** Names that the files have for something else. */
const TAKEN = ['redis', 'foundation'];

export function deploy(options: DeployOptions): Rule {
  return async (tree, context) => {
    const application = applicationIn(tree, options);
    const { path, name: root } = rootModuleOf(tree, application, given(options.module));
    const foundation = foundationIn(tree, application);
    if (foundation === undefined) {
      throw new Refusal(
        'No module of this application imports FoundationModule',
        'run nest add nestjs-foundation first',
      );
    }
    const name = nameOf(application, given(options.name), foundation.appName);
    const packages = missingPackages(tree, application.manifest, { '@kubernetes/client-node': '^1.4.0' });
    const health = { name: 'FoundationHealthModule', from: 'nestjs-foundation' };
    await change(tree, path, addModule(path, textOf(tree, path)!, root, health));
    const prefix = prefixOf(tree, application, context);
    write(tree, 'Dockerfile', dockerfile(tree, application, name, prefix));
    if (!tree.exists('.dockerignore')) tree.create('.dockerignore', DOCKERIGNORE);
    for (const file of readdirSync(FILES, { recursive: true, encoding: 'utf8' }).map((each) =>
      each.replaceAll('\\', '/'),
    )) {
      if (!/\.(yaml|json|example)$/.test(file)) continue;
      write(tree, posix.join('deploy', file), adapted(readFileSync(join(FILES, file), 'utf8'), name, prefix));
    }
    keepSecret(tree);
    await addPackages(tree, packages);
    if (Object.keys(packages).length > 0 && options.skipInstall !== true) install(tree, context);
    context.logger.info(
      `Fill in deploy/.env, as deploy/.env.example says, then: docker compose -f deploy/compose.yaml up`,
    );
  };
}

function write(tree: Tree, path: string, text: string): void {
  if (tree.exists(path)) throw new Refusal(`${path} exists`, 'remove it first, or take over by hand what you need');
  tree.create(path, text);
}

/** The pods are found by a label that is the name of the application, so all three are one name. */
function nameOf({ manifest, project }: Application, asked: string | undefined, declared: string | undefined): string {
  if (asked !== undefined && declared !== undefined && asked !== declared) {
    throw new Refusal(
      `FoundationModule.forRoot() calls the application ${declared}, and the files would call it ${asked}`,
      `leave the name out, or leave appName out of the options`,
    );
  }
  const name =
    asked ?? declared ?? (project?.name ?? manifest.name ?? '').replace(/^@[^/]*\//, '').replaceAll(/[^a-z0-9]+/g, '-');
  if (DNS_LABEL.test(name) && !TAKEN.includes(name)) return name;
  throw new Refusal(
    `${JSON.stringify(name)} cannot be the name of a namespace and of its pods`,
    'give one of up to 50 letters of a to z, digits and hyphens: nest g -c nestjs-foundation deploy shop',
  );
}

function adapted(text: string, name: string, prefix: string): string {
  return text
    .replaceAll(SAMPLE, name)
    .replaceAll('/health/', `${prefix}/health/`)
    .replaceAll(/docs\/guides\/[\w-]+\.md/g, 'node_modules/nestjs-foundation/$&')
    .replace('; test/unit/deploy.spec.ts holds both together', '');
}

/** What comes before the paths of the probes. */
function prefixOf(tree: Tree, { entry }: Application, context: SchematicContext): string {
  const main = `${entry}.ts`;
  const text = textOf(tree, main);
  const prefix = text === undefined ? '' : globalPrefix(parse(main, text));
  if (prefix !== undefined) return prefix;
  context.logger.warn(
    `${main} sets a global prefix: look whether the paths of the probes in deploy/ and Dockerfile fit.`,
  );
  return '';
}

function keepSecret(tree: Tree): void {
  const text = textOf(tree, '.gitignore') ?? '';
  if (/^(deploy\/|\/deploy\/|\*\*\/)?\.env$/m.test(text)) return;
  const changed = `${text === '' || text.endsWith('\n') ? text : `${text}\n`}deploy/.env\n`;
  if (tree.exists('.gitignore')) tree.overwrite('.gitignore', changed);
  else tree.create('.gitignore', changed);
}
