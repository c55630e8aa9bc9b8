import { runInThisContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { minifiedNames } from './minified.names.js';

const unnamed = (type: string) => ({ type, name: type });
const loaded = (type: string, source: string) =>
  new Map([[type, { type: runInThisContext(`(${source})`) as Type<object> }]]);

describe('names of classes', () => {
  it.each([[['e', 'w', '$']], [['iA', 'L8', '$8', 'mie']], [['t']]])('%p are those of a minifier', (classes) => {
    expect(minifiedNames(classes.map(unnamed), new Map())).toEqual(classes);
  });

  it.each([[[]], [['Ledger', 'e']], [['Job']], [['Log', 'Job']], [['Accounts2']]])('%p are not', (classes) => {
    expect(minifiedNames(classes.map(unnamed), new Map())).toEqual([]);
  });

  it.each([
    ['class e{run(){}}', ['e']],
    ['class e extends Map{run(){}}', ['e']],
    ['class{run(){}}', ['e']],
    ['class e {\n  run() {}\n}', []],
    ['class e extends Map {\n}', []],
  ])('of processes that are all named are those of a minifier where the code looks so: %p', (source, expected) => {
    expect(minifiedNames([{ type: 'e', name: 'feed' }], loaded('e', source))).toEqual(expected);
  });

  it('are those of a minifier where one process of several is called after its class', () => {
    const specs = [{ type: 'e', name: 'feed' }, unnamed('w')];
    expect(minifiedNames(specs, loaded('e', 'class e {\n}'))).toEqual(['e', 'w']);
  });
});
