import { describe, expect, it } from '@jest/globals';
import type { Channels, Membership, ProcessContext, ServiceMesh, SpanRecorder } from 'nestjs-foundation';
import { Telemetry } from 'nestjs-foundation';
import { MAX_SPANS, type Report } from './span.js';
import { TraceCoordinator } from './trace.coordinator.js';
import type { TraceRecord } from './trace.js';
import { TraceParticipant } from './trace.participant.js';
import type { TraceStore } from './trace.store.js';

const ID = 'a'.repeat(32);
const TRACEPARENT = `00-${ID}-${'f'.repeat(16)}-01`;
const membership = { appName: 'app', clusterNow: () => 5000, self: { name: 'a', bootId: 'a-1' } } as Membership;

/** What a coordinator is made of, in memory; a participant is what it answers. */
async function coordinatorOf(participants: Record<string, () => unknown>, written = new Map<string, TraceRecord>()) {
  const places = Object.keys(participants).map((node) => ({ node, bootId: `${node}-1` }));
  const mesh = { discoverServices: async () => places } as unknown as ServiceMesh;
  const channels = {
    gather: async () => {
      const answers: object[] = [];
      const missing: object[] = [];
      for (const [node, answer] of Object.entries(participants)) {
        await Promise.resolve()
          .then(answer)
          .then(
            (value) => answers.push({ node, value }),
            (error: Error) => missing.push({ node, reason: error.message }),
          );
      }
      return { answers, missing, complete: missing.length === 0 };
    },
  } as unknown as Channels;
  const store = {
    list: async () => [...written.keys()].map((id) => ({ id, startedAt: 0 })),
    read: async (id: string) => structuredClone(written.get(id)),
    write: async (trace: TraceRecord) => void written.set(trace.id, structuredClone(trace)),
  } as unknown as TraceStore;
  const coordinator = new TraceCoordinator(store, mesh, channels, membership);
  let owner = true;
  const ctx = { isOwner: () => owner, run: () => undefined } as unknown as ProcessContext;
  await coordinator.onProcessStart(ctx);
  return { coordinator, written, lose: () => (owner = false) };
}

const report = (node: string, more: object = {}): Report => ({
  ...{ node, bootId: `${node}-1`, at: 5000, spans: [], leftOut: 0, forgotten: 0 },
  ...more,
});

describe('TraceCoordinator', () => {
  it('begins a trace once, with those that are there', async () => {
    const { coordinator } = await coordinatorOf({ a: () => report('a'), b: () => report('b') });
    const [first, second] = await Promise.all([coordinator.start(TRACEPARENT), coordinator.start(TRACEPARENT)]);
    expect(second).toEqual(first);
    expect(first).toEqual({ id: ID, startedAt: 5000, nodes: ['a', 'b'] });
    expect(await coordinator.start(TRACEPARENT)).toEqual(first);
    expect(coordinator.list()).toHaveLength(1);
  });

  it.each(["'; DROP", '../..', '__proto__', 'x'.repeat(10_000_000), 7, null])(
    'refuses an id that is none',
    async (id) => {
      const { coordinator } = await coordinatorOf({});
      await expect(coordinator.start(id as string)).rejects.toThrow('Not a traceparent');
      await expect(coordinator.data(id as string)).rejects.toThrow('Not a trace id');
    },
  );

  it('knows no trace that was never begun', async () => {
    const { coordinator } = await coordinatorOf({});
    expect(await coordinator.data(ID)).toBeNull();
  });

  it('is not complete when a participant does not answer, or sends what is not a report of it', async () => {
    const { coordinator } = await coordinatorOf({
      a: () => report('a'),
      b: () => Promise.reject(new Error('timeout')),
      c: () => 'all well',
      d: () => report('a'),
    });
    await coordinator.start(TRACEPARENT);
    expect(await coordinator.data(ID)).toMatchObject({
      nodes: ['a'],
      complete: false,
      reasons: ['b', 'c', 'd'].map((node) => `${node} did not answer: ${node === 'b' ? 'timeout' : 'not a report'}`),
    });
  });

  it('takes a part of 10,000 spans, and of spans of a megabyte, and says that it did', async () => {
    const large = { name: 'x'.repeat(1024 * 1024), kind: 'internal', start: 1, end: 2, attributes: {} };
    const spans = Array.from({ length: 10_000 }, (_, index) => ({
      ...large,
      id: (index + 1).toString(16).padStart(16, '0'),
    }));
    const { coordinator, written } = await coordinatorOf({ a: () => report('a', { spans }) });
    await coordinator.start(TRACEPARENT);
    const data = (await coordinator.data(ID))!;
    expect(data.spans).toHaveLength(MAX_SPANS);
    expect(data).toMatchObject({ complete: false, reasons: [`a left out ${10_000 - MAX_SPANS} spans`] });
    expect(JSON.stringify(written.get(ID)).length).toBeLessThan(200_000);
  });

  it('goes on from what its predecessor has written, and asks again', async () => {
    const participants = { a: () => report('a'), b: () => report('b') };
    const { written } = await coordinatorOf(participants).then(async (before) => {
      await before.coordinator.start(TRACEPARENT);
      await before.coordinator.data(ID);
      return before;
    });
    const { coordinator } = await coordinatorOf({ b: participants.b, c: () => report('c') }, written);
    const data = await coordinator.data(ID);
    // a is gone and its report is there; c came later and has nothing of this trace.
    expect(data).toMatchObject({ nodes: ['a', 'b'], complete: true });
  });

  it('writes nothing once its time is over', async () => {
    const { coordinator, written, lose } = await coordinatorOf({ a: () => report('a') });
    await coordinator.start(TRACEPARENT);
    lose();
    await coordinator.data(ID);
    expect(written.get(ID)!.reports).toEqual({});
  });

  it('remembers a bounded number of traces', async () => {
    const { coordinator } = await coordinatorOf({});
    for (let trace = 1; trace <= 60; trace++)
      await coordinator.start(TRACEPARENT.replace(ID, trace.toString(16).padStart(32, '0')));
    expect(coordinator.list()).toHaveLength(50);
  });
});

describe('TraceParticipant', () => {
  const participant = () => {
    const telemetry = new Telemetry();
    const one = new TraceParticipant(telemetry, membership);
    one.onModuleInit();
    const recorder = telemetry.tracing as SpanRecorder;
    const request = (id: string, work: () => unknown = () => undefined) =>
      recorder.span(
        { kind: 'server', name: 'request', attributes: {}, parent: { traceparent: TRACEPARENT.replace(ID, id) } },
        work,
      );
    return { one, request };
  };

  it('keeps its spans, open ones too, and reports those of one trace', () => {
    const { one, request } = participant();
    let open!: Report;
    request(ID, () => (open = one.report(ID)));
    request('b'.repeat(32));
    expect(open.spans).toEqual([expect.not.objectContaining({ end: expect.anything() })]);
    expect(one.report(ID).spans).toEqual([expect.objectContaining({ name: 'request', end: expect.any(Number) })]);
    expect(() => one.report('__proto__')).toThrow('Not a trace id');
  });

  it('keeps a limited number of spans of a trace, and counts the others', () => {
    const { one, request } = participant();
    for (let number = 0; number < MAX_SPANS + 7; number++) request(ID);
    expect(one.report(ID)).toMatchObject({ leftOut: 7, forgotten: 0 });
    expect(one.report(ID).spans).toHaveLength(MAX_SPANS);
  });

  const idOf = (number: number): string => number.toString(16).padStart(32, '0');

  it('forgets the oldest of too many traces, and says so', () => {
    const { one, request } = participant();
    for (let trace = 1; trace <= 51; trace++) request(idOf(trace));
    expect(one.report(idOf(51)).spans).toHaveLength(1);
    expect(one.report(idOf(1))).toMatchObject({ spans: [], forgotten: 5000 });
  });

  it('forgets first what nobody has asked for', () => {
    const { one, request } = participant();
    request(ID);
    one.report(ID);
    for (let trace = 1; trace <= 200; trace++) request(idOf(trace));
    expect(one.report(ID)).toMatchObject({ spans: [{ name: 'request' }], forgotten: 0 });
  });
});
