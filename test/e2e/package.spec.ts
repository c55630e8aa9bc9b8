// The package as it is published: what is in it, and where its README leads.
// @redis embedded-ok
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const PACKAGE = resolve(import.meta.dirname, '../../dist/libs/foundation');
const textOf = (file: string) => readFileSync(join(PACKAGE, file), 'utf8');

describe('the package', () => {
  const files = readdirSync(PACKAGE, { recursive: true, encoding: 'utf8' });

  it('has no source maps, whose sources are not in it, and leads to none', () => {
    expect(files.filter((file) => file.endsWith('.map'))).toEqual([]);
    const scripts = files.filter((file) => /\.(js|d\.ts)$/.test(file));
    expect(scripts.length).toBeGreaterThan(100);
    expect(scripts.filter((file) => textOf(file).includes('sourceMappingURL'))).toEqual([]);
  });

  it('has a README without images and links that the page of a registry cannot resolve', () => {
    const { repository } = JSON.parse(textOf('package.json')) as { repository?: unknown };
    if (repository !== undefined) return;
    const readme = textOf('README.md');
    const relative = [...readme.matchAll(/\]\((?!https?:|#)([^)]+)\)/g)].map(([, link]) => link);
    expect(relative).toEqual([]);
    expect(readme).not.toMatch(/<img|<picture|srcset/);
    const named = [...readme.matchAll(/`(docs\/[\w./-]+)`/g)].map(([, file]) => file!);
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((file) => !existsSync(join(PACKAGE, file)))).toEqual([]);
  });

  it('has each of its entries as an ES module and as CommonJS, with types of the same kind', () => {
    type Entry = string | Record<'import' | 'require', Record<'types' | 'default', string>>;
    const { exports } = JSON.parse(textOf('package.json')) as { exports: Record<string, Entry> };
    const entries = Object.values(exports).filter((entry) => typeof entry === 'object');
    expect(entries.length).toBeGreaterThan(6);
    for (const { import: es, require: common } of entries) {
      expect(common).toEqual({
        types: es.types.replace('./dist/', './dist/cjs/'),
        default: es.default.replace('./dist/', './dist/cjs/'),
      });
      for (const file of [es.types, es.default, common.types, common.default]) {
        expect(existsSync(join(PACKAGE, file))).toBe(true);
      }
    }
    expect(JSON.parse(textOf('dist/cjs/package.json'))).toEqual({ type: 'commonjs' });
    // The command line is a program, which nobody requires.
    const scripts = files.filter((file) => /^dist\/(?!(?:cjs\/)?cli\/).*\.js$/.test(file));
    const common = scripts.filter((file) => file.startsWith('dist/cjs/'));
    expect(common.length).toBe(scripts.length - common.length);
    expect(files.filter((file) => file.startsWith('dist/cjs/cli'))).toEqual([]);
  });

  it('has declarations that lead only to declarations, and code whose comments are theirs', () => {
    const declarations = files.filter((file) => file.endsWith('.d.ts'));
    expect(declarations.length).toBeGreaterThan(100);
    const lost = declarations.flatMap((file) =>
      [...textOf(file).matchAll(/['"](\.{1,2}\/[^'"]+)\.js['"]/g)]
        .map(([, to]) => join(dirname(file), `${to}.d.ts`))
        .filter((to) => !files.includes(to)),
    );
    expect(lost).toEqual([]);
    expect(textOf('dist/processes/process.manager.d.ts')).toContain('Underneath:');
    const code = textOf('dist/processes/process.manager.js');
    expect([code.includes('async startSingleton('), code.includes('Underneath:')]).toEqual([true, false]);
  });

  it('says of itself what is known, and no placeholder', () => {
    const manifest = JSON.parse(textOf('package.json')) as Record<string, unknown>;
    expect(JSON.stringify(manifest)).not.toContain('.example/');
    expect(manifest).toMatchObject({ license: 'MIT', publishConfig: { access: 'public', provenance: true } });
    expect(textOf('LICENSE')).toMatch(/^MIT License/);
    expect(textOf('CHANGELOG.md')).toContain(`\n## [${String(manifest['version'])}] - `);
  });

  it('has the schematics that the Nest CLI looks for, as CommonJS, each with what it takes', () => {
    const { schematics } = JSON.parse(textOf('package.json')) as { schematics: string };
    type Collection = { schematics: Record<string, { factory: string; schema: string }> };
    const collection = JSON.parse(textOf(schematics)) as Collection;
    expect(Object.keys(collection.schematics)).toContain('nest-add');
    const folder = dirname(join(PACKAGE, schematics));
    for (const { factory, schema } of Object.values(collection.schematics)) {
      expect(existsSync(join(folder, schema))).toBe(true);
      const [file, name] = factory.split('#') as [string, string];
      const factories = createRequire(join(folder, 'package.json'))(file) as Record<string, unknown>;
      expect(typeof factories[name]).toBe('function');
    }
    expect(files.filter((file) => /^schematics.*(\.spec\.|support|\.ts$)/.test(file))).toEqual([]);
  });

  it('runs as a program of its own name, too', () => {
    const { bin } = JSON.parse(textOf('package.json')) as { bin: Record<string, string> };
    expect(Object.keys(bin)).toEqual(['foundation', 'nestjs-foundation']);
    for (const file of Object.values(bin)) expect(existsSync(join(PACKAGE, file))).toBe(true);
  });
});
