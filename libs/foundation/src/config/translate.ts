/**
 * Pure: the few settings of a strategy → all of them, so that a user can see what a tier means and paste it as wizard
 * configuration. Used by `resolve`, and exported. A secret is kept from being printed.
 */
import { FoundationConfigError } from '../errors/config.errors.js';
import { Secret } from '../security/secret.js';
import { type Duration, parseDuration } from '../time/duration.js';
import type {
  ConsulSettings,
  DnsSettings,
  GossipSettings,
  KubernetesSettings,
  MdnsSettings,
  StaticSettings,
  Translated,
} from './strategy.settings.js';

/** Names the application, whose name most defaults come from. */
export interface TranslateContext {
  /** Default `app`. */
  appName?: string;
}

/** `translateKubernetes({ appName: 'shop' })` → `{ strategy: 'kubernetes', config: { selector: 'app=shop', … } }`. */
export function translateKubernetes({
  appName = 'app',
  ...settings
}: KubernetesSettings & TranslateContext = {}): Translated<'kubernetes'> {
  return { strategy: 'kubernetes', config: { selector: `app=${appName}`, redisService: 'redis', ...given(settings) } };
}

/** `translateConsul({ appName: 'shop' })` → `{ strategy: 'consul', config: { service: 'shop', … } }`. */
export function translateConsul({
  appName = 'app',
  address = 'http://127.0.0.1:8500',
  token,
  ...settings
}: ConsulSettings & TranslateContext = {}): Translated<'consul'> {
  return {
    strategy: 'consul',
    config: {
      // As Consul's own tools, which take the variable with or without a scheme.
      address: /^https?:\/\//.test(address) ? address : `http://${address}`,
      ...{ service: appName, redisService: 'redis', ttl: 10_000 },
      ...given(settings),
      ...(token === undefined ? {} : { token: secretOf(token) }),
    },
  };
}

/**
 * `translateDns({ query: 'app.internal' })` → `{ strategy: 'dns', config: { query: 'app.internal', every: 5000 } }`.
 *
 * @throws FoundationConfigError without a query.
 */
export function translateDns({
  appName: _appName,
  query,
  ...settings
}: DnsSettings & TranslateContext = {}): Translated<'dns'> {
  if (!query) throw missing('dns.query', 'a name to ask for; set FOUNDATION_DNS_QUERY');
  return { strategy: 'dns', config: { query, every: 5000, ...given(settings) } };
}

/**
 * `translateGossip({ secret })` → `{ strategy: 'gossip', config: { group: '230.1.1.251', port: 45892, … } }`.
 *
 * @throws FoundationConfigError without a secret; there is no default.
 */
export function translateGossip({
  appName: _appName,
  secret,
  previousSecret,
  ...settings
}: GossipSettings & TranslateContext = {}): Translated<'gossip'> {
  if (!secret) {
    throw missing('gossip.secret', 'a secret that all nodes share; set FOUNDATION_GOSSIP_SECRET: openssl rand -hex 32');
  }
  return {
    strategy: 'gossip',
    config: {
      ...{ group: '230.1.1.251', port: 45_892, every: 1500 },
      ...given(settings),
      secret: secretOf(secret),
      ...(previousSecret ? { previousSecret: secretOf(previousSecret) } : {}),
    },
  };
}

/** `translateMdns()` → `{ strategy: 'mdns', config: { every: 5000 } }`. */
export function translateMdns({
  appName: _appName,
  ...settings
}: MdnsSettings & TranslateContext = {}): Translated<'mdns'> {
  return { strategy: 'mdns', config: { every: 5000, ...given(settings) } };
}

/**
 * `translateStatic({ hosts: ['a:7000', 'b:7000'] })` → `{ strategy: 'static', config: { hosts: […], every: 5000 } }`.
 *
 * @throws FoundationConfigError without hosts.
 */
export function translateStatic({
  appName: _appName,
  hosts,
  ...settings
}: StaticSettings & TranslateContext = {}): Translated<'static'> {
  if (!hosts?.length)
    throw missing('static.hosts', 'the hosts of all nodes; set FOUNDATION_STATIC_HOSTS=a:7000,b:7000');
  return { strategy: 'static', config: { hosts: [...hosts], every: 5000, ...given(settings) } };
}

/** By the name of the strategy. */
export const TRANSLATE = {
  kubernetes: translateKubernetes,
  consul: translateConsul,
  dns: translateDns,
  gossip: translateGossip,
  mdns: translateMdns,
  static: translateStatic,
} as const;

const secretOf = (value: string | Secret): Secret => (value instanceof Secret ? value : new Secret(value));

const missing = (option: string, expected: string): FoundationConfigError =>
  new FoundationConfigError(option, 'nothing', expected);

type Given<T> = { [K in keyof T]-?: Exclude<T[K], Exclude<Duration, number> | undefined> };

/** The settings that are times, of whichever strategy. */
const TIMES = new Set(['every', 'ttl']);

/** Without what is `undefined`, which would overwrite a default; times in milliseconds. */
function given<T extends object>(settings: T): Partial<Given<T>> {
  const named = Object.entries(settings).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    named.map(([key, value]) => [key, TIMES.has(key) ? (parseDuration(value) ?? value) : value]),
  ) as Partial<Given<T>>;
}
