/**
 * Pure: the one table of options that are single values and of the variables that say them, of which
 * docs/configuration.md is made as well. A variable is named after its option: `lease.ttl` is FOUNDATION_LEASE_TTL.
 */
import { isObject } from '../wire/decode.js';

/** How the text of a variable is read. What does not fit is handed on, and refused by the rule of the option. */
export type VariableKind = 'text' | 'number' | 'duration' | 'flag';

/** By the path of the option. */
export const VARIABLE_KINDS: Readonly<Record<string, VariableKind>> = {
  appName: 'text',
  nodeName: 'text',
  capacity: 'number',
  expectedNodes: 'number',
  shutdownTimeout: 'duration',
  readiness: 'text',
  forgetOrphansAfter: 'duration',
  'lease.ttl': 'duration',
  'lease.renewEvery': 'duration',
  'lease.commandTimeout': 'duration',
  'lease.margin': 'duration',
  'lease.grace': 'duration',
  'lease.onStall': 'text',
  'membership.beatEvery': 'duration',
  'membership.ttl': 'duration',
  'processes.restart': 'text',
  'processes.maxRestarts': 'number',
  'processes.maxSeconds': 'number',
  'processes.backoff.base': 'duration',
  'processes.backoff.cap': 'duration',
  'processes.timeout': 'duration',
  'processes.stopTimeout': 'duration',
  'channels.maxMessageBytes': 'number',
  'calls.timeout': 'duration',
  'calls.concurrency': 'number',
  'calls.queue': 'number',
  'calls.stacks': 'flag',
  'security.tls.certificateFile': 'text',
  'security.tls.keyFile': 'text',
  'security.tls.caFile': 'text',
};

/** `lease.renewEvery` → `FOUNDATION_LEASE_RENEW_EVERY`. */
export function variableOf(option: string): string {
  return `FOUNDATION_${option
    .replaceAll('.', '_')
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .toUpperCase()}`;
}

/** The values of the variables that are set, at their places among the options; an empty one counts as unset. */
export function valuesIn(env: Readonly<Record<string, string | undefined>>): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const [option, kind] of Object.entries(VARIABLE_KINDS)) {
    const text = env[variableOf(option)];
    if (text) place(options, option.split('.'), valueOf(text, kind));
  }
  return options;
}

function valueOf(text: string, kind: VariableKind): unknown {
  if (kind === 'flag') return text === 'true' ? true : text === 'false' ? false : text;
  if (kind === 'number') return Number(text);
  // Without a unit it is milliseconds, as a number among the options is.
  return kind === 'duration' && /^\d+$/.test(text) ? Number(text) : text;
}

function place(into: Record<string, unknown>, [key, ...rest]: string[], value: unknown): void {
  if (key === undefined) return;
  if (rest.length === 0) into[key] = value;
  else place((into[key] ??= {}) as Record<string, unknown>, rest, value);
}

/** What is explicit over what the environment says, value by value; only in the groups that the table has. */
export function overEnvironment<T extends object>(environment: T, explicit: T): T {
  const merged = { ...environment, ...explicit } as Record<string, unknown>;
  for (const group of ['lease', 'membership', 'processes', 'backoff', 'channels', 'calls', 'security', 'tls']) {
    const [below, above] = [
      (environment as Record<string, unknown>)[group],
      (explicit as Record<string, unknown>)[group],
    ];
    if (isObject(below) && isObject(above)) merged[group] = overEnvironment(below, withoutNothing(above));
  }
  return merged as T;
}

function withoutNothing(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined && each !== null));
}
