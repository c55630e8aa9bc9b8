// `nest add nestjs-foundation` on applications of every shape: what it writes, that it does so once, what it refuses.
import { describe, expect, it } from '@jest/globals';
import { application, filesIn, json, moduleWith, run } from '../support/applications';

const add = (tree = application(12), options = {}) => run('nest-add', { sourceRoot: 'src', ...options }, tree);
const moduleOf = async (module: string, options = {}) => {
  const { tree } = await add(application(11, { 'src/app.module.ts': module }), options);
  return tree.readContent('src/app.module.ts');
};
const dependenciesOf = (text: string) => (JSON.parse(text) as { dependencies: Record<string, string> }).dependencies;

describe('nest add nestjs-foundation', () => {
  it.each([11, 12] as const)('makes an application of Nest %d a node of a cluster', async (nest) => {
    const { tree, tasks, said } = await add(application(nest));
    const js = nest === 12 ? '.js' : '';
    expect(tree.readContent('src/app.module.ts')).toBe(`import { Module } from '@nestjs/common';
import { AppController } from './app.controller${js}';
import { AppService } from './app.service${js}';
import { FoundationModule } from 'nestjs-foundation';

@Module({
  imports: [FoundationModule.forRoot({ cluster: true })],
  controllers: [AppController],
  providers: [AppService],
})
export class AppModule {}
`);
    expect(tree.readContent('src/main.ts')).toContain(`  const app = await NestFactory.create(AppModule);
  app.enableShutdownHooks();
  await app.listen(process.env.PORT ?? 3000);
`);
    expect(dependenciesOf(tree.readContent('package.json'))).toEqual({
      '@nestjs/common': `^${nest}.0.1`,
      '@nestjs/core': `^${nest}.0.1`,
      bullmq: nest === 11 ? '^5.23.0' : '^6.7.0',
      'class-validator': '^0.15.1',
      ioredis: nest === 11 ? '^5.4.0' : '^6.0.0',
      'nestjs-foundation': expect.stringMatching(/^\^\d/),
      'reflect-metadata': '^0.2.2',
    });
    expect(tasks).toEqual(['node-package']);
    expect(said.join()).toContain('AppModule imports Foundation');
  });

  it.each([{}, { health: true, dashboard: true, prometheus: true }])(
    'changes nothing a second time: %j',
    async (more) => {
      const { tree: once } = await add(application(12), more);
      const { tree: twice, tasks, said } = await add(once, more);
      expect(filesIn(twice)).toEqual(filesIn(once));
      expect(tasks).toEqual([]);
      expect(said.join()).toContain('nothing was changed');
    },
  );

  it('adds on request the probes, the metrics and the dashboard, whose token is no default', async () => {
    const { tree, said } = await add(application(12), { health: true, dashboard: true, prometheus: true });
    const text = tree.readContent('src/app.module.ts');
    expect(text).toContain(
      "import { FoundationHealthModule, FoundationModule } from 'nestjs-foundation'".replace(
        /\{.*\}/,
        '{ FoundationModule, FoundationHealthModule }',
      ),
    );
    expect(text).toContain("import { FoundationPrometheusModule } from 'nestjs-foundation/prometheus';");
    expect(text).toContain("import { FoundationDashboardModule } from 'nestjs-foundation/dashboard';");
    expect(text).toContain('FoundationDashboardModule.forRoot({ token: process.env.FOUNDATION_DASHBOARD_TOKEN })');
    expect(dependenciesOf(tree.readContent('package.json'))).toMatchObject({ 'prom-client': '^15.1.3' });
    expect(said.join()).toContain('FOUNDATION_DASHBOARD_TOKEN');
  });

  it('adds to an application that has it what is asked for later', async () => {
    const { tree: first } = await add();
    const { tree } = await add(first, { health: true });
    expect(tree.readContent('src/app.module.ts')).toContain(
      'imports: [FoundationModule.forRoot({ cluster: true }), FoundationHealthModule],',
    );
  });

  it('writes the name of the cluster where it is given, and refuses one that is none', async () => {
    expect(await moduleOf(moduleWith('{}'), { appName: 'shop-2' })).toContain("{ cluster: true, appName: 'shop-2' }");
    await expect(add(application(12), { appName: "sh'op" })).rejects.toThrow(
      '"sh\'op" cannot be the name of an application; nothing was changed',
    );
  });

  it('keeps the packages that are there, and takes the client of Redis that goes with them', async () => {
    const dependencies = { '@nestjs/core': '^12.0.0', bullmq: '^5.81.0' };
    const { tree } = await add(application(12, { 'package.json': json({ name: 'shop', dependencies }) }));
    expect(dependenciesOf(tree.readContent('package.json'))).toMatchObject({ bullmq: '^5.81.0', ioredis: '^5.4.0' });
  });

  it.each([
    [11, undefined],
    [12, { 'js-redis-server': { ioredis: '$ioredis' } }],
  ] as const)('brings a Redis for development to Nest %d on request, also later', async (nest, overrides) => {
    const { tree: first, said: before } = await add(application(nest));
    expect(before.join()).toContain('nest add nestjs-foundation --embedded-redis');
    const { tree, tasks, said } = await add(first, { embeddedRedis: true });
    const manifest = JSON.parse(tree.readContent('package.json')) as Record<string, Record<string, string>>;
    expect(manifest['devDependencies']).toMatchObject({ 'js-redis-server': '^0.3.0' });
    expect(manifest['overrides']).toEqual(overrides);
    expect(tasks).toEqual(['node-package']);
    expect(said.join()).toContain('starts an embedded one');
    expect((await add(tree, { embeddedRedis: true })).said.join()).toContain('nothing was changed');
  });

  it('installs nothing where that is not wanted', async () => {
    expect((await add(application(12), { skipInstall: true })).tasks).toEqual([]);
  });

  it('finds the root module by what main.ts starts, under whatever name', async () => {
    const main = `import { NestFactory } from '@nestjs/core';
import { Root as Everything } from './root';
const app = await NestFactory.create<NestExpressApplication>(Everything, { bufferLogs: true });
await app.listen(3000);
`;
    const files = {
      'src/main.ts': main,
      'src/root/index.ts': moduleWith('{ providers: [] }').replace('AppModule', 'Root'),
    };
    const { tree } = await add(application(12, files));
    expect(tree.readContent('src/root/index.ts')).toContain(
      'imports: [FoundationModule.forRoot({ cluster: true })], providers',
    );
    expect(tree.readContent('src/main.ts')).toContain('\napp.enableShutdownHooks();\nawait app.listen');
  });

  it('takes the project of a monorepo that the Nest CLI names', async () => {
    const projects = {
      shop: { type: 'application', root: 'apps/shop', sourceRoot: 'apps/shop/src', entryFile: 'src/server' },
    };
    const base = application(11);
    const tree = application(11, {
      'nest-cli.json': json({ monorepo: true, sourceRoot: 'apps/other/src', projects }),
      'apps/shop/src/server.ts': base.readText('src/main.ts'),
      'apps/shop/src/app.module.ts': base.readText('src/app.module.ts'),
    });
    const { tree: changed } = await add(tree, { sourceRoot: 'apps/shop/src' });
    // By the name in package.json, the applications of a monorepo would be one cluster.
    const call = "FoundationModule.forRoot({ cluster: true, appName: 'shop' })";
    expect(changed.readContent('apps/shop/src/app.module.ts')).toContain(call);
    expect(changed.readContent('apps/shop/src/server.ts')).toContain('enableShutdownHooks');
    expect(changed.readContent('src/app.module.ts')).not.toContain('FoundationModule');
  });

  it.each([
    ['{}', '{\n  imports: [F],\n}'],
    ['', '{\n  imports: [F],\n}'],
    ['{\n}', '{\n  imports: [F],\n}'],
    ['{ providers: [] }', '{ imports: [F], providers: [] }'],
    ['{\n  // what it does\n  providers: [],\n}', '{\n  imports: [F],\n  // what it does\n  providers: [],\n}'],
    ['{ imports: [A] }', '{ imports: [A, F] }'],
    ['{ imports: [A,] }', '{ imports: [A, F,] }'],
    ['{ imports: [...shared, A] }', '{ imports: [...shared, A, F] }'],
    ["{ 'imports': [] }", "{ 'imports': [F] }"],
    ['{ imports: [/* none */] }', '{ imports: [/* none */ F] }'],
    ['{\n  imports: [\n    // none yet\n  ],\n}', '{\n  imports: [\n    // none yet\n    F,\n  ],\n}'],
    ['{\n  imports: [\n    A, // first\n  ],\n}', '{\n  imports: [\n    A, // first\n    F,\n  ],\n}'],
    ['{\n  imports: [\n    A // first\n  ]\n}', '{\n  imports: [\n    A, // first\n    F\n  ]\n}'],
    [
      '{\n  imports: [\n    A,\n    B.register({ a: [1] }),\n  ],\n}',
      '{\n  imports: [\n    A,\n    B.register({ a: [1] }),\n    F,\n  ],\n}',
    ],
    ['{ ...shared, imports: [A] }', '{ ...shared, imports: [A, F] }'],
  ])('writes into @Module(%s)', async (metadata, expected) => {
    const module = await moduleOf(moduleWith(metadata, '// prettier-ignore'));
    expect(module.replace('FoundationModule.forRoot({ cluster: true })', 'F')).toContain(`@Module(${expected})`);
  });

  it('keeps the ends of lines, the quotes and what else decorates the class', async () => {
    const text = `import { Global, Module } from "@nestjs/common"\n\n@Global()\n@Module({\n    providers: [],\n})\n@Other({ imports: [] })\nexport class AppModule {}\n`;
    const changed = await moduleOf(text.replace(/\n/g, '\r\n'));
    expect(changed).toBe(
      text
        .replace('"@nestjs/common"\n', '"@nestjs/common"\nimport { FoundationModule } from "nestjs-foundation"\n')
        .replace('Module({\n', 'Module({\n    imports: [FoundationModule.forRoot({ cluster: true })],\n')
        .replace(/\n/g, '\r\n'),
    );
  });

  it('leaves alone what another module of the application imports already', async () => {
    const core = moduleWith('{ imports: [FoundationModule.forRootAsync({ useFactory })] }').replace(
      'AppModule',
      'Core',
    );
    const { tree, said } = await add(application(12, { 'src/core/core.module.ts': core }));
    expect(tree.readContent('src/app.module.ts')).not.toContain('Foundation');
    expect(said).toContain('src/core/core.module.ts imports FoundationModule already.');
  });

  it('says what to write by hand where main.ts holds the application in no variable', async () => {
    const main = `import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';
void NestFactory.create(AppModule).then((app) => app.listen(3000));
`;
    const { tree, said } = await add(application(11, { 'src/main.ts': main }));
    expect(tree.readContent('src/app.module.ts')).toContain('FoundationModule');
    expect(tree.readContent('src/main.ts')).toBe(main);
    expect(said.join()).toContain('Call app.enableShutdownHooks() there by hand');
  });

  it.each([
    ['a folder without package.json', { 'package.json': undefined }, {}, 'There is no package.json in this folder'],
    ['no Nest', { 'package.json': json({ name: 'a' }) }, {}, 'package.json has no @nestjs/core'],
    [
      'an older Nest',
      { 'package.json': json({ dependencies: { '@nestjs/core': '^10.4.0' } }) },
      {},
      'Foundation is for Nest 11 and 12, and package.json asks for @nestjs/core ^10.4.0',
    ],
    ['no main file', { 'src/main.ts': undefined }, {}, 'There is no src/main.ts'],
    ['main.js', { 'src/main.ts': undefined, 'src/main.js': '' }, {}, 'starts with src/main.js, and only TypeScript'],
    [
      'a main file that starts nothing',
      { 'src/main.ts': 'run();' },
      {},
      'src/main.ts does not call NestFactory.create()',
    ],
    [
      'a module made on the way',
      { 'src/main.ts': 'const app = await NestFactory.create(Root.with({}));' },
      {},
      'does not give the class of a module to NestFactory',
    ],
    [
      'two applications',
      { 'src/main.ts': 'NestFactory.create(A); NestFactory.createMicroservice(B);' },
      {},
      'src/main.ts starts more than one module',
    ],
    ['a root module elsewhere', { 'src/app.module.ts': undefined }, {}, 'The root module AppModule was not found'],
    ['--module of nothing', {}, { module: 'src/root.ts' }, 'There is no src/root.ts in this application'],
    ['--module without one', {}, { module: 'src/main.ts' }, 'src/main.ts has no class with @Module()'],
    ['an unknown project', {}, { project: 'shop' }, 'nest-cli.json has no project shop'],
    ['broken JSON', { 'nest-cli.json': '{' }, {}, 'nest-cli.json is no JSON that can be read'],
    ...(
      [
        ['META', 'its metadata is `META`'],
        ['{ imports: SHARED }', 'its imports are `SHARED`'],
        ['{ imports }', 'its imports are `imports`'],
        ['{ imports: [A].concat(B) }', 'its imports are `[A].concat(B)`'],
        ['{ ...META }', 'its metadata has `...META`'],
        ['{ imports: [], ...META }', 'its metadata has `...META`'],
      ] as const
    ).map(
      ([metadata, why]) =>
        [
          `@Module(${metadata})`,
          { 'src/app.module.ts': moduleWith(metadata) },
          {},
          `The imports of AppModule in src/app.module.ts are not written out as a list, ${why}; nothing was changed: ` +
            'add FoundationModule.forRoot({ cluster: true }) to them by hand.',
        ] as const,
    ),
    [
      'another FoundationModule',
      { 'src/app.module.ts': moduleWith('{}', "import { FoundationModule } from './own';\n") },
      {},
      'src/app.module.ts has something else that is called FoundationModule',
    ],
  ])('refuses in one sentence: %s', async (_, files, options, sentence) => {
    const refused = add(application(12, files), options).catch((error: Error) => error.message);
    const message = await refused;
    expect(message).toContain(sentence);
    expect(message).toMatch(/^[^\n]*; nothing was changed: [^\n]*\.$/);
  });
});
