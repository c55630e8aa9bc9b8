import { describe, expect, it } from '@jest/globals';
import {
  mergedFigures,
  mergedHistory,
  type NodeFigures,
  readNodeFigures,
  readNodeHistory,
  readSeriesName,
} from './figures.report.js';
import { slotsOf, WorkFigures } from './work.figures.js';
import { MAX_SERIES, MAX_SERIES_NAME, MAX_SLOTS, SLOT_MS } from './work.series.js';

const CALL = { kind: 'call', of: 'Accounts', work: 'debit' } as const;

function node(start = 1_000_000) {
  const time = { now: start };
  const figures = new WorkFigures(() => time.now);
  const series = figures.series('call', 'Accounts', 'debit');
  /** `count` of them, evenly within a slot that begins now. */
  const slot = (count: number, ms: number, failed = 0): void => {
    for (let index = 0; index < count; index++) series.record(ms, index < failed, time.now);
    time.now += SLOT_MS;
  };
  return { time, figures, series, slot };
}

const read = (figures: WorkFigures, minutes = 1): NodeFigures =>
  readNodeFigures(JSON.parse(JSON.stringify(figures.report(slotsOf(minutes)))))!;

describe('WorkFigures', () => {
  it('says how often a method ran in the last minute, how often it failed, and how long it took', () => {
    const { figures, slot } = node(0);
    for (let count = 0; count < 8; count++) slot(30, 4, 3);
    const [seen] = mergedFigures([read(figures)]);
    expect(seen).toMatchObject({ ...CALL, nodes: 1 });
    // Of the four slots of a minute, and the one that has just begun.
    expect(seen!.perSecond).toBeCloseTo(2, 5);
    expect(seen!.failedPerSecond).toBeCloseTo(0.2, 5);
    expect(seen!.p50! / 4).toBeCloseTo(1, 0);
    expect(seen!.p99).toBeLessThan(5);
  });

  it('goes by the time that the node is there, when that is less than a minute', () => {
    const { figures, slot } = node(1_000_000);
    slot(30, 1);
    expect(mergedFigures([read(figures)])[0]!.perSecond).toBeCloseTo(2, 1);
  });

  it('adds up what nodes say, and takes quantiles of all together', () => {
    const [a, b] = [node(0), node(0)];
    for (let count = 0; count < 4; count++) {
      a.slot(99, 1);
      b.slot(1, 1000, 1);
    }
    const [seen] = mergedFigures([read(a.figures), read(b.figures)]);
    expect(seen).toMatchObject({ nodes: 2 });
    expect(seen!.p50).toBeLessThan(1.3);
    expect(seen!.p99).toBeLessThan(1.3);
    b.slot(10, 1000);
    a.slot(0, 0);
    expect(mergedFigures([read(a.figures), read(b.figures)])[0]!.p99).toBeGreaterThan(900);
  });

  it('keeps what has not run for a minute, without times, and forgets what has not run for an hour', () => {
    const { figures, slot, time } = node(0);
    slot(10, 1);
    time.now += 10 * SLOT_MS;
    const [seen] = mergedFigures([read(figures)]);
    expect(seen).toEqual({ ...CALL, perSecond: 0, failedPerSecond: 0, nodes: 1 });
    time.now += MAX_SLOTS * SLOT_MS;
    expect(read(figures).series).toEqual([]);
    expect(figures.history(CALL).slots).toEqual([]);
    // A counter of Prometheus never goes back.
    expect(figures.totals('call')).toMatchObject([{ ...CALL, failed: 0, sumMs: 10 }]);
  });

  it('keeps an hour of slots, and gives the history of all nodes by how long ago it is', () => {
    const [a, b] = [node(0), node(7 * SLOT_MS)];
    for (let count = 0; count < MAX_SLOTS + 50; count++) {
      a.slot(15, 2);
      b.slot(15, 2, 1);
    }
    expect(a.figures.history(CALL).slots).toHaveLength(MAX_SLOTS);
    const histories = [a, b].map(({ figures }) => readNodeHistory(JSON.parse(JSON.stringify(figures.history(CALL))))!);
    const points = mergedHistory(histories);
    // The slot that goes on has nothing in it.
    expect(points).toHaveLength(MAX_SLOTS + 1);
    expect(points.at(-1)).toMatchObject({ perSecond: 0 });
    for (const point of points.slice(0, -1)) {
      expect(point.perSecond).toBeCloseTo(2, 5);
      expect(point.failedPerSecond).toBeCloseTo(1 / 15, 5);
    }
    expect(points[0]!.agoMs).toBeGreaterThan(points[1]!.agoMs);
    expect(mergedHistory([])).toEqual([]);
  });

  it('has as many series as it is allowed to, and one for the rest of each kind', () => {
    const { figures, time } = node();
    const all = Array.from({ length: 1000 }, (_, index) => figures.series('handler', `channel-${index}`, 'on'));
    for (const series of all) series.record(1, false, time.now);
    figures.job('late', 5, true);
    expect(new Set(all).size).toBe(MAX_SERIES);
    const report = read(figures);
    expect(report.series).toHaveLength(MAX_SERIES + 1);
    const others = report.series.filter(({ of }) => of === 'other');
    expect(others.map(({ kind, failed }) => [kind, failed])).toEqual([
      ['handler', 0],
      ['job', 1],
    ]);
    expect(figures.series('handler', 'channel-7', 'on')).toBe(all[7]);
  });

  it('cuts names, and takes no text of a terminal from them', () => {
    const { figures } = node();
    figures.series('handler', 'x'.repeat(5000), '\u001b[31mred\n').record(1, false, 1_000_000);
    const [{ of, work } = { of: '', work: '' }] = read(figures).series;
    expect(of).toHaveLength(MAX_SERIES_NAME);
    expect(work).not.toContain('\u001b');
  });

  it('has none of the channels of Foundation itself', () => {
    const { figures } = node();
    figures.leftOut.add('own');
    expect(figures.handler('own', 'on')).toBeUndefined();
    expect(figures.handler('orders', 'on')).toBeDefined();
  });

  it('allocates nothing for a record', () => {
    const { series } = node();
    const run = (count: number): void => {
      for (let index = 0; index < count; index++) series.record(index & 1023, false, 1_000_000 + index / 1000);
    };
    run(100_000);
    const before = process.memoryUsage().heapUsed;
    run(1_000_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(2_000_000);
  });
});

describe('figures that another node sends', () => {
  it.each([
    undefined,
    null,
    'x',
    [],
    {},
    { spanMs: 0, series: [] },
    { spanMs: NaN, series: [] },
    { spanMs: 1, series: 'x' },
  ])('are refused where they are none (%#)', (value) => expect(readNodeFigures(value)).toBeUndefined());

  it('are read as far as they are right', () => {
    const right = { kind: 'call', of: 'a', work: 'b', failed: 0, sumMs: 1, durations: [5, 2] };
    const wrong = [
      { ...right, kind: 'x' },
      { ...right, of: '' },
      { ...right, work: 'x'.repeat(201) },
      { ...right, failed: -1 },
      { ...right, sumMs: Infinity },
      { ...right, durations: [5, -2] },
      { ...right, durations: [500, 2] },
      { ...right, durations: Array(1000).fill(1) },
      { ...right, durations: [0.5, 1] },
      { ...right, durations: { length: 2 } },
      null,
    ];
    expect(readNodeFigures({ spanMs: 1, series: [...wrong, right] })!.series).toEqual([right]);
    expect(readNodeFigures({ spanMs: 1, series: Array(5000).fill(right) })!.series.length).toBeLessThan(300);
    const slot = { ago: 3, failed: 0, sumMs: 1, durations: [5, 2] };
    const slots = [slot, { ...slot, ago: 1e9 }, { ...slot, ago: -1 }, 7];
    expect(readNodeHistory({ elapsedMs: 5, slots })!.slots).toEqual([slot]);
    expect(readNodeHistory({ elapsedMs: 1e9, slots })).toBeUndefined();
    expect(readNodeHistory(7)).toBeUndefined();
  });

  it.each([
    undefined,
    7,
    {},
    { kind: 'x', of: 'a', work: '' },
    { kind: 'call', of: '', work: '' },
    { kind: 'job', of: 'a' },
  ])('are not asked for by what is no name (%#)', (value) => expect(readSeriesName(value)).toBeUndefined());

  it.each([undefined, null, 0, 61, NaN, 'x', -1])('are of a minute where %p is asked for', (minutes) =>
    expect(slotsOf(minutes)).toBe(4),
  );
});
