/**
 * The shape of each strategy's settings, for class-validator; see `validate.ts`.
 * Called by `resolve.topologies.ts`.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsOptional, IsString, Matches, ValidateBy } from 'class-validator';
import { Secret } from '../security/secret.js';
import type { StrategyName } from './strategy.settings.js';
import { checkShape, duration, port } from './validate.shape.js';

const NAME = /^[A-Za-z0-9_.-]{1,253}$/;
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::[1-9]\d{0,4})?$/;

const text = (pattern: RegExp, message: string, each = false): PropertyDecorator => {
  return (target, key) => {
    IsOptional()(target, key);
    IsString({ message, each })(target, key);
    Matches(pattern, { message, each })(target, key);
  };
};

const name = (): PropertyDecorator => text(NAME, 'a name of letters, digits, dots, dashes or underscores');
const redisUrl = (): PropertyDecorator => text(/^(?:rediss?(?:-(?:sentinel|cluster))?|unix):\/\//, 'a Redis URL');

const secret = (min: number): PropertyDecorator => {
  const message = `a text of ${min} to 1024 characters`;
  const validate = (value: unknown): boolean => {
    const shown = value instanceof Secret ? value.reveal() : value;
    return typeof shown === 'string' && shown.length >= min && shown.length <= 1024;
  };
  return (target, key) => {
    IsOptional()(target, key);
    ValidateBy({ name: 'secret', validator: { validate } }, { message })(target, key);
  };
};

const address = (message: string): PropertyDecorator => {
  const validate = (value: unknown): boolean => typeof value === 'string' && isIPv4(value);
  return (target, key) => {
    IsOptional()(target, key);
    ValidateBy({ name: 'address', validator: { validate } }, { message })(target, key);
  };
};

/** As `dns.setServers` takes them: no names. */
function isServers(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.length <= 10 && value.every(isServer);
}

function isServer(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  if (isIPv6(value)) return true;
  const [, v6, v4 = '', port = '53'] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(value) ?? [];
  return (v6 === undefined ? isIPv4(v4) : isIPv6(v6)) && Number(port) > 0 && Number(port) < 65_536;
}

class KubernetesShape {
  @text(/^[A-Za-z0-9_./,=!() -]{1,1000}$/, 'a label selector such as app=shop,tier=web') selector?: string;
  @name() namespace?: string;
  @name() redisService?: string;
  @text(/./, 'the path of a kubeconfig') kubeconfig?: string;
}

class ConsulShape {
  @text(/^(?:https?:\/\/)?[^\s/@]+$/, 'host:port, http://… or https://… without a path') address?: string;
  @name() service?: string;
  @name() redisService?: string;
  @secret(1) token?: string | Secret;
  @duration(2000, 3_600_000) ttl?: unknown;
}

class DnsShape {
  @name() query?: string;
  @name() redisQuery?: string;
  @duration(100) every?: unknown;
  @IsOptional()
  @ValidateBy(
    { name: 'servers', validator: { validate: isServers } },
    { message: 'a list of 1 to 10 addresses of DNS servers, such as 10.0.0.2, 127.0.0.1:8600 or [::1]:53' },
  )
  servers?: string[];
}

class GossipShape {
  @secret(16) secret?: string | Secret;
  @secret(16) previousSecret?: string | Secret;
  @address('an IPv4 address: a multicast group (224.0.0.0 to 239.255.255.255) or a broadcast address') group?: string;
  @port(1) port?: number;
  @address('an IPv4 address of this machine') interface?: string;
  @duration(100) every?: unknown;
}

class MdnsShape {
  @address('an IPv4 address of this machine') interface?: string;
  @duration(100) every?: unknown;
}

const hostsMessage = 'a list of 1 to 1000 hosts, each host or host:port';

class StaticShape {
  @IsArray({ message: hostsMessage })
  @ArrayMinSize(1, { message: hostsMessage })
  @ArrayMaxSize(1000, { message: hostsMessage })
  @text(HOST, hostsMessage, true)
  hosts?: string[];
  @redisUrl() redis?: string;
  @duration(100) every?: unknown;
}

const SHAPES: Readonly<Record<StrategyName, new () => object>> = {
  kubernetes: KubernetesShape,
  consul: ConsulShape,
  dns: DnsShape,
  gossip: GossipShape,
  mdns: MdnsShape,
  static: StaticShape,
};

/** Throws a `FoundationConfigError` for the first setting that has the wrong shape or is not known. */
export function checkSettings(strategy: StrategyName, settings: unknown): void {
  checkShape(SHAPES[strategy], settings, `${strategy}.`);
}
