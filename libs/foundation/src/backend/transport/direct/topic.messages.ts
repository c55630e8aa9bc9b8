/**
 * Pure: what travels inside the messages of a stream: a bundle with its topic, or a change of what a node listens to.
 * Called by the direct transport; anything else is dropped.
 */
import type { Bundle } from '../../../wire/bundle.js';
import { fromJson, ifRight, list, record, text } from '../../../wire/decode.js';
import type { BundleKind } from './stream/frames.js';

const MAX_TOPIC = 1024;
const MAX_TOPICS = 100_000;

/** A change of the topics of a node. `all` begins a stream. */
export interface TopicChange {
  all?: string[];
  add?: string[];
  remove?: string[];
}

/** `<length of the topic> <topic> <text, or what is packed>`. */
export function encodeBundle(topic: string, bundle: Bundle): Buffer {
  const topicSize = Buffer.byteLength(topic);
  const start = 2 + topicSize;
  const body = Buffer.allocUnsafe(start + Buffer.byteLength(bundle));
  body.writeUInt16BE(topicSize, 0);
  body.write(topic, 2);
  if (typeof bundle === 'string') body.write(bundle, start);
  else bundle.copy(body, start);
  return body;
}

/** Reads the topic, and the bundle only on demand, because there may be no listener. */
export function decodeBundle(kind: BundleKind, body: Buffer): { topic: string; bundle: () => Bundle } | undefined {
  if (body.length < 2) return undefined;
  const start = 2 + body.readUInt16BE(0);
  if (start > body.length) return undefined;
  const bundle = (): Bundle => (kind === 'text' ? body.toString('utf8', start) : body.subarray(start));
  return { topic: body.toString('utf8', 2, start), bundle };
}

/** As JSON. */
export function encodeTopics(change: TopicChange): Buffer {
  return Buffer.from(JSON.stringify(change));
}

const topicsIn = list(text(MAX_TOPIC, 0), Infinity);
const readChange = fromJson(
  record<TopicChange>({ all: ifRight(topicsIn), add: ifRight(topicsIn), remove: ifRight(topicsIn) }),
);

/** Applies a change that came from another node; anything else changes nothing. */
export function applyTopics(topics: Set<string> | undefined, body: Buffer): Set<string> | undefined {
  const { all, add = [], remove = [] } = readChange(body.toString()) ?? {};
  const next = all === undefined ? topics : new Set<string>();
  for (const topic of [...(all ?? []), ...add]) if ((next?.size ?? 0) < MAX_TOPICS) next?.add(topic);
  for (const topic of remove) next?.delete(topic);
  return next;
}
