import { describe, expect, it } from '@jest/globals';
import { MAX_SPANS, readReport, type Report, type Span } from './span.js';
import { dataOf, takeIn, type TraceRecord, withinRoom } from './trace.js';

const ROOT = 'f'.repeat(16);
const idOf = (number: number): string => number.toString(16).padStart(16, '0');

function span(number: number, more: Partial<Span> = {}): Span {
  const parent = number === 1 ? ROOT : idOf(number - 1);
  return {
    id: idOf(number),
    parent,
    kind: 'internal',
    name: `step ${number}`,
    start: number,
    end: number + 1,
    attributes: {},
    ...more,
  };
}

function report(node: string, spans: Span[], more: Partial<Report> = {}): Report {
  return { node, bootId: `${node}-1`, at: 5000, spans, leftOut: 0, forgotten: 0, ...more };
}

function trace(reports: Report[], more: Partial<TraceRecord> = {}): TraceRecord {
  const participants = reports.map(({ node, bootId }) => ({ node, bootId }));
  const byBootId = Object.fromEntries(reports.map((each) => [each.bootId, each]));
  return { id: 'a'.repeat(32), root: ROOT, startedAt: 2000, participants, reports: byBootId, ...more };
}

describe('dataOf', () => {
  it('is complete when every node has reported, every span has ended and every parent is known', () => {
    const data = dataOf(trace([report('b', [span(2)]), report('a', [span(1), span(3)]), report('c', [])]));
    expect(data).toMatchObject({ nodes: ['a', 'b', 'c'], complete: true, reasons: [] });
    expect(data.spans.map(({ node, name }) => [node, name])).toEqual([
      ['a', 'step 1'],
      ['b', 'step 2'],
      ['a', 'step 3'],
    ]);
  });

  const silent = { node: 'b', bootId: 'b-1', silent: 'timeout' };
  it.each<[string, TraceRecord]>([
    ['b did not answer: timeout', trace([report('a', [span(1)])], { participants: [silent] })],
    ['b did not answer: timeout', trace([report('b', [span(1)])], { participants: [silent] })],
    ['b died before it reported', trace([], { participants: [{ node: 'b', bootId: 'b-1', goneAt: 9 }] })],
    ['b left out 3 spans', trace([report('b', [span(1)], { leftOut: 3 })])],
    ['b may have forgotten', trace([report('b', [span(1)], { forgotten: 1001 })])],
    ['"step 1" on a has not ended', trace([report('a', [span(1, { end: undefined })])])],
    ['the parent of "step 3" on a is not known', trace([report('a', [span(1), span(3)])])],
    ['the other side of the call "step 1" on a', trace([report('a', [span(1, { kind: 'client' })])])],
    ['what "step 1" on a sent has not been handled', trace([report('a', [span(1, { kind: 'producer' })])])],
    [
      'an earlier attempt of "step 2" on a',
      trace([report('a', [span(1), span(2, { kind: 'consumer', attributes: { attempt: 2 } })])]),
    ],
  ])('is not complete when %s', (reason, record) => {
    const { complete, reasons } = dataOf(record);
    expect(complete).toBe(false);
    expect(reasons).toEqual([expect.stringContaining(reason)]);
  });

  it('does not wait for the other side of a call that failed, nor for one that arrived', () => {
    const failed = span(1, { kind: 'client', error: 'refused' });
    expect(dataOf(trace([report('a', [failed])])).complete).toBe(true);
    const call = [span(1, { kind: 'client' }), span(2, { kind: 'server' }), span(3, { kind: 'producer' })];
    const handled = span(4, { kind: 'consumer', attributes: { attempt: 1 } });
    expect(dataOf(trace([report('a', call), report('b', [handled])])).complete).toBe(true);
  });

  it.each([
    ['has a report of after the last activity', 1, 2, true],
    ['was quiet until it was gone', 9001, 9002, true],
    ['may have been sent something that it had not reported', 4500, 4501, false],
    ['may have been sent something before it was gone', 8000, 8001, false],
    ['may have been sent something by what has not ended', 1, undefined, false],
  ])('trusts the last report of a node that died when that %s', (_what, start, end, complete) => {
    const gone = { node: 'b', bootId: 'b-1', goneAt: 9000 };
    const there = { node: 'a', bootId: 'a-1' };
    const others = report('a', [span(1), span(2, { start, end })], { at: 10_000 });
    const data = dataOf(trace([others, report('b', [span(3)])], { participants: [there, gone] }));
    expect(data.reasons.some((reason) => reason.includes('b died'))).toBe(!complete);
    expect(data.nodes).toEqual(['a', 'b']);
  });

  it('has a bounded number of reasons', () => {
    const open = Array.from({ length: 100 }, (_, index) => span(index + 1, { end: undefined }));
    expect(dataOf(trace([report('a', open)])).reasons).toHaveLength(20);
  });
});

describe('the room of a trace', () => {
  it('is for a limited number of nodes, and says when there were more', () => {
    const record = trace([]);
    const taken = Array.from({ length: 150 }, (_, index) => takeIn(record, { node: `n${index}`, bootId: `${index}` }));
    expect(taken.filter(Boolean)).toHaveLength(100);
    expect(record.participants).toHaveLength(100);
    expect(dataOf({ ...record, participants: [] }).reasons).toEqual([expect.stringContaining('more nodes')]);
  });

  it('is for a limited number of spans of all nodes, and counts the others', () => {
    const spans = Array.from({ length: MAX_SPANS }, (_, index) => span(index + 1));
    const record = trace(Array.from({ length: 7 }, (_, index) => report(`n${index}`, spans)));
    expect(withinRoom(record, report('n0', spans))).toMatchObject({ leftOut: 0 });
    expect(withinRoom(record, report('b', spans))).toMatchObject({ leftOut: 0 });
    record.reports['b-1'] = report('b', spans);
    expect(withinRoom(record, report('c', spans, { leftOut: 2 }))).toMatchObject({ spans: [], leftOut: MAX_SPANS + 2 });
  });
});

describe('readReport', () => {
  it('reads what a node sends', () => {
    const sent = report('a', [span(1), span(2, { error: 'no paper', attributes: { attempt: 1, job: '7' } })]);
    expect(readReport(JSON.parse(JSON.stringify(sent)))).toEqual(sent);
  });

  it.each([undefined, null, 7, 'x', [], {}, { ...report('a', []), spans: 'all' }, { ...report('a', []), at: NaN }])(
    'takes nothing that is not a report (%#)',
    (value) => expect(readReport(value)).toBeUndefined(),
  );

  it('takes a limited number of spans, and says how many it left out', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => span(index + 1));
    expect(readReport(report('a', many))).toMatchObject({ leftOut: 10_000 - MAX_SPANS });
    expect(readReport(report('a', many))!.spans).toHaveLength(MAX_SPANS);
  });

  it.each<object>([
    { id: '__proto__' },
    { id: 7 },
    { parent: 'x' },
    { kind: 'outer' },
    { name: 7 },
    { start: -1 },
    { start: '1' },
    { end: 0 },
    { end: 'never' },
  ])('leaves out a span that is malformed (%j)', (more) => {
    const read = readReport(report('a', [span(1), { ...span(2), ...more }]))!;
    expect(read.spans).toEqual([span(1)]);
    expect(read.leftOut).toBe(1);
  });

  it('cuts texts of a megabyte, and attributes that are too many or of another type', () => {
    const long = 'x'.repeat(1024 * 1024);
    const attributes = JSON.parse(
      `{"__proto__": "polluted", "${long}": "${long}", "deep": {}, "nan": null, ${Array.from({ length: 50 }, (_, index) => `"k${index}": 1`).join()}}`,
    ) as Span['attributes'];
    const [read] = readReport(report('a', [span(1, { name: long, error: long, attributes })]))!.spans;
    expect(JSON.stringify(read).length).toBeLessThan(3000);
    expect(Object.keys(read!.attributes)).toHaveLength(8);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});
