/**
 * The record of a node as JSON, read from what anybody may have written: nothing in it is longer or larger than a node
 * says.
 */
import { parseJson } from '../../wire/json.js';
import { toCount } from '../redis/lua.script.js';
import type { NodeRecord, ReplicaReport } from './directory.js';

/** The longest record in characters: of thousands of classes and topics. */
const MAX_RECORD = 4 * 1024 * 1024;
/** So many classes, labels, replicas and topics of a node are read; names and other words have so many characters. */
const MAX_THINGS = 20_000;
const MAX_WORD = 400;
/** As long as texts of errors are. */
const MAX_ERROR = 1000;
/** What can be counted on one node, and the longest of all times, a day. */
const MAX_COUNT = 1_000_000;
const MAX_MS = 86_400_000;

/**
 * Nodes of one version begin their records with the same text: thousands of names, parsed once instead of with each new
 * load.
 */
export interface RecordHead extends Pick<NodeRecord, 'classes' | 'declares'> {
  /** `{"classes":[…],"declares":{…},` */
  text: string;
}

export function headOf(classes: NodeRecord['classes'], declares: NodeRecord['declares']): RecordHead {
  const text = `${JSON.stringify({ classes, declares }).slice(0, -1)},`;
  return { text, classes, ...(declares === undefined ? {} : { declares }) };
}

/** After how long without a beat a node is late; one that does not say has no times of its own. */
export function lateAfterOf({ beatEvery, ttl }: NodeRecord): number {
  return beatEvery === undefined || ttl === undefined ? Infinity : Math.max(1, Math.min(2 * beatEvery, ttl));
}

/**
 * Reads a record and the time of its join; `undefined` for one that this version cannot read. `head` is what it begins
 * with.
 */
export function parseRecord(text: string, joinedAt: string | undefined, head?: RecordHead): NodeRecord | undefined {
  let value: unknown;
  try {
    const rest = head === undefined ? text : `{${text.slice(head.text.length)}`;
    value = text.length <= MAX_RECORD ? parseJson(rest) : undefined;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const {
    name,
    bootId,
    host,
    pid,
    version,
    state,
    classes,
    load,
    capacity,
    lag,
    labels,
    replicas,
    listens,
    leaseServers,
    beatEvery,
    ttl,
    leaseTtl,
    protocol,
    declares,
    address,
  } = value as Record<string, unknown>;
  if (!isShort(name) || !isShort(bootId)) return undefined;
  return {
    name,
    bootId,
    host: isShort(host) ? host : '?',
    pid: toCount(pid),
    version: isShort(version) ? version : '?',
    state: state === 'draining' ? 'draining' : 'up',
    ...(head === undefined ? parseHead(classes, declares) : { classes: head.classes }),
    ...(head?.declares === undefined ? {} : { declares: head.declares }),
    load: toCount(load, MAX_COUNT),
    ...(capacity === undefined ? {} : { capacity: toCount(capacity, MAX_COUNT) }),
    lag: toCount(lag, MAX_MS),
    labels: mapOf(labels, (text) => (isShort(text) ? text : undefined)),
    replicas: mapOf(replicas, parseReplica),
    listens: mapOf(listens, parseEntries),
    leaseServers: toCount(leaseServers, MAX_COUNT) || 1,
    ...(beatEvery === undefined ? {} : { beatEvery: toCount(beatEvery, MAX_MS) }),
    ...(ttl === undefined ? {} : { ttl: toCount(ttl, MAX_MS) }),
    ...(leaseTtl === undefined ? {} : { leaseTtl: toCount(leaseTtl, MAX_MS) }),
    ...(protocol === undefined ? {} : { protocol: parseProtocol(protocol) }),
    joinedAt: toCount(Number(joinedAt)),
    // What cannot be dialled is kept all the same: it says that the node is to be reached by letters.
    ...(typeof address === 'string' ? { address: address.slice(0, 300) } : {}),
  };
}

function parseHead(classes: unknown, declares: unknown): Pick<NodeRecord, 'classes' | 'declares'> {
  return {
    classes: Array.isArray(classes) ? classes.slice(0, MAX_THINGS).filter(isShort) : [],
    ...(declares === undefined ? {} : { declares: mapOf(declares, parseDeclaration) }),
  };
}

function isShort(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_WORD;
}

/** The entries of an object that `read` accepts, in an object without a prototype. */
function mapOf<T>(value: unknown, read: (entry: unknown) => T | undefined): Record<string, T> {
  const map = Object.create(null) as Record<string, T>;
  if (typeof value !== 'object' || value === null) return map;
  for (const [key, entry] of Object.entries(value).slice(0, MAX_THINGS)) {
    if (!isShort(key)) continue;
    const result = read(entry);
    if (result !== undefined) map[key] = result;
  }
  return map;
}

function parseProtocol(value: unknown): { newest: number; oldest: number } {
  const { newest, oldest } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  return { newest: toCount(newest, MAX_COUNT), oldest: toCount(oldest, MAX_COUNT) };
}

function parseDeclaration(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= 100 ? value : undefined;
}

function parseReplica(value: unknown): ReplicaReport | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { state, epoch, since, error } = value as Record<string, unknown>;
  if (state !== 'starting' && state !== 'running' && state !== 'failed' && state !== 'escalated') return undefined;
  const report: ReplicaReport = { state, epoch: toCount(epoch), since: toCount(since) };
  return typeof error === 'string' ? { ...report, error: error.slice(0, MAX_ERROR) } : report;
}

/** A node says at most a thousand such things; whoever says more is not believed. */
function parseEntries(value: unknown): string[] | undefined {
  if (!Array.isArray(value) || value.length > 1000) return undefined;
  return value.filter((entry): entry is string => typeof entry === 'string' && entry.length <= 400);
}
