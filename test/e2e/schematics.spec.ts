// The short form of test/matrix.mjs: the staged package in an application of its own, by the real Nest CLI and without
// a registry. What is generated there compiles against the package, and its specs pass.
// @redis embedded-ok
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const ROOT = resolve(import.meta.dirname, '../..');
const KINDS = ['replicated', 'partitioned', 'channel', 'service', 'health', 'cron'];
/** All of them in one process, as the Nest CLI starts one for each. */
const GENERATE = `import { NodeWorkflow } from '@angular-devkit/schematics/tools/index.js';
import { lastValueFrom } from 'rxjs';
const workflow = new NodeWorkflow(process.cwd(), { resolvePaths: [process.cwd()] });
for (const schematic of process.argv.slice(2)) {
  const options = { name: 'my-' + schematic, sourceRoot: 'src' };
  await lastValueFrom(workflow.execute({ collection: 'nestjs-foundation', schematic, options }), { defaultValue: undefined });
}
`;
const FILES = {
  'package.json': JSON.stringify({
    name: 'shop',
    type: 'module',
    // With all that a schematic would install.
    dependencies: {
      '@nestjs/common': '^12.0.0',
      '@nestjs/core': '^12.0.0',
      cron: '^4.4.0',
      '@kubernetes/client-node': '^1.4.0',
    },
    devDependencies: { '@types/jest': '^30.0.0', jest: '^30.0.0' },
  }),
  'package-lock.json': '{}',
  'nest-cli.json': JSON.stringify({ collection: '@nestjs/schematics', sourceRoot: 'src' }),
  'tsconfig.json': JSON.stringify({
    extends: join(ROOT, 'tsconfig.base.json'),
    compilerOptions: { noEmit: true, declaration: false, types: ['node', 'jest'] },
    include: ['src'],
  }),
  'jest.config.json': JSON.stringify({
    extensionsToTreatAsEsm: ['.ts'],
    moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
    transform: { '^.+\\.ts$': ['ts-jest', { useESM: true, diagnostics: false }] },
    testTimeout: 30_000,
  }),
  'generate.mjs': GENERATE,
  'src/main.ts': `import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule);
await app.listen(process.env.PORT ?? 3000);
`,
  'src/app.module.ts': `import { Module } from '@nestjs/common';

@Module({})
export class AppModule {}
`,
};

describe('the schematics of the package', () => {
  let app: string;
  const run = async (program: string, args: string[], env = {}) => {
    const options = { cwd: app, env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1', ...env } };
    const script = join(app, 'node_modules', program);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, ...args], options);
    return stdout + stderr;
  };
  const nest = (...args: string[]) => run('@nestjs/cli/bin/nest.js', args);
  const textOf = (file: string) => readFileSync(join(app, file), 'utf8');

  beforeAll(() => {
    app = mkdtempSync(join(tmpdir(), 'foundation-schematics-'));
    for (const [file, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(app, file)), { recursive: true });
      writeFileSync(join(app, file), text);
    }
    // The packages of this repository, and the package as it is published.
    const packages = join(app, 'node_modules');
    mkdirSync(packages);
    for (const name of readdirSync(join(ROOT, 'node_modules')).filter((each) => each !== 'nestjs-foundation')) {
      symlinkSync(join(ROOT, 'node_modules', name), join(packages, name));
    }
    symlinkSync(join(ROOT, 'dist/libs/foundation'), join(packages, 'nestjs-foundation'));
  });
  afterAll(() => rmSync(app, { recursive: true, force: true }));

  it('make an application a node with all that there is, which compiles and passes its own tests', async () => {
    const added = ['add', 'nestjs-foundation', '--skip-install', '--health', '--dashboard', '--prometheus'];
    expect(await nest(...added)).toContain('UPDATE');
    expect(await nest(...added)).toContain('nothing was changed');
    expect(textOf('src/main.ts')).toContain('app.enableShutdownHooks();\nawait app.listen');
    expect(await nest('g', '-c', 'nestjs-foundation', 'singleton', 'my-singleton')).toContain('CREATE');
    expect(await run('../generate.mjs', KINDS)).toBe('');
    expect(textOf('src/app.module.ts').match(/^import { My/gm)).toHaveLength(KINDS.length + 1);
    expect(await run('typescript/bin/tsc', ['-p', '.'])).toBe('');
    const jest = ['--config', 'jest.config.json', '--runInBand', 'channel', 'singleton'];
    expect(await run('jest/bin/jest.js', jest, { NODE_OPTIONS: '--experimental-vm-modules' })).toContain('2 passed');
  });

  it('write the files of the deployment, which the package has', async () => {
    expect(await nest('g', '-c', 'nestjs-foundation', 'deploy')).toContain('deploy/kubernetes/app.yaml');
    expect(textOf('deploy/compose.yaml')).toContain('FOUNDATION_APP_NAME: shop');
  });

  it('say in one sentence what they refuse', async () => {
    const text = await nest('g', '-c', 'nestjs-foundation', 'singleton', 'class').catch(String);
    expect(text).toContain('"class" is a reserved word of TypeScript; nothing was changed: choose another name.');
  });
});
