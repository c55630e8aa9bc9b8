// The page has no build step and no types; what of it needs no document is read here as the browser reads it.
import { describe, expect, it } from '@jest/globals';

interface Span {
  id: string;
  parent?: string;
  start: number;
  end?: number;
}
interface Part {
  from: number;
  to: number;
  left: number;
  width: number;
}
interface Scale {
  start: number;
  end: number;
  parts: Part[];
  pauses: Part[];
  at(time: number): number;
}
interface Timeline {
  took(ms: unknown): string;
  treeOf(spans: Span[]): { span: Span; depth: number }[];
  scaleOf(spans: Span[]): Scale;
  ticksOf(scale: Scale): { left: number; text: string; isFirst: boolean; isNear: boolean }[];
}

const file: string = new URL('./page/timeline.js', import.meta.url).href;
const { took, treeOf, scaleOf, ticksOf } = (await import(file)) as Timeline;

describe('timeline.js of the page', () => {
  it('writes times with the digits that matter', () => {
    expect([0, 0.042, 7.16, 162.7, 999.4, 1234, 61_000, 3_700_000, NaN, undefined].map(took)).toEqual([
      '0 ms',
      '0.04 ms',
      '7.2 ms',
      '163 ms',
      '999 ms',
      '1.23 s',
      '1 min 1 s',
      '1 h 1 min',
      '–',
      '–',
    ]);
  });

  it('has each span below its parent, in the order of their beginning', () => {
    const spans = [
      { id: 'late', parent: 'root', start: 5 },
      { id: 'inner', parent: 'early', start: 3 },
      { id: 'early', parent: 'root', start: 2 },
      { id: 'root', parent: 'unknown', start: 1 },
    ];
    expect(treeOf(spans).map(({ span, depth }) => [span.id, depth])).toEqual([
      ['root', 0],
      ['early', 1],
      ['inner', 2],
      ['late', 1],
    ]);
  });

  it('has every span once, whatever their parents say', () => {
    const circle = [
      { id: 'a', parent: 'b', start: 1 },
      { id: 'b', parent: 'a', start: 2 },
      { id: 'c', parent: 'c', start: 3 },
      { id: 'd', start: 4 },
      { id: 'd', start: 5 },
      { id: '__proto__', parent: 'constructor', start: 6 },
    ];
    expect(treeOf(circle)).toHaveLength(circle.length);
    const deep = Array.from({ length: 50_000 }, (_, index) => ({
      id: `${index}`,
      parent: `${index - 1}`,
      start: index,
    }));
    expect(treeOf(deep).at(-1)).toMatchObject({ depth: 49_999 });
  });

  it('draws what happens to scale where there is no long pause', () => {
    const { at, pauses } = scaleOf([
      { id: 'a', start: 100, end: 200 },
      { id: 'b', start: 150, end: 160 },
    ]);
    expect(pauses).toEqual([]);
    expect([50, 100, 150, 200, 900].map((time) => Math.round(at(time)))).toEqual([0, 0, 50, 100, 100]);
  });

  it('shortens long pauses, so that a second of work is seen beside an hour of nothing', () => {
    const scale = scaleOf([
      { id: 'begin', start: 0, end: 0 },
      { id: 'a', start: 3_600_000, end: 3_600_600 },
      { id: 'b', start: 3_600_700, end: 3_601_000 },
    ]);
    expect(scale.pauses).toEqual([expect.objectContaining({ from: 0, to: 3_600_000, width: 5 })]);
    expect(scale.at(3_600_600) - scale.at(3_600_000)).toBeGreaterThan(40);
    // A short one is as long as it is.
    expect(scale.parts).toHaveLength(2);
    const places = [0, 3_600_000, 3_600_600, 3_600_700, 3_601_000].map(scale.at);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places.at(-1)).toBeCloseTo(100);
  });

  it('draws what has not ended until the end, and a trace of one moment', () => {
    const open = scaleOf([
      { id: 'a', start: 0 },
      { id: 'b', start: 50, end: 100 },
    ]);
    expect(open).toMatchObject({ start: 0, end: 100, pauses: [] });
    const moment = scaleOf([{ id: 'a', start: 7, end: 7 }]);
    expect(moment.at(7)).toBe(0);
    expect(ticksOf(moment).map(({ text }) => text)).toEqual(['0']);
  });

  it('has ticks at round times, from the beginning of each part', () => {
    const scale = scaleOf([
      { id: 'begin', start: 0, end: 0 },
      { id: 'a', start: 9000, end: 9024 },
    ]);
    const ticks = ticksOf(scale);
    expect(ticks.map(({ text }) => text)).toEqual(['0', '9 s', '+5 ms', '+10 ms', '+15 ms', '+20 ms']);
    expect(ticks.every(({ left }) => left >= 0 && left < 100)).toBe(true);
    expect(ticks.map(({ isNear }) => isNear)).toEqual([false, false, false, false, false, false]);
  });

  it('has a bounded number of pauses and ticks', () => {
    const spans = Array.from({ length: 1000 }, (_, index) => ({
      id: `${index}`,
      start: index * 1000,
      end: index * 1000 + 1,
    }));
    const scale = scaleOf(spans);
    expect(scale.pauses).toHaveLength(8);
    expect(ticksOf(scale).length).toBeLessThan(40);
  });
});
