// `Foundation.Telemetry` of 1.x, function by function. Names of events are lists of texts. At most 2,000 of them are
// measured, and kept for 5 minutes after their last event.
/* eslint-disable max-lines -- one table */
import { setTimeout as sleep } from 'node:timers/promises';
import { ANY_NUMBER, ANY_TEXT, type Application, fails, has, ok, type Row, SAME, throws } from './rows.js';

const heard = ({ telemetry }: Application, ...name: string[]): unknown[] => {
  const all: unknown[] = [];
  telemetry.attachHandlers([name], (...event) => all.push(event));
  return all;
};
const metrics = ({ telemetry }: Application): Record<string, unknown> => {
  const all = telemetry.getMetrics();
  return all.ok ? all.value : {};
};

export const TELEMETRY_ROWS: Row[] = [
  {
    fn: 'initialize',
    case: 'while it runs',
    input: ({ telemetry }) => telemetry.initialize(),
    result: ok(),
    was: 'started the service, if there was none',
    now: 'nothing: the module starts it',
  },
  {
    fn: 'status',
    case: 'with a metric and a handler',
    input: (app) => {
      heard(app, 'a');
      app.telemetry.emitCounter(['a'], {});
      return app.telemetry.status();
    },
    result: ok({
      status: 'running',
      metricsCount: 1,
      handlersCount: 1,
      config: {
        enableVmMetrics: true,
        enableProcessMetrics: true,
        metricRetentionMs: 300_000,
        cleanupInterval: 60_000,
      },
    }),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'status',
    case: 'after the end',
    input: async ({ telemetry, close }) => [await close(), telemetry.status()][1],
    result: fails(2102, 'service_unavailable'),
    was: 'an error without a code',
    now: 'the code of the catalogue',
  },
  {
    fn: 'available',
    case: 'before and after the end',
    input: async ({ telemetry, close }) => [telemetry.available(), await close(), telemetry.available()],
    result: [true, undefined, false],
    was: 'named `available?`',
    now: SAME,
  },
  {
    fn: 'execute',
    case: 'measures, and calls the handler',
    input: (app) => {
      const all = heard(app, 'shop', 'sale');
      const done = app.telemetry.execute(['shop', 'sale'], { counter: 2, price: 5 }, { item: 'book' });
      return [done, all, (metrics(app)['shop'] as { sale: object }).sale];
    },
    result: [
      ok(),
      [[['shop', 'sale'], { counter: 2, price: 5 }, { item: 'book' }]],
      has({ count: 1, timestamp: ANY_NUMBER, metadata: { item: 'book' }, measurements: { counter: 2, price: 5 } }),
    ],
    was: 'did it some time later',
    now: 'before it returns',
  },
  {
    fn: 'execute',
    case: 'a number that is no counter or gauge, twice',
    input: (app) => {
      for (const size of [1, 2, 6]) app.telemetry.execute(['a'], { size }, {});
      return metrics(app)['a'];
    },
    result: has({
      count: 3,
      measurements: { size: 3 },
      distributions: { size: has({ count: 3, sum: 9, min: 1, max: 6, mean: 3 }) },
    }),
    was: 'the mean of the newest and the last mean: 3.75',
    now: 'the mean of all, and how they are distributed',
  },
  {
    fn: 'execute',
    case: 'a handler that throws',
    input: (app) => {
      app.telemetry.attachHandlers([['a']], () => {
        throw new Error('mine');
      });
      return [app.telemetry.execute(['a'], { counter: 1 }, {}), metrics(app)['a']];
    },
    result: [ok(), has({ count: 1 })],
    was: 'logged it',
    now: SAME,
  },
  {
    fn: 'execute',
    case: 'after the end',
    input: async ({ telemetry, close }) => [await close(), telemetry.execute(['a'], {}, {})][1],
    result: ok(),
    was: 'nothing, and `:ok`',
    now: SAME,
  },
  {
    fn: 'execute',
    case: 'a name of 1 MB',
    input: ({ telemetry }) => telemetry.execute(['x'.repeat(1_000_000)], {}, {}),
    result: throws('ArgumentError'),
    was: 'made it a key',
    now: 'throws: 200 characters, 20 parts',
  },
  {
    fn: 'execute',
    case: 'a prototype in the name',
    input: ({ telemetry }) => telemetry.execute(['__proto__', 'polluted'], {}, {}),
    result: throws('ArgumentError'),
    was: 'Elixir has none',
    now: 'throws',
  },
  {
    fn: 'execute',
    case: 'measurements that are no object',
    input: ({ telemetry }) => telemetry.execute(['a'], 5 as unknown as object as Record<string, number>, {}),
    result: throws('ArgumentError'),
    was: 'ended the service',
    now: 'throws',
  },
  {
    fn: 'execute',
    case: 'the 2,001st name',
    input: (app) => {
      for (let at = 0; at < 2001; at++) app.telemetry.emitCounter(['name', String(at)], {});
      return [app.telemetry.emitCounter(['name', '2000'], {}), app.telemetry.status()];
    },
    result: [ok(), ok(has({ metricsCount: 2000 }))],
    was: 'had no bound',
    now: 'is not measured, and the log says so; its handler is called',
  },
  {
    fn: 'measure',
    case: 'a result',
    input: (app) => {
      const all = heard(app, 'job', 'stop');
      return [app.telemetry.measure(['job'], { id: 1 }, () => 'done'), all];
    },
    result: ['done', [[['job', 'stop'], { duration: ANY_NUMBER }, { id: 1 }]]],
    was: 'the duration was in native units of time',
    now: 'milliseconds',
  },
  {
    fn: 'measure',
    case: 'an error',
    input: (app) => {
      const all = heard(app, 'job', 'exception');
      try {
        return app.telemetry.measure(['job'], {}, () => {
          throw new RangeError('mine');
        });
      } catch (error) {
        return [error, all];
      }
    },
    result: [
      has({ name: 'RangeError' }),
      [[['job', 'exception'], { duration: ANY_NUMBER }, { error: has({ name: 'RangeError' }) }]],
    ],
    was: 'raised it again',
    now: 'throws it again',
  },
  {
    fn: 'measure',
    case: 'a promise, and one that rejects',
    input: async (app) => {
      const all = [heard(app, 'job', 'stop'), heard(app, 'job', 'exception')];
      await app.telemetry.measure(['job'], {}, () => sleep(1));
      await app.telemetry.measure(['job'], {}, () => Promise.reject(new Error('mine'))).catch(() => undefined);
      await sleep(1);
      return all.map(({ length }) => length);
    },
    result: [1, 1],
    was: 'Elixir has none',
    now: 'is measured until it settles',
  },
  {
    fn: 'emitCounter',
    case: 'three times',
    input: (app) => {
      for (const by of ['a', 'b', 'c']) app.telemetry.emitCounter(['logins'], { by });
      return metrics(app)['logins'];
    },
    result: has({ count: 3, measurements: { counter: 3 }, metadata: { by: 'a' } }),
    was: 'kept the metadata of the first',
    now: SAME,
  },
  {
    fn: 'emitCounter',
    case: 'a number',
    input: (app) => [app.telemetry.emitCounter(['bytes'], 512, {}), metrics(app)['bytes']],
    result: [ok(), has({ measurements: { counter: 512 } })],
    was: 'only `TelemetryService` had it',
    now: SAME + ' here',
  },
  {
    fn: 'emitCounter',
    case: 'not a list, not an object',
    input: ({ telemetry }) => telemetry.emitCounter('logins' as unknown as string[], {}),
    result: throws('ArgumentError'),
    was: 'raised FunctionClauseError',
    now: 'throws',
  },
  {
    fn: 'emitGauge',
    case: 'twice',
    input: (app) => {
      for (const value of [5, 3]) app.telemetry.emitGauge(['queue'], value, {});
      return metrics(app)['queue'];
    },
    result: has({ count: 2, measurements: { gauge: 3 } }),
    was: 'the last one',
    now: SAME,
  },
  {
    fn: 'emitGauge',
    case: 'not a number',
    input: ({ telemetry }) => telemetry.emitGauge(['queue'], NaN, {}),
    result: throws('ArgumentError'),
    was: 'raised FunctionClauseError',
    now: 'throws',
  },
  {
    fn: 'emitHistogram',
    case: '1 to 100',
    input: (app) => {
      for (let ms = 1; ms <= 100; ms++) app.telemetry.emitHistogram(['latency'], ms);
      const { measurements, distributions } = metrics(app)['latency'] as {
        measurements: object;
        distributions: { histogram: { p50: number; p99: number } };
      };
      const { p50, p99 } = distributions.histogram;
      return [measurements, distributions.histogram, Math.abs(p50 - 50) <= 0.5, Math.abs(p99 - 99) <= 1];
    },
    result: [{ histogram: 50.5 }, has({ count: 100, sum: 5050, min: 1, max: 100, mean: 50.5 }), true, true],
    was: 'kept the mean of two at a time: 99.0; no percentiles',
    now: 'the mean, and percentiles within 1 %',
  },
  {
    fn: 'emitHistogram',
    case: 'bad arguments',
    input: ({ telemetry }) =>
      [
        () => telemetry.emitHistogram([], 1),
        () => telemetry.emitHistogram([5 as unknown as string], 1),
        () => telemetry.emitHistogram(['a'], 'x' as unknown as number),
        () => telemetry.emitHistogram(['a'], 1, null as unknown as object as Record<string, never>),
      ].map((call) => {
        try {
          return call();
        } catch (error) {
          return (error as Error).name;
        }
      }),
    result: Array(4).fill('ArgumentError'),
    was: 'raised ArgumentError',
    now: 'throws',
  },
  {
    fn: 'getMetrics',
    case: 'nested by the parts of the names',
    input: (app) => {
      app.telemetry.emitCounter(['shop', 'sales'], {});
      app.telemetry.emitCounter(['shop', 'sales', 'books'], {});
      return metrics(app);
    },
    result: has({
      retrievedAt: ANY_NUMBER,
      shop: { sales: has({ count: 1, books: has({ count: 1 }) }) },
      vm: {
        memory: has({ measurements: { gauge: ANY_NUMBER } }),
        total_run_queue_lengths: has({ measurements: { gauge: ANY_NUMBER } }),
        system_counts: has({ measurements: { gauge: ANY_NUMBER } }),
      },
    }),
    was: 'the gauges of `vm` were always 1',
    now: 'resident memory in bytes, share of time that the event loop is busy, active resources',
  },
  {
    fn: 'getMetrics',
    case: 'after a minute, and after 6 minutes',
    input: (app) => {
      app.telemetry.emitCounter(['a'], {});
      return [61_000, 360_000].map((ms) => [app.later(ms), metrics(app)['a']][1]);
    },
    result: [has({ count: 1 }), undefined],
    was: 'forgot after each minute what was older than 0.3 ms: it took nanoseconds for milliseconds',
    now: 'forgets what had no event for 5 minutes',
  },
  {
    fn: 'getMetrics',
    case: 'after the end',
    input: async ({ telemetry, close }) => [await close(), telemetry.getMetrics()][1],
    result: fails(2102, 'service_unavailable'),
    was: 'an error without a code',
    now: 'the code of the catalogue',
  },
  {
    fn: 'getMetricsFor',
    case: 'a prefix',
    input: (app) => {
      app.telemetry.emitCounter(['shop', 'sales'], {});
      app.telemetry.emitCounter(['other'], {});
      const found = app.telemetry.getMetricsFor(['shop']);
      return found.ok && Object.keys(found.value).sort();
    },
    result: ['retrievedAt', 'shop'],
    was: 'raised FunctionClauseError, always',
    now: 'what was meant',
  },
  {
    fn: 'getMetricsFor',
    case: 'not a list',
    input: ({ telemetry }) => telemetry.getMetricsFor('shop' as unknown as string[]),
    result: throws('ArgumentError'),
    was: 'raised FunctionClauseError',
    now: 'throws',
  },
  {
    fn: 'getMetricsClusterWide',
    case: 'one node',
    input: async (app) => {
      for (const ms of [1, 2, 3]) app.telemetry.execute(['shop', 'sale'], { counter: 2, ms }, {});
      app.telemetry.emitGauge(['other'], 5, {});
      return app.telemetry.getMetricsClusterWide(['shop']);
    },
    result: ok({
      metrics: {
        shop: {
          sale: {
            count: 3,
            measurements: {
              counter: has({ count: 1, sum: 6 }),
              ms: has({ count: 3, sum: 6, min: 1, max: 3, mean: 2 }),
            },
          },
        },
      },
      missing: [],
      complete: true,
    }),
    was: 'there was no such function',
    now: 'asks all nodes that have this module, and adds up what they have',
  },
  {
    fn: 'getMetricsClusterWide',
    case: 'plain counts',
    input: async (app) => {
      app.events.store(app.events.newEvent('a', 1));
      return app.telemetry.getMetricsClusterWide(['foundation']);
    },
    result: ok(has({ metrics: { foundation: { events_stored: 1 } } })),
    was: 'there was no such function',
    now: 'their sum',
  },
  {
    fn: 'getMetricsClusterWide',
    case: 'not a list',
    input: ({ telemetry }) => telemetry.getMetricsClusterWide('shop' as unknown as string[]),
    result: throws('ArgumentError'),
    was: 'there was no such function',
    now: 'rejects',
  },
  {
    fn: 'getMetricsClusterWide',
    case: 'after the end',
    input: async ({ telemetry, close }) => [await close(), await telemetry.getMetricsClusterWide()][1],
    result: fails(2102, 'service_unavailable'),
    was: 'there was no such function',
    now: 'fails as the others do',
  },
  {
    fn: 'attachHandlers',
    case: 'without a function',
    input: ({ telemetry }) => [
      telemetry.attachHandlers([['a'], ['b']]),
      telemetry.emitCounter(['a'], {}),
      telemetry.status(),
    ],
    result: [ok(), ok(), ok(has({ handlersCount: 2 }))],
    was: 'wrote events to the log at DEBUG; a function could not be passed',
    now: SAME,
  },
  {
    fn: 'attachHandlers',
    case: 'a function, and another one for the same name',
    input: (app) => {
      const [first, second] = [heard(app, 'a'), heard(app, 'a')];
      app.telemetry.emitCounter(['a'], {});
      return [first.length, second.length];
    },
    result: [0, 1],
    was: 'one handler for each name',
    now: SAME + ': the later one',
  },
  {
    fn: 'attachHandlers',
    case: 'bad arguments',
    input: ({ telemetry }) => telemetry.attachHandlers([['a']], 5 as unknown as () => void),
    result: throws('ArgumentError'),
    was: 'raised FunctionClauseError',
    now: 'throws',
  },
  {
    fn: 'attachHandlers',
    case: 'more than 10,000',
    input: ({ telemetry }) => telemetry.attachHandlers(Array.from({ length: 10_001 }, (_, at) => [String(at)])),
    result: fails(2201, 'resource_exhausted'),
    was: 'had no bound',
    now: 'refuses all of them',
  },
  {
    fn: 'attachHandlers',
    case: 'after the end',
    input: async ({ telemetry, close }) => [await close(), telemetry.attachHandlers([['a']])][1],
    result: fails(2102, 'service_unavailable'),
    was: 'an error without a code',
    now: 'the code of the catalogue',
  },
  {
    fn: 'detachHandlers',
    case: 'after it was attached, and once more',
    input: (app) => {
      const all = heard(app, 'a');
      const ends = [app.telemetry.detachHandlers([['a']]), app.telemetry.detachHandlers([['a']])];
      app.telemetry.emitCounter(['a'], {});
      return [...ends, all];
    },
    result: [ok(), ok(), []],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'timeFunction',
    case: 'a function',
    input: (app) => {
      const all = heard(app, 'foundation', 'function', 'execution', 'stop');
      return [app.telemetry.timeFunction('Shop', 'buy', () => 'sold'), all];
    },
    result: [
      'sold',
      [
        [
          ['foundation', 'function', 'execution', 'stop'],
          { duration: ANY_NUMBER },
          { module: 'Shop', function: 'buy' },
        ],
      ],
    ],
    was: 'its API document names another event',
    now: SAME + ' as the code',
  },
  {
    fn: 'emitPerformance',
    case: 'a gauge',
    input: (app) => [app.telemetry.emitPerformance('query', 5), metrics(app)['foundation']],
    result: [ok(), { performance: { query: has({ measurements: { gauge: 5 } }) } }],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'emitSystemEvent',
    case: 'a counter',
    input: (app) => [app.telemetry.emitSystemEvent('boot', { by: 'me' }), metrics(app)['foundation']],
    result: [ok(), { system: { boot: has({ measurements: { counter: 1 }, metadata: { by: 'me' } }) } }],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'resetMetrics',
    case: 'of TelemetryService',
    input: (app) => [app.telemetry.emitCounter(['a'], {}), app.telemetry.resetMetrics(), metrics(app)['a']].slice(1),
    result: [ok(), undefined],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'resetState',
    case: 'in test mode',
    input: (app) => {
      heard(app, 'a');
      app.telemetry.emitCounter(['a'], {});
      return [app.telemetry.resetState(), app.telemetry.status()];
    },
    result: [ok(), ok(has({ metricsCount: 0, handlersCount: 0 }))],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'resetState',
    case: 'outside of test mode',
    options: {},
    input: ({ telemetry }) => telemetry.resetState(),
    result: fails(7002, 'operation_forbidden', { message: ANY_TEXT }),
    was: SAME,
    now: SAME,
  },
];
