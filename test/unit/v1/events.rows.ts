// `Foundation.Events` of 1.x, function by function. Events are kept in memory within `storage.hot` and 64 Mi
// characters: the oldest are removed, which 1.x never did. Each one that is stored is published on the channel
// `events`.
/* eslint-disable max-lines -- one table */
import { deflateRawSync } from 'node:zlib';
import type { V1Event } from 'nestjs-foundation/v1';
import { filterByTimeRange, groupByCorrelation, transformEventData } from 'nestjs-foundation/v1';
import { ANY_NUMBER, ANY_TEXT, type Application, fails, has, ok, type Row, SAME, SHORT_TEXT, throws } from './rows.js';

/** An event that is valid, with other fields. */
const made = ({ events }: Application, fields: object = {}): V1Event => ({
  ...events.debugNewEvent('test', { n: 1 }),
  ...fields,
});
/** Stores events with these ids, each a second after the one before. */
const stored = (app: Application, ...ids: number[]): void => {
  const events = ids.map((eventId, at) =>
    made(app, { eventId, timestamp: 1000 * (at + 1), correlationId: `c${at % 2}` }),
  );
  app.events.storeBatch(events);
};
const idsOf = (found: { ok: boolean; value?: V1Event[] }): unknown => found.value?.map(({ eventId }) => eventId);
/** Bytes in the form of serialized events, of anything. */
const bytesOf = (value: unknown): Buffer => Buffer.concat([Buffer.of(1), deflateRawSync(JSON.stringify(value))]);
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

export const EVENTS_ROWS: Row[] = [
  {
    fn: 'initialize',
    case: 'while it runs',
    input: ({ events }) => events.initialize(),
    result: ok(),
    was: 'started the store, if there was none',
    now: 'nothing: the module starts it',
  },
  {
    fn: 'status',
    case: 'at first, and with events',
    input: (app) => [app.events.status(), stored(app, 5, 3), app.events.status()],
    result: [
      ok({ status: 'running', eventCount: 0, nextId: 1 }),
      undefined,
      ok({ status: 'running', eventCount: 2, nextId: 7 }),
    ],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'status',
    case: 'after the end',
    input: async ({ events, close }) => [await close(), events.status()][1],
    result: fails(3000, 'service_unavailable'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'available',
    case: 'before and after the end',
    input: async ({ events, close }) => [events.available(), await close(), events.available()],
    result: [true, undefined, false],
    was: 'named `available?`',
    now: SAME,
  },
  {
    fn: 'newEvent',
    case: 'type and data',
    input: ({ events }) => events.newEvent('user_login', { user_id: 123 }),
    result: ok({
      eventType: 'user_login',
      eventId: ANY_NUMBER,
      timestamp: ANY_NUMBER,
      wallTime: has({}),
      node: ANY_TEXT,
      pid: ANY_NUMBER,
      correlationId: ANY_TEXT,
      parentId: null,
      data: { user_id: 123 },
    }),
    was: 'timestamps of the monotonic clock in ms (`Event.new`: ns); `pid` was the calling process',
    now: 'ms since 1970 that never go back, so that those of nodes compare; `pid` is the number of the OS process',
  },
  {
    fn: 'newEvent',
    case: 'with options',
    input: ({ events }) =>
      events.newEvent('a', 1, { eventId: 7, timestamp: 9, correlationId: 'req-1', parentId: 3, node: 'n', pid: 2 }),
    result: ok(has({ eventId: 7, timestamp: 9, correlationId: 'req-1', parentId: 3, node: 'n', pid: 2 })),
    was: 'any field',
    now: SAME,
  },
  {
    fn: 'newEvent',
    case: 'a correlation id of its own',
    input: ({ events }) => events.debugNewEvent('a', 1).correlationId?.length,
    result: 36,
    was: 'a UUID, version 4',
    now: SAME,
  },
  {
    fn: 'newEvent',
    case: 'no data',
    input: ({ events }) => [events.newEvent('a', null), events.newEvent('a', undefined)],
    result: [ok(has({ data: null })), ok(has({ data: null }))],
    was: 'accepted `nil`, though its documentation says error',
    now: SAME + ': as the code, not as the documentation',
  },
  {
    fn: 'newEvent',
    case: 'no type, no id, no timestamp',
    input: ({ events }) => [
      events.newEvent(null as unknown as string, 1),
      events.newEvent('a', 1, { eventId: null as unknown as number }),
      events.newEvent('a', 1, { timestamp: null as unknown as number }),
    ],
    result: Array(3).fill(fails(2001, 'validation_failed', { severity: 'high', category: 'data' })),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'newEvent',
    case: 'fields of another type',
    input: ({ events }) =>
      [
        { eventId: 0 },
        { eventId: 1.5 },
        { timestamp: 1.5 },
        { wallTime: '2026' },
        { node: 5 },
        { pid: 'x' },
        { correlationId: 5 },
        { parentId: -1 },
      ].map((fields) => events.newEvent('a', 1, fields as object)),
    result: Array(8).fill(fails(2002, 'type_mismatch', { severity: 'medium' })),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'newEvent',
    case: 'a type that is no name',
    input: ({ events }) => [5 as unknown as string, '', 'x'.repeat(1_000_000)].map((type) => events.newEvent(type, 1)),
    result: Array(3).fill(fails(2002, 'type_mismatch', { message: SHORT_TEXT })),
    was: 'wanted an atom, and took an empty one',
    now: 'a text of 1 to 200 characters',
  },
  {
    fn: 'newEvent',
    case: 'a type that is not in the list of 1.x',
    input: ({ events }) => events.newEvent('order_placed', 1),
    result: ok(has({ eventType: 'order_placed' })),
    was: 'had a list of types (2004), and never looked into it',
    now: SAME,
  },
  {
    fn: 'newEvent',
    case: 'data of 10 MB',
    input: ({ events }) => events.newEvent('a', 'x'.repeat(10_000_000)),
    result: fails(2003, 'data_too_large', { severity: 'high', context: { size: 10_000_002, maxSize: 1_000_000 } }),
    was: 'more than 1 MB as an external term',
    now: 'more than 1 MB of JSON',
  },
  {
    fn: 'newEvent',
    case: 'data that JSON cannot write',
    input: ({ events }) => {
      const circle: { self?: object } = {};
      circle.self = circle;
      return [circle, 5n, () => 1, revoked()].map((data) => events.newEvent('a', data));
    },
    result: Array(4).fill(fails(2002, 'type_mismatch')),
    was: 'took any term',
    now: 'is refused: an event can be published and serialized, or is none',
  },
  {
    fn: 'newEvent',
    case: 'data that is changed afterwards',
    input: ({ events }) => {
      const data = { state: 'before' };
      const event = events.debugNewEvent('a', data);
      data.state = 'after';
      return event.data;
    },
    result: { state: 'before' },
    was: 'all data was immutable',
    now: 'a copy',
  },
  {
    fn: 'debugNewEvent',
    case: 'valid',
    input: ({ events }) => events.debugNewEvent('a', 1),
    result: has({ eventType: 'a', data: 1 }),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'debugNewEvent',
    case: 'invalid',
    input: ({ events }) => events.debugNewEvent('', 1),
    result: throws('TypeError'),
    was: 'raised RuntimeError',
    now: 'throws',
  },
  {
    fn: 'functionEntry',
    case: 'with a caller',
    input: ({ events }) =>
      events.functionEntry('Shop', 'buy', 2, ['book', 1], { callerModule: 'Cart', callerLine: 7, correlationId: 'r' }),
    result: ok(
      has({
        eventType: 'function_entry',
        correlationId: 'r',
        data: {
          callId: ANY_NUMBER,
          module: 'Shop',
          function: 'buy',
          arity: 2,
          args: ['book', 1],
          callerModule: 'Cart',
          callerFunction: null,
          callerLine: 7,
        },
      }),
    ),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'functionEntry',
    case: 'arguments of more than 10 KB',
    input: ({ events }) => events.functionEntry('Shop', 'buy', 1, ['x'.repeat(20_000)]),
    result: ok(
      has({
        data: has({
          args: { truncated: true, originalSize: 20_004, preview: SHORT_TEXT, timestamp: ANY_TEXT },
        }),
      }),
    ),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'functionEntry',
    case: 'arguments that JSON cannot write',
    input: ({ events }) => events.functionEntry('Shop', 'buy', 1, [5n]),
    result: ok(has({ data: has({ args: ANY_TEXT }) })),
    was: 'any term',
    now: 'a text',
  },
  {
    fn: 'functionExit',
    case: 'a result',
    input: ({ events }) => events.functionExit('Shop', 'buy', 2, 7, 'sold', 1500, 'normal'),
    result: ok(
      has({
        eventType: 'function_exit',
        correlationId: ANY_TEXT,
        data: {
          callId: 7,
          module: 'Shop',
          function: 'buy',
          arity: 2,
          result: 'sold',
          durationNs: 1500,
          exitReason: 'normal',
        },
      }),
    ),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'functionExit',
    case: 'of the request of its entry',
    input: ({ events }) => events.functionExit('Shop', 'buy', 2, 7, 'sold', 1, 'normal', { correlationId: 'r' }),
    result: ok(has({ correlationId: 'r' })),
    was: 'took no options, so that exits could not be correlated with entries',
    now: 'takes them as an eighth argument',
  },
  {
    fn: 'stateChange',
    case: 'no change, and a change',
    input: ({ events }) => [
      events.stateChange('cart', 'add', { n: 1 }, { n: 1 }),
      events.stateChange('cart', 'add', { n: 1 }, { n: 2 }, { triggerMessage: 'buy', triggerCallId: 7 }),
    ],
    result: [
      ok(has({ data: has({ stateDiff: 'no_change', serverPid: 'cart', triggerMessage: null }) })),
      ok(
        has({
          eventType: 'state_change',
          data: {
            serverPid: 'cart',
            callback: 'add',
            oldState: { n: 1 },
            newState: { n: 2 },
            stateDiff: 'changed',
            triggerMessage: 'buy',
            triggerCallId: 7,
          },
        }),
      ),
    ],
    was: '`server_pid` was a process',
    now: 'whatever names it',
  },
  {
    fn: 'store',
    case: 'an event, and what newEvent gives',
    input: (app) => [
      app.events.store(made(app, { eventId: 42 })),
      app.events.store(app.events.newEvent('a', 1, { eventId: 43 })),
    ],
    result: [ok(42), ok(43)],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'store',
    case: 'a failed result',
    input: ({ events }) => events.store(events.newEvent('', 1)),
    result: fails(2002, 'type_mismatch'),
    was: 'gave it back',
    now: SAME,
  },
  {
    fn: 'store',
    case: 'what is no event',
    input: ({ events }) => [5, null, 'x', {}, ok(5), revoked()].map((each) => events.store(each as V1Event)),
    result: Array(6).fill(fails(2005, 'invalid_argument', { severity: 'high' })),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'store',
    case: 'an event that is not valid',
    input: (app) => [
      app.events.store(made(app, { eventId: null })),
      app.events.store(made(app, { timestamp: 'x' })),
      app.events.store(made(app, { data: 'x'.repeat(1_000_000) })),
    ],
    result: [fails(2001, 'validation_failed'), fails(2002, 'type_mismatch'), fails(2003, 'data_too_large')],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'store',
    case: 'the id of another one',
    input: (app) => {
      app.events.store(made(app, { eventId: 7, data: 'first' }));
      app.events.store(made(app, { eventId: 7, data: 'second' }));
      return [app.events.get(7), app.events.status()];
    },
    result: [ok(has({ data: 'second' })), ok(has({ eventCount: 1 }))],
    was: 'replaced it',
    now: SAME,
  },
  {
    fn: 'store',
    case: 'counts',
    input: (app) => [app.events.store(made(app)), app.telemetry.getMetrics()][1],
    result: ok(has({ foundation: has({ events_stored: 1 }) })),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'store',
    case: 'more than max_events',
    options: { config: { storage: { hot: { max_events: 2 } } } },
    input: (app) => [stored(app, 1, 2, 3), idsOf(app.events.query({})), app.events.stats()],
    result: [undefined, [2, 3], ok(has({ eventsStored: 3, eventsPruned: 1, currentEventCount: 2 }))],
    was: 'never read `storage.hot`, and kept all of them',
    now: 'removes the oldest',
  },
  {
    fn: 'store',
    case: 'an hour ago',
    input: (app) => [stored(app, 1), app.later(3_700_000), stored(app, 2), idsOf(app.events.query({}))][3],
    result: [2],
    was: 'kept it: `max_age_seconds` and `prune_interval` were never read',
    now: 'is removed, whatever its timestamp says',
  },
  {
    fn: 'store',
    case: 'after the end',
    input: async (app) => [await app.close(), app.events.store(made(app))][1],
    result: fails(3000, 'service_unavailable'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'storeBatch',
    case: 'all of them',
    input: (app) => app.events.storeBatch([made(app, { eventId: 4 }), made(app, { eventId: 2 })]),
    result: ok([4, 2]),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'storeBatch',
    case: 'one is not valid',
    input: (app) => [app.events.storeBatch([made(app), made(app, { eventId: -1 })]), app.events.status()],
    result: [fails(2002, 'type_mismatch'), ok(has({ eventCount: 0 }))],
    was: 'stored none',
    now: SAME,
  },
  {
    fn: 'storeBatch',
    case: 'one is no event',
    input: (app) => [app.events.storeBatch([made(app), 5 as unknown as V1Event]), app.events.status()],
    result: [fails(2005, 'invalid_argument'), ok(has({ eventCount: 0 }))],
    was: 'ended the store',
    now: 'stores none',
  },
  {
    fn: 'storeBatch',
    case: 'counts all of them',
    input: (app) => [stored(app, 1, 2, 3), app.telemetry.getMetrics()][1],
    result: ok(has({ foundation: has({ events_stored: 3 }) })),
    was: 'counted a batch as one',
    now: 'counts events',
  },
  {
    fn: 'storeBatch',
    case: 'not a list',
    input: (app) => app.events.storeBatch(made(app) as unknown as V1Event[]),
    result: throws('ArgumentError'),
    was: 'raised FunctionClauseError',
    now: 'throws',
  },
  {
    fn: 'get',
    case: 'there, and not there',
    input: (app) => [stored(app, 7), app.events.get(7), app.events.get(8)],
    result: [undefined, ok(has({ eventId: 7, data: { n: 1 } })), fails(3001, 'not_found', { severity: 'low' })],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'get',
    case: 'what is no id',
    input: ({ events }) => events.get(0),
    result: throws('ArgumentError'),
    was: 'raised FunctionClauseError',
    now: 'throws',
  },
  {
    fn: 'query',
    case: 'a type',
    input: (app) => {
      app.events.store(made(app, { eventId: 1, eventType: 'a' }));
      app.events.store(made(app, { eventId: 2, eventType: 'b' }));
      return idsOf(app.events.query({ eventType: 'b' }));
    },
    result: [2],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'query',
    case: 'a time range, both ends',
    input: (app) => [stored(app, 1, 2, 3), idsOf(app.events.query({ timeRange: [2000, 3000] }))][1],
    result: [2, 3],
    was: '`{from, to}`',
    now: 'a list of two',
  },
  {
    fn: 'query',
    case: 'an order, an offset, a limit',
    input: (app) =>
      [
        stored(app, 9, 3, 6),
        idsOf(app.events.query({ orderBy: 'eventId' })),
        idsOf(app.events.query({ orderBy: 'timestamp', offset: 1 })),
        idsOf(app.events.query({ orderBy: 'eventId', offset: 1, limit: 1 })),
      ].slice(1),
    result: [[3, 6, 9], [3, 6], [6]],
    was: 'ascending only',
    now: SAME,
  },
  {
    fn: 'query',
    case: 'no order',
    input: (app) => [stored(app, 9, 3, 6), idsOf(app.events.query({}))][1],
    result: [9, 3, 6],
    was: 'the order of a map',
    now: 'as they were stored',
  },
  {
    fn: 'query',
    case: 'an offset below 0, a limit below 1, a key that is none',
    input: (app) => [stored(app, 1), idsOf(app.events.query({ offset: -1, limit: 0, other: 1 } as object))][1],
    result: [1],
    was: 'ignored them',
    now: SAME,
  },
  {
    fn: 'query',
    case: 'not an object, a range that is none',
    input: ({ events }) => events.query({ timeRange: 5 } as object),
    result: throws('ArgumentError'),
    was: 'took a keyword list as well, and ended the store for a range that is none',
    now: 'throws',
  },
  {
    fn: 'getByCorrelation',
    case: 'those of a request, by time',
    input: (app) => [stored(app, 9, 8, 7), idsOf(app.events.getByCorrelation('c0'))][1],
    result: [9, 7],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'getByCorrelation',
    case: 'none, and not a text',
    input: ({ events }) => [events.getByCorrelation('none'), events.getByCorrelation(5 as unknown as string)],
    result: throws('ArgumentError'),
    was: 'an empty list; raised FunctionClauseError',
    now: 'an empty list; throws',
  },
  {
    fn: 'getByCorrelationClusterWide',
    case: 'one node',
    input: async (app) => {
      stored(app, 9, 8, 7);
      const found = await app.events.getByCorrelationClusterWide('c0');
      return found.ok && { ...found.value, events: found.value.events.map(({ eventId }) => eventId) };
    },
    result: { events: [9, 7], missing: [], complete: true },
    was: 'there was no such function',
    now: 'asks all nodes that have this module, and names those that are missing',
  },
  {
    fn: 'getByCorrelationClusterWide',
    case: 'more than an answer takes',
    input: async (app) => {
      const large = (eventId: number) =>
        made(app, { eventId, timestamp: eventId, correlationId: 'c', data: 'x'.repeat(300_000) });
      app.events.storeBatch([large(1), large(2), large(3)]);
      const found = await app.events.getByCorrelationClusterWide('c');
      return found.ok && { ...found.value, events: found.value.events.map(({ eventId }) => eventId) };
    },
    result: { events: [3], missing: [{ node: ANY_TEXT, reason: 'too-large', message: ANY_TEXT }], complete: false },
    was: 'there was no such function',
    now: 'the newest, up to 512 KiB of each node',
  },
  {
    fn: 'getByCorrelationClusterWide',
    case: 'not a text, options that are none',
    input: ({ events }) =>
      Promise.allSettled([
        events.getByCorrelationClusterWide(5 as unknown as string),
        events.getByCorrelationClusterWide('c', { timeout: -1 }),
      ]),
    result: Array(2).fill({ status: 'rejected', reason: has({ name: 'ArgumentError' }) }),
    was: 'there was no such function',
    now: 'rejects',
  },
  {
    fn: 'getByCorrelationClusterWide',
    case: 'after the end',
    input: async ({ events, close }) => [await close(), await events.getByCorrelationClusterWide('c')][1],
    result: fails(3000, 'service_unavailable'),
    was: 'there was no such function',
    now: 'fails as the others do',
  },
  {
    fn: 'getCorrelationChain',
    case: 'by time',
    input: (app) => [stored(app, 9, 8, 7), idsOf(app.events.getCorrelationChain('c0'))][1],
    result: [9, 7],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'getTimeRange',
    case: 'both ends',
    input: (app) => [stored(app, 3, 2, 1), idsOf(app.events.getTimeRange(1000, 2000))][1],
    result: [3, 2],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'getRecent',
    case: 'two of three',
    input: (app) => [stored(app, 3, 2, 1), idsOf(app.events.getRecent(2))][1],
    result: [2, 1],
    was: 'gave the oldest',
    now: 'gives the newest, the oldest of them first',
  },
  {
    fn: 'getRecent',
    case: 'without a number',
    input: (app) => {
      stored(app, ...Array.from({ length: 101 }, (_, at) => at + 1));
      return (idsOf(app.events.getRecent()) as number[]).length;
    },
    result: 100,
    was: SAME,
    now: SAME,
  },
  {
    fn: 'pruneBefore',
    case: 'older than a time',
    input: (app) => [stored(app, 1, 2, 3), app.events.pruneBefore(2000), idsOf(app.events.query({}))].slice(1),
    result: [ok(1), [2, 3]],
    was: 'not those of the time itself',
    now: SAME,
  },
  {
    fn: 'pruneBefore',
    case: 'not a whole number',
    input: ({ events }) => events.pruneBefore(1.5),
    result: throws('ArgumentError'),
    was: 'raised FunctionClauseError',
    now: 'throws',
  },
  {
    fn: 'stats',
    case: 'with events',
    input: (app) => [stored(app, 1, 2), app.events.pruneBefore(2000), app.events.stats()][2],
    result: ok({
      eventsStored: 2,
      eventsPruned: 1,
      startTime: ANY_NUMBER,
      currentEventCount: 1,
      uptimeMs: ANY_NUMBER,
      memoryUsageEstimate: 1007,
    }),
    was: 'estimated 1,000 bytes for each event',
    now: 'and the characters of its data',
  },
  {
    fn: 'serialize',
    case: 'and back',
    input: (app) => {
      const event = made(app);
      const bytes = app.events.serialize(event);
      const back = bytes.ok ? app.events.deserialize(bytes.value) : bytes;
      return [
        back.ok && back.value.wallTime instanceof Date,
        back.ok && { ...back.value, wallTime: event.wallTime },
        event,
      ];
    },
    result: [true, has({ eventType: 'test', data: { n: 1 } }), has({ eventType: 'test', data: { n: 1 } })],
    was: 'compressed external terms',
    now: 'deflated JSON',
  },
  {
    fn: 'serialize',
    case: 'what is no event',
    input: ({ events }) => events.serialize(5 as unknown as V1Event),
    result: fails(2005, 'invalid_argument'),
    was: 'raised FunctionClauseError',
    now: 'the error of `store`',
  },
  {
    fn: 'deserialize',
    case: 'an event that is not valid',
    input: ({ events }) => events.deserialize(bytesOf({ eventType: 'a', eventId: -1, timestamp: 1 })),
    result: fails(2002, 'type_mismatch'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'deserialize',
    case: 'hostile bytes',
    input: ({ events }) =>
      [
        Buffer.alloc(0),
        Buffer.of(131, 100, 0, 4),
        Buffer.of(1, 255, 255),
        bytesOf('x').subarray(0, 3),
        bytesOf({ data: 'x'.repeat(50_000_000) }),
      ].map((bytes) => events.deserialize(bytes)),
    result: Array(5).fill(fails(3102, 'deserialization_failed')),
    was: '`binary_to_term` without `:safe`: made atoms and functions of them, and inflated without a limit',
    now: 'inflates no more than an event can have, and reads JSON',
  },
  {
    fn: 'deserialize',
    case: 'a prototype',
    input: ({ events }) => [
      events.deserialize(
        Buffer.concat([
          Buffer.of(1),
          deflateRawSync('{"eventType":"a","eventId":1,"timestamp":1,"data":{"__proto__":{"polluted":true}}}'),
        ]),
      ),
      ({} as { polluted?: boolean }).polluted,
    ],
    result: [ok(has({ data: {} })), undefined],
    was: 'Elixir has none',
    now: 'is left out',
  },
  {
    fn: 'deserialize',
    case: 'not bytes',
    input: ({ events }) => events.deserialize('abc' as unknown as Uint8Array),
    result: fails(3102, 'deserialization_failed'),
    was: 'raised FunctionClauseError',
    now: 'the error of bytes that are no event',
  },
  {
    fn: 'serializedSize',
    case: 'an event, and none',
    input: (app) => {
      const bytes = app.events.serialize(made(app));
      const size = app.events.serializedSize(made(app));
      return [
        size.ok && bytes.ok && Math.abs(size.value - bytes.value.length) < 20,
        app.events.serializedSize({} as V1Event),
      ];
    },
    result: [true, fails(2005, 'invalid_argument')],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'resetState',
    case: 'in test mode',
    input: (app) => [stored(app, 5), app.events.resetState(), app.events.status(), app.events.stats()].slice(1),
    result: [ok(), ok({ status: 'running', eventCount: 0, nextId: 1 }), ok(has({ eventsStored: 0 }))],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'resetState',
    case: 'outside of test mode',
    options: {},
    input: ({ events }) => events.resetState(),
    result: fails(3002, 'operation_forbidden'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'groupByCorrelation',
    case: 'of EventLogic',
    input: (app) => {
      const [a, b, c] = [
        made(app, { correlationId: 'x', timestamp: 2 }),
        made(app, { correlationId: 'x', timestamp: 1 }),
        made(app, { correlationId: null }),
      ];
      return [...groupByCorrelation([a, b, c])].map(([id, of]) => [id, of.map(({ timestamp }) => timestamp)]);
    },
    result: [['x', [1, 2]]],
    was: 'a map',
    now: 'a `Map`; a function of the entry',
  },
  {
    fn: 'filterByTimeRange',
    case: 'of EventLogic',
    input: (app) =>
      filterByTimeRange(
        [1, 2, 3].map((timestamp) => made(app, { timestamp })),
        2,
        3,
      ).length,
    result: 2,
    was: SAME,
    now: 'a function of the entry',
  },
  {
    fn: 'transformEventData',
    case: 'of EventLogic',
    input: (app) => transformEventData(made(app), (data) => ({ ...(data as object), more: 2 })).data,
    result: { n: 1, more: 2 },
    was: SAME,
    now: 'a function of the entry',
  },
];
