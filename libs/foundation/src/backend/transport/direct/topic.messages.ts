/**
 * Pure: what travels inside the messages of a stream: a text with its topic, or a change of what a node listens to.
 * Called by the direct transport; whatever is not exactly one of these is dropped.
 */
import { parseJson } from '../../../wire/json.js';

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

/** Reads the topic, and the text only on demand, because nobody may listen. */
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

/** Applies a change that came from another node; `undefined` when it is none. */
export function applyTopics(topics: Set<string> | undefined, body: Buffer): Set<string> | undefined {
  let value: unknown;
  try {
    value = parseJson(body.toString());
  } catch {
    return topics;
  }
  if (typeof value !== 'object' || value === null) return topics;
  const { all, add, remove } = value as Record<string, unknown>;
  const next = Array.isArray(all) ? new Set<string>() : topics;
  for (const topic of [...textsOf(all), ...textsOf(add)]) if ((next?.size ?? 0) < MAX_TOPICS) next?.add(topic);
  for (const topic of textsOf(remove)) next?.delete(topic);
  return next;
}

function textsOf(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.filter((each): each is string => typeof each === 'string' && each.length <= MAX_TOPIC);
}
