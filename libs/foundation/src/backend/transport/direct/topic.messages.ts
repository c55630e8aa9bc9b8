/**
 * Pure: what travels inside the messages of a stream: a text with its topic, or a change of what a node listens to.
 * Called by the direct transport; anything else is dropped.
 */
import { fromJson, ifRight, list, record, text } from '../../../wire/decode.js';

const MAX_TOPIC = 1024;
const MAX_TOPICS = 100_000;

/** A change of the topics of a node. `all` begins a stream. */
export interface TopicChange {
  all?: string[];
  add?: string[];
  remove?: string[];
}

/** `<length of the topic> <topic> <text>`. */
export function encodeText(topic: string, text: string): Buffer {
  const topicSize = Buffer.byteLength(topic);
  const body = Buffer.allocUnsafe(2 + topicSize + Buffer.byteLength(text));
  body.writeUInt16BE(topicSize, 0);
  body.write(topic, 2);
  body.write(text, 2 + topicSize);
  return body;
}

/** Reads the topic, and the text only on demand, because there may be no listener. */
export function decodeText(body: Buffer): { topic: string; text: () => string } | undefined {
  if (body.length < 2) return undefined;
  const start = 2 + body.readUInt16BE(0);
  if (start > body.length) return undefined;
  return { topic: body.toString('utf8', 2, start), text: () => body.toString('utf8', start) };
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
