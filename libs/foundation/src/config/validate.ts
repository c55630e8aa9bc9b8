/**
 * The shape of the options, for class-validator. Each message is the "expected" half of a `FoundationConfigError`.
 * Called by `resolve`; cross-field rules are there.
 */
import {
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  ValidateBy,
  ValidateIf,
  ValidateNested,
  validateSync,
  type ValidationError,
} from 'class-validator';
import { FoundationConfigError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';

/** A time: a whole number of milliseconds, a day at most. */
export const milliseconds = (min: number): PropertyDecorator => {
  const message = `a whole number of milliseconds from ${min} to 86400000`;
  return (target, key) => {
    IsOptional()(target, key);
    IsInt({ message })(target, key);
    Min(min, { message })(target, key);
    Max(86_400_000, { message })(target, key);
  };
};

/** More of anything is a mistake; and so many seconds are still a time that Redis can keep. */
export const MAX_COUNT_OPTION = 1_000_000_000;
/** The longest timer of Node.js. */
export const MAX_TIMEOUT_MS = 2_147_483_647;

const count = (min: number): PropertyDecorator => {
  const message = `a whole number, ${min} or more, at most ${MAX_COUNT_OPTION}`;
  return (target, key) => {
    IsOptional()(target, key);
    IsInt({ message })(target, key);
    Min(min, { message })(target, key);
    Max(MAX_COUNT_OPTION, { message })(target, key);
  };
};

const timeoutMessage = `a whole number of milliseconds, 1 or more, at most ${MAX_TIMEOUT_MS}, or 'infinity'`;

const NAME = /^[A-Za-z0-9_.-]{1,128}$/;
const nameMessage = '1 to 128 letters, digits, dots, dashes or underscores';

class LeaseShape {
  @milliseconds(100) ttl?: number;
  @milliseconds(10) renewEvery?: number;
  @milliseconds(10) grace?: number;
  @milliseconds(10) commandTimeout?: number;
  @milliseconds(10) margin?: number;
  @IsOptional() @IsIn(['fence', 'exit'], { message: `'fence' or 'exit'` }) onStall?: string;
}

class MembershipShape {
  @milliseconds(50) beatEvery?: number;
  @milliseconds(100) ttl?: number;
}

class BackoffShape {
  @milliseconds(0) base?: number;
  @milliseconds(0) cap?: number;
}

/** The options shared by the module's `processes`, the decorators and the start calls. */
export class ProcessOptionsShape {
  @IsOptional()
  @IsIn(['permanent', 'transient', 'temporary'], { message: `'permanent', 'transient' or 'temporary'` })
  restart?: string;
  @count(0) maxRestarts?: number;
  @count(1) maxSeconds?: number;
  @IsOptional()
  @IsObject({ message: 'an object { base, cap }' })
  @ValidateNested()
  backoff?: BackoffShape;
  @ValidateIf((options: ProcessOptionsShape) => options.timeout !== undefined && options.timeout !== 'infinity')
  @IsInt({ message: timeoutMessage })
  @Min(1, { message: timeoutMessage })
  @Max(MAX_TIMEOUT_MS, { message: timeoutMessage })
  timeout?: number | 'infinity';
  @milliseconds(1) stopTimeout?: number;
}

class ChannelsShape {
  @IsOptional()
  @IsArray({ message: `an array of names of ${nameMessage}` })
  @Matches(NAME, { each: true, message: `an array of names of ${nameMessage}` })
  names?: string[];
  @IsOptional() @IsObject({ message: 'an object of channels and their options' }) durable?: object;
  @count(1024) maxMessageBytes?: number;
}

class DurableShape {
  @count(1) maxLength?: number;
  @count(1) maxDeliveries?: number;
  @milliseconds(50) retryAfter?: number;
}

class CallsShape {
  @milliseconds(1) timeout?: number;
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
  @IsOptional()
  @IsInt({ message: 'a port from 1 to 65535' })
  @Min(1, { message: 'a port from 1 to 65535' })
  @Max(65_535, { message: 'a port from 1 to 65535' })
  port?: number;
  @IsOptional() @IsString({ message: 'a string' }) username?: string;
  @IsOptional() @IsString({ message: 'a string' }) password?: string;
  @count(0) db?: number;
  @addresses() sentinels?: unknown;
  @IsOptional() @IsString({ message: 'the name of the primary' }) name?: string;
  @addresses() cluster?: unknown;
  @IsOptional() @IsObject({ message: 'an object of ioredis options' }) options?: object;
}

const ADDRESS = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253}):[1-9]\d{0,4}$/;
const file = (): PropertyDecorator => IsString({ message: 'the path of a PEM file' });

class DirectShape {
  @IsIn(['direct'], { message: `'direct'` }) kind?: string;
  @IsOptional()
  @IsString({ message: 'a host name or an address' })
  @Matches(/^[A-Za-z0-9_.:-]{1,253}$/, { message: 'a host name or an address' })
  host?: string;
  @IsOptional()
  @IsInt({ message: 'a port from 0 (any) to 65535' })
  @Min(0, { message: 'a port from 0 (any) to 65535' })
  @Max(65_535, { message: 'a port from 0 (any) to 65535' })
  port?: number;
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
  @IsOptional()
  @IsObject({ message: 'an object { certificateFile, keyFile, caFile }' })
  @ValidateNested()
  tls?: TlsShape;
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
  @IsOptional() redis?: unknown;
  @IsOptional() @IsObject({ message: 'a Redlock instance' }) redlock?: object;
  @IsOptional() @IsObject({ message: 'a BullMQ Queue' }) queue?: object;
  @IsOptional() @IsObject({ message: 'an object' }) @ValidateNested() lease?: LeaseShape;
  @IsOptional() @IsObject({ message: 'an object' }) @ValidateNested() membership?: MembershipShape;
  @IsOptional() @IsObject({ message: 'an object' }) @ValidateNested() processes?: ProcessOptionsShape;
  @IsOptional() @IsObject({ message: 'an object' }) @ValidateNested() channels?: ChannelsShape;
  @IsOptional() @IsObject({ message: 'an object' }) @ValidateNested() calls?: CallsShape;
  @IsOptional()
  @ValidateBy({ name: 'labels', validator: { validate: isLabels } }, { message: 'an object of short texts' })
  labels?: Record<string, string>;
  @count(0) capacity?: number;
  @count(1) expectedNodes?: number;
  @milliseconds(100) shutdownTimeout?: number;
  @IsOptional() topologies?: unknown;
  @IsOptional() transport?: unknown;
  @IsOptional() @IsObject({ message: 'an object { cookie, tls }' }) @ValidateNested() security?: SecurityShape;
}

const nested: Readonly<Record<string, new () => object>> = {
  lease: LeaseShape,
  membership: MembershipShape,
  processes: ProcessOptionsShape,
  channels: ChannelsShape,
  calls: CallsShape,
  backoff: BackoffShape,
  security: SecurityShape,
  tls: TlsShape,
};

/** Throws a {@link FoundationConfigError} for the first option that has the wrong shape or is not known. */
export function checkOptions(options: unknown): void {
  checkShape(FoundationShape, options, '');
}

/** The same for the endpoint form of `redis`. */
export function checkEndpoint(endpoint: unknown): void {
  checkShape(EndpointShape, endpoint, 'redis.');
}

/** The same for the options of the durable channels. */
export function checkDurable(channels: Record<string, unknown>): void {
  for (const [name, options] of Object.entries(channels)) {
    if (!NAME.test(name)) throw new FoundationConfigError('channels.durable', show(name), `a name of ${nameMessage}`);
    checkShape(DurableShape, options, `channels.durable.${name}.`);
  }
}

/** The same for the object form of `transport`. */
export function checkDirect(transport: unknown): void {
  checkShape(DirectShape, transport, 'transport.');
}

/** The same for the options of a decorator or a start call; `subject` begins the option's path. */
export function checkProcessOptions(options: unknown, subject: string): void {
  checkShape(ProcessOptionsShape, options, `${subject}.`);
}

/** True for an object of texts with up to 63 characters, as Kubernetes has them. */
export function isLabels(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
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

function isClusterValue(value: unknown): boolean {
  return typeof value === 'boolean' || typeof value === 'string' || (typeof value === 'object' && value !== null);
}

/**
 * Throws for the first property of `value` that breaks a rule of `shape` or is not in it; `path` begins the option's
 * name.
 */
export function checkShape(shape: new () => object, value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new FoundationConfigError(path.slice(0, -1) || 'options', showOption(path, value), 'an object');
  }
  // class-validator passes this one over.
  if (Object.hasOwn(value, '__proto__'))
    throw new FoundationConfigError(`${path}__proto__`, 'a value', 'no such option');
  const errors = validateSync(shaped(shape, value as Record<string, unknown>), {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: false,
  });
  const first = errors[0];
  if (first !== undefined) throw toConfigError(first, path, shape);
}

/** class-validator looks rules up by class, so plain objects become instances first. */
function shaped(shape: new () => object, plain: Record<string, unknown>): object {
  const instance = new shape() as Record<string, unknown>;
  for (const [key, value] of Object.entries(plain)) {
    const inner = Object.hasOwn(nested, key) ? nested[key] : undefined;
    const isPlain = typeof value === 'object' && value !== null && !Array.isArray(value);
    Object.defineProperty(instance, key, {
      value: inner !== undefined && isPlain ? shaped(inner, value as Record<string, unknown>) : value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return instance;
}

function toConfigError(error: ValidationError, path: string, shape: new () => object): FoundationConfigError {
  const child = error.children?.[0];
  if (child !== undefined) {
    return toConfigError(child, `${path}${error.property}.`, nested[error.property] ?? shape);
  }
  const constraints = error.constraints ?? {};
  const isUnknown = 'whitelistValidation' in constraints;
  const expected = isUnknown
    ? `no such option (known here: ${Object.keys(new shape()).join(', ')})`
    : (Object.values(constraints)[0] ?? 'another value');
  // What has no place may be anything: a secret under a word that is spelt wrong.
  const received = isUnknown ? kindOf(error.value) : showOption(`${path}${error.property}`, error.value);
  return new FoundationConfigError(`${path}${error.property}`, received, expected);
}

/** URLs, and whatever is called or near something secret, are shown by their type only. */
function showOption(path: string, value: unknown): string {
  const isSecret = /redis|url|pass|secret|cookie|token|key|^cluster$|^security(?:\.|$)/i.test(path);
  return isSecret ? kindOf(value) : show(value);
}

/** What a value is, without the value. */
function kindOf(value: unknown): string {
  if (value === null) return 'null';
  const kind = Array.isArray(value) ? 'array' : typeof value;
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** Numbers and single words: what a mistake looks like, and no secret and no URL does. */
const HARMLESS = /^(?:"[A-Za-z.,=-]{0,20}"|"[\w.,=-]{0,8}"|-?[\d.]{1,20}|NaN|null|true|false)(?: \(\w+\))?$/;

/**
 * What an error shows of a value that comes out of the environment, where a secret may be in any variable by mistake.
 */
export function shownFromEnvironment(received: string): string {
  return HARMLESS.test(received) || /^(?:an? \w+|nothing)$/.test(received) ? received : 'another text';
}
