// `Foundation.Config` of 1.x, function by function.
/* eslint-disable max-lines -- one table */
import { ANY_NUMBER, ANY_TEXT, type Application, fails, has, ok, type Row, SAME, SHORT_TEXT, throws } from './rows.js';

const RATE = ['ai', 'planning', 'sampling_rate'];
const section = async (app: Application, path: string[]): Promise<object> => {
  const found = app.config.get(path);
  return found.ok ? (found.value as object) : {};
};
/** The whole configuration with other values in one section. */
const withSection = (app: Application, name: string, values: object): unknown => {
  const all = app.config.get();
  return all.ok ? { ...all.value, [name]: { ...all.value[name as 'ai'], ...values } } : undefined;
};
const heard = (app: Application): unknown[] => {
  const all: unknown[] = [];
  app.config.subscribe((notification) => all.push(notification));
  return all;
};

export const CONFIG_ROWS: Row[] = [
  {
    fn: 'initialize',
    case: 'while it runs',
    input: ({ config }) => config.initialize(),
    result: ok(),
    was: 'started the server, if there was none',
    now: 'nothing: the module starts it',
  },
  {
    fn: 'initialize',
    case: 'with options, while it runs',
    input: ({ config }) => [config.initialize({}), config.get(['dev', 'debug_mode'])],
    result: [ok(), ok(false)],
    was: 'ignored them',
    now: SAME + '; the module takes them as `overrides`',
  },
  {
    fn: 'initialize',
    case: 'a configuration of the application',
    options: { config: { ai: { planning: { sampling_rate: 0.5 } } } },
    input: ({ config }) => config.get(['ai', 'planning']),
    result: ok({ sampling_rate: 0.5, performance_target: 0.01, default_strategy: 'balanced' }),
    was: 'laid the application environment over the defaults, part by part',
    now: SAME + ': option `config` of the module',
  },
  {
    fn: 'initialize',
    case: 'a section that there is none of',
    options: { config: JSON.parse('{"billing":{"currency":"EUR"},"__proto__":{"a":1}}') as object },
    input: ({ config }) => config.get(['billing']),
    result: fails(9999, 'config_path_not_found'),
    was: 'left it out',
    now: SAME,
  },
  {
    fn: 'initialize',
    case: 'whole sections',
    options: { overrides: { dev: { debug_mode: true, verbose_logging: true, performance_monitoring: false } } },
    input: ({ config }) => config.get(['dev']),
    result: ok({ debug_mode: true, verbose_logging: true, performance_monitoring: false }),
    was: 'put the options in their places as they are',
    now: SAME + ': option `overrides`',
  },
  {
    fn: 'initialize',
    case: 'after the end',
    input: async ({ config, close }) => [await close(), config.initialize()][1],
    result: fails(5000, 'service_unavailable'),
    was: 'started another server',
    now: 'the application ends, and nothing starts in it',
  },
  {
    fn: 'status',
    case: 'at first',
    input: ({ config }) => config.status(),
    result: ok({
      status: 'running',
      uptimeMs: ANY_NUMBER,
      updatesCount: 0,
      lastUpdate: null,
      subscribersCount: 0,
    }),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'status',
    case: 'after an update',
    input: ({ config }) => [config.update(RATE, 0.5), config.subscribe(() => 0), config.status()][2],
    result: ok(has({ updatesCount: 1, lastUpdate: ANY_NUMBER, subscribersCount: 1 })),
    was: '`last_update` was monotonic',
    now: 'milliseconds since 1970 that never go back',
  },
  {
    fn: 'status',
    case: 'after the end',
    input: async ({ config, close }) => [await close(), config.status()][1],
    result: fails(5000, 'service_unavailable', { severity: 'high' }),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'available',
    case: 'before and after the end',
    input: async ({ config, close }) => [config.available(), await close(), config.available()],
    result: [true, undefined, false],
    was: 'named `available?`',
    now: SAME,
  },
  {
    fn: 'get',
    case: 'all of it',
    input: ({ config }) => config.get(),
    result: ok(
      has({
        ai: {
          provider: 'mock',
          api_key: null,
          model: 'gpt-4',
          analysis: { max_file_size: 1_000_000, timeout: 30_000, cache_ttl: 3600 },
          planning: { default_strategy: 'balanced', performance_target: 0.01, sampling_rate: 1 },
        },
        storage: {
          hot: { max_events: 100_000, max_age_seconds: 3600, prune_interval: 60_000 },
          warm: { enable: false, path: './foundation_data', max_size_mb: 100, compression: 'zstd' },
          cold: { enable: false },
        },
        interface: { query_timeout: 10_000, max_results: 1000, enable_streaming: true },
        dev: { debug_mode: false, verbose_logging: false, performance_monitoring: true },
      }),
    ),
    was: 'a struct',
    now: 'a frozen object; names of keys as in 1.x, because paths are data',
  },
  {
    fn: 'get',
    case: 'a path',
    input: ({ config }) => config.get(['ai', 'provider']),
    result: ok('mock'),
    was: '`[:ai, :provider]`: atoms',
    now: 'texts',
  },
  {
    fn: 'get',
    case: 'the empty path',
    input: ({ config }) => config.get([]),
    result: ok(has({ dev: { debug_mode: false, verbose_logging: false, performance_monitoring: true } })),
    was: 'all of it',
    now: SAME,
  },
  {
    fn: 'get',
    case: 'a key without a value',
    input: ({ config }) => config.get(['ai', 'api_key']),
    result: ok(null),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'get',
    case: 'nothing there',
    input: ({ config }) => config.get(['nonexistent', 'path']),
    result: fails(9999, 'config_path_not_found', { severity: 'medium', category: 'config', subcategory: 'access' }),
    was: 'an error without a code',
    now: '9999, as `Foundation.Error` has for types without a code',
  },
  {
    fn: 'get',
    case: 'below a value',
    input: ({ config }) => config.get(['ai', 'provider', 'length']),
    result: fails(9999, 'config_path_not_found'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'get',
    case: 'a prototype',
    input: ({ config }) => config.get(['ai', '__proto__', 'polluted']),
    result: fails(1000, 'security_violation', { severity: 'high', subcategory: 'security' }),
    was: 'refused `__struct__`, `__info__`',
    now: 'refuses `__proto__`, `constructor`, `prototype` as well',
  },
  {
    fn: 'get',
    case: 'a module of Elixir',
    input: ({ config }) => config.get(['Elixir.System']),
    result: fails(1000, 'security_violation'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'get',
    case: 'a file, a statement, a script',
    input: ({ config }) =>
      ['../x', 'ETC/passwd', 'drop table', '<SCRIPT>', 'eval_string'].map((each) => config.get([each])),
    result: Array(5).fill(fails(1000, 'security_violation')),
    was: 'refused them in strings',
    now: SAME + ', in any case of letters',
  },
  {
    fn: 'get',
    case: 'more than 50 names',
    input: ({ config }) => config.get(Array<string>(51).fill('a')),
    result: fails(1000, 'security_violation'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'get',
    case: 'a name of 1 MB',
    input: ({ config }) => config.get(['a'.repeat(1_000_000)]),
    result: fails(9999, 'config_path_not_found', { message: SHORT_TEXT }),
    was: 'put all of it into the message',
    now: 'the message is cut',
  },
  {
    fn: 'get',
    case: 'a name that is no text',
    input: ({ config }) => config.get([1 as unknown as string]),
    result: fails(1000, 'security_violation'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'get',
    case: 'not a list',
    input: ({ config }) => config.get('ai.provider' as unknown as string[]),
    result: throws('ArgumentError'),
    was: 'raised FunctionClauseError',
    now: 'throws',
  },
  {
    fn: 'get',
    case: 'what is given cannot be changed',
    input: ({ config }) => {
      const all = config.get();
      return all.ok && ((all.value.dev as { debug_mode: boolean }).debug_mode = true);
    },
    result: throws('TypeError'),
    was: 'all data was immutable',
    now: 'frozen',
  },
  {
    fn: 'get',
    case: 'after the end',
    input: async ({ config, close }) => [await close(), config.get(['ai'])][1],
    result: fails(5000, 'service_unavailable'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'getWithDefault',
    case: 'a value, nothing, an unsafe path',
    input: ({ config }) => [
      config.getWithDefault(['interface', 'max_results'], 5),
      config.getWithDefault(['my_feature', 'timeout_ms'], 5000),
      config.getWithDefault(['constructor'], 'none'),
    ],
    result: [1000, 5000, 'none'],
    was: 'the default for any error',
    now: SAME,
  },
  {
    fn: 'update',
    case: 'an updatable path',
    input: ({ config }) => [config.update(RATE, 0.8), config.get(RATE)],
    result: [ok(), ok(0.8)],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'update',
    case: 'stores an event',
    input: ({ config, events }) => [config.update(RATE, 0.8), events.query({ eventType: 'config_updated' })][1],
    result: ok([has({ data: has({ path: RATE, newValue: 0.8, previousValue: 1 }) })]),
    was: '`previous_value` was `{:ok, value}`',
    now: 'the value itself',
  },
  {
    fn: 'update',
    case: 'counts',
    input: ({ config, telemetry }) => [config.update(RATE, 0.8), telemetry.getMetrics()][1],
    result: ok(has({ foundation: has({ config_updates: 1 }) })),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'update',
    case: 'an unsafe path',
    input: ({ config }) => config.update(['ai', '__proto__'], 1),
    result: fails(1000, 'security_violation'),
    was: 'first of all checks',
    now: SAME,
  },
  {
    fn: 'update',
    case: 'an unsafe value, of a path that may not change',
    input: ({ config }) => config.update(['ai', 'model'], () => 'gpt-5'),
    result: fails(1005, 'security_violation', { severity: 'high' }),
    was: 'second of all checks: no functions',
    now: SAME,
  },
  {
    fn: 'update',
    case: 'a text of more than 1 MB',
    input: ({ config }) => config.update(RATE, 'x'.repeat(1_000_001)),
    result: fails(1005, 'security_violation'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'update',
    case: 'more than 20 levels',
    input: ({ config }) => config.update(RATE, JSON.parse('['.repeat(25) + ']'.repeat(25))),
    result: fails(1005, 'security_violation'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'update',
    case: 'a value with a prototype in it',
    input: ({ config }) => config.update(RATE, JSON.parse('{"__proto__":{"polluted":true}}')),
    result: fails(1005, 'security_violation'),
    was: 'structs of a few modules were refused',
    now: 'keys that reach a prototype are',
  },
  {
    fn: 'update',
    case: 'a path that may not change',
    input: ({ config }) => config.update(['ai', 'api_key'], 'secret'),
    result: fails(1401, 'config_update_forbidden', { severity: 'medium' }),
    was: 'an error without a code',
    now: 'the code of the catalogue',
  },
  {
    fn: 'update',
    case: 'a path that there is none of',
    input: ({ config }) => config.update(['nonexistent'], 1),
    result: fails(1401, 'config_update_forbidden'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'update',
    case: 'a value out of its range',
    input: ({ config }) => [config.update(RATE, 1.5), config.get(RATE)],
    result: [fails(1004, 'range_error', { severity: 'high' }), ok(1)],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'update',
    case: 'a value of another type',
    input: ({ config }) => config.update(['dev', 'debug_mode'], 'yes'),
    result: fails(1001, 'validation_failed', { severity: 'medium' }),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'update',
    case: 'not a number at all',
    input: ({ config }) => [config.update(RATE, NaN), config.update(['interface', 'max_results'], 1.5)],
    result: [fails(1004, 'range_error'), fails(1001, 'validation_failed')],
    was: 'Elixir has no NaN',
    now: 'refused, as fractions are where 1.x wants an integer',
  },
  {
    fn: 'update',
    case: 'not a list',
    input: ({ config }) => config.update(null as unknown as string[], 1),
    result: throws('ArgumentError'),
    was: 'raised FunctionClauseError',
    now: 'throws',
  },
  {
    fn: 'setClusterWide',
    case: 'an updatable path',
    input: async (app) => {
      const all = heard(app);
      const done = await app.config.setClusterWide(RATE, 0.8, { quorum: 'majority', timeout: 5000 });
      return [done, app.config.get(RATE), all, app.telemetry.getMetricsFor(['foundation', 'config_updates'])];
    },
    result: [
      ok({ revision: ANY_NUMBER, accepted: [ANY_TEXT], missing: [] }),
      ok(0.8),
      [{ type: 'config_updated', path: RATE, value: 0.8 }],
      ok(has({ foundation: { config_updates: 1 } })),
    ],
    was: 'there was no such function',
    now: 'the same as `update`, on all nodes or on none; on each it notifies, stores an event and counts',
  },
  {
    fn: 'setClusterWide',
    case: 'what update refuses',
    input: ({ config }) =>
      Promise.all([
        config.setClusterWide(['__proto__', 'polluted'], 1),
        config.setClusterWide(RATE, () => 1),
        config.setClusterWide(['ai', 'api_key'], 'secret'),
        config.setClusterWide(RATE, 2),
      ]),
    result: [
      fails(1000, 'security_violation'),
      fails(1005, 'security_violation'),
      fails(1401, 'config_update_forbidden'),
      fails(1004, 'range_error'),
    ],
    was: 'there was no such function',
    now: 'the same errors, before anything is sent',
  },
  {
    fn: 'setClusterWide',
    case: 'more nodes than there are',
    input: async ({ config }) => [
      await config.setClusterWide(RATE, 0.8, { quorum: 3, timeout: 300 }),
      config.get(RATE),
    ],
    result: [
      fails(4201, 'external_service_error', {
        context: has({ code: 'FOUNDATION_CONFIG_QUORUM', needed: 3 }),
      }),
      ok(1),
    ],
    was: 'there was no such function',
    now: 'changes nothing',
  },
  {
    fn: 'setClusterWide',
    case: 'not a list, an option that is none',
    input: ({ config }) =>
      Promise.allSettled([
        config.setClusterWide('ai' as unknown as string[], 1),
        config.setClusterWide(RATE, 0.8, { quorum: 0 }),
      ]),
    result: Array(2).fill({ status: 'rejected', reason: has({ name: 'ArgumentError' }) }),
    was: 'there was no such function',
    now: 'rejects',
  },
  {
    fn: 'setClusterWide',
    case: 'after the end',
    input: async ({ config, close }) => [await close(), await config.setClusterWide(RATE, 0.8)][1],
    result: fails(5000, 'service_unavailable'),
    was: 'there was no such function',
    now: 'fails as the others do',
  },
  {
    fn: 'safeUpdate',
    case: 'an updatable path',
    input: ({ config }) => [config.safeUpdate(['dev', 'debug_mode'], true), config.get(['dev', 'debug_mode'])],
    result: [ok(), ok(true)],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'safeUpdate',
    case: 'not a list',
    input: ({ config }) => config.safeUpdate('dev' as unknown as string[], true),
    result: fails(9999, 'invalid_path'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'safeUpdate',
    case: 'its forbidden paths',
    input: ({ config }) =>
      [['ai', 'api_key'], ['storage', 'encryption_key'], ['security'], ['system', 'node_name']].map((path) =>
        config.safeUpdate(path, 'x'),
      ),
    result: Array(4).fill(fails(1401, 'config_update_forbidden', { message: 'Configuration path update forbidden' })),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'safeUpdate',
    case: 'an unsafe path',
    input: ({ config }) => config.safeUpdate(['constructor'], 'x'),
    result: fails(1000, 'security_violation'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'validate',
    case: 'the configuration as it is',
    input: ({ config }) => config.validate(withSection({ config } as Application, 'dev', {})),
    result: ok(),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'validate',
    case: 'a provider',
    input: (app) => ['gemini', 'llama'].map((provider) => app.config.validate(withSection(app, 'ai', { provider }))),
    result: [ok(), fails(1002, 'invalid_config_value')],
    was: 'the type of 1.x forgot `gemini`',
    now: SAME,
  },
  {
    fn: 'validate',
    case: 'a negative target',
    input: (app) =>
      app.config.validate(
        withSection(app, 'ai', {
          planning: { performance_target: -1, sampling_rate: 1, default_strategy: 'fast' },
        }),
      ),
    result: fails(1003, 'constraint_violation', { severity: 'high' }),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'validate',
    case: 'a strategy of planning',
    input: (app) =>
      app.config.validate(
        withSection(app, 'ai', { planning: { performance_target: 1, sampling_rate: 1, default_strategy: 'slow' } }),
      ),
    result: fails(1002, 'invalid_config_value'),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'validate',
    case: 'what becomes of an overflow',
    input: async (app) => {
      const ring_buffer = await section(app, ['capture', 'ring_buffer']);
      return ['block', 'error'].map((overflow_strategy) =>
        app.config.validate(withSection(app, 'capture', { ring_buffer: { ...ring_buffer, overflow_strategy } })),
      );
    },
    result: [ok(), fails(1002, 'invalid_config_value')],
    was: 'the type of 1.x said `:error`, the check `:block`',
    now: 'as the check',
  },
  {
    fn: 'validate',
    case: 'cold storage',
    input: (app) => app.config.validate(withSection(app, 'storage', { cold: { enable: true } })),
    result: fails(1001, 'validation_failed', { message: 'Invalid cold storage configuration' }),
    was: 'never valid',
    now: SAME,
  },
  {
    fn: 'validate',
    case: 'warm storage',
    input: (app) =>
      [{}, { path: 1 }, { compression: 'lz4' }].map((more) =>
        app.config.validate(
          withSection(app, 'storage', {
            warm: { enable: true, path: '/data', max_size_mb: 1, compression: 'gzip', ...more },
          }),
        ),
      ),
    result: [ok(), fails(1001, 'validation_failed'), fails(1002, 'invalid_config_value')],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'validate',
    case: 'a limit of a rate',
    input: (app) =>
      app.config.validate(
        withSection(app, 'infrastructure', {
          rate_limiting: { enabled: true, cleanup_interval: 1, default_rules: { api: { scale: 0, limit: 1 } } },
        }),
      ),
    result: fails(1001, 'validation_failed', { message: 'Invalid rate limiting rule' }),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'validate',
    case: 'a section is missing',
    input: (app) => app.config.validate(withSection(app, 'infrastructure', { circuit_breaker: undefined })),
    result: fails(1001, 'validation_failed'),
    was: 'raised FunctionClauseError',
    now: 'the error that it is',
  },
  {
    fn: 'validate',
    case: 'anything else',
    input: ({ config }) =>
      [
        null,
        'x',
        [],
        {},
        new Proxy(
          {},
          {
            getOwnPropertyDescriptor: () => {
              throw new Error('no');
            },
          },
        ),
      ].map((each) => config.validate(each)),
    result: Array(5).fill(fails(1001, 'validation_failed')),
    was: 'raised FunctionClauseError',
    now: 'the error that it is',
  },
  {
    fn: 'updatablePaths',
    case: 'all 13',
    input: ({ config }) => config.updatablePaths().map((path) => path.join('.')),
    result: [
      'ai.planning.sampling_rate',
      'ai.planning.performance_target',
      'capture.processing.batch_size',
      'capture.processing.flush_interval',
      'interface.query_timeout',
      'interface.max_results',
      'dev.debug_mode',
      'dev.verbose_logging',
      'dev.performance_monitoring',
      'infrastructure.rate_limiting.enabled',
      'infrastructure.circuit_breaker.enabled',
      'infrastructure.connection_pool.enabled',
      'infrastructure.rate_limiting.cleanup_interval',
    ],
    was: 'a plain list, though its README shows `{:ok, paths}`',
    now: 'a plain list',
  },
  {
    fn: 'reset',
    case: 'after an update',
    input: ({ config }) => [config.update(RATE, 0.5), config.reset(), config.get(RATE)],
    result: [ok(), ok(), ok(1)],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'reset',
    case: 'with a configuration of the application',
    options: { config: { ai: { planning: { sampling_rate: 0.25 } } } },
    input: ({ config }) => [config.update(RATE, 0.5), config.reset(), config.get(RATE)][2],
    result: ok(0.25),
    was: 'went back to the defaults, without the configuration of the application',
    now: 'goes back to the configuration of the start',
  },
  {
    fn: 'reset',
    case: 'with a value of the cluster',
    input: async ({ config }) => {
      await config.setClusterWide(RATE, 0.8);
      return [config.update(RATE, 0.5), config.reset(), config.get(RATE)][2];
    },
    result: ok(0.8),
    was: 'there was none',
    now: 'goes back to what the cluster has set',
  },
  {
    fn: 'reset',
    case: 'event, counter, notification, and the count of updates',
    input: (app) => {
      const all = heard(app);
      app.config.update(RATE, 0.5);
      app.config.reset();
      return [all[1], app.events.query({ eventType: 'config_reset' }), app.telemetry.getMetrics(), app.config.status()];
    },
    result: [
      { type: 'config_reset', config: has({ ai: has({ provider: 'mock' }) }) },
      ok([has({ data: { timestamp: ANY_NUMBER, resetFromUpdatesCount: 1 } })]),
      ok(has({ foundation: has({ config_resets: 1 }) })),
      ok(has({ updatesCount: 1 })),
    ],
    was: 'did not set the count of updates to 0',
    now: SAME,
  },
  {
    fn: 'subscribe',
    case: 'twice, then an update',
    input: ({ config }) => {
      const all: unknown[] = [];
      const listener = (notification: unknown) => all.push(notification);
      config.subscribe(listener);
      config.subscribe(listener);
      config.update(RATE, 0.5);
      return all;
    },
    result: [{ type: 'config_updated', path: RATE, value: 0.5 }],
    was: 'the caller got `{:config_notification, {:config_updated, path, value}}` once',
    now: 'a function is called with an object, before `update` returns',
  },
  {
    fn: 'subscribe',
    case: 'without a function',
    input: ({ config }) => config.subscribe(undefined as unknown as () => void),
    result: throws('ArgumentError'),
    was: '`subscribe/0` took the calling process',
    now: 'Node.js has no calling process, so a function has to be given',
  },
  {
    fn: 'subscribe',
    case: 'a subscriber that throws',
    input: (app) => {
      app.config.subscribe(() => {
        throw new Error('mine');
      });
      const all = heard(app);
      return [app.config.update(RATE, 0.5), all.length];
    },
    result: [ok(), 1],
    was: 'subscribers were processes of their own',
    now: 'it is logged, and harms nothing',
  },
  {
    fn: 'subscribe',
    case: 'until a signal is aborted',
    input: ({ config }) => {
      const [all, life] = [[] as unknown[], new AbortController()];
      config.subscribe((notification) => all.push(notification), { signal: life.signal });
      life.abort();
      config.update(RATE, 0.5);
      return all;
    },
    result: [],
    was: 'removed a subscriber that died',
    now: 'a signal stands for its death',
  },
  {
    fn: 'subscribe',
    case: 'the 10,001st',
    input: ({ config }) => Array.from({ length: 10_001 }, () => config.subscribe(() => 0))[10_000],
    result: fails(2201, 'resource_exhausted'),
    was: 'had no bound',
    now: 'is refused',
  },
  {
    fn: 'unsubscribe',
    case: 'after it subscribed, and once more',
    input: ({ config }) => {
      const all: unknown[] = [];
      const listener = (notification: unknown) => all.push(notification);
      config.subscribe(listener);
      const ends = [config.unsubscribe(listener), config.unsubscribe(listener)];
      config.update(RATE, 0.5);
      return [...ends, all];
    },
    result: [ok(), ok(), []],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'resetState',
    case: 'in test mode',
    input: ({ config }) =>
      [
        config.update(RATE, 0.5),
        config.subscribe(() => 0),
        config.resetState(),
        config.get(RATE),
        config.status(),
      ].slice(2),
    result: [ok(), ok(1), ok(has({ updatesCount: 0, subscribersCount: 0 }))],
    was: 'read the application environment again',
    now: 'the configuration of the start',
  },
  {
    fn: 'resetState',
    case: 'outside of test mode',
    options: {},
    input: ({ config }) => config.resetState(),
    result: fails(5002, 'operation_forbidden', { category: 'security', subcategory: 'authorization' }),
    was: SAME,
    now: SAME,
  },
];
