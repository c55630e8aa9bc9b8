import { describe, expect, it } from '@jest/globals';
import type { SeenTick } from '../src/price-board.js';
import type { Happening } from './history.js';
import { openerOf } from './open.page.js';
import { pageView, type ShownNode } from './page.view.js';
import { takeovers } from './takeovers.js';
import { TickLine } from './tick.line.js';

const name = 'price-feed';
const own = (node: string, epoch: number, at: number): Happening[] => [
  { at, node, event: 'lease.acquired', name, epoch },
  { at: at + 5, node, event: 'process.started', name, epoch },
];
const died = (node: string, at: number): Happening[] => [
  { at, node, event: 'kill' },
  { at: at + 3, node, event: 'exit' },
];

describe('takeovers', () => {
  it('are measured from the kill to the start elsewhere', () => {
    const seen = [...own('a', 1, 0), ...died('a', 1000), ...own('b', 2, 2200)];
    expect(takeovers(seen, name, 9999)).toEqual([{ at: 1000, from: 'a', to: 'b', epoch: 2, ms: 1205 }]);
  });

  it('count up until there is a new owner', () => {
    const seen = [...own('a', 1, 0), ...died('a', 1000)];
    expect(takeovers(seen, name, 1400)).toEqual([{ at: 1000, from: 'a', to: undefined, epoch: undefined, ms: 400 }]);
  });

  it('are none where a node dies that owns nothing, or an owner hands over', () => {
    const handedOver = { at: 500, node: 'a', event: 'lease.released', name, epoch: 1 };
    const seen = [...own('a', 1, 0), ...died('c', 100), handedOver, ...own('b', 2, 510), ...died('a', 900)];
    expect(takeovers(seen, name, 2000)).toEqual([]);
  });

  it('count from the end of a node that was killed from somewhere else', () => {
    const seen = [...own('a', 1, 0), { at: 1000, node: 'a', event: 'exit' }, ...own('a', 2, 1500)];
    expect(takeovers(seen, name, 2000)).toMatchObject([{ at: 1000, to: 'a', ms: 505 }]);
  });
});

describe('the line', () => {
  const tick = (epoch: number, number: number): SeenTick => ({
    ...{ symbol: 'NEST', price: 100, epoch, tick: number, from: `owner ${epoch}` },
  });

  it('has each tick once, whoever heard it, and none of an owner of before', () => {
    const line = new TickLine();
    line.take([tick(1, 1), tick(1, 2)], 1000);
    line.take([tick(1, 2), tick(1, 3)], 1100);
    line.take([tick(2, 1)], 2000);
    line.take([tick(1, 4)], 2100);
    expect(line.ticks.map(({ epoch, tick: number, at }) => [epoch, number, at])).toEqual([
      [1, 1, 800],
      [1, 2, 1000],
      [1, 3, 1100],
      [2, 1, 2000],
    ]);
  });

  it('forgets the oldest', () => {
    const line = new TickLine();
    for (let number = 1; number <= 500; number++) line.take([tick(1, number)], number * 200);
    expect([line.ticks.length, line.ticks.at(-1)?.tick]).toEqual([160, 500]);
  });
});

describe('the view', () => {
  const node = (more: Partial<ShownNode>): ShownNode => ({ name: 'a', pid: 1, port: 80, status: undefined, ...more });
  const facts = { redis: 'redis-server 7.0.15', singleton: name, happenings: own('b', 7, 0), line: [], now: 5000 };

  it('says of each node whether it lives, and which one is the owner', () => {
    const status = {
      node: { name: 'b', state: 'up' },
      members: [
        { name: 'a', state: 'suspect' },
        { name: 'b', state: 'up' },
      ],
      ticks: { last: [{ symbol: 'NEST', price: 99.5, epoch: 7, tick: 3, from: 'b' }], epochs: [], stale: 0 },
    } as unknown as ShownNode['status'];
    const nodes = [node({ pid: undefined, port: undefined }), node({ name: 'b', status }), node({ name: 'c' })];
    const view = pageView(nodes, { ...facts, line: [{ at: 4000, price: 99.5, tick: 3, epoch: 7, from: 'b' }] });
    expect(view.owner).toEqual({ node: 'b', epoch: 7 });
    expect(view.nodes.map(({ state, isOwner, pid }) => [state, isOwner, pid])).toEqual([
      ['dead', false, null],
      ['up', true, 1],
      ['starting', false, 1],
    ]);
    expect(view.nodes[1]).toMatchObject({ members: ['b'], tick: { price: 99.5, tick: 3 } });
    expect(view.line).toEqual([[1000, 99.5, 3, 'b']]);
  });

  it('has the newest take-over first, and the last eight', () => {
    const happenings = Array.from({ length: 10 }, (_, i) => [
      ...own('a', i, i * 100),
      ...died('a', i * 100 + 50),
    ]).flat();
    const view = pageView([], { ...facts, happenings, now: 1000 });
    expect(view.owner).toBeNull();
    expect(view.takeovers.map(({ epoch }) => epoch)).toEqual([null, 9, 8, 7, 6, 5, 4, 3]);
  });
});

describe('the browser', () => {
  it('is the default one, where there is a screen', () => {
    expect(openerOf('linux', {})).toEqual([]);
    expect(openerOf('linux', { DISPLAY: ':0' })).toEqual(['xdg-open']);
    expect(openerOf('darwin', {})).toEqual(['open']);
    expect(openerOf('win32', {})[0]).toBe('rundll32');
    expect(openerOf('darwin', { BROWSER: 'none' })).toEqual([]);
  });
});
