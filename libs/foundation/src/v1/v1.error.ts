/**
 * The errors of Foundation 1.x as plain records: the catalogue by type, and what can be done about one.
 * Made by the four classes of this entry; `Foundation.Error` and `Foundation.Types.Error` of 1.x are one here.
 */
import { plain, shown } from '../errors/describe.js';

/** How bad it is. */
export type V1Severity = 'low' | 'medium' | 'high' | 'critical';

/** What may be done about it. */
export type V1RetryStrategy = 'no_retry' | 'immediate' | 'fixed_delay' | 'exponential_backoff';

/** An error as 1.x returns it: a frozen record, not thrown. What JSON writes of it can be read by other programs. */
export interface V1Error {
  /** As in 1.x; 9999 for a type that the catalogue does not have. */
  readonly code: number;
  /** `validation_failed`, `not_found`, … */
  readonly errorType: string;
  readonly message: string;
  readonly severity: V1Severity;
  readonly context: Readonly<Record<string, unknown>>;
  readonly correlationId: string | null;
  readonly timestamp: Date;
  /** Up to ten lines. */
  readonly stacktrace: readonly string[] | null;
  /** `config`, `system`, `data`, `external`, `security`, or `unknown`. */
  readonly category: string;
  readonly subcategory: string;
  readonly retryStrategy: V1RetryStrategy;
  readonly recoveryActions: readonly string[];
}

/** What {@link newError} takes beside type and message. */
export interface V1ErrorOptions {
  context?: Readonly<Record<string, unknown>>;
  correlationId?: string;
  /** The lines of a stack; the first ten are kept. */
  stacktrace?: readonly string[];
}

type Definition = readonly [code: number, severity: V1Severity, category: string, subcategory: string, message: string];

const CATALOGUE: Readonly<Record<string, Definition>> = {
  invalid_config_structure: [1101, 'high', 'config', 'structure', 'Configuration structure is invalid'],
  missing_required_field: [1102, 'high', 'config', 'structure', 'Required configuration field missing'],
  invalid_config_value: [1201, 'medium', 'config', 'validation', 'Configuration value failed validation'],
  constraint_violation: [1202, 'medium', 'config', 'validation', 'Configuration constraint violated'],
  range_error: [1203, 'low', 'config', 'validation', 'Value outside acceptable range'],
  config_not_found: [1301, 'high', 'config', 'access', 'Configuration not found'],
  config_update_forbidden: [1401, 'medium', 'config', 'runtime', 'Configuration update not allowed'],
  initialization_failed: [2101, 'critical', 'system', 'initialization', 'System initialization failed'],
  service_unavailable: [2102, 'high', 'system', 'initialization', 'Required service unavailable'],
  resource_exhausted: [2201, 'high', 'system', 'resources', 'System resources exhausted'],
  dependency_failed: [2301, 'high', 'system', 'dependencies', 'Required dependency failed'],
  internal_error: [2401, 'critical', 'system', 'runtime', 'Internal system error'],
  serialization_failed: [3101, 'medium', 'data', 'serialization', 'Data serialization failed'],
  deserialization_failed: [3102, 'medium', 'data', 'serialization', 'Data deserialization failed'],
  type_mismatch: [3201, 'low', 'data', 'validation', 'Data type mismatch'],
  format_error: [3202, 'low', 'data', 'validation', 'Data format error'],
  validation_failed: [3203, 'medium', 'data', 'validation', 'Data validation failed'],
  invalid_input: [3204, 'low', 'data', 'validation', 'Invalid input provided'],
  data_corruption: [3301, 'critical', 'data', 'corruption', 'Data corruption detected'],
  data_not_found: [3401, 'low', 'data', 'not_found', 'Requested data not found'],
  network_error: [4101, 'medium', 'external', 'network', 'Network communication error'],
  external_service_error: [4201, 'medium', 'external', 'service', 'External service error'],
  timeout: [4301, 'medium', 'external', 'timeout', 'Operation timeout'],
  authentication_failed: [4401, 'high', 'external', 'auth', 'Authentication failed'],
};
const UNKNOWN: Definition = [9999, 'medium', 'unknown', 'unknown', 'Unknown error'];

const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  config_not_found: ['Check configuration file', 'Verify configuration path'],
  invalid_config_value: ['Check configuration format', 'Validate against schema', 'Review documentation'],
  service_unavailable: ['Check service health', 'Verify network connectivity', 'Review service logs'],
  resource_exhausted: ['Check memory usage', 'Review resource limits', 'Scale resources if needed'],
  network_error: ['Check network connectivity', 'Retry with exponential backoff'],
  timeout: ['Increase timeout value', 'Check network latency', 'Review service performance'],
  data_corruption: ['Restore from backup', 'Contact system administrator'],
};
const OTHER_ACTIONS = ['Check logs for details', 'Review error context', 'Contact support if needed'];
const LONGEST_DELAY_MS = 30_000;

/** An error of the catalogue: `Foundation.Error.new/3`. A type that it does not have gets the code 9999. */
export function newError(errorType: string, message?: string, options: V1ErrorOptions = {}): V1Error {
  return errorOf({ errorType, message, ...options });
}

/**
 * An error of its fields: `Foundation.Types.Error.new/1`, with what is not given from the catalogue, so that every
 * error has a code and a retry strategy.
 */
export function errorOf({
  errorType,
  ...given
}: Partial<Omit<V1Error, 'errorType'>> & Pick<V1Error, 'errorType'>): V1Error {
  const [code, usual, category, subcategory, message] = Object.hasOwn(CATALOGUE, errorType)
    ? CATALOGUE[errorType]!
    : UNKNOWN;
  const severity = given.severity ?? usual;
  const context = given.context ?? {};
  return Object.freeze({
    code: given.code ?? code,
    errorType: plain(errorType),
    message: plain(given.message ?? message),
    severity,
    context,
    correlationId: given.correlationId ?? null,
    timestamp: given.timestamp ?? new Date(),
    stacktrace: given.stacktrace?.slice(0, 10).map((line) => plain(line)) ?? null,
    category: given.category ?? category,
    subcategory: given.subcategory ?? subcategory,
    retryStrategy: given.retryStrategy ?? strategyOf(errorType, severity),
    recoveryActions: given.recoveryActions ?? actionsFor(errorType, context),
  });
}

/** Whether trying again may help: `is_retryable?/1`. */
export function isRetryable({ retryStrategy }: V1Error): boolean {
  return retryStrategy !== 'no_retry';
}

/** Milliseconds to wait before attempt `attempt`, which counts from 0; `Infinity` for never: `retry_delay/2`. */
export function retryDelay({ retryStrategy }: V1Error, attempt: number): number {
  if (retryStrategy === 'exponential_backoff') return Math.min(1000 * 2 ** attempt, LONGEST_DELAY_MS);
  return { fixed_delay: 1000, immediate: 0, no_retry: Infinity }[retryStrategy];
}

/** Whether an operator should hear of it: `should_escalate?/1`. */
export function shouldEscalate({ severity }: V1Error): boolean {
  return severity === 'high' || severity === 'critical';
}

/** One line of it: `Foundation.Error.to_string/1`. */
export function errorToString({ code, errorType, message, context, severity }: V1Error): string {
  const about = Object.keys(context).length > 0 ? ` | Context: ${shown(context)}` : '';
  return `[${code}:${errorType}] ${message}${about} | Severity: ${severity}`;
}

/** What {@link collectErrorMetrics} needs of `Telemetry`. */
export interface ErrorCounter {
  emitCounter(eventName: readonly string[], metadata: Readonly<Record<string, unknown>>): unknown;
}

/** Counts it under `foundation`, `errors`, its category and its subcategory: `collect_error_metrics/1`. */
export function collectErrorMetrics(error: V1Error, telemetry: ErrorCounter): void {
  const { category, subcategory, errorType, severity, code } = error;
  telemetry.emitCounter(['foundation', 'errors', category, subcategory], { errorType, severity, code });
}

function strategyOf(errorType: string, severity: V1Severity): V1RetryStrategy {
  if (errorType === 'timeout' || errorType === 'network_error') return 'exponential_backoff';
  if (errorType === 'external_service_error') return 'fixed_delay';
  if (severity === 'critical') return 'no_retry';
  if (severity === 'high') return 'immediate';
  return errorType === 'invalid_config_value' ? 'no_retry' : 'fixed_delay';
}

function actionsFor(errorType: string, { operation }: Readonly<Record<string, unknown>>): readonly string[] {
  const actions = Object.hasOwn(ACTIONS, errorType) ? ACTIONS[errorType]! : OTHER_ACTIONS;
  const what = typeof operation === 'string' ? plain(operation, 100) : shown(operation, 100);
  return operation === undefined ? actions : [...actions, `Review ${what} implementation`];
}
