/**
 * `nest add nestjs-foundation`: the clients of Redis to package.json, `FoundationModule` into the root module,
 * `enableShutdownHooks()` into the main file. Done once, it finds nothing more to do.
 */
import type { Rule, SchematicContext, Tree } from '@angular-devkit/schematics';
import { type AddedModule, addModule } from '../application/added.module';
import { applicationIn, given, type ProjectOptions } from '../application/application';
import { change, textOf } from '../application/files';
import { foundationIn } from '../application/foundation.import';
import { addEmbeddedRedis, addPackages, install, missingPackages } from '../application/packages';
import { rootModuleOf } from '../application/root.module';
import { Refusal } from '../refusal';
import { shutdownHookEdits } from '../syntax/bootstrap';
import { apply, parse } from '../syntax/edits';

export interface NestAddOptions extends ProjectOptions {
  module?: string;
  appName?: string;
  health?: boolean;
  dashboard?: boolean;
  prometheus?: boolean;
  embeddedRedis?: boolean;
  skipInstall?: boolean;
}

const APP_NAME = /^[A-Za-z0-9_.-]{1,128}$/;
const HOOKS = 'Call app.enableShutdownHooks() there by hand, so that SIGTERM hands over what the node owns.';

export function nestAdd(options: NestAddOptions): Rule {
  return async (tree, context) => {
    const application = applicationIn(tree, options);
    const packages = missingPackages(
      tree,
      application.manifest,
      options.prometheus ? { 'prom-client': '^15.1.3' } : {},
    );
    const { path, name } = rootModuleOf(tree, application, given(options.module));
    // Twice, a node does not start.
    const elsewhere = foundationIn(tree, application, path)?.path;
    const before = textOf(tree, path)!;
    // By the name in package.json, two applications of a monorepo would be one cluster.
    const appName = given(options.appName) ?? application.project?.name;
    const after = modulesOf({ ...options, appName })
      .filter(({ name: each }) => each !== 'FoundationModule' || elsewhere === undefined)
      .reduce((text, each) => addModule(path, text, name, each), before);
    await change(tree, path, after);
    if (elsewhere !== undefined) context.logger.info(`${elsewhere} imports FoundationModule already.`);
    const hooks = await addShutdownHooks(tree, `${application.entry}.ts`, context);
    await addPackages(tree, packages);
    const embedded = options.embeddedRedis === true && (await addEmbeddedRedis(tree, application.manifest));
    const isInstalled = Object.keys(packages).length === 0 && !embedded;
    const isChanged = after !== before || hooks || !isInstalled;
    if (!isChanged) return context.logger.info('Foundation is in this application already; nothing was changed.');
    if (!isInstalled && options.skipInstall !== true) install(tree, context);
    for (const line of wordsFor(name, options)) context.logger.info(line);
  };
}

function wordsFor(module: string, { embeddedRedis, dashboard }: NestAddOptions): string[] {
  return [
    `${module} imports Foundation. Its nodes look for a Redis at FOUNDATION_REDIS_URL, else at 127.0.0.1:6379.`,
    embeddedRedis === true
      ? 'Where none answers, the first node starts an embedded one, for development only.'
      : 'There is none? nest add nestjs-foundation --embedded-redis brings one for development.',
    'Without one it runs, and is tested, with FOUNDATION_CLUSTER=off: one node, in its process.',
    ...(dashboard === true
      ? [
          'The dashboard is at /foundation. Set FOUNDATION_DASHBOARD_TOKEN, 16 characters or more: the application does',
          'not start without it, in a test neither.',
        ]
      : []),
  ];
}

function modulesOf({ appName, health, dashboard, prometheus }: NestAddOptions): AddedModule[] {
  const named = given(appName);
  if (named !== undefined && !APP_NAME.test(named)) {
    throw new Refusal(
      `${JSON.stringify(named)} cannot be the name of an application`,
      'give --app-name 1 to 128 letters, digits, points, hyphens or underscores',
    );
  }
  const options = named === undefined ? '{ cluster: true }' : `{ cluster: true, appName: '${named}' }`;
  const from = 'nestjs-foundation';
  const modules: AddedModule[] = [{ name: 'FoundationModule', from, call: `.forRoot(${options})` }];
  if (health === true) modules.push({ name: 'FoundationHealthModule', from });
  if (prometheus === true) modules.push({ name: 'FoundationPrometheusModule', from: `${from}/prometheus` });
  if (dashboard === true) {
    const call = '.forRoot({ token: process.env.FOUNDATION_DASHBOARD_TOKEN })';
    modules.push({ name: 'FoundationDashboardModule', from: `${from}/dashboard`, call });
  }
  return modules;
}

async function addShutdownHooks(tree: Tree, main: string, context: SchematicContext): Promise<boolean> {
  const text = textOf(tree, main);
  const edits = text === undefined ? undefined : shutdownHookEdits(parse(main, text));
  if (text === undefined || edits === undefined) {
    const why = text === undefined ? 'is not there' : 'keeps the application in no variable that can be told to';
    context.logger.warn(`${main} ${why}. ${HOOKS}`);
    return false;
  }
  await change(tree, main, apply(text, edits));
  return edits.length > 0;
}
