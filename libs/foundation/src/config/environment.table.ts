/**
 * Pure: the one table of options that are single values and of the variables that say them, of which
 * docs/reference/configuration.md is made as well. A variable is named after its option: `lease.ttl` is
 * FOUNDATION_LEASE_TTL.
 */
import { isObject } from '../wire/decode.js';

/**
 * How the text of a variable is read. What does not fit is handed on, and refused by the rule of the option. Of these,
 * `special` is read by `environment.ts`.
 */
export type VariableKind = 'text' | 'number' | 'port' | 'duration' | 'flag' | 'list' | 'special';

/** By the path of the option; those of a strategy begin with its name. */
export const VARIABLE_KINDS: Readonly<Record<string, VariableKind>> = {
  cluster: 'special',
  appName: 'text',
  nodeName: 'text',
  release: 'text',
  'redis.url': 'special',
  'redis.host': 'text',
  'redis.port': 'port',
  'redis.username': 'text',
  'redis.password': 'text',
  'redis.db': 'number',
  'redis.name': 'text',
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
  labels: 'special',
  capacity: 'number',
  expectedNodes: 'number',
  startupTimeout: 'duration',
  shutdownTimeout: 'duration',
  readiness: 'text',
  globalEnhancers: 'flag',
  journal: 'special',
  'journal.maxEntries': 'number',
  forgetOrphansAfter: 'duration',
  transport: 'special',
  'transport.format': 'text',
  'transport.host': 'text',
  'transport.port': 'port',
  'transport.advertise': 'text',
  'security.cookie': 'text',
  'security.tls.certificateFile': 'text',
  'security.tls.keyFile': 'text',
  'security.tls.caFile': 'text',
  'kubernetes.selector': 'text',
  'kubernetes.namespace': 'text',
  'kubernetes.redisService': 'text',
  'kubernetes.kubeconfig': 'text',
  'consul.address': 'text',
  'consul.service': 'text',
  'consul.redisService': 'text',
  'consul.token': 'text',
  'consul.ttl': 'duration',
  'dns.query': 'text',
  'dns.redisQuery': 'text',
  'dns.every': 'duration',
  'dns.servers': 'list',
  'gossip.secret': 'text',
  'gossip.previousSecret': 'text',
  'gossip.group': 'text',
  'gossip.port': 'port',
  'gossip.interface': 'text',
  'gossip.every': 'duration',
  'mdns.interface': 'text',
  'mdns.every': 'duration',
  'static.hosts': 'list',
  'static.redis': 'text',
  'static.every': 'duration',
};

/** Short names of ours, and names that others gave; read after the one that is derived, in this order. */
export const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  'redis.url': ['REDIS_URL'],
  'transport.host': ['FOUNDATION_DIRECT_HOST'],
  'transport.port': ['FOUNDATION_DIRECT_PORT'],
  'transport.advertise': ['FOUNDATION_DIRECT_ADVERTISE'],
  'security.cookie': ['FOUNDATION_COOKIE'],
  'kubernetes.selector': ['FOUNDATION_K8S_SELECTOR'],
  'kubernetes.namespace': ['FOUNDATION_K8S_NAMESPACE', 'POD_NAMESPACE'],
  'consul.address': ['CONSUL_HTTP_ADDR'],
  'consul.token': ['CONSUL_HTTP_TOKEN'],
};

type Variables = Readonly<Record<string, string | undefined>>;

/** `lease.renewEvery` → `FOUNDATION_LEASE_RENEW_EVERY`. */
export function variableOf(option: string): string {
  return `FOUNDATION_${option
    .replaceAll('.', '_')
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .toUpperCase()}`;
}

/** The variable that says an option here; `undefined` where none does. An empty one counts as unset. */
export function variableIn(env: Variables, option: string): string | undefined {
  if (!Object.hasOwn(VARIABLE_KINDS, option)) return undefined;
  return [variableOf(option), ...(OTHER_NAMES[option] ?? [])].find((name) => isSet(env[name], VARIABLE_KINDS[option]));
}

/** The same for an error: where none says it, the one that could; the option itself where there is none. */
export function variableFor(env: Variables, option: string): string {
  return variableIn(env, option) ?? (Object.hasOwn(VARIABLE_KINDS, option) ? variableOf(option) : option);
}

/** What the environment says of an option, as it stands there. */
export function textIn(env: Variables, option: string): string | undefined {
  const name = variableIn(env, option);
  return name === undefined ? undefined : env[name];
}

/** The values of the variables that are set, at the places of their options. */
export function valuesIn(env: Variables): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const [option, kind] of Object.entries(VARIABLE_KINDS)) {
    const text = kind === 'special' ? undefined : textIn(env, option);
    if (text !== undefined) place(options, option.split('.'), valueOf(text, kind));
  }
  return options;
}

/**
 * Kubernetes gives every pod `FOUNDATION_REDIS_PORT=tcp://10.0.0.1:6379` for a Service named `foundation-redis`; nobody
 * has set that for us.
 */
function isSet(text: string | undefined, kind: VariableKind | undefined): boolean {
  return Boolean(text) && !(kind === 'port' && /^(?:tcp|udp|sctp):\/\//.test(text!));
}

function valueOf(text: string, kind: VariableKind): unknown {
  if (kind === 'flag') return text === 'true' ? true : text === 'false' ? false : text;
  if (kind === 'list') return text.split(',').map((each) => each.trim());
  if (kind === 'number') return Number(text);
  // Without a unit it is milliseconds, as a number among the options is.
  return /^\d+$/.test(text) && kind !== 'text' ? Number(text) : text;
}

function place(into: Record<string, unknown>, [key, ...rest]: string[], value: unknown): void {
  if (key === undefined) return;
  if (rest.length === 0) into[key] = value;
  else place((into[key] ??= {}) as Record<string, unknown>, rest, value);
}

/** What is explicit over what the environment says, value by value; only in the groups that the table has. */
export function overEnvironment<T extends object>(environment: T, explicit: T): T {
  const merged = { ...environment, ...explicit } as Record<string, unknown>;
  for (const group of [
    'lease',
    'membership',
    'processes',
    'backoff',
    'channels',
    'calls',
    'journal',
    'security',
    'tls',
  ]) {
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
