// The generators of classes: where the files go, what the class is called, which module lists it.
import { describe, expect, it } from '@jest/globals';
import { application, type Files, filesIn, json, moduleWith, run } from '../support/applications';

const generate = (options: object, files: Files = {}, nest: 11 | 12 = 12) =>
  run('singleton', { sourceRoot: 'src', ...options }, application(nest, files));
const made = async (options: object) => {
  const before = filesIn((await run('nest-add', {}, application(12))).tree);
  const { tree } = await generate(options);
  return tree.files.map((path) => path.slice(1)).filter((path) => before[path] === undefined);
};

describe('nest g -c nestjs-foundation', () => {
  it.each([
    [{ name: 'price-feed' }, 'src/price-feed/price-feed', 'PriceFeed'],
    [{ name: 'PriceFeed' }, 'src/price-feed/price-feed', 'PriceFeed'],
    [{ name: 'price_feed' }, 'src/price-feed/price-feed', 'PriceFeed'],
    [{ name: 'feed2' }, 'src/feed2/feed2', 'Feed2'],
    [{ name: 'billing/price-feed' }, 'src/billing/price-feed/price-feed', 'PriceFeed'],
    [{ name: 'price-feed', path: 'billing' }, 'src/billing/price-feed/price-feed', 'PriceFeed'],
    [{ name: 'price-feed', flat: true }, 'src/price-feed', 'PriceFeed'],
  ])('makes of %j the files %s.*', async (options, path, type) => {
    expect(await made(options)).toEqual([`${path}.singleton.ts`, `${path}.singleton.spec.ts`]);
    const { tree } = await generate(options);
    expect(tree.readContent(`${path}.singleton.ts`)).toContain(`export class ${type} implements`);
    const module = tree.readContent('src/app.module.ts');
    expect(module).toContain(`providers: [AppService, ${type}],`);
    expect(module).toContain(`import { ${type} } from './${path.slice(4)}.singleton.js';`);
  });

  it.each([
    ['singleton', 'A', "@Singleton({ name: 'a' })"],
    ['replicated', 'A', "@Replicated({ name: 'a' })"],
    ['partitioned', 'A', "@Partitioned({ name: 'a', partitions: 16 })"],
    ['channel', 'AChannel', "@Channel('events', { type: 'a', payload: AMessage })"],
    ['service', 'AService', "@Service({ name: 'a' })"],
    ['health', 'AHealth', "@Service({ name: 'a' })"],
    ['cron', 'ACron', "@ClusterCron('0 * * * * *', { name: 'a', timeZone: 'UTC' })"],
  ])('makes a %s', async (kind, type, decorator) => {
    const { tree } = await run(kind, { name: 'a', sourceRoot: 'src' }, application(12));
    const text = tree.readContent(`src/a/a.${kind}.ts`);
    expect(text).toContain(decorator);
    expect(text).toContain(`export class ${type} `);
    expect(tree.readContent(`src/a/a.${kind}.spec.ts`)).toContain(`import { ${type} } from './a.${kind}.js';`);
    expect(tree.readContent('src/app.module.ts')).toContain(`providers: [AppService, ${type}],`);
  });

  it('makes no spec where none is wanted, or another suffix', async () => {
    expect(await made({ name: 'a', spec: false })).toEqual(['src/a/a.singleton.ts']);
    expect(await made({ name: 'a', specFileSuffix: 'test' })).toContain('src/a/a.singleton.test.ts');
  });

  it('takes the runner of the application, with or without its globals', async () => {
    const specOf = async (files: Files, nest: 11 | 12) =>
      (await generate({ name: 'a' }, files, nest)).tree.readContent('src/a/a.singleton.spec.ts');
    const functions = 'import { afterEach, beforeEach, describe, expect, it } from';
    expect(await specOf({}, 11)).not.toContain(functions);
    expect(await specOf({}, 12)).not.toContain(functions);
    expect(await specOf({ 'tsconfig.json': '{}' }, 12)).toContain(`${functions} 'vitest';`);
    const jest = json({ type: 'module', dependencies: { '@nestjs/core': '12' }, devDependencies: { jest: '30' } });
    expect(await specOf({ 'package.json': jest }, 12)).toContain(`${functions} '@jest/globals';`);
    const { tree, said } = await generate({ name: 'a' }, { 'package.json': json({ dependencies: {} }) });
    expect(tree.exists('src/a/a.singleton.spec.ts')).toBe(false);
    expect(said).toEqual(['There is no Jest or Vitest in package.json, so no spec was made.']);
  });

  it('installs the package `cron` for the first job', async () => {
    const first = await run('cron', { name: 'a', sourceRoot: 'src' }, application(12));
    expect(first.tree.readContent('package.json')).toContain('"cron": "^4.4.0"');
    expect(first.tasks).toEqual(['node-package']);
    expect((await run('cron', { name: 'b', sourceRoot: 'src' }, first.tree)).tasks).toEqual([]);
  });

  it('lists the class in the nearest module, and in none where that is not wanted', async () => {
    const files = { 'src/billing/billing.module.ts': moduleWith('{}'), 'src/billing/a.module.ts': moduleWith('{}') };
    const { tree } = await generate({ name: 'billing/feed' }, files);
    expect(tree.readContent('src/billing/billing.module.ts')).toContain(
      "import { Feed } from './feed/feed.singleton.js';",
    );
    expect(tree.readContent('src/billing/billing.module.ts')).toContain('providers: [Feed],');
    expect(tree.readContent('src/app.module.ts')).not.toContain('Feed');
    const left = await generate({ name: 'feed', skipImport: true });
    expect(left.tree.readContent('src/app.module.ts')).not.toContain('Feed');
  });

  it.each([
    ['', 'The name is empty'],
    [' ', 'The name is empty'],
    ['/feed', '"/feed" leads to no folder of this application'],
    ['../feed', '"../feed" leads to no folder of this application'],
    ['a//feed', '"a//feed" leads to no folder of this application'],
    ['feed/', '"feed/" is no name for a file and a class'],
    ['2feed', '"2feed" is no name for a file and a class'],
    ['größe', '"größe" is no name for a file and a class'],
    ['価格', '"価格" is no name for a file and a class'],
    ["fe'ed", '"fe\'ed" is no name for a file and a class'],
    ['a'.repeat(101), 'is no name for a file and a class'],
    ['class', '"class" is a reserved word of TypeScript'],
    ['error', 'A class for "error" would be called Error, which is something else'],
    ['singleton', 'A class for "singleton" would be called Singleton, which is something else'],
  ])('refuses the name %j in one sentence', async (name, sentence) => {
    const message = await generate({ name }).catch((error: Error) => error.message);
    expect(message).toContain(sentence);
    expect(message).toMatch(/^[^\n]*; nothing was changed: [^\n]*\.$/);
  });

  it.each([
    ['a file that exists', { 'src/feed/feed.singleton.ts': '' }, 'src/feed/feed.singleton.ts exists'],
    ['no module', { 'src/app.module.ts': undefined }, 'There is no module in src/feed or above it'],
    ['two modules in one file', { 'src/app.module.ts': moduleWith('{}') + moduleWith('{}') }, 'not exactly one class'],
    ['providers elsewhere', { 'src/app.module.ts': moduleWith('{ providers: ALL }') }, 'its providers are `ALL`'],
    [
      'a class of that name',
      { 'src/app.module.ts': moduleWith('{}', "import { Feed } from 'other';\n") },
      'src/app.module.ts has something else that is called Feed',
    ],
  ])('refuses in one sentence: %s', async (_, files, sentence) => {
    const message = await generate({ name: 'feed' }, files).catch((error: Error) => error.message);
    expect(message).toContain(sentence);
    expect(message).toMatch(/^[^\n]*; nothing was changed: [^\n]*\.$/);
  });
});
