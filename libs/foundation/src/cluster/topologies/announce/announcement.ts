/**
 * Pure: what a node announces of itself, and the check of what it receives. Used by `gossip` and `mdns`.
 * Every text is short and of harmless characters, so that an announcement fits one packet and may be logged.
 */
import type { TopologySelf } from '../../../config/topology.strategy.js';

/** See the file header. */
export interface Announcement {
  readonly app: string;
  readonly node: string;
  readonly boot: string;
  readonly host?: string;
  /** Where other nodes link with it. */
  readonly address?: string;
  /** Without user and password. */
  readonly redis?: string;
  /** `true` in the last one: the node is about to end. */
  readonly leaving?: true;
  /** `true` for the command line, which is not a node, and wants to hear of them. */
  readonly asks?: true;
}

/**
 * As many bytes as pass every network: the smallest MTU of IPv6 (1280, RFC 8200) without the headers, and some room.
 */
export const MAX_PACKET = 1200;

const TEXTS = {
  app: /^[A-Za-z0-9_.-]{1,128}$/,
  node: /^[A-Za-z0-9_.-]{1,128}$/,
  boot: /^[A-Za-z0-9-]{8,64}$/,
  host: /^[A-Za-z0-9_.-]{1,64}$/,
  address: /^(?=.{1,128}$)(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[1-9]\d{0,4}$/,
  redis: /^(?=.{1,240}$)rediss?:\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[1-9]\d{0,4}\/\d{1,5}$/,
} as const;

/** What is not of a kind that others accept is left out, such as a host name with strange characters. */
export function announcementOf(self: TopologySelf): Announcement {
  const { appName, node, bootId, host, address, redis, observes } = self;
  return {
    ...{ app: appName, node, boot: bootId },
    ...(TEXTS.host.test(host) ? { host } : {}),
    ...(address !== undefined && TEXTS.address.test(address) ? { address } : {}),
    ...(redis !== undefined && TEXTS.redis.test(redis) ? { redis } : {}),
    ...(observes === true ? { asks: true } : {}),
  };
}

/** The announcement, without what is not known; `undefined` when anything of it is not what it should be. */
export function readAnnouncement(value: unknown): Announcement | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const read = new Map<string, string | true>();
  for (const [key, pattern] of Object.entries(TEXTS)) {
    if (!Object.hasOwn(value, key)) continue;
    const text = (value as Record<string, unknown>)[key];
    if (typeof text !== 'string' || !pattern.test(text)) return undefined;
    read.set(key, text);
  }
  if (!read.has('app') || !read.has('node') || !read.has('boot')) return undefined;
  const flags = (['leaving', 'asks'] as const).filter(
    (key) => Object.hasOwn(value, key) && (value as Record<string, unknown>)[key] === true,
  );
  for (const flag of flags) read.set(flag, true);
  return Object.fromEntries(read) as unknown as Announcement;
}
