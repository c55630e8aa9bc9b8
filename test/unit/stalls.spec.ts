import { describe, expect, it } from '@jest/globals';
import { history, type Line } from '../support/history.lines.js';
import { stallsOf } from '../support/stalls.js';

const said = (at: number, node: string): Line => [at, node, 'test.said'];

describe('stallsOf', () => {
  it('finds when a process said nothing for long, each by itself', () => {
    const events = history(said(0, 'a'), said(100, 'b'), said(400, 'a'), said(700, 'b'), said(1000, 'a'));
    expect(stallsOf(events).map(({ from, until }) => [from / 1000, until / 1000])).toEqual([
      [100, 700],
      [400, 1000],
    ]);
    expect(stallsOf([])).toEqual([]);
  });
});
