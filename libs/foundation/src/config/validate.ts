/**
 * The shape of the options, for class-validator. Each message is the "expected" half of a `FoundationConfigError`.
 * Called by `resolve`; cross-field rules are there.
 */
import { IsBoolean, IsIn, IsInt, IsOptional, IsString, Matches, Max, Min, ValidateBy } from 'class-validator';
import { read } from '../errors/describe.js';
import { isOptions } from '../foreign/given.options.js';
import { LONGEST_TIMER_MS } from '../time/duration.js';
import { NAME, nameMessage } from './validate.channels.js';
import { checkShape, count, duration, optionsObject, port, shapedAs } from './validate.shape.js';

class LeaseShape {
  @duration(100) ttl?: unknown;
  @duration(10) renewEvery?: unknown;
  @duration(10) grace?: unknown;
  @duration(10) commandTimeout?: unknown;
  @duration(10) margin?: unknown;
  @IsOptional() @IsIn(['fence', 'exit'], { message: `'fence' or 'exit'` }) onStall?: string;
}

class MembershipShape {
  @duration(50) beatEvery?: unknown;
  @duration(100) ttl?: unknown;
}

class BackoffShape {
  @duration(0) base?: unknown;
  @duration(0) cap?: unknown;
}

/** The options shared by the module's `processes`, the decorators and the start calls. */
export class ProcessOptionsShape {
  @IsOptional()
  @IsIn(['permanent', 'transient', 'temporary'], { message: `'permanent', 'transient' or 'temporary'` })
  restart?: string;
  @count(0) maxRestarts?: number;
  @count(1) maxSeconds?: number;
  @shapedAs(BackoffShape, 'an object { base, cap }')
  backoff?: BackoffShape;
  @duration(1, LONGEST_TIMER_MS, true) timeout?: unknown;
  @duration(1) stopTimeout?: unknown;
}

class ChannelsShape {
  @IsOptional()
  @ValidateBy(
    { name: 'names', validator: { validate: (names) => Array.isArray(names) || isOptions(names) } },
    { message: `an array of names of ${nameMessage}, or an object by name` },
  )
  names?: unknown;
  @ValidateBy(
    { name: 'durable', validator: { validate: (value) => value === undefined } },
    { message: 'nothing: a channel is declared once, as names: { payments: { durable: { … } } }' },
  )
  durable?: unknown;
  @count(1024) maxMessageBytes?: number;
}

class CallsShape {
  @duration(1) timeout?: unknown;
  @count(1) concurrency?: number;
  @count(0) queue?: number;
  @IsOptional() @IsBoolean({ message: 'true or false' }) stacks?: boolean;
}

const addresses = (): PropertyDecorator => (target, key) => {
  const message = 'a list of { host, port }, at least one';
  IsOptional()(target, key);
  ValidateBy({ name: 'addresses', validator: { validate: isAddresses } }, { message })(target, key);
};

class EndpointShape {
  @IsOptional() @IsString({ message: 'a URL' }) url?: string;
  @IsOptional() @IsString({ message: 'a host name' }) host?: string;
  @port(1) port?: number;
  @IsOptional() @IsString({ message: 'a string' }) username?: string;
  @IsOptional() @IsString({ message: 'a string' }) password?: string;
  @count(0) db?: number;
  @addresses() sentinels?: unknown;
  @IsOptional() @IsString({ message: 'the name of the primary' }) name?: string;
  @addresses() cluster?: unknown;
  @IsOptional()
  @optionsObject('an object of ioredis options')
  options?: object;
}

const ADDRESS = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253}):[1-9]\d{0,4}$/;
const file = (): PropertyDecorator => IsString({ message: 'the path of a PEM file' });

class RedisTransportShape {
  @IsIn(['redis'], { message: `'redis'` }) kind?: string;
  @IsOptional() @IsIn(['packed', 'json'], { message: `'packed' or 'json'` }) format?: string;
}

class DirectShape {
  @IsIn(['direct'], { message: `'redis' or 'direct'` }) kind?: string;
  @IsOptional()
  @IsString({ message: 'a host name or an address' })
  @Matches(/^[A-Za-z0-9_.:-]{1,253}$/, { message: 'a host name or an address' })
  host?: string;
  @port(0) port?: number;
  @IsOptional()
  @IsString({ message: 'host:port' })
  @Matches(ADDRESS, { message: 'host:port, or [v6 address]:port' })
  advertise?: string;
}

class TlsShape {
  @file() certificateFile?: string;
  @file() keyFile?: string;
  @file() caFile?: string;
}

const cookieMessage =
  'a text of 16 to 1024 characters, six or more of them different, such as openssl rand -hex 32 prints';

/**
 * Blanks around it do not count; and a text of a few characters again and again is guessed with what it has signed in
 * Redis.
 */
function isCookie(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > 1024) return false;
  const text = value.trim();
  return text.length >= 16 && new Set(text).size >= 6;
}

class SecurityShape {
  @IsOptional()
  @ValidateBy({ name: 'cookie', validator: { validate: isCookie } }, { message: cookieMessage })
  cookie?: string;
  @shapedAs(TlsShape, 'an object { certificateFile, keyFile, caFile }')
  tls?: TlsShape;
}

const entriesMessage = 'a whole number from 100 to 100000';

class JournalShape {
  @IsOptional()
  @IsInt({ message: entriesMessage })
  @Min(100, { message: entriesMessage })
  @Max(100_000, { message: entriesMessage })
  maxEntries?: number;
}

class FoundationShape {
  @IsOptional()
  @ValidateBy(
    { name: 'cluster', validator: { validate: isClusterValue } },
    { message: `true, false, a strategy's name or { strategy, … }` },
  )
  cluster?: unknown;
  @IsOptional() @IsString({ message: nameMessage }) @Matches(NAME, { message: nameMessage }) appName?: string;
  @IsOptional() @IsString({ message: nameMessage }) @Matches(NAME, { message: nameMessage }) nodeName?: string;
  @IsOptional() @Matches(/^[^]{1,100}$/, { message: '1 to 100 characters' }) release?: string;
  @IsOptional() redis?: unknown;
  @ValidateBy(
    {
      name: 'redlock',
      validator: {
        validate: (value) => value === undefined || value === null || hasMethods(value, 'acquire', 'release'),
      },
    },
    { message: 'a Redlock instance' },
  )
  redlock?: unknown;
  @ValidateBy(
    {
      name: 'queue',
      validator: {
        validate: (value) => value === undefined || value === null || hasMethods(value, 'add', 'upsertJobScheduler'),
      },
    },
    { message: 'a BullMQ Queue' },
  )
  queue?: unknown;
  @shapedAs(LeaseShape) lease?: LeaseShape;
  @shapedAs(MembershipShape) membership?: MembershipShape;
  @shapedAs(ProcessOptionsShape) processes?: ProcessOptionsShape;
  @shapedAs(ChannelsShape) channels?: ChannelsShape;
  @shapedAs(CallsShape) calls?: CallsShape;
  @IsOptional()
  @ValidateBy({ name: 'labels', validator: { validate: isLabels } }, { message: 'an object of short texts' })
  labels?: Record<string, string>;
  @count(0) capacity?: number;
  @count(1) expectedNodes?: number;
  @duration(0) startupTimeout?: unknown;
  @duration(100) shutdownTimeout?: unknown;
  @IsOptional() @IsIn(['application', 'member'], { message: `'application' or 'member'` }) readiness?: string;
  @IsOptional() @IsBoolean({ message: 'true or false' }) globalEnhancers?: boolean;
  @IsOptional()
  @ValidateBy(
    { name: 'context', validator: { validate: (value) => hasMethods(value, 'capture', 'run') } },
    { message: 'an object with two functions, { capture, run }' },
  )
  context?: unknown;
  @IsOptional()
  @ValidateBy(
    { name: 'clusterConfig', validator: { validate: isClusterConfig } },
    { message: 'an object { schema, defaults } with a schema and plain values' },
  )
  clusterConfig?: unknown;
  @IsOptional()
  @ValidateBy(
    { name: 'journal', validator: { validate: (value) => typeof value === 'boolean' || isOptions(value) } },
    { message: 'true, false or an object { maxEntries }' },
  )
  journal?: unknown;
  @duration(60_000, 365 * 86_400_000) forgetOrphansAfter?: unknown;
  @IsOptional() topologies?: unknown;
  @IsOptional() transport?: unknown;
  @shapedAs(SecurityShape, 'an object { cookie, tls }') security?: SecurityShape;
}

/** Throws a {@link FoundationConfigError} for the first option that has the wrong shape or is not known. */
export function checkOptions(options: unknown): void {
  checkShape(FoundationShape, options, '');
  const { journal } = options as FoundationShape;
  if (isOptions(journal)) checkShape(JournalShape, journal, 'journal.');
}

/** The same for the endpoint form of `redis`. */
export function checkEndpoint(endpoint: unknown): void {
  checkShape(EndpointShape, endpoint, 'redis.');
}

/** The same for the object form of `transport` over Redis. */
export function checkRedisTransport(transport: unknown): void {
  checkShape(RedisTransportShape, transport, 'transport.');
}

/** The same for that from node to node. */
export function checkDirect(transport: unknown): void {
  checkShape(DirectShape, transport, 'transport.');
}

/** The same for the options of a decorator or a start call; `subject` begins the option's path, `others` are known. */
export function checkProcessOptions(options: unknown, subject: string, others: readonly string[] = []): void {
  checkShape(ProcessOptionsShape, options, `${subject}.`, others);
}

function isClusterConfig(value: unknown): boolean {
  if (!isOptions(value)) return false;
  const { schema, defaults, ...others } = value;
  const isSchema = typeof schema === 'function' || (typeof schema === 'object' && schema !== null);
  return isSchema && isOptions(defaults) && Object.keys(others).length === 0;
}

/** True for an object of texts with up to 63 characters, as Kubernetes has them. */
export function isLabels(value: unknown): value is Record<string, string> {
  if (!isOptions(value)) return false;
  const isShort = (text: unknown): boolean => typeof text === 'string' && text.length > 0 && text.length <= 63;
  return Object.entries(value).every(([key, label]) => isShort(key) && isShort(label));
}

function isAddresses(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isAddress);
}

function isAddress(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { host, port } = value as Record<string, unknown>;
  return typeof host === 'string' && host !== '' && Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536;
}

/** As far as can be seen without its package, which only a cluster loads. */
function hasMethods(value: unknown, ...names: string[]): boolean {
  return names.every((name) => typeof read(value, name) === 'function');
}

function isClusterValue(value: unknown): boolean {
  return typeof value === 'boolean' || typeof value === 'string' || (typeof value === 'object' && value !== null);
}
