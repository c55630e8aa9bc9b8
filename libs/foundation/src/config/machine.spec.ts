import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { packageNameOf, readMachine } from './machine.js';

const folder = mkdtempSync(join(tmpdir(), 'foundation-name-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), text);
}

describe('the package.json of the application', () => {
  write('shop/package.json', '{ "name": "@acme/shop" }');
  write('shop/dist/package.json', '{ "type": "module" }');
  write('shop/broken/package.json', '{ "name": ');
  write('shop/node_modules/tool/package.json', '{ "name": "tool" }');
  write('other/package.json', '{ "name": "other" }');
  write('library/package.json', '{ "name": "nestjs-foundation" }');
  const at = (path: string): string => join(folder, path);

  it.each([
    ['of the folder of the program', 'shop/main.js', 'other', '@acme/shop'],
    ['of a folder above, over one without a name', 'shop/dist/src/main.js', 'other', '@acme/shop'],
    ['of a folder above, over one that cannot be read', 'shop/broken/main.js', 'other', '@acme/shop'],
    ['of the working folder for a tool that runs the application', 'shop/node_modules/tool/run.js', 'other', 'other'],
    ['of the working folder for the command line of Foundation', 'library/dist/cli/main.js', 'other', 'other'],
  ])('is that %s', (_what, main, cwd, name) => {
    expect(packageNameOf(at(main), at(cwd))).toBe(name);
  });

  it('is that of the working folder without a program, as in a REPL', () => {
    expect(packageNameOf(undefined, at('other'))).toBe('other');
  });

  it('is read once for all', () => {
    expect(readMachine()).toMatchObject({ pid: process.pid, packageName: 'foundation-for-nestjs' });
  });
});
