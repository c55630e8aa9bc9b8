import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { ArgumentError } from '../errors/config.errors.js';
import { type RecordedSpan, SpanRecorder } from './span.recorder.js';
import { Telemetry } from './telemetry.js';
import { readTraceContext, type Tracing } from './tracing.js';

const SAMPLED = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const NOT_SAMPLED = SAMPLED.replace(/01$/, '00');

function recording(tracing?: Tracing): { telemetry: Telemetry; spans: RecordedSpan[] } {
  const telemetry = new Telemetry();
  const spans: RecordedSpan[] = [];
  telemetry.tracing = new SpanRecorder({ keep: (span) => spans.push(span), tracing });
  return { telemetry, spans };
}

describe('Telemetry.span', () => {
  it('runs the work without anything that makes spans', () => {
    const telemetry = new Telemetry();
    expect(telemetry.span({ kind: 'internal', name: 'work' }, () => telemetry.carry())).toBeUndefined();
  });

  it.each([
    undefined,
    null,
    'work',
    {},
    { kind: 'outer', name: 'work' },
    { kind: '__proto__', name: 'work' },
    { kind: 'internal', name: '' },
    { kind: 'internal', name: 7 },
    { kind: 'internal', name: 'x'.repeat(201) },
    { kind: 'internal', name: 'work', attributes: 'none' },
    { kind: 'internal', name: 'work', attributes: { deep: {} } },
    { kind: 'internal', name: 'work', attributes: { amount: NaN } },
  ])('refuses what describes no span, and does not run the work (%#)', (description) => {
    let ran = false;
    const { telemetry } = recording();
    expect(() => telemetry.span(description as never, () => (ran = true))).toThrow(ArgumentError);
    expect(() => telemetry.span({ kind: 'internal', name: 'x' }, 7 as never)).toThrow(ArgumentError);
    expect(ran).toBe(false);
  });
});

describe('SpanRecorder', () => {
  it('notifies of a span when it begins, and gives it an end when the work settles', async () => {
    const { telemetry, spans } = recording();
    let done!: () => void;
    const result = telemetry.span({ kind: 'internal', name: 'work', attributes: { order: 7 } }, () => {
      expect(telemetry.span({ kind: 'client', name: 'inner' }, () => 'inner')).toBe('inner');
      return new Promise<void>((resolve) => (done = resolve));
    });
    const [work, inner] = spans as [RecordedSpan, RecordedSpan];
    expect(work).toMatchObject({ kind: 'internal', name: 'work', attributes: { order: 7 } });
    expect(work).not.toHaveProperty('parentId');
    expect(work).not.toHaveProperty('end');
    expect(inner).toMatchObject({ traceId: work.traceId, parentId: work.spanId });
    expect(inner.end).toBeGreaterThanOrEqual(inner.start);
    done();
    await result;
    expect(work.end).toBeGreaterThanOrEqual(work.start);
    expect(telemetry.carry()).toBeUndefined();
  });

  it('notes what the work throws and rejects with, and passes it on', async () => {
    const { telemetry, spans } = recording();
    const failing = (): never => {
      throw new Error('no paper');
    };
    expect(() => telemetry.span({ kind: 'internal', name: 'a' }, failing)).toThrow('no paper');
    const rejected = telemetry.span({ kind: 'internal', name: 'b' }, () => Promise.reject(new Error('no ink')));
    await expect(rejected).rejects.toThrow('no ink');
    expect(spans.map(({ error }) => error)).toEqual([
      expect.stringContaining('no paper'),
      expect.stringContaining('no ink'),
    ]);
    expect(spans.every(({ end }) => end !== undefined)).toBe(true);
  });

  it('continues the trace of a parent, and carries its id over what waits', async () => {
    const { telemetry, spans } = recording();
    const parent = readTraceContext({ traceparent: SAMPLED, tracestate: 'vendor=x' });
    const carried = await telemetry.span({ kind: 'consumer', name: 'job', parent }, async () => {
      await sleep(1);
      return telemetry.carry();
    });
    const [job] = spans as [RecordedSpan];
    expect(job).toMatchObject({ traceId: '0af7651916cd43dd8448eb211c80319c', parentId: 'b7ad6b7169203331' });
    expect(carried).toEqual({ traceparent: `00-${job.traceId}-${job.spanId}-01`, tracestate: 'vendor=x' });
  });

  it('records nothing that is not sampled, and nothing that belongs to no trace', () => {
    const { telemetry, spans } = recording();
    const parent = readTraceContext({ traceparent: NOT_SAMPLED });
    const carried = telemetry.span({ kind: 'server', name: 'request', parent }, () => telemetry.carry());
    expect(carried?.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-00$/);
    for (const kind of ['consumer', 'server', 'producer', 'client'] as const) {
      expect(telemetry.span({ kind, name: 'alone' }, () => telemetry.carry())).toBeUndefined();
    }
    expect(spans).toEqual([]);
  });

  it('does not take a message into the trace in whose turn it happens to be handled', () => {
    const { telemetry, spans } = recording();
    const inside = telemetry.span({ kind: 'internal', name: 'work' }, () =>
      telemetry.span({ kind: 'consumer', name: 'message' }, () => telemetry.carry()),
    );
    expect(inside).toBeUndefined();
    expect(spans.map(({ name }) => name)).toEqual(['work']);
  });

  it('takes the ids of the tracing below it', () => {
    let active: string | undefined;
    const below: Tracing = {
      carry: () => (active === undefined ? undefined : { traceparent: active }),
      span: (_description, work) => {
        const before = active;
        active = SAMPLED.replace('b7ad6b7169203331', 'b7ad6b716920333'.padEnd(16, before === undefined ? 'a' : 'b'));
        try {
          return work();
        } finally {
          active = before;
        }
      },
    };
    const { telemetry, spans } = recording(below);
    telemetry.span({ kind: 'internal', name: 'a' }, () => telemetry.span({ kind: 'client', name: 'b' }, () => 1));
    expect(spans.map(({ spanId, parentId }) => [spanId, parentId])).toEqual([
      ['b7ad6b716920333a', undefined],
      ['b7ad6b716920333b', 'b7ad6b716920333a'],
    ]);
  });

  it('records nothing where what is below makes no spans, as OpenTelemetry without an SDK', () => {
    const below: Tracing = { carry: () => undefined, span: (_description, work) => work() };
    const { telemetry, spans } = recording(below);
    expect(telemetry.span({ kind: 'internal', name: 'work' }, () => 7)).toBe(7);
    expect(spans).toEqual([]);
  });

  it('lets a keeper that throws harm nothing', () => {
    const telemetry = new Telemetry();
    const keep = (): never => {
      throw new Error('full');
    };
    telemetry.tracing = new SpanRecorder({ keep });
    expect(telemetry.span({ kind: 'internal', name: 'work' }, () => 7)).toBe(7);
  });
});

describe('readTraceContext', () => {
  it.each([undefined, null, 7, SAMPLED, [], {}, { traceparent: 7 }, { traceparent: `'; DROP TABLE` }])(
    'finds none in %p',
    (value) => expect(readTraceContext(value)).toBeUndefined(),
  );

  it('reads the headers of a request, and survives a value that cannot be read', () => {
    expect(readTraceContext({ host: 'a', traceparent: SAMPLED })).toEqual({ traceparent: SAMPLED });
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(readTraceContext(proxy)).toBeUndefined();
  });
});
