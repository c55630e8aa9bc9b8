/**
 * The record of a node as JSON, read from what anybody may have written: nothing in it is longer or larger than a node
 * says.
 */
import {
  cutText,
  fromJson,
  ifRight,
  list,
  map,
  oneOf,
  optional,
  or,
  orElse,
  type Reader,
  record,
  text,
  whole,
} from '../../wire/decode.js';
import type { NodeRecord, ReplicaReport } from './directory.js';

/** The longest record in characters: of thousands of classes and topics. */
const MAX_RECORD = 4 * 1024 * 1024;
/**
 * How many classes, labels, replicas and topics of a node are read, and how many characters a name or another word may
 * have.
 */
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
  const json = `${JSON.stringify({ classes, declares }).slice(0, -1)},`;
  return { text: json, classes, ...(declares === undefined ? {} : { declares }) };
}

/** After how long without a beat a node is late; one that does not say has no times of its own. */
export function lateAfterOf({ beatEvery, ttl }: NodeRecord): number {
  return beatEvery === undefined || ttl === undefined ? Infinity : Math.max(1, Math.min(2 * beatEvery, ttl));
}

const word = text(MAX_WORD);
const count = or(whole(MAX_COUNT), 0);
const milliseconds = or(whole(MAX_MS), 0);
const number = or(whole(), 0);

const mapOf = <T>(read: Reader<T>): Reader<Record<string, T>> =>
  orElse(map(read, MAX_THINGS, word), () => Object.create(null) as Record<string, T>);

const readReplica = record<ReplicaReport>({
  state: oneOf('starting', 'running', 'failed', 'escalated'),
  epoch: number,
  since: number,
  error: ifRight(cutText(MAX_ERROR)),
});

const readHead = record<Pick<NodeRecord, 'classes' | 'declares'>>({
  classes: orElse(list(word, MAX_THINGS), () => []),
  declares: optional(mapOf(text(100, 0))),
});

const readRest = record<Omit<NodeRecord, 'classes' | 'declares' | 'joinedAt'>>({
  name: word,
  bootId: word,
  host: or(word, '?'),
  pid: number,
  version: or(word, '?'),
  release: ifRight(cutText(100)),
  state: or(oneOf('up', 'draining'), 'up'),
  load: count,
  capacity: optional(count),
  lag: milliseconds,
  labels: mapOf(word),
  replicas: mapOf(readReplica),
  // A node says at most a thousand such things; one that says more is not believed.
  listens: mapOf(list(text(400, 0), 1000, 'reject')),
  leaseServers: or(whole(MAX_COUNT, 1), 1),
  leaseNames: ifRight(cutText(1000)),
  beatEvery: optional(milliseconds),
  ttl: optional(milliseconds),
  leaseTtl: optional(milliseconds),
  protocol: optional(orElse(record({ newest: count, oldest: count }), () => ({ newest: 0, oldest: 0 }))),
  packs: optional(count),
  // What cannot be dialled is kept all the same: it says that the node is reached by relayed frames.
  address: ifRight(cutText(300)),
  expects: optional(count),
});

/**
 * Reads a record and the time of its join; `undefined` for one that this version cannot read. `head` is what it begins
 * with.
 */
export function parseRecord(json: string, joinedAt: string | undefined, head?: RecordHead): NodeRecord | undefined {
  if (json.length > MAX_RECORD) return undefined;
  const read = (value: unknown): NodeRecord | undefined => {
    const rest = readRest(value);
    const begin = head === undefined ? readHead(value) : partOf(head);
    if (rest === undefined || begin === undefined) return undefined;
    return Object.assign(rest, begin, { joinedAt: number(Number(joinedAt)) ?? 0 });
  };
  return fromJson(read)(head === undefined ? json : `{${json.slice(head.text.length)}`);
}

function partOf({ classes, declares }: RecordHead): Pick<NodeRecord, 'classes' | 'declares'> {
  return { classes, ...(declares === undefined ? {} : { declares }) };
}
