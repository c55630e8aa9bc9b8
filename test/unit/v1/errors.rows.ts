// `Foundation.Error` and `Foundation.Types.Error` of 1.x: one record, made and read by functions of the entry.
import {
  collectErrorMetrics,
  errorOf,
  errorResult,
  errorToString,
  isRetryable,
  newError,
  retryDelay,
  shouldEscalate,
  wrapError,
} from 'nestjs-foundation/v1';
import { fails, has, ok, type Row, SAME } from './rows.js';

const TYPES = [
  'invalid_config_structure missing_required_field invalid_config_value constraint_violation range_error',
  'config_not_found config_update_forbidden initialization_failed service_unavailable resource_exhausted',
  'dependency_failed internal_error serialization_failed deserialization_failed type_mismatch format_error',
  'validation_failed invalid_input data_corruption data_not_found network_error external_service_error timeout',
  'authentication_failed',
].flatMap((line) => line.split(' '));

export const ERRORS_ROWS: Row[] = [
  {
    fn: 'newError',
    case: 'a type of the catalogue',
    input: () => newError('timeout', undefined, { correlationId: 'r', context: { operation: 'query' } }),
    result: {
      code: 4301,
      errorType: 'timeout',
      message: 'Operation timeout',
      severity: 'medium',
      context: { operation: 'query' },
      correlationId: 'r',
      timestamp: has({}),
      stacktrace: null,
      category: 'external',
      subcategory: 'timeout',
      retryStrategy: 'exponential_backoff',
      recoveryActions: [
        'Increase timeout value',
        'Check network latency',
        'Review service performance',
        'Review query implementation',
      ],
    },
    was: SAME,
    now: SAME,
  },
  {
    fn: 'newError',
    case: 'the codes of all types',
    input: () => TYPES.map((type) => newError(type).code).sort(),
    result: [
      1101, 1102, 1201, 1202, 1203, 1301, 1401, 2101, 2102, 2201, 2301, 2401, 3101, 3102, 3201, 3202, 3203, 3204, 3301,
      3401, 4101, 4201, 4301, 4401,
    ],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'newError',
    case: 'another type',
    input: () => [newError('surprise'), newError('constructor')],
    result: Array(2).fill(
      has({ code: 9999, severity: 'medium', message: 'Unknown error', category: 'unknown', subcategory: 'unknown' }),
    ),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'newError',
    case: 'a stack',
    input: () => newError('timeout', 'late', { stacktrace: Array<string>(12).fill('at f') }).stacktrace?.length,
    result: 10,
    was: 'ten entries of a stack',
    now: 'ten lines',
  },
  {
    fn: 'errorOf',
    case: 'fields',
    input: () => errorOf({ errorType: 'mine', code: 77, message: 'm', severity: 'critical', category: 'data' }),
    result: has({ code: 77, errorType: 'mine', severity: 'critical', category: 'data' }),
    was: '`Types.Error.new/1`: what was not given stayed `nil`, also the code',
    now: 'the rest comes from the catalogue',
  },
  {
    fn: 'errorResult',
    case: 'a failed result',
    input: () => errorResult('data_not_found', 'gone'),
    result: fails(3401, 'data_not_found', { message: 'gone' }),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'wrapError',
    case: 'a good result',
    input: () => wrapError(ok(5) as { ok: true; value: number }, 'timeout'),
    result: ok(5),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'wrapError',
    case: 'an error',
    input: () => wrapError(errorResult('timeout', 'late'), 'internal_error', 'while billing', { context: { run: 1 } }),
    result: fails(4301, 'timeout', {
      context: { wrappedBy: 'internal_error', wrapperMessage: 'while billing', wrapperContext: { run: 1 } },
    }),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'wrapError',
    case: 'any other reason',
    input: () => wrapError({ ok: false, error: 'nxdomain' }, 'network_error'),
    result: fails(4101, 'network_error', { context: { originalReason: 'nxdomain' } }),
    was: SAME,
    now: SAME,
  },
  {
    fn: 'isRetryable',
    case: 'of each strategy',
    input: () =>
      ['timeout', 'external_service_error', 'service_unavailable', 'internal_error'].map((type) =>
        isRetryable(newError(type)),
      ),
    result: [true, true, true, false],
    was: 'named `is_retryable?`',
    now: SAME,
  },
  {
    fn: 'retryDelay',
    case: 'exponential_backoff',
    input: () => [0, 1, 4, 5, 2000].map((attempt) => retryDelay(newError('timeout'), attempt)),
    result: [1000, 2000, 16_000, 30_000, 30_000],
    was: SAME,
    now: SAME,
  },
  {
    fn: 'retryDelay',
    case: 'fixed_delay, immediate, no_retry',
    input: () =>
      ['external_service_error', 'service_unavailable', 'internal_error'].map((type) => retryDelay(newError(type), 3)),
    result: [1000, 0, Infinity],
    was: '`:infinity`',
    now: '`Infinity`',
  },
  {
    fn: 'shouldEscalate',
    case: 'of each severity',
    input: () =>
      ['invalid_input', 'timeout', 'service_unavailable', 'internal_error'].map((type) =>
        shouldEscalate(newError(type)),
      ),
    result: [false, false, true, true],
    was: 'named `should_escalate?`',
    now: SAME,
  },
  {
    fn: 'errorToString',
    case: 'with a context, and without',
    input: () => [newError('timeout', 'late', { context: { a: 1 } }), newError('timeout')].map(errorToString),
    result: [
      '[4301:timeout] late | Context: {"a":1} | Severity: medium',
      '[4301:timeout] Operation timeout | Severity: medium',
    ],
    was: 'named `to_string`',
    now: SAME,
  },
  {
    fn: 'collectErrorMetrics',
    case: 'counts by category',
    input: ({ telemetry }) =>
      [collectErrorMetrics(newError('timeout'), telemetry), telemetry.getMetricsFor(['foundation', 'errors'])][1],
    result: ok(
      has({
        foundation: {
          errors: {
            external: {
              timeout: has({ count: 1, metadata: { errorType: 'timeout', severity: 'medium', code: 4301 } }),
            },
          },
        },
      }),
    ),
    was: SAME,
    now: 'takes the `Telemetry` as its second argument',
  },
];
