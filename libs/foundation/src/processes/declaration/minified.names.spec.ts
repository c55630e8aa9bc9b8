import { describe, expect, it } from '@jest/globals';
import { minifiedNames } from './minified.names.js';

describe('names of classes', () => {
  it.each([[['e', 'w', '$']], [['iA', 'L8', '$8', 'mie']], [['t']]])('%p are those of a minifier', (classes) => {
    expect(minifiedNames(classes)).toEqual(classes);
  });

  it.each([[[]], [['Ledger', 'e']], [['Job']], [['Log', 'Job']], [['Accounts2']]])('%p are not', (classes) => {
    expect(minifiedNames(classes)).toEqual([]);
  });
});
