/**
 * Pure: whether a configuration of 1.x is valid, and the first thing that is wrong with it.
 */
import { fail, type Failure } from '../v1.result.js';
import { hasOwn } from './config.tree.js';

type Check = (value: unknown) => boolean;
type Kind = 'validation_failed' | 'invalid_config_value' | 'constraint_violation' | 'range_error';

/** All fields of the place have to be there and right; in `only`, where that says so of the place. */
interface Rule {
  at: readonly string[];
  fields: Readonly<Record<string, Check>>;
  kind: Kind;
  message: string;
  only?: (place: Readonly<Record<string, unknown>>) => boolean;
}

const CODES: Readonly<Record<Kind, number>> = {
  validation_failed: 1001,
  invalid_config_value: 1002,
  constraint_violation: 1003,
  range_error: 1004,
};

const there: Check = (value) => value !== undefined;
const isMap: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const flag: Check = (value) => typeof value === 'boolean';
const whole = (least: number): Check => {
  return (value) => Number.isSafeInteger(value) && (value as number) >= least;
};
const positive = whole(1);
const number = (most: number): Check => {
  return (value) => typeof value === 'number' && value >= 0 && value <= most && Number.isFinite(value);
};
const oneOf = (...values: string[]): Check => {
  return (value) => (values as unknown[]).includes(value);
};

const RULES: readonly Rule[] = [
  shape('ai', { analysis: there, planning: there }, 'Invalid AI configuration'),
  rule(
    'invalid_config_value',
    'ai',
    { provider: oneOf('mock', 'openai', 'anthropic', 'gemini') },
    'Invalid AI provider',
  ),
  shape(
    'ai.analysis',
    { max_file_size: positive, timeout: positive, cache_ttl: positive },
    'Invalid AI analysis configuration',
  ),
  shape(
    'ai.planning',
    { performance_target: there, sampling_rate: there, default_strategy: there },
    'Invalid AI planning configuration',
  ),
  rule(
    'constraint_violation',
    'ai.planning',
    { performance_target: number(Infinity) },
    'Performance target must be a non-negative number',
  ),
  rule('range_error', 'ai.planning', { sampling_rate: number(1) }, 'Sampling rate must be between 0 and 1'),
  rule(
    'invalid_config_value',
    'ai.planning',
    { default_strategy: oneOf('fast', 'balanced', 'thorough') },
    'Invalid planning strategy',
  ),
  shape('capture.ring_buffer', { size: positive, max_events: positive }, 'Invalid ring buffer configuration'),
  rule(
    'invalid_config_value',
    'capture.ring_buffer',
    { overflow_strategy: oneOf('drop_oldest', 'drop_newest', 'block') },
    'Invalid overflow strategy',
  ),
  shape(
    'capture.processing',
    { batch_size: positive, flush_interval: positive, max_queue_size: positive },
    'Invalid processing configuration',
  ),
  shape(
    'capture.vm_tracing',
    { enable_spawn_trace: flag, enable_exit_trace: flag, enable_message_trace: flag, trace_children: flag },
    'Invalid VM tracing configuration',
  ),
  shape(
    'storage.hot',
    { max_events: positive, max_age_seconds: positive, prune_interval: positive },
    'Invalid hot storage configuration',
  ),
  shape('storage.warm', { enable: flag }, 'Invalid warm storage configuration'),
  {
    ...shape(
      'storage.warm',
      { path: (value) => typeof value === 'string', max_size_mb: positive },
      'Invalid warm storage configuration',
    ),
    only: ({ enable }) => enable === true,
  },
  {
    ...rule(
      'invalid_config_value',
      'storage.warm',
      { compression: oneOf('none', 'gzip', 'zstd') },
      'Invalid compression type',
    ),
    only: ({ enable }) => enable === true,
  },
  shape('storage.cold', { enable: (value) => value === false }, 'Invalid cold storage configuration'),
  shape(
    'interface',
    { query_timeout: positive, max_results: positive, enable_streaming: flag },
    'Invalid interface configuration',
  ),
  shape(
    'dev',
    { debug_mode: flag, verbose_logging: flag, performance_monitoring: flag },
    'Invalid development configuration',
  ),
  shape(
    'infrastructure',
    { rate_limiting: isMap, circuit_breaker: isMap, connection_pool: isMap },
    'Invalid infrastructure configuration',
  ),
  shape(
    'infrastructure.rate_limiting',
    { default_rules: isMap, enabled: flag, cleanup_interval: positive },
    'Invalid rate limiting configuration',
  ),
  shape('infrastructure.rate_limiting', { default_rules: areLimits }, 'Invalid rate limiting rule'),
  shape(
    'infrastructure.circuit_breaker',
    { default_config: isMap, enabled: flag },
    'Invalid circuit breaker configuration',
  ),
  shape(
    'infrastructure.circuit_breaker.default_config',
    { failure_threshold: positive, recovery_time: positive, call_timeout: positive },
    'Invalid circuit breaker default configuration',
  ),
  shape(
    'infrastructure.connection_pool',
    { default_config: isMap, enabled: flag },
    'Invalid connection pool configuration',
  ),
  shape(
    'infrastructure.connection_pool.default_config',
    { size: positive, max_overflow: whole(0), strategy: oneOf('lifo', 'fifo') },
    'Invalid connection pool default configuration',
  ),
];

/** What is wrong first; `undefined` for a configuration that is valid. It may be any value at all. */
export function validateConfig(config: unknown): Failure | undefined {
  for (const { at, fields, kind, message, only } of RULES) {
    let isRight: boolean;
    try {
      const place = at.reduce<unknown>((value, name) => (hasOwn(value, name) ? value[name] : undefined), config);
      isRight = isMap(place) && ((only !== undefined && !only(place as Row)) || areRight(place as Row, fields));
    } catch {
      // A getter or a proxy that throws.
      isRight = false;
    }
    if (!isRight) return invalid(kind, message);
  }
  return undefined;
}

type Row = Readonly<Record<string, unknown>>;

function areRight(place: Row, fields: Rule['fields']): boolean {
  return Object.entries(fields).every(([name, check]) => check(hasOwn(place, name) ? place[name] : undefined));
}

function areLimits(rules: unknown): boolean {
  return Object.values(rules as Row).every(
    (each) => isMap(each) && positive((each as Row)['scale']) && positive((each as Row)['limit']),
  );
}

function shape(path: string, fields: Rule['fields'], message: string): Rule {
  return rule('validation_failed', path, fields, message);
}

function rule(kind: Kind, path: string, fields: Rule['fields'], message: string): Rule {
  return { at: path.split('.'), fields, kind, message };
}

function invalid(kind: Kind, message: string): Failure {
  const severity = kind === 'constraint_violation' || kind === 'range_error' ? 'high' : 'medium';
  const of = { category: 'config', subcategory: 'validation' };
  return fail({ errorType: kind, code: CODES[kind], message, severity, ...of });
}
