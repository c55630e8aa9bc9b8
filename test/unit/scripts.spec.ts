// The scripts of `npm run chaos:…` and `npm run bench` are no TypeScript, and most of them run in no suite: what they
// import is looked for here.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');
const IMPORT = /^import \{([^}]+)\} from '(\.[^']+)';/gm;
const scripts = ['test/chaos', 'test/bench'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.mjs') && !name.includes('node_modules'))
    .map((name) => join(folder, name)),
);

/** The source of what is imported, which may not be built yet. */
function sourceOf(script: string, from: string): string {
  const path = normalize(join(dirname(script), from))
    .replace(/^dist\/test\/(.*)\.js$/, 'test/$1.ts')
    .replace(/^(libs\/foundation)\/dist\/(.*)\.js$/, '$1/src/$2.ts');
  return existsSync(join(ROOT, path)) ? readFileSync(join(ROOT, path), 'utf8') : '';
}

describe('the scripts', () => {
  it('are found', () => expect(scripts.length).toBeGreaterThan(10));

  it.each(scripts)('%s imports what is there', (script) => {
    const missing: string[] = [];
    for (const [, names = '', from = ''] of readFileSync(join(ROOT, script), 'utf8').matchAll(IMPORT)) {
      const source = sourceOf(script, from);
      for (const name of names.split(',').map((each) => each.trim().split(' ')[0]!)) {
        const isExported = new RegExp(`^export (async )?(const|let|class|function\\*?|abstract class) ${name}\\b`, 'm');
        const isPassedOn = [...source.matchAll(/^export \{([^}]+)\}/gm)].some(([, list = '']) =>
          list.split(',').some((each) => each.trim().split(' ').at(-1) === name),
        );
        if (name !== '' && !isExported.test(source) && !isPassedOn) missing.push(`${name} from ${from}`);
      }
    }
    expect(missing).toEqual([]);
  });
});
